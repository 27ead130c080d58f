/*
 * The listener as a guest of the worker, which do not know each other.
 */
#ifndef CLI_RUN_LISTENER_H
#define CLI_RUN_LISTENER_H

#include "delivery/worker.h"

struct intake_listener;

/* *listener is NULL, and stays the caller's to keep; the worker opens and closes it. */
struct worker_guest run_listener(struct intake_listener **listener);

#endif
