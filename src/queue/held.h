/*
 * What this process holds: the items that it has claimed and not yet finished,
 * each with its entry in the journal of doubt. The store thread adds and drops
 * them, after the commit that makes it so; any thread may mark.
 */
#ifndef QUEUE_HELD_H
#define QUEUE_HELD_H

#include "base/err.h"
#include "queue/journal.h"

struct held;

struct held *held_new(void);
void held_free(struct held **h); /* closes the journal; its file stays */

/* A new journal takes the place of the one there was, with all that was held. */
void held_begin(struct held *h, struct journal *journal);
struct journal *held_journal(const struct held *h); /* or NULL; borrowed */

void held_add(struct held *h, int64_t item);
void held_drop(struct held *h, int64_t item); /* and its mark */
/* host_out, which may be NULL: where it was sent. */
bool held_is_marked(struct held *h, int64_t item, char host_out[JOURNAL_HOST_MAX]);

/* ERR_NOT_FOUND: it is not held, or not any more. Other errors: the mark was
 * not made. */
int held_mark(struct held *h, int64_t item, const char *host, struct err *e);

#endif
