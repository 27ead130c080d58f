/*
 * To which hosts content goes in chunks (RFC 3030), and so in one flight.
 *
 * Replies to one flight are matched with its commands by their number alone: from a
 * host whose replies are out of step a wrong one would be taken for the verdict.
 * After DATA the 354 shows that they are in step. So a host that offers CHUNKING
 * is trusted with it when it has taken a message after DATA, and not trusted any more,
 * whatever it takes, when it hangs up on a flight without a reply, does not
 * know BDAT, or says what nobody asked for.
 *
 * By the name of the MX host, for the life of the process, for CHUNKING_HOSTS_MAX
 * hosts at most: the one that was learnt first makes room, and begins anew.
 */
#ifndef DELIVERY_CHUNKING_MEMORY_H
#define DELIVERY_CHUNKING_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

enum { CHUNKING_HOSTS_MAX = 4000 };

struct chunking_memory;

struct chunking_memory *chunking_memory_new(void);
void chunking_memory_free(struct chunking_memory **m);

/* m may be NULL for these: nobody is trusted. */
bool chunking_memory_is_trusted(const struct chunking_memory *m, const char *host);
void chunking_memory_trust(struct chunking_memory *m, const char *host);
void chunking_memory_distrust(struct chunking_memory *m, const char *host); /* for good */
size_t chunking_memory_count(const struct chunking_memory *m);

#endif
