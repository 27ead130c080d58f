#include "base/log.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/timefmt.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

enum {
	LINE_MAX_OCTETS = 4096,
	HELD_MAX = 64 * 1024 /* octets in memory at most */
};

/* The lines of a thread that holds them. Nobody else wants its lock but who
 * writes out everybody's: a reopened log, an abort. Locks are taken in the order
 * list of holders, holder, output. */
struct holder {
	pthread_mutex_t lock;
	struct buf lines;
	struct holder *next;
};

static struct {
	pthread_mutex_t lock; /* of the list */
	struct holder *holders;
	pthread_mutex_t output; /* where it is not a file */
	_Atomic enum log_level level;
	/* What follows stays as it is while several threads log; so does the number
	 * of the descriptor, whichever file is behind it. */
	enum { TO_STDERR, TO_SYSLOG, TO_FILE } kind;
	int fd;
	char *path;
	char tag[32];
	char host[65];
	char ident[64]; /* the C library keeps a pointer to it */
	pid_t pid;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.output = PTHREAD_MUTEX_INITIALIZER,
	.level = LOG_LEVEL_INFO,
	.fd = -1,
	.tag = "hikyaku" };

static _Thread_local struct holder *own; /* NULL: this thread holds nothing */

static void write_all(struct buf *lines)
{
	int fd = state.kind == TO_FILE ? state.fd : STDERR_FILENO;
	while (buf_len(lines)) {
		ssize_t n = write(fd, buf_bytes(lines), buf_len(lines));
		if (n > 0)
			buf_consume(lines, (size_t)n);
		else if (n == 0 || errno != EINTR)
			break; /* a log that cannot be written has nowhere to complain to
				*/
	}
	buf_reset(lines);
}

/* The system adds each write to a file whole, whoever else writes: no lock is
 * held meanwhile. To a pipe or a terminal it may not be in one piece. */
static void put_out(struct buf *lines)
{
	if (!buf_len(lines))
		return;
	if (state.kind == TO_FILE) {
		write_all(lines);
		return;
	}
	pthread_mutex_lock(&state.output);
	write_all(lines);
	pthread_mutex_unlock(&state.output);
}

/* Caller holds the list's lock. */
static void put_out_all(void)
{
	for (struct holder *h = state.holders; h; h = h->next) {
		pthread_mutex_lock(&h->lock);
		put_out(&h->lines);
		pthread_mutex_unlock(&h->lock);
	}
}

static int open_file(const char *path, struct err *e)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return err_errno(e, errno, "open log file %s", path);
	return fd;
}

static void close_target(void)
{
	put_out_all();
	if (state.kind == TO_SYSLOG)
		closelog();
	state.ident[0] = '\0';
	if (state.fd >= 0)
		close(state.fd);
	state.fd = -1;
	mem_free(&state.path);
	state.kind = TO_STDERR;
}

int log_open(const char *target, const char *tag, struct err *e)
{
	int fd = -1;
	bool is_syslog = strcmp(target, "syslog") == 0;
	bool is_stderr = strcmp(target, "stderr") == 0;
	if (!is_syslog && !is_stderr) {
		fd = open_file(target, e);
		if (fd < 0)
			return fd;
	}
	pthread_mutex_lock(&state.lock);
	close_target();
	snprintf(state.tag, sizeof(state.tag), "%s", tag);
	if (gethostname(state.host, sizeof(state.host) - 1) < 0)
		snprintf(state.host, sizeof(state.host), "localhost");
	state.pid = getpid(); /* the program does not fork */
	state.kind = is_syslog ? TO_SYSLOG : is_stderr ? TO_STDERR : TO_FILE;
	state.fd = fd;
	state.path = fd >= 0 ? xstrdup(target) : NULL;
	pthread_mutex_unlock(&state.lock);
	return 0;
}

int log_reopen(struct err *e)
{
	pthread_mutex_lock(&state.lock);
	int result = 0;
	if (state.kind == TO_FILE) {
		int fd = open_file(state.path, e);
		if (fd >= 0) {
			put_out_all();
			/* Others may be writing to it: it must not be closed. */
			if (dup3(fd, state.fd, O_CLOEXEC) < 0)
				result = err_errno(
					e, errno, "open log file %s", state.path);
			close(fd);
		} else {
			result = fd;
		}
	}
	pthread_mutex_unlock(&state.lock);
	return result;
}

void log_close(void)
{
	pthread_mutex_lock(&state.lock);
	close_target();
	pthread_mutex_unlock(&state.lock);
}

void log_set_level(enum log_level level)
{
	state.level = level;
}

static int syslog_priority(enum log_level level)
{
	static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
	return priorities[level];
}

/* The identity carries the part, as Postfix's does. */
static void to_syslog(
	enum log_level level, const char *part, const char *text, size_t len)
{
	char ident[sizeof(state.ident)], clean[LINE_MAX_OCTETS];
	snprintf(ident, sizeof(ident), "%s%s%s", state.tag, *part ? "/" : "", part);
	text_clean(text, len, clean, sizeof(clean));
	if (strcmp(ident, state.ident) != 0) {
		memcpy(state.ident, ident, sizeof(ident));
		openlog(state.ident, LOG_PID, LOG_MAIL);
	}
	syslog(syslog_priority(level), "%s", clean);
}

