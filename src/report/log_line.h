/*
 * Log lines in Postfix's grammar, so that pflogsumm and the like read them:
 *
 *	ID: to=<a>, relay=host[ip]:25, delay=1.2, delays=0.1/0/0.5/0.6,
 *	dsn=2.0.0, status=sent (text), tls=TLS1.3:CIPHER, channel=tls
 *
 * One line for each recipient's verdict. A host that was in vain before the
 * next one within the same attempt is one line without status=, as its
 * recipients would be counted as deferred more than once.
 */
#ifndef REPORT_LOG_LINE_H
#define REPORT_LOG_LINE_H

#include "base/buf.h"
#include "event/event.h"

/* Writes to the operator's log with log_part_text("smtp"). Has no state. */
extern const struct event_sink log_line_sink;

/* The line for one recipient, without tag and line end. */
void log_line_format(const struct event_attempt *a, size_t recipient, struct buf *out);

/* Is there more to come for the recipient within this attempt? Then it gets no
 * line of its own: the host gets one. */
bool log_line_is_passing(const struct event_attempt *a, size_t recipient);
void log_line_format_host(const struct event_attempt *a, struct buf *out);

/* Milliseconds as Postfix writes seconds: two digits that count, "0.06",
 * "1.2", whole ones from ten on. */
void log_line_delay(int64_t ms, struct buf *out);

#endif
