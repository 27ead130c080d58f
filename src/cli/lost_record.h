/*
 * The record of an attempt whose worker died after the message may have been
 * handed over: all that is left to say is that nobody knows. For queue_options.
 */
#ifndef CLI_LOST_RECORD_H
#define CLI_LOST_RECORD_H

#include "queue/queue.h"

/* malloc'ed JSON; arg is not used. */
char *lost_record(
	void *arg, const struct queue_item *item, const char *host, int64_t now_ms);

#endif
