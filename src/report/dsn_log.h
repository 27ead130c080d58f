/*
 * The first part of a notice, for people, with the retry log of its recipients in
 * it. The log is in the queue, and is read on the store thread: what stands around
 * it is packed into bytes that go along with the notice (queue_story), and the part
 * is written when the records are at hand.
 */
#ifndef REPORT_DSN_LOG_H
#define REPORT_DSN_LOG_H

#include "queue/queue.h"
#include "report/dsn_words.h"

/* So many tries at a host are told, and so many records looked at for them. */
enum { DSN_LOG_MAX = 20, DSN_LOG_SEARCH_MAX = 100 };

/* Everything borrowed. */
struct dsn_told {
	enum dsn_language language;
	const char *before, *after; /* text with CRLF line ends */
	const char **addresses;     /* of the recipients whose log it is */
	size_t address_count;
};

void dsn_log_pack(const struct dsn_told *told, struct buf *out);

/* queue_story.tell: the MIME head of the part, and its content; ASCII as it goes
 * over the wire, whatever it says. Uses nothing but what it is given. */
char *dsn_log_tell(const void *bytes, size_t len, struct queue_records *records);

#endif
