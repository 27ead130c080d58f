/*
 * The way that an item goes: which line of the routes counts, in which order its
 * relays are tried, and which connections can stand for each other. Mail without a
 * route goes to its destination's own hosts: that is a relay too, way_own.
 *
 * Notices that were made here go by bounce_route, where there is one.
 *
 * Pure. Routes and relays are borrowed from the policy set or the configuration.
 */
#ifndef DELIVERY_WAY_H
#define DELIVERY_WAY_H

#include "config/config.h"
#include "policy/policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct way {
	const struct policy_route *route; /* NULL: none */
	const struct policy_relay *relay; /* of the route; or that of way_own */
};
extern const struct way way_own;

/* The line that counts; NULL: none matches. policy: NULL where there are no files. */
const struct policy_route *way_route_of(const struct config *config,
	const struct policy_set *policy, const char *domain, bool is_notice);

/* How many relays, in the order in which an attempt tries them; with order=turn that is
 * drawn each time. route: NULL, or of relays. random_below: as in route.h. */
size_t way_order(const struct policy_route *route,
	uint32_t (*random_below)(uint32_t bound),
	const struct policy_relay *out[POLICY_RELAYS_MAX]);

/* The port of its hosts; settings: those of the relay's name. 0: it has none. */
uint16_t way_port(const struct way *way, const struct config_destination *settings);

/* Do both lead to the same hosts, with the same options on the way? Where that is the
 * destination itself, it must be the same one besides. */
bool way_is_alike(const struct way *a, const struct way *b);
/* The way of this route that is as the other one; false: it has none. */
bool way_find(const struct policy_route *route, const struct way *other, struct way *out);

/* The same relays in the same order, with the same options? NULL is a route. */
bool way_routes_are_alike(const struct policy_route *a, const struct policy_route *b);

/* What the connections of a route are shared by: its relays with their options, as
 * text; malloc'ed. NULL: a destination has its connections for itself. */
char *way_hop_key(const struct policy_route *route);

/* "routes.txt:12", "hikyaku.conf:7": as texts for people name it. */
enum { WAY_LINE_MAX = 48 };
void way_format_line(const struct policy_route *route, char out[WAY_LINE_MAX]);

#endif
