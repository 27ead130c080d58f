/*
 * A next hop: the hosts of one destination, or relays that several destinations
 * share. What belongs to connections is here and not with the destination
 * (target.h): how many there may be (window.h), those that are kept, whose turn it is
 * to send over one, and how much mail is claimed for them all together.
 *
 * Plain state with a few rules; the scheduler moves it. A hop exists while it has a
 * destination, an attempt or a session: memory follows what is claimed.
 */
#ifndef DELIVERY_HOP_H
#define DELIVERY_HOP_H

#include "base/hash.h"
#include "delivery/health.h"
#include "delivery/window.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idle_session;
struct batch;
struct scheduler;
struct target;

enum {
	/* Items claimed, for each of max_sessions: what a hop can hold for each
	 * session of its own whatever the others do. One is under way, one has its
	 * result stored, the rest waits. */
	HOP_ITEMS_PER_SESSION = 8,
	HOP_WAITING_PER_SESSION = HOP_ITEMS_PER_SESSION - 2,
	/* Where there is room, those that take messages hold more: a claim takes two
	 * commits, what is under way and its own, and a host nearby takes dozens of
	 * messages meanwhile. */
	HOP_WAITING_WITH_ROOM = 32,
	/* It is time for a refill when no more than these wait. */
	HOP_LOW_PER_SESSION = 2,
	HOP_LOW_WITH_ROOM = HOP_WAITING_WITH_ROOM / 2,
	/* Bodies of waiting items: about so much of one hop, where it is refilled; and
	 * so much for each of all sessions, which the first claim of a destination does
	 * not go over: it too runs out of sessions first. */
	HOP_BYTES_PER_SESSION = 512 * 1024,
	HOP_BYTES_MAX = 1024 * 1024
};

struct hop {
	struct scheduler *owner;
	char *key; /* what it is known by to those that share it; NULL: one destination's
		    */
	struct window window;
	bool delivers;    /* its last attempt did */
	unsigned in_vain; /* the last ones that reached nobody, of the span under way */
	enum health health;
	int64_t delivered_ms; /* the last time; -1: never */

	size_t batches;      /* of destinations that go here */
	struct target *sole; /* the one, where it has no key */
	struct batch *ready; /* those with items that wait; the next one first */
	struct target *due;  /* those the store may have more of; likewise */
	size_t due_count;
	bool left_out;        /* a general claim passed over more for it */
	size_t waiting;       /* items, claimed */
	size_t waiting_bytes; /* their bodies */
	size_t body_mean;     /* of late */

	size_t running; /* attempts with a connection (or on the way to one) */
	size_t opening; /* those of them that began without a connection */
	struct idle_session *idle;
	size_t idle_count;

	/* Its turn: in one of the scheduler's lists. */
	enum { TURN_NONE, TURN_STARTS, TURN_WAITS_FOR_ROOM } turn;
	struct hop *prev, *next;
	uint64_t waits_since; /* for room: the number of its turn */
	bool is_hungry;       /* and in the scheduler's list of those */
	struct hop *prev_hungry, *next_hungry;
	size_t asked;      /* its destinations that the claim under way names */
	UT_hash_handle hh; /* where it has a key */
};

struct hop *hop_new(const char *key, unsigned max_sessions, struct scheduler *owner);
void hop_free(struct hop *h); /* it must be empty */
bool hop_is_empty(const struct hop *h);
size_t hop_sessions(const struct hop *h); /* open, or being opened */

/* Might run dry before a claim could help. with_room: little of what may be claimed
 * in all is. */
bool hop_is_hungry(const struct hop *h, bool with_room);
/* Items to claim for it now. */
size_t hop_appetite(const struct hop *h, bool with_room);

#endif
