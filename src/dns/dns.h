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
	char host[DNS_NAME_MAX]; /* lower case, no trailing dot; "": null MX */
};

struct dns_answer {
	enum dns_status status;
	bool is_secure; /* AD bit, from a server with a loopback address */
	uint32_t ttl_s; /* the least of the records used, what is left of it; a day
			 * at most, 5 minutes for an absence */
	/* For DNS_TEMPORARY: "SERVFAIL from 127.0.0.1:53", "no answer (timed out)
	 * from ..."; and where a name cannot be asked at all (DNS_NO_NAME). */
	char text[256];
	/* Unsorted; of more than DNS_MX_MAX the best. A host of "" is the null MX
	 * (RFC 7505): then it is the only record and its preference is 0. Other
	 * records without a usable host name are dropped; where that leaves none,
	 * the answer is DNS_TEMPORARY. */
	const struct dns_mx *mx;
	size_t mx_count;
	const struct addr *addrs; /* port 0, each once */
	size_t addr_count;
};

typedef void dns_callback(void *arg, const struct dns_answer *answer);

struct dns_options {
	const struct addr *servers; /* with ports; none: resolv.conf */
	size_t server_count;        /* 8 at most */
	int timeout_ms;             /* for one try at one server; 0: 3 s */
	int tries;                  /* rounds over the servers; 0: 2 */
	size_t cache_max;           /* answers kept; 0: none */
};

int dns_resolver_new(struct uv_loop_s *loop, const struct dns_options *options,
	struct dns_resolver **out, struct err *e);
/* Silences and frees all queries at once: their pointers are dead. Frees itself
 * when its handles are closed, so the loop has to run once more. */
void dns_resolver_close(struct dns_resolver **r);

/* name: A-label, no trailing dot; one that cannot be in DNS is DNS_NO_NAME.
 * CNAMEs are followed by the server; their chain is checked. The same question
 * asked while it is under way is one question on the wire. The query is freed
 * after its callback, or by cancel, which may be called from any callback (in
 * its own it does nothing but set the pointer to NULL). */
struct dns_query *dns_lookup_mx(
	struct dns_resolver *r, const char *name, dns_callback *cb, void *arg);
struct dns_query *dns_lookup_addr(struct dns_resolver *r, const char *name, int family,
	dns_callback *cb, void *arg);
void dns_query_cancel(struct dns_query **q);

/* Versions of the library behind it: the one that runs, and the one built with. */
const char *dns_library_version(void);
const char *dns_library_built(void);

#endif
