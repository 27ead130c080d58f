/* What the policy commands say of a route, in JSON and in words. */
#include "cli/cmd_policy.h"

#include "base/buf.h"

#include <stdio.h>

static json_t *targets_to_json(const struct policy_route *route)
{
	char target[POLICY_TEXT_MAX];
	json_t *list = json_array();
	for (size_t i = 0; i < route->relay_count; i++) {
		policy_relay_format(&route->relays[i], target, sizeof(target));
		policy_json_append(list, policy_json_text(target));
	}
	return list;
}

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text)
		policy_json_set(object, key, policy_json_text(text));
}

static json_t *options_to_json(const struct policy_route *route)
{
	json_t *o = json_object();
	set_text(o, "order", route->takes_turns ? "turn" : NULL);
	set_text(o, "tls", route->has_tls ? policy_tls_level_name(route->tls) : NULL);
	if (route->source_v4 || route->source_v6) {
		json_t *sources = json_array();
		if (route->source_v4)
			policy_json_append(sources, policy_json_text(route->source_v4));
		if (route->source_v6)
			policy_json_append(sources, policy_json_text(route->source_v6));
		policy_json_set(o, "source", sources);
	}
	set_text(o, "ehlo", route->ehlo);
	set_text(o, "auth", route->auth);
	set_text(o, "certificate", route->certificate);
	set_text(o, "key", route->key);
	set_text(o, "secret", route->secret);
	return o;
}

void policy_json_add_route(json_t *object, const struct policy_route *route)
{
	static const char *const kinds[] = {
		[POLICY_ROUTE_RELAYS] = "relays",
		[POLICY_ROUTE_DISCARD] = "discard",
		[POLICY_ROUTE_ERROR] = "error",
	};
	bool is_error = route->kind == POLICY_ROUTE_ERROR;
	policy_json_set(object, "kind", json_string(kinds[route->kind]));
	policy_json_set(object, "targets", targets_to_json(route));
	policy_json_set(object, "options", options_to_json(route));
	set_text(object, "status", is_error ? route->status : NULL);
	set_text(object, "text", is_error ? route->error_text : NULL);
}

json_t *policy_json_route(const struct policy_route *route)
{
	char rule[512];
	if (!route)
		return json_null();
	json_t *o = json_object();
	snprintf(rule, sizeof(rule), "%.480s:%u", route->path, route->line);
	policy_json_set(o, "rule", policy_json_text(rule));
	policy_json_add_route(o, route);
	return o;
}
