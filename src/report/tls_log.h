/*
 * The TLS log (option tls_log): a file of its own with one line for each
 * handshake and each TLS error, "TIME handshake|error key=value ...". Always
 * the same keys in the same order; "-" where there is nothing. A value that
 * holds a blank, a quote, a backslash or '=', or is empty or "-", stands in
 * double quotes with \" and \\ inside. Text is cleaned.
 *
 * Opened for appending, mode 0640. A disk that is full stops no delivery: it is
 * reported to the operator's log once, and once more when it works again.
 * The sink may be called from several threads at once, and the file be reopened
 * (after rotation) meanwhile.
 */
#ifndef REPORT_TLS_LOG_H
#define REPORT_TLS_LOG_H

#include "base/buf.h"
#include "base/err.h"
#include "event/event.h"

struct tls_log;

int tls_log_open(const char *path, struct tls_log **out, struct err *e);
/* After an error the old file stays in use. */
int tls_log_reopen(struct tls_log *log, struct err *e);
void tls_log_close(struct tls_log **log);

/* Valid until the log is closed. */
const struct event_sink *tls_log_sink(const struct tls_log *log);

/* The line, with its line end. */
void tls_log_format(const struct event_tls_handshake *h, struct buf *out);

#endif
