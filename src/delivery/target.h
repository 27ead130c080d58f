/*
 * A destination with mail that is due: its claimed items, and the attempts that
 * run. Its connections are its hop's, which it may share.
 *
 * Plain state with a few rules; the scheduler moves it. A target exists only
 * while it has an item or an attempt, or while its own hop has a session: memory
 * follows what is claimed.
 */
#ifndef DELIVERY_TARGET_H
#define DELIVERY_TARGET_H

#include "delivery/hop.h"
#include "queue/queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <uthash.h>

struct target {
	char *domain;
	struct hop *hop;

	struct queue_item **ring; /* claimed, waiting */
	size_t ring_size, first, waiting;
	size_t running;   /* attempts at the hosts */
	size_t finishing; /* attempts whose result is being stored */

	bool more_due; /* the store may have more than we claimed */
	bool is_asked; /* by the claim under way, by name */
	size_t asked;  /* what has not come yet of it */
	struct target *prev_ready, *next_ready, *prev_due, *next_due;
	struct target *prev_asked, *next_asked;
	UT_hash_handle hh;
};

struct target *target_new(const char *domain, struct hop *hop);
void target_free(struct target *t); /* it must be empty */
bool target_is_empty(const struct target *t);

/* Its items and what is due of it go to another hop. Attempts and sessions stay where
 * they are: they belong to the hop they were begun at. */
void target_move(struct target *t, struct hop *to);

void target_push(struct target *t, struct queue_item *item);
/* NULL: none. Those that share its hop are before it now. */
struct queue_item *target_pop(struct target *t);
void target_set_more_due(struct target *t, bool more_due);

#endif
