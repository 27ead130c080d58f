/*
 * What this process holds: the items that it has claimed and not yet finished, by
 * claim, each with its entry in the journal of doubt. Their rows are the business of
 * sqlite_claims.c.
 *
 * The store thread changes it along with a transaction. Nothing of that stays
 * without held_commit; held_rollback_to takes it back. Any thread may mark.
 *
 *	held_add --commit--> held --held_release--> released --commit--> forgotten
 */
#ifndef QUEUE_HELD_H
#define QUEUE_HELD_H

#include "base/err.h"
#include "base/hash.h"
#include "queue/journal.h"

/* A row of claims: what one request claimed, and still holds. */
struct held_claim {
	int64_t id;
	struct held_item *items;
	size_t count;
	/* In the transaction under way: */
	size_t released; /* of count; those of them that stay in the queue */
	size_t staying;
	bool is_written;
	struct held_claim *prev, *next;
};

struct held_item {
	int64_t item, destination;
	uint64_t size; /* of the message's content */
	int64_t slot;  /* in the journal, -1: not marked; behind the lock */
	struct held_claim *claim;
	bool is_released, stays;
	struct held_item *prev, *next; /* in the claim */
	UT_hash_handle hh;
	size_t recipient_count;
	int64_t recipients[]; /* those that were claimed */
};

struct held;

struct held *held_new(void);
void held_free(struct held **h); /* closes the journal; its file stays */

/* A new journal (or NULL) takes the place of the one there was, with all that was
 * held: for good, whatever becomes of the transaction. The old one's marks stay in
 * its file: who takes over goes by them. */
void held_begin(struct held *h, struct journal *journal);
int64_t held_journal_token(const struct held *h); /* 0: there is none */
/* By another process: nothing can be marked any more. */
bool held_is_fenced(struct held *h);

/* claim gets one more item; NULL: a new claim of that id. Returns the claim. */
struct held_claim *held_add(struct held *h, struct held_claim *claim, int64_t claim_id,
	const struct held_item *item, const int64_t *recipients);
/* NULL: not held, or released. */
struct held_item *held_find(const struct held *h, int64_t item);
/* stays: it is in the queue still. */
void held_release(struct held *h, struct held_item *item, bool stays);

/* Everything since the begin of the transaction, or since a place in it. */
size_t held_place(const struct held *h);
void held_rollback_to(struct held *h, size_t place);
void held_commit(struct held *h);
/* Runs write for each claim of which something was released, once. */
int held_write_claims(struct held *h,
	int (*write)(void *arg, struct held_claim *claim, struct err *e), void *arg,
	struct err *e);

/* Outside of a transaction. */
struct held_claim *held_claims(const struct held *h); /* a list */
void held_drop(struct held *h, struct held_item *item);

/* host_out, which may be NULL: where it was sent. */
bool held_is_marked(struct held *h, int64_t item, char host_out[JOURNAL_HOST_MAX]);

/* From any thread. ERR_NOT_FOUND: it is not held, or not any more. Other errors: the
 * mark was not made. */
int held_mark(struct held *h, int64_t item, const char *host, struct err *e);

#endif
