/*
 * A destination with mail that is due: its claimed items, the attempts that
 * run, and the sessions that are kept for the next message.
 *
 * Plain state with a few rules; the scheduler moves it. A target exists only
 * while it has an item, an attempt or a session: memory follows what is claimed.
 */
#ifndef DELIVERY_TARGET_H
#define DELIVERY_TARGET_H

#include "delivery/window.h"
#include "queue/queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <uthash.h>

struct idle_session;
struct scheduler;

enum {
	/* Items claimed, for each of max_sessions: what a destination can hold for each
	 * session of its own whatever the others do. One is under way, one has its
	 * result stored, the rest waits. */
	TARGET_ITEMS_PER_SESSION = 8,
	TARGET_WAITING_PER_SESSION = TARGET_ITEMS_PER_SESSION - 2,
	/* Where there is room, those that take messages hold more: a claim takes two
	 * commits, what is under way and its own, and a host nearby takes dozens of
	 * messages meanwhile. */
	TARGET_WAITING_WITH_ROOM = 32,
	/* It is time for a refill when no more than these wait. */
	TARGET_LOW_PER_SESSION = 2,
	TARGET_LOW_WITH_ROOM = TARGET_WAITING_WITH_ROOM / 2,
	/* Bodies of waiting items: about so much of one destination, where it is
	 * refilled; and so much for each of all sessions, which the first claim of a
	 * destination does not go over: it too runs out of sessions first. */
	TARGET_BYTES_PER_SESSION = 512 * 1024,
	TARGET_BYTES_MAX = 1024 * 1024
};

struct target {
	struct scheduler *owner;
	char *domain;
	struct window window;

	struct queue_item **ring; /* claimed, waiting */
	size_t ring_size, first, waiting;
	size_t waiting_bytes; /* their bodies */
	size_t body_mean;     /* of late */

	size_t running;   /* attempts with a connection (or on the way to one) */
	size_t opening;   /* those of them that began without a connection */
	size_t finishing; /* attempts whose result is being stored */
	struct idle_session *idle;
	size_t idle_count;

	/* Its turn: in one of the scheduler's lists. */
	enum { TURN_NONE, TURN_STARTS, TURN_WAITS_FOR_ROOM } turn;
	struct target *prev, *next;
	bool more_due; /* the store may have more than we claimed */
	bool delivers; /* its last attempt did */
	enum { REFILL_NONE, REFILL_HUNGRY, REFILL_ASKED } refill;
	size_t asked; /* what has not come yet of the claim under way */
	struct target *prev_refill, *next_refill;
	UT_hash_handle hh;
};

struct target *target_new(
	const char *domain, unsigned max_sessions, struct scheduler *owner);
void target_free(struct target *t); /* nothing may be waiting, running or idle */
bool target_is_empty(const struct target *t);
size_t target_sessions(const struct target *t); /* open, or being opened */

void target_push(struct target *t, struct queue_item *item);
struct queue_item *target_pop(struct target *t); /* NULL: none */

/* Might run dry before a claim could help. with_room: little of what may be claimed
 * in all is. */
bool target_is_hungry(const struct target *t, bool with_room);
/* Items to claim for it now. */
size_t target_appetite(const struct target *t, bool with_room);

#endif
