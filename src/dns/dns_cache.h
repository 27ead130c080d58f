/*
 * Answers kept for their TTL, a bounded number of them: when it is full the
 * one that was not asked for longest goes. Pure: the time, in milliseconds of
 * a clock that never steps back, comes in as a parameter.
 *
 * Names compare without case. Temporary failures and answers with a TTL of 0
 * are not kept. Not for use from several threads.
 */
#ifndef DNS_DNS_CACHE_H
#define DNS_DNS_CACHE_H

#include "dns/dns_parse.h"

struct dns_cache;

/* max: answers kept at most; 0 keeps none. seed: a random number, so that
 * nobody can choose names that collide. */
struct dns_cache *dns_cache_new(size_t max, uint64_t seed);
void dns_cache_free(struct dns_cache **c);

/* The answer, with a reference of the caller's own, and the seconds for which
 * it is still good (at least 1); NULL: not known, or not any more. */
struct dns_reply *dns_cache_get(struct dns_cache *c, const char *name, enum dns_type type,
	int64_t now_ms, uint32_t *ttl_s_out);

/* Takes a reference of its own; replaces what was known. */
void dns_cache_put(struct dns_cache *c, const char *name, enum dns_type type,
	struct dns_reply *reply, int64_t now_ms);

size_t dns_cache_count(const struct dns_cache *c);

#endif
