/*
 * From a destination to the hosts that take its mail, RFC 5321 5.1: MX in the
 * order of preference, equal ones shuffled; implicit MX; null MX (RFC 7505);
 * oneself in the list; address literals. Addresses of a host are looked up
 * when its turn comes (hosts.h).
 */
#ifndef DELIVERY_ROUTE_H
#define DELIVERY_ROUTE_H

#include "dns/dns.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum route_status {
	ROUTE_OK,
	ROUTE_TEMPORARY, /* ask again later */
	ROUTE_PERMANENT  /* no mail goes there: text and status say why */
};

struct route_host {
	char name[DNS_NAME_MAX]; /* A-label; of a literal its text, of a socket the path
				  */
	uint16_t preference;
	bool is_literal;
	struct addr literal; /* port 0 */
};

struct route {
	enum route_status status;
	char enhanced[12]; /* "5.1.2"; "" with ROUTE_OK */
	char text[320];
	bool is_implicit; /* no MX: the name itself */
	bool is_secure;
	size_t host_count;
	struct route_host hosts[DNS_MX_MAX]; /* beyond the count: undefined */
};

/* random_below: uniform in [0, bound); a parameter so that tests decide. */
void route_from_mx(const struct dns_answer *answer, const char *domain, const char *self,
	uint32_t (*random_below)(uint32_t bound), struct route *out);

/* That host comes first, whatever its preference, if it is among them. */
void route_prefer(struct route *r, const char *name);

/* That host, without a look-up: its name, or the path of a socket. */
void route_from_host(const char *name, struct route *out);

/* "[192.0.2.1]" or "[IPv6:...]"; false: domain is no literal. */
bool route_from_literal(const char *domain, struct route *out);

#endif
