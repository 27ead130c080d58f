#include "delivery/way.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { SMTPS_PORT = 465 }; /* RFC 8314 7.3 */

static const struct policy_relay own = { .is_destination = true, .looks_up_mx = true };
const struct way way_own = { .relay = &own };

const struct policy_route *way_route_of(const struct config *config,
	const struct policy_set *policy, const char *domain, bool is_notice)
{
	if (is_notice && config->bounce_route)
		return config->bounce_route;
	return policy ? policy_set_route(policy, domain) : NULL;
}

size_t way_order(const struct policy_route *route,
	uint32_t (*random_below)(uint32_t bound),
	const struct policy_relay *out[POLICY_RELAYS_MAX])
{
	if (!route) {
		out[0] = &own;
		return 1;
	}
	for (size_t i = 0; i < route->relay_count; i++)
		out[i] = &route->relays[i];
	for (size_t i = route->relay_count - 1; route->takes_turns && i > 0; i--) {
		size_t j = random_below((uint32_t)i + 1);
		const struct policy_relay *r = out[i];
		out[i] = out[j];
		out[j] = r;
	}
	return route->relay_count;
}

uint16_t way_port(const struct way *way, const struct config_destination *settings)
{
	const struct policy_relay *relay = way->relay;
	if (relay->transport == POLICY_TRANSPORT_LMTP)
		return 0;
	if (relay->port)
		return relay->port;
	return relay->transport == POLICY_TRANSPORT_SMTPS ? SMTPS_PORT : settings->port;
}

static const struct policy_route no_options;

static bool has_same_options(const struct policy_route *a, const struct policy_route *b)
{
	a = a ? a : &no_options;
	b = b ? b : &no_options;
	if (a == b)
		return true;
	return text_same(a->source_v4, b->source_v4) &&
	       text_same(a->source_v6, b->source_v6) && text_same(a->ehlo, b->ehlo) &&
	       text_same(a->auth, b->auth) && text_same(a->certificate, b->certificate) &&
	       text_same(a->key, b->key) && text_same(a->secret, b->secret);
}

static bool is_same_place(const struct policy_relay *a, const struct policy_relay *b)
{
	return a == b ||
	       (a->transport == b->transport && a->is_destination == b->is_destination &&
		       a->looks_up_mx == b->looks_up_mx && a->port == b->port &&
		       text_same(a->host, b->host) && text_same(a->path, b->path));
}

bool way_is_alike(const struct way *a, const struct way *b)
{
	return is_same_place(a->relay, b->relay) && has_same_options(a->route, b->route);
}

bool way_find(const struct policy_route *route, const struct way *other, struct way *out)
{
	size_t count = !route                               ? 1
		       : route->kind == POLICY_ROUTE_RELAYS ? route->relay_count
							    : 0;
	for (size_t i = 0; i < count; i++) {
		*out = (struct way){ route, route ? &route->relays[i] : &own };
		if (way_is_alike(out, other))
			return true;
	}
	return false;
}

bool way_routes_are_alike(const struct policy_route *a, const struct policy_route *b)
{
	if (a == b)
		return true;
	if (!a || !b || a->kind != b->kind || a->relay_count != b->relay_count ||
		a->has_tls != b->has_tls || a->tls != b->tls || !has_same_options(a, b))
		return false;
	for (size_t i = 0; i < a->relay_count; i++) {
		if (!is_same_place(&a->relays[i], &b->relays[i]))
			return false;
	}
	return strcmp(a->status, b->status) == 0 &&
	       text_same(a->error_text, b->error_text);
}

static void add_option(struct buf *out, const char *name, const char *value)
{
	if (value)
		buf_addf(out, " %s=%s", name, value);
}

char *way_hop_key(const struct policy_route *route)
{
	struct buf key = BUF_INIT;
	char text[POLICY_TEXT_MAX];
	if (!route || route->kind != POLICY_ROUTE_RELAYS)
		return NULL;
	for (size_t i = 0; i < route->relay_count; i++) {
		if (route->relays[i].is_destination) {
			buf_clear(&key);
			return NULL;
		}
		policy_relay_format(&route->relays[i], text, sizeof(text));
		buf_addf(&key, "%s%s", i ? ", " : "", text);
	}
	if (route->has_tls)
		add_option(&key, "tls", policy_tls_level_name(route->tls));
	add_option(&key, "source", route->source_v4);
	add_option(&key, "source", route->source_v6);
	add_option(&key, "ehlo", route->ehlo);
	add_option(&key, "auth", route->auth);
	add_option(&key, "certificate", route->certificate);
	add_option(&key, "key", route->key);
	add_option(&key, "secret", route->secret);
	return buf_steal(&key);
}

void way_format_line(const struct policy_route *route, char out[WAY_LINE_MAX])
{
	const char *slash = strrchr(route->path, '/');
	snprintf(out, WAY_LINE_MAX, "%.36s:%u", slash ? slash + 1 : route->path,
		route->line);
}
