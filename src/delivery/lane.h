/*
 * A lane: one loop with all that deliveries on it need, and nothing that another
 * one touches but the queue behind its port. A worker has as many as `workers`
 * says; a destination belongs to one of them (base/share.h), with its sessions, its
 * limits and its memory of trouble. No lock is on a message's way but the queue's.
 *
 *	new --start--> runs in a thread of its own --finished--> gone, free joins it
 *	new --run----> runs here until lane_return
 *
 * What the worker tells a lane in its own thread waits in a mailbox, and is applied
 * in the order configuration, policy, wake, stop: of several the last one. A lane
 * that has no thread is told at once.
 */
#ifndef DELIVERY_LANE_H
#define DELIVERY_LANE_H

#include "delivery/env.h"

#include <stdbool.h>

struct lane;

struct lane_options {
	struct share share;
	struct queue *queue;       /* outlives the lane */
	struct config_ref *config; /* the lane takes a reference of its own */
	bool once;
	const struct event_hub *hub;
	const struct notice_maker *notices;
	/* The scheduler has finished; in the lane's thread. */
	void (*on_finished)(void *arg);
	void *arg;
};

/* Opens everything; nothing runs yet. The policy must be set before it does. */
int lane_new(const struct lane_options *options, struct lane **out, struct err *e);
int lane_start(struct lane *l, struct err *e);
void lane_run(struct lane *l);
void lane_return(struct lane *l); /* of the lane that runs here; from its loop */
/* Waits for its thread to end: it must have finished, or have been stopped. */
void lane_free(struct lane **l);

/* Of a lane without a thread: for what there is one of in a worker. */
struct delivery_env *lane_env(struct lane *l);

void lane_configure(struct lane *l, struct config_ref *config); /* takes one */
void lane_set_policy(struct lane *l, struct policy_set *policy);
void lane_wake(struct lane *l);                   /* something may be due */
void lane_stop(struct lane *l, int64_t grace_ms); /* as scheduler_stop */

/* Why a claim failed (scheduler_error), or NULL; when it has finished. */
const struct err *lane_error(const struct lane *l);

#endif
