/*
 * How many sessions a destination is given: as many as it makes use of.
 *
 * It begins with one. A round is as many attempts as sessions are allowed; after
 * each the number
 *
 *	doubles	   while all of them are in use and a transaction takes no longer
 *	           than it took with fewer
 *	stays      where transactions have become longer
 *	halves     where they have become much longer, and at once where a host has
 *	           had enough of us (421) or is not there; from then on it grows by one
 *	           in many rounds, unless nobody at all was there for a while
 *
 * Pure: no clock, no session. Times are those of transactions over a session that
 * was open before, in ms; an own commit is in them, which the tolerance is for.
 */
#ifndef DELIVERY_WINDOW_H
#define DELIVERY_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Messages for each session that is there, before a further one pays: its
 * handshake costs as much processor time as some messages do. */
enum { WINDOW_BACKLOG = 4 };

struct window {
	unsigned max;         /* configured, at least 1 */
	unsigned size;        /* sessions allowed for now: 1 .. max */
	unsigned gentle_from; /* grows by ones from here on */
	unsigned gentle_rounds;
	int64_t best_ms; /* of the rounds, their mean; -1: not known */
	/* This round. */
	unsigned ended, refused; /* attempts; those of them since it shrank */
	unsigned timed;
	int64_t sum_ms; /* of those that are timed */
	bool has_shrunk;
};

void window_init(struct window *w, unsigned max);

/* An attempt has delivered. sessions: open ones, those that have not yet carried a
 * message left out. took_ms: -1 where it does not tell about the host. */
void window_note_delivered(struct window *w, size_t sessions, int64_t took_ms);
/* 421, or no connection. */
void window_note_refused(struct window *w);

/* May a session be opened beside those that there are, for the sake of the messages
 * that wait? A destination with no session may always have one. */
bool window_may_open(const struct window *w, size_t sessions, size_t waiting);

#endif
