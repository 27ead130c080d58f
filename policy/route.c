#include "policy/route.h"

#include "policy/route_read.h"
#include "policy/util.h"

#include <stdlib.h>
#include <string.h>

/* --- routes with an owner --- */

struct owned_route {
	struct policy_route route; /* first: it is what the owner has */
	struct policy_arena memory;
};

static struct policy_route *parse_owned(
	const char *s, size_t len, struct policy_pattern *pattern, char *why)
{
	struct owned_route *o = policy_xcalloc(1, sizeof(*o));
	struct policy_route *route = &o->route;
	if (!policy_route_read(&o->memory, s, len, pattern, route, why)) {
		policy_route_free(&route);
		return NULL;
	}
	route->text = policy_arena_strndup(&o->memory, s, len);
	if (pattern) {
		route->pattern_kind = pattern->kind;
		route->pattern_name = policy_arena_strndup(
			&o->memory, pattern->name, strlen(pattern->name));
	}
	return route;
}

struct policy_route *policy_route_parse(
	const char *s, size_t len, char why[POLICY_TEXT_MAX])
{
	struct policy_pattern pattern;
	return parse_owned(s, len, &pattern, why);
}

struct policy_route *policy_route_parse_targets(
	const char *s, size_t len, char why[POLICY_TEXT_MAX])
{
	return parse_owned(s, len, NULL, why);
}

void policy_route_free(struct policy_route **route)
{
	struct owned_route *o = (struct owned_route *)*route;
	*route = NULL;
	if (!o)
		return;
	policy_arena_clear(&o->memory);
	free(o);
}

/* --- asking one --- */

void policy_route_pattern(const struct policy_route *route, struct policy_pattern *out)
{
	out->kind = route->pattern_kind;
	policy_text(out->name, sizeof(out->name), "%s", route->pattern_name);
}
