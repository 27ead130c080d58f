/*
 * The operator's log: one line a call, to standard error, syslog or a file.
 *
 * log_line cleans control characters from what it is given, so a peer's text
 * cannot add lines or terminal escapes. A file is opened for appending with
 * mode 0640 and reopened by log_reopen (after rotation). Thread-safe, but for
 * log_open and log_close: those while no other thread logs. The one piece of
 * global state of the program.
 *
 * A line is one write(2), unless a thread holds its lines (log_hold): then they
 * are gathered and written together, whole lines only. Threads that hold wait for
 * one another only where the log is no file. A crash loses those that are held; what they
 * say of deliveries is in the queue's records, committed before the line is made.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* target: "stderr", "syslog" or a path. tag: "hikyaku". Returns 0 or an error;
 * after an error the log stays what it was. */
int log_open(const char *target, const char *tag, struct err *e);
int log_reopen(struct err *e);
void log_close(void);
void log_set_level(enum log_level level);

/* Writes "tag[pid]: text"; standard error gets "hikyaku: text" alone, a file
 * gets an RFC 3339 time, host name and tag before it. */
void log_line(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* As log_line at level info, with "tag/part[pid]" for the tag: the form that
 * tools for Postfix's log expect. part: "smtp". */
void log_part(const char *part, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The same for a text as it is. */
void log_part_text(const char *part, const char *text, size_t len);

/* From now on lines of this thread at level info may wait in memory: until
 * log_flush, 64 KiB, a line of another level or of a thread that does not hold
 * (they go out before it), the end of the log, or log_hold(false), which a thread
 * that holds must call before it ends; err_abort writes what it can of all of them.
 * Not while debugging, and not for syslog.
 * Lines of threads that hold are each in order; between threads the times tell. */
void log_hold(bool hold);
void log_flush(void); /* this thread's */

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
