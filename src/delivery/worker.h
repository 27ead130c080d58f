/*
 * The worker: the loops that deliver (lane.h), as many as `workers` says, from
 * their start to an orderly end, and what there is one of: signals, the FIFO of
 * the queue, pruning, the policy files. The first loop is this thread's, and has
 * these too, and guests; with one loop there is no other thread but the store's.
 *
 * SIGTERM and SIGINT finish what is under way (WORKER_GRACE_MS at most); SIGHUP
 * reloads the configuration and reopens the logs; policy files are picked up by
 * themselves. With once it ends when each loop has attempted what was due.
 */
#ifndef DELIVERY_WORKER_H
#define DELIVERY_WORKER_H

#include "delivery/env.h"

#include <stdbool.h>

enum { WORKER_GRACE_MS = 8000 };

/* Somebody else who lives on the first loop as long as the worker does, and whom the
 * delivery knows nothing of: a listener. Not with once. */
struct worker_guest {
	/* An error ends the worker before it has begun. */
	int (*start)(void *arg, struct uv_loop_s *loop, struct queue *queue,
		const struct config *config, struct err *e);
	/* A new configuration. The one before is there until this returns. */
	void (*configure)(void *arg, const struct config *config);
	/* finished(finished_arg) has to be called from the loop, once, within grace_ms.
	 */
	void (*stop)(void *arg, int64_t grace_ms, void (*finished)(void *arg),
		void *finished_arg);
	void (*close)(void *arg); /* also where start has failed or was not called */
	void *arg;
};

struct worker_options {
	struct config *config;       /* taken */
	bool once;                   /* attempt what is due, then end */
	const struct event_hub *hub; /* sinks are called on several threads */
	/* NULL: the messages are somebody else's, who only wants to know what an attempt
	 * has come to. No sender is told of anything, and none is given up for its age
	 * or for the number of its attempts. */
	const struct notice_maker *notices;
	/* SIGHUP: a new configuration (owned by the worker), or an error that keeps the
	 * old one. Also the place to reopen log files. */
	int (*reload)(void *arg, struct config **out, struct err *e);
	void *arg;
	const struct worker_guest *guests;
	size_t guest_count;
	/* Renders the record of an attempt whose worker died (queue_options). */
	char *(*lost_record)(void *arg, const struct queue_item *item, const char *host,
		int64_t now_ms);
};

/* Runs until it is told to end. Returns 0 or an error: ERR_INVALID: the policy;
 * others as queue_open and the like; with once the first claim that failed. */
int worker_run(struct worker_options *options, struct err *e);

#endif
