/*
 * The bytes of a DNS answer read as records. Pure: no socket, no clock.
 *
 * Whatever the bytes are, the result is one of the four states of dns_answer;
 * wrong bytes are DNS_TEMPORARY with a text ("malformed answer: ..."), never
 * an empty answer, which would lead mail to the wrong host or bounce it. The
 * CNAME chain inside the answer is followed from the name that was asked;
 * records of other names are ignored.
 */
#ifndef DNS_DNS_PARSE_H
#define DNS_DNS_PARSE_H

#include "dns/dns.h"

enum dns_type { DNS_TYPE_A = 1, DNS_TYPE_MX = 15, DNS_TYPE_AAAA = 28 };

/* An answer that owns its records and is shared by those who wait for it and
 * the cache. Not for use from several threads. */
struct dns_reply {
	unsigned refs;
	struct dns_answer answer;
	/* Not "": the CNAME chain leads here and the answer stops, without an SOA
	 * that would say that there is nothing. Servers that cut chains do that
	 * (Knot DNS after 5): the status NO_DATA is none before this was asked. */
	char rest[DNS_NAME_MAX];
	uint32_t rest_ttl_s; /* of the chain up to there */
};

struct dns_reply *dns_reply_new(enum dns_status status); /* one reference */
struct dns_reply *dns_reply_ref(struct dns_reply *r);
void dns_reply_unref(struct dns_reply **r);

/* Whether a name can be asked: 1 to 253 octets of letters, digits, '-' and '_'
 * in labels of 1 to 63, no trailing dot. */
bool dns_name_is_usable(const char *name);

/* name: as it was asked. The text of a temporary answer does not say which
 * server sent it. is_secure is the AD bit: whether its sender is to be believed
 * is for the caller to judge. */
struct dns_reply *dns_parse(
	const unsigned char *bytes, size_t len, const char *name, enum dns_type type);

#endif
