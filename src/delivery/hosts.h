/*
 * The addresses of one host: A and AAAA asked together, put in the order in
 * which they are dialled (families in turn, IPv6 first, RFC 8305 4), without
 * those that are prohibited.
 */
#ifndef DELIVERY_HOSTS_H
#define DELIVERY_HOSTS_H

#include "base/addr.h"
#include "config/config.h"
#include "dns/dns.h"

#include <stdbool.h>
#include <stddef.h>

enum { HOSTS_ADDRS_MAX = 10 };

struct host_addrs {
	struct addr addrs[HOSTS_ADDRS_MAX]; /* with port */
	size_t count;
	bool is_temporary; /* none found, but later there may be some */
	bool is_path;      /* not an address but the path of a socket: the one of them */
	char text[320];    /* why none were found */
};

struct host_lookup;
typedef void host_callback(void *arg, const struct host_addrs *found);

/* The callback runs once, from the loop, never inside the call. */
struct host_lookup *host_lookup_start(struct dns_resolver *resolver, const char *name,
	uint16_t port, const struct addr_range *prohibited, size_t prohibited_count,
	host_callback *cb, void *arg);
void host_lookup_cancel(struct host_lookup **lp);

/* Pure parts: the order, and the guard on the final address (un-mapped). */
void host_addrs_merge(const struct addr *v6, size_t v6_count, const struct addr *v4,
	size_t v4_count, uint16_t port, struct host_addrs *out);
bool host_addr_is_prohibited(
	const struct addr *a, const struct addr_range *prohibited, size_t count);

/* Is it (with its port) one of these places? 0.0.0.0 and :: are all of loopback, too:
 * what other addresses this machine has is not asked. */
bool host_addr_is_own(
	const struct addr *a, const struct config_listen *listen, size_t count);

#endif
