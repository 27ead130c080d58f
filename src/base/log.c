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

static struct {
	pthread_mutex_t lock;
	enum log_level level;
	enum { TO_STDERR, TO_SYSLOG, TO_FILE } kind;
	int fd;
	char *path;
	char tag[32];
	char host[65];
	char ident[64]; /* the C library keeps a pointer to it */
	pid_t pid;
	bool is_holding;
	pthread_t holder; /* whose lines may wait */
	struct buf held;  /* lines that are not written yet */
} state = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.level = LOG_LEVEL_INFO,
	.fd = -1,
	.tag = "hikyaku" };

/* Caller holds the lock. */
static void write_held(void)
{
	int fd = state.kind == TO_FILE ? state.fd : STDERR_FILENO;
	while (buf_len(&state.held)) {
		ssize_t n = write(fd, buf_bytes(&state.held), buf_len(&state.held));
		if (n > 0)
			buf_consume(&state.held, (size_t)n);
		else if (n == 0 || errno != EINTR)
			break; /* a log that cannot be written has nowhere to complain to
				*/
	}
	buf_reset(&state.held);
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
	write_held();
	buf_clear(&state.held);
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
	bool to_syslog = strcmp(target, "syslog") == 0;
	bool to_stderr = strcmp(target, "stderr") == 0;
	if (!to_syslog && !to_stderr) {
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
	state.kind = to_syslog ? TO_SYSLOG : to_stderr ? TO_STDERR : TO_FILE;
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
			write_held();
			close(state.fd);
			state.fd = fd;
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
 * wants to see the last line. Another thread has no turn at whose end it would
 * flush. */
static bool may_wait(enum log_level level)
{
	return state.is_holding && level == LOG_LEVEL_INFO &&
	       state.level < LOG_LEVEL_DEBUG && buf_len(&state.held) < HELD_MAX &&
	       pthread_equal(state.holder, pthread_self());
}

static void emit(enum log_level level, const char *part, const char *text, size_t len)
{
	pthread_mutex_lock(&state.lock);
	if (state.kind == TO_SYSLOG) {
		to_syslog(level, part, text, len);
	} else {
		add_line(&state.held, part, text, len);
		if (!may_wait(level))
			write_held();
	}
	pthread_mutex_unlock(&state.lock);
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

void log_hold(bool hold)
{
	pthread_mutex_lock(&state.lock);
	write_held();
	state.is_holding = hold;
	state.holder = pthread_self();
	pthread_mutex_unlock(&state.lock);
}

void log_flush(void)
{
	pthread_mutex_lock(&state.lock);
	if (buf_len(&state.held))
		write_held();
	pthread_mutex_unlock(&state.lock);
}

void log_flush_before_abort(void)
{
	/* It may be this thread that has the lock, in the middle of a line. */
	if (pthread_mutex_trylock(&state.lock) != 0)
		return;
	write_held();
	pthread_mutex_unlock(&state.lock);
}
