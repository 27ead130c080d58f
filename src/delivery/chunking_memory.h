/*
 * What was learnt of hosts that offer CHUNKING (RFC 3030) and do badly with it.
 *
 * By the name of the MX host, for the life of the process, for CHUNKING_HOSTS_MAX
 * hosts at most: the one that was learnt first makes room. What is forgotten costs
 * one more attempt, so nothing is stored.
 */
#ifndef DELIVERY_CHUNKING_MEMORY_H
#define DELIVERY_CHUNKING_MEMORY_H

#include <stddef.h>

enum { CHUNKING_HOSTS_MAX = 1000 };

/* How far to go with a host; each is less than the one before. */
enum chunking_use {
	CHUNKING_ONE_FLIGHT, /* envelope and content together, where that can be */
	CHUNKING_APART,      /* the content after the replies to the envelope */
	CHUNKING_NEVER       /* DATA */
};

struct chunking_memory;

struct chunking_memory *chunking_memory_new(void);
void chunking_memory_free(struct chunking_memory **m);

/* For a host that nothing was learnt of, and with m NULL: ONE_FLIGHT. */
enum chunking_use chunking_memory_get(const struct chunking_memory *m, const char *host);
/* From now on no more than that; never more than before. m may be NULL. */
void chunking_memory_limit(
	struct chunking_memory *m, const char *host, enum chunking_use use);
size_t chunking_memory_count(const struct chunking_memory *m);

#endif
