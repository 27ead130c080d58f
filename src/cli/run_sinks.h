/*
 * Where the events of a delivery go: the operator's log and the TLS log, as the
 * configuration says. Shared by `run` and `deliver`.
 */
#ifndef CLI_RUN_SINKS_H
#define CLI_RUN_SINKS_H

#include "config/config.h"
#include "event/event.h"

#include <stdbool.h>

struct tls_log;

struct run_sinks {
	struct tls_log *tls_log; /* NULL: off */
	struct event_hub hub;
};

/* Opens the logs; begin with one of zeros, and close it after an error too.
 * with_lines: a log line for each result. */
int run_sinks_open(const struct config *config, bool with_lines, struct run_sinks *sinks,
	struct err *e);
int run_sinks_reopen(struct run_sinks *sinks, struct err *e); /* after a rotation */
void run_sinks_close(struct run_sinks *sinks);

#endif
