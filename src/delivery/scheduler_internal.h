/* The inside of the scheduler, shared by scheduler.c (what is begun, and over which
 * session), scheduler_room.c (who gets a session, and who has to give one up),
 * scheduler_places.c (which destination goes where) and scheduler_claim.c (what
 * is claimed). */
#ifndef DELIVERY_SCHEDULER_INTERNAL_H
#define DELIVERY_SCHEDULER_INTERNAL_H

#include "base/err.h"
#include "delivery/idle.h"
#include "delivery/places.h"
#include "delivery/scheduler.h"
#include "delivery/target.h"
#include "net/loop.h"

struct claim_gate;

/* An attempt that runs. */
struct run {
	struct scheduler *scheduler;
	struct target *target;
	struct hop *hop; /* NULL: it is done with connections */
	struct attempt *attempt;
	const struct session *session; /* the kept one that it began with, or NULL */
	int64_t begun_ms;
	bool is_large;
	struct run *prev, *next;
};

struct scheduler {
	struct delivery_env *env;
	bool once, is_stopping, is_finished;
	void (*on_finished)(void *arg);
	void *arg;
	struct err last_error; /* of a claim; code 0: none failed */

	struct target *targets;             /* by domain */
	struct hop *hops;                   /* by key: those that are shared */
	struct hop *starting;               /* can begin an attempt now */
	struct hop *homeless[HEALTH_COUNT]; /* wait for room for their first session */
	uint64_t homeless_ever;
	struct places places;
	struct health_memory *health;
	bool lacks_further; /* somebody has no room for one beside those it has */
	struct idle_pool idle;
	struct run *runs; /* those first that were begun first */
	size_t claimed, running;
	size_t waiting[HEALTH_COUNT]; /* items, claimed and not begun, by their hops */
	size_t waiting_bytes;         /* their bodies */
	struct loop_load load;

	struct hop *hungry;      /* to be refilled */
	struct target *asked;    /* of the claim under way; none: it is general */
	size_t claim_asked;      /* items */
	struct claim_gate *gate; /* the general one's, until it has come back; or NULL */
	bool limits_notices;     /* likewise */
	size_t max_notices;
	bool claim_pending;
	bool claim_failed;            /* no further one before due_timer */
	bool was_general;             /* the last one */
	size_t last_claim;            /* which kind it was */
	size_t unasked[HEALTH_COUNT]; /* names that are left of the round */
	bool more_due;                /* a general claim may find something */
	int64_t next_general_ms;      /* not before */
	int64_t looks_at_ms;          /* when due_timer fires */
	struct timer *due_timer, *pump_timer, *further_timer, *crowd_timer, *grace_timer;
};

/* scheduler.c */
struct queue_item *scheduler_pop(struct scheduler *s, struct batch *b);
/* Puts it where it belongs: among those that start, or that wait for room. */
void scheduler_give_turn(struct scheduler *s, struct hop *h);
void scheduler_end_turn(struct scheduler *s, struct hop *h);
void scheduler_pump_soon(struct scheduler *s);
void scheduler_pump(struct scheduler *s);

/* scheduler_room.c */
bool scheduler_has_room(const struct scheduler *s);
bool scheduler_may_take(const struct scheduler *s, const struct hop *h); /* a place */
void scheduler_wait_for_room(struct scheduler *s, struct hop *h);
void scheduler_wait_no_more(struct scheduler *s, struct hop *h);
/* Whose turn it is to take a place that is there; NULL: nobody's. */
struct hop *scheduler_next_homeless(struct scheduler *s);
/* A place for each that waits for one, as far as it is not on its way. */
void scheduler_make_room(struct scheduler *s);
void scheduler_begin_health(struct scheduler *s, struct hop *h, const char *domain);
/* What the end of a run says of its hop. */
void scheduler_note_health(struct scheduler *s, const struct run *run, bool delivered);
void scheduler_on_crowd(void *arg); /* of crowd_timer */

/* scheduler_places.c */
struct target *scheduler_target(struct scheduler *s, const char *domain);
void scheduler_drop_if_empty(struct scheduler *s, struct target *t);
void scheduler_drop_hop_if_empty(struct scheduler *s, struct hop *h);
void scheduler_free_places(struct scheduler *s);
/* Do notices go to a hop that they share? Then which; NULL: it is not there now. */
bool scheduler_limits_notices(const struct scheduler *s, struct hop **hop_out);

/* scheduler_claim.c */
void scheduler_claim(struct scheduler *s); /* if there is need and room */
void scheduler_note_hunger(struct scheduler *s, struct hop *h);
void scheduler_forget_hunger(struct scheduler *s, struct hop *h);
void scheduler_give_back(struct scheduler *s); /* what waits, unbegun */
void scheduler_give_back_target(struct scheduler *s, struct target *t);

#endif
