/*
 * A destination with mail that is due: its claimed items, the attempts that
 * run, and the sessions that are kept for the next message.
 *
 * Plain state with a few rules; the scheduler moves it. A target exists only
 * while it has an item, an attempt or a session: memory follows what is claimed.
 */
#ifndef DELIVERY_TARGET_H
#define DELIVERY_TARGET_H

#include "delivery/session.h"
#include "queue/queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <uthash.h>

struct scheduler;

enum { TARGET_IDLE_MAX = 32 };

struct target_item {
	struct queue_item *item;
	struct target_item *next;
};

/* An idle session listens for its end, and is let go after a while. */
struct target_idle {
	struct target *target;
	struct session *session;
	int64_t since_ms;
	struct target_idle *next;
};

struct target {
	struct scheduler *owner;
	char *domain;
	struct target_item *first, *last; /* claimed, waiting */
	size_t waiting;
	size_t running;   /* attempts with a connection (or on the way to one) */
	size_t finishing; /* attempts whose result is being stored */
	struct target_idle *idle;
	size_t idle_count;
	unsigned max_sessions; /* configured */
	unsigned window;  /* attempts at once for now: grows while deliveries succeed */
	bool more_due;    /* the store has more than we claimed */
	bool is_runnable; /* in the scheduler's list of those that can start */
	struct target *next_runnable;
	UT_hash_handle hh;
};

struct target *target_new(
	const char *domain, unsigned max_sessions, struct scheduler *owner);
void target_free(struct target *t); /* nothing may be waiting, running or idle */
bool target_is_empty(const struct target *t);

void target_push(struct target *t, struct queue_item *item);
struct queue_item *target_pop(struct target *t); /* NULL: none */
bool target_can_start(const struct target *t);

/* Concurrency: from TARGET_WINDOW_FIRST, one more with every delivery, half of
 * it after an attempt that got no conversation. Within 1 .. max_sessions. */
enum { TARGET_WINDOW_FIRST = 2 };
void target_note_success(struct target *t);
void target_note_no_contact(struct target *t);

#endif
