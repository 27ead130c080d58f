/*
 * A destination with mail that is due: its claimed items, and the attempts that
 * run. Its connections are its hop's, which it may share. Notices that are made here
 * may go another way than other mail to the same destination: so it has two batches,
 * each with its hop.
 *
 * Plain state with a few rules; the scheduler moves it. A target exists only
 * while it has an item or an attempt, or while its own hop has a session: memory
 * follows what is claimed.
 */
#ifndef DELIVERY_TARGET_H
#define DELIVERY_TARGET_H

#include "base/hash.h"
#include "delivery/hop.h"
#include "queue/queue.h"

#include <stdbool.h>
#include <stddef.h>

enum batch_kind { BATCH_MAIL, BATCH_NOTICES, BATCH_COUNT };

/* Items, claimed and waiting, that go to one hop. */
struct batch {
	struct target *target;
	struct hop *hop;
	struct queue_item **ring;
	size_t ring_size, first, waiting;
	struct batch *prev_ready, *next_ready;
};

struct target {
	char *domain;
	struct batch batches[BATCH_COUNT];
	size_t running;   /* attempts at the hosts */
	size_t finishing; /* attempts whose result is being stored */

	/* What the claims know of it is with the hop where its last item went. */
	enum batch_kind last;
	bool more_due;  /* the store may have more than we claimed */
	bool is_asked;  /* by the claim under way, by name */
	bool is_probed; /* likewise, and it is not known to have any */
	size_t asked;   /* what has not come yet of it */
	struct target *prev_due, *next_due;
	struct target *prev_asked, *next_asked;
	UT_hash_handle hh;
};

/* notices: the hop of those, or NULL: as other mail. */
struct target *target_new(const char *domain, struct hop *mail, struct hop *notices);
void target_free(struct target *t); /* it must be empty */
bool target_is_empty(const struct target *t);
size_t target_waiting(const struct target *t);
struct hop *target_hop(const struct target *t); /* that the claims know it by */

/* What waits goes to other hops. Attempts and sessions stay where they are: they belong
 * to the hop they were begun at. */
void target_move(struct target *t, struct hop *mail, struct hop *notices);

struct batch *target_push(struct target *t, struct queue_item *item); /* where it went */
/* NULL: none. Those that share its hop are before it now. */
struct queue_item *batch_pop(struct batch *b);
void target_set_more_due(struct target *t, bool more_due);

#endif
