/*
 * Reading a route: its pattern, its targets, its options, in this order.
 * Not for users outside of policy/.
 */
#ifndef POLICY_ROUTE_READ_H
#define POLICY_ROUTE_READ_H

#include "policy/route_parse.h"

/* s is an entry without comment and blanks around it; with pattern_out NULL it has
 * no pattern. What out points to is in the arena; its pattern, path, line and text
 * are the caller's to set. false: why says what is wrong, out means nothing. */
bool policy_route_read(struct policy_arena *arena, const char *s, size_t len,
	struct policy_pattern *pattern_out, struct policy_route *out,
	char why[POLICY_TEXT_MAX]);

#endif
