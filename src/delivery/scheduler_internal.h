/* The inside of the scheduler, shared by scheduler.c (what is begun, and over which
 * session), scheduler_places.c (which destination goes where) and scheduler_claim.c (what
 * is claimed). */
#ifndef DELIVERY_SCHEDULER_INTERNAL_H
#define DELIVERY_SCHEDULER_INTERNAL_H

#include "base/err.h"
#include "delivery/idle.h"
#include "delivery/scheduler.h"
#include "delivery/target.h"
#include "net/loop.h"

struct claim_gate;
struct run;

struct scheduler {
	struct delivery_env *env;
	bool once, is_stopping, is_finished;
	void (*on_finished)(void *arg);
	void *arg;
	struct err last_error; /* of a claim; code 0: none failed */

	struct target *targets; /* by domain */
	struct hop *hops;       /* by key: those that are shared */
	struct hop *starting;   /* can begin an attempt now */
	struct hop *homeless;   /* wait for room for their first session */
	size_t homeless_count;
	bool lacks_further; /* somebody has no room for one beside those it has */
	struct idle_pool idle;
	struct run *runs;
	size_t claimed, running;
	size_t waiting_bytes; /* bodies of what is claimed and not begun */
	struct loop_load load;

	struct hop *hungry;      /* to be refilled */
	struct target *asked;    /* of the claim under way; none: it is general */
	size_t claim_asked;      /* items */
	struct claim_gate *gate; /* the general one's, until it has come back; or NULL */
	bool limits_notices;     /* likewise */
	size_t max_notices;
	bool claim_pending;
	bool claim_failed;       /* no further one before due_timer */
	bool was_general;        /* the last one */
	bool more_due;           /* a general claim may find something */
	int64_t next_general_ms; /* not before */
	int64_t looks_at_ms;     /* when due_timer fires */
	struct timer *due_timer, *pump_timer, *further_timer, *grace_timer;
};

/* scheduler.c */
struct queue_item *scheduler_pop(struct scheduler *s, struct batch *b);
/* Puts it where it belongs: among those that start, or that wait for room. */
void scheduler_give_turn(struct scheduler *s, struct hop *h);
void scheduler_end_turn(struct scheduler *s, struct hop *h);
void scheduler_pump_soon(struct scheduler *s);
void scheduler_pump(struct scheduler *s);

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

#endif
