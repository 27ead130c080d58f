#include "policy/route_read.h"

#include <string.h>

static bool parse_pattern(struct route_parser *p, struct policy_pattern *out)
{
	struct route_word w = route_next_word(p, false);
	if (!policy_pattern_parse(w.s, w.len, out, p->why))
		return false;
	route_skip_blanks(p);
	return p->at < p->end || route_fail(p, "a route needs a target after the "
					       "pattern; targets are " ROUTE_TARGETS);
}

static void keep_relays(struct route_parser *p)
{
	struct policy_route *r = p->route;
	size_t size = r->relay_count * sizeof(p->relays[0]);
	struct policy_relay *kept = NULL;
	if (size) {
		kept = policy_arena_alloc(p->arena, size);
		memcpy(kept, p->relays, size);
	}
	r->relays = kept;
}

bool policy_route_read(struct policy_arena *arena, const char *s, size_t len,
	struct policy_pattern *pattern_out, struct policy_route *out,
	char why[POLICY_TEXT_MAX])
{
	struct route_parser p = {
		.at = s,
		.end = s + len,
		.arena = arena,
		.route = out,
		.why = why,
	};
	*out = (struct policy_route){ 0 };
	if (!route_check_characters(&p))
		return false;
	p.at = s;
	if (pattern_out && !parse_pattern(&p, pattern_out))
		return false;
	if (!route_parse_targets(&p) || !route_parse_options(&p))
		return false;
	keep_relays(&p);
	return true;
}
