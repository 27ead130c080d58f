/*
 * A line of routes.txt (policy/route.h), with its pattern and without. Each relay is a
 * target as it is written, which is read as the same relay.
 */
#include "fuzz.h"

#include "base/err.h"
#include "policy/name.h"
#include "policy/route.h"

#include <string.h>

enum { TARGET_MAX = 512 };

static void check_relay(const struct policy_relay *relay)
{
	char text[TARGET_MAX], same[TARGET_MAX], why[POLICY_TEXT_MAX];
	policy_relay_format(relay, text, sizeof(text));
	/* Our operator wrote it: a path may have letters that turn the direction of text.
	 */
	for (const char *c = text; *c; c++)
		ASSERT((unsigned char)*c >= ' ' && *c != 0x7f);
	ASSERT(*text && *policy_relay_name(relay, "example.com"));
	ASSERT(relay->is_destination || !relay->path == !!relay->host);
	struct policy_route *again = policy_route_parse_targets(text, strlen(text), why);
	ASSERT(again && again->relay_count == 1);
	policy_relay_format(&again->relays[0], same, sizeof(same));
	ASSERT(strcmp(text, same) == 0);
	policy_route_free(&again);
}

static void check(struct policy_route *route, const char *why)
{
	if (!route) {
		ASSERT(*why && strlen(why) < POLICY_TEXT_MAX);
		return;
	}
	ASSERT(route->relay_count <= POLICY_RELAYS_MAX);
	ASSERT((route->relay_count > 0) == (route->kind == POLICY_ROUTE_RELAYS));
	for (size_t i = 0; i < route->relay_count; i++)
		check_relay(&route->relays[i]);
	if (route->kind == POLICY_ROUTE_ERROR)
		ASSERT(route->error_text && strchr("45", route->status[0]));
	/* A password never goes where it can be read; without tls= it means verified. */
	if (route->auth && route->has_tls)
		ASSERT(route->tls == POLICY_TLS_VERIFIED ||
			route->tls == POLICY_TLS_REQUIRED);
	policy_route_free(&route);
}

void fuzz_route(const uint8_t *data, size_t len)
{
	char why[POLICY_TEXT_MAX];
	check(policy_route_parse((const char *)data, len, why), why);
	check(policy_route_parse_targets((const char *)data, len, why), why);
}