static void add_prefix(struct buf *out, const char *part)
{
	char when[TIMEFMT_MAX];
	if (state.kind == TO_FILE) {
		timefmt_rfc3339(clock_wall_ms(), when);
		buf_addstr(out, when);
		buf_addc(out, ' ');
		buf_addstr(out, state.host);
		buf_addc(out, ' ');
	}
	buf_addstr(out, state.tag);
	if (*part) {
		buf_addc(out, '/');
		buf_addstr(out, part);
	}
	if (state.kind == TO_FILE) {
		buf_addc(out, '[');
		buf_addu(out, (uint64_t)state.pid);
		buf_addc(out, ']');
	}
	buf_addstr(out, ": ");
}

static void add_line(struct buf *out, const char *part, const char *text, size_t len)
{
	add_prefix(out, part);
	char *to = buf_reserve(out, LINE_MAX_OCTETS);
	buf_commit(out, text_clean(text, len, to, LINE_MAX_OCTETS));
	buf_addc(out, '\n');
}

/* Errors are rare, and may be the last thing that is said. Who looks for a fault
 * wants to see the last line. */
static bool may_wait(enum log_level level, const struct holder *h)
{
	return level == LOG_LEVEL_INFO && state.level < LOG_LEVEL_DEBUG &&
	       buf_len(&h->lines) < HELD_MAX;
}

static void hold_line(
	enum log_level level, const char *part, const char *text, size_t len)
{
	struct holder *h = own;
	pthread_mutex_lock(&h->lock);
	add_line(&h->lines, part, text, len);
	if (!may_wait(level, h))
		put_out(&h->lines);
	pthread_mutex_unlock(&h->lock);
}

static void write_line(const char *part, const char *text, size_t len)
{
	struct buf line = BUF_INIT;
	add_line(&line, part, text, len);
	pthread_mutex_lock(&state.lock);
	put_out_all(); /* it came before */
	pthread_mutex_unlock(&state.lock);
	put_out(&line);
	buf_clear(&line);
}

static void emit(enum log_level level, const char *part, const char *text, size_t len)
{
	if (state.kind == TO_SYSLOG) {
		pthread_mutex_lock(&state.output);
		to_syslog(level, part, text, len);
		pthread_mutex_unlock(&state.output);
	} else if (own) {
		hold_line(level, part, text, len);
	} else {
		write_line(part, text, len);
	}
}

static void format_and_emit(
	enum log_level level, const char *part, const char *fmt, va_list ap)
{
	char text[LINE_MAX_OCTETS];
	int len = vsnprintf(text, sizeof(text), fmt, ap);
	if (len >= 0)
		emit(level, part, text, strlen(text));
}

void log_line(enum log_level level, const char *fmt, ...)
{
	if (level > state.level)
		return;
	va_list ap;
	va_start(ap, fmt);
	format_and_emit(level, "", fmt, ap);
	va_end(ap);
}

void log_part(const char *part, const char *fmt, ...)
{
	if (LOG_LEVEL_INFO > state.level)
		return;
	va_list ap;
	va_start(ap, fmt);
	format_and_emit(LOG_LEVEL_INFO, part, fmt, ap);
	va_end(ap);
}

void log_part_text(const char *part, const char *text, size_t len)
{
	if (LOG_LEVEL_INFO <= state.level)
		emit(LOG_LEVEL_INFO, part, text,
			len < LINE_MAX_OCTETS ? len : LINE_MAX_OCTETS - 1);
}

/* Everybody's lines. Waits for no lock: it may be this thread that has one, in the
 * middle of a line. */
static void flush_before_abort(void)
{
	if (pthread_mutex_trylock(&state.lock) != 0)
		return;
	for (struct holder *h = state.holders; h; h = h->next) {
		if (pthread_mutex_trylock(&h->lock) != 0)
			continue;
		write_all(&h->lines);
		pthread_mutex_unlock(&h->lock);
	}
	pthread_mutex_unlock(&state.lock);
}

static void begin_hold(void)
{
	err_before_abort(flush_before_abort);
	own = xcalloc(1, sizeof(*own));
	pthread_mutex_init(&own->lock, NULL);
	pthread_mutex_lock(&state.lock);
	own->next = state.holders;
	state.holders = own;
	pthread_mutex_unlock(&state.lock);
}

static void end_hold(void)
{
	log_flush();
	pthread_mutex_lock(&state.lock);
	struct holder **at = &state.holders;
	while (*at != own)
		at = &(*at)->next;
	*at = own->next;
	pthread_mutex_unlock(&state.lock);
	pthread_mutex_destroy(&own->lock);
	buf_clear(&own->lines);
	mem_free(&own);
}

void log_hold(bool hold)
{
	if (hold && !own)
		begin_hold();
	else if (!hold && own)
		end_hold();
}

void log_flush(void)
{
	if (!own)
		return;
	pthread_mutex_lock(&own->lock);
	put_out(&own->lines);
	pthread_mutex_unlock(&own->lock);
}
