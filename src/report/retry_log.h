/*
 * The retry log for people: each attempt told as a story. When, which host,
 * over which channel and why, what the other side said, what comes next and
 * when, and what can be done about it. Plaintext that is the consequence of a
 * failed TLS is announced loudly.
 *
 * Turns records into text; reads nothing, prints nothing. Times are local, with
 * the offset of the zone.
 */
#ifndef REPORT_RETRY_LOG_H
#define REPORT_RETRY_LOG_H

#include "base/buf.h"
#include "event/event.h"

struct retry_log_style {
	bool color;     /* ANSI colours */
	unsigned width; /* columns to wrap at, 0: never */
};

enum { RETRY_LOG_TOLD_MAX = 512 };

struct retry_log {
	struct retry_log_style style;
	bool has_message; /* a header was printed ... */
	int64_t id;       /* ... for this message */
	/* Told last of it: not repeated as long as it stays the same. */
	char why[RETRY_LOG_TOLD_MAX], hint[RETRY_LOG_TOLD_MAX];
};
void retry_log_init(struct retry_log *log, const struct retry_log_style *style);

/* Appends one attempt, after a header if it belongs to another message than the
 * one before. */
void retry_log_tell(
	struct retry_log *log, const struct event_attempt *a, struct buf *out);

#endif
