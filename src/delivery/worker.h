/*
 * The worker: one loop with everything the delivery needs, from its start to
 * an orderly end. SIGTERM and SIGINT finish what is under way (WORKER_GRACE_MS
 * at most); SIGHUP reloads the configuration and reopens the logs; policy files
 * are picked up by themselves.
 */
#ifndef DELIVERY_WORKER_H
#define DELIVERY_WORKER_H

#include "delivery/env.h"

#include <stdbool.h>

enum { WORKER_GRACE_MS = 8000 };

struct worker_options {
	struct config *config; /* taken */
	bool once;             /* attempt what is due, then end */
	const struct event_hub *hub;
	const struct notice_maker *notices;
	/* SIGHUP: a new configuration (owned by the worker), or an error that keeps the
	 * old one. Also the place to reopen log files. */
	int (*reload)(void *arg, struct config **out, struct err *e);
	void *arg;
	/* Renders the record of an attempt whose worker died (queue_options). */
	char *(*lost_record)(void *arg, const struct queue_item *item, const char *host,
		int64_t now_ms);
};

/* Runs until it is told to end. Returns 0 or an error: ERR_INVALID: the policy;
 * others as queue_open and the like. */
int worker_run(struct worker_options *options, struct err *e);

#endif
