/*
 * Questions to DNS and their answers, with what is known of their security.
 *
 * Asynchronous, on a libuv loop; answers are kept for their TTL in a bounded
 * cache. A callback runs exactly once a lookup, from the loop, never from
 * inside the call that asked (also when the cache has the answer). After
 * dns_query_cancel it does not run. Answers are borrowed for the call back.
 *
 * A malformed answer is a SERVFAIL (dns_parse.c); FORMERR, REFUSED, NOTIMP and
 * BADVERS are temporary failures: they never look like "no such record".
 */
#ifndef DNS_DNS_H
#define DNS_DNS_H

#include "base/addr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uv_loop_s;
struct dns_resolver;
struct dns_query;

enum dns_status {
	DNS_OK,       /* records are there */
	DNS_NO_DATA,  /* the name exists, the type does not */
	DNS_NO_NAME,  /* NXDOMAIN */
	DNS_TEMPORARY /* SERVFAIL, time-out, malformed, refused ... : text says which */
};

enum { DNS_NAME_MAX = 254, DNS_MX_MAX = 100, DNS_ADDR_MAX = 32 };

struct dns_mx {
	uint16_t preference;
	char host[DNS_NAME_MAX]; /* lower case, no trailing dot; "" is the root (null MX)
				  */
};

struct dns_answer {
	enum dns_status status;
	bool is_secure; /* AD bit from a resolver that is trusted */
	uint32_t ttl_s; /* the least of the records used */
	char text[256]; /* for DNS_TEMPORARY: "SERVFAIL from 127.0.0.1:53", "timed out",
			   ... */
	const struct dns_mx *mx; /* as answered, unsorted */
	size_t mx_count;
	const struct addr *addrs; /* port 0 */
	size_t addr_count;
};

typedef void dns_callback(void *arg, const struct dns_answer *answer);

struct dns_options {
	const struct addr *servers; /* with ports; none: resolv.conf */
	size_t server_count;
	int timeout_ms; /* for one try at one server */
	int tries;
	size_t cache_max; /* answers kept */
};

int dns_resolver_new(struct uv_loop_s *loop, const struct dns_options *options,
	struct dns_resolver **out, struct err *e);
/* Silences all queries at once; frees itself when its handles are closed. */
void dns_resolver_close(struct dns_resolver **r);

/* name: A-label, no trailing dot. CNAMEs are followed by the server; their
 * chain is checked. The query is freed after its callback, or by cancel. */
struct dns_query *dns_lookup_mx(
	struct dns_resolver *r, const char *name, dns_callback *cb, void *arg);
struct dns_query *dns_lookup_addr(struct dns_resolver *r, const char *name, int family,
	dns_callback *cb, void *arg);
void dns_query_cancel(struct dns_query **q);

#endif
