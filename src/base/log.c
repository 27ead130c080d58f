#include "base/log.h"

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

enum { LINE_MAX_OCTETS = 4096 };

static struct {
	pthread_mutex_t lock;
	enum log_level level;
	enum { TO_STDERR, TO_SYSLOG, TO_FILE } kind;
	int fd;
	char *path;
	char tag[32];
	char host[65];
} state = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.level = LOG_LEVEL_INFO,
	.fd = -1,
	.tag = "hikyaku" };

static int open_file(const char *path, struct err *e)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return err_errno(e, errno, "open log file %s", path);
	return fd;
}

static void close_target(void)
{
	if (state.kind == TO_SYSLOG)
		closelog();
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

static void write_whole(int fd, const char *bytes, size_t len)
{
	/* A log that cannot be written has nowhere to complain to. */
	ssize_t n = write(fd, bytes, len);
	(void)n;
}

static int syslog_priority(enum log_level level)
{
	static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
	return priorities[level];
}

static void emit(enum log_level level, const char *part, const char *text)
{
	char line[LINE_MAX_OCTETS + 256], when[TIMEFMT_MAX];
	const char *slash = *part ? "/" : "";
	int len;

	pthread_mutex_lock(&state.lock);
	if (state.kind == TO_SYSLOG) {
		/* The identity carries the part, as Postfix's does. */
		char ident[64];
		snprintf(ident, sizeof(ident), "%s%s%s", state.tag, slash, part);
		openlog(ident, LOG_PID, LOG_MAIL);
		syslog(syslog_priority(level), "%s", text);
		closelog();
	} else if (state.kind == TO_FILE) {
		timefmt_rfc3339(clock_wall_ms(), when);
		len = snprintf(line, sizeof(line), "%s %s %s%s%s[%d]: %s\n", when,
			state.host, state.tag, slash, part, (int)getpid(), text);
		write_whole(state.fd, line, (size_t)len);
	} else {
		len = snprintf(
			line, sizeof(line), "%s%s%s: %s\n", state.tag, slash, part, text);
		write_whole(STDERR_FILENO, line, (size_t)len);
	}
	pthread_mutex_unlock(&state.lock);
}

static void format_and_emit(
	enum log_level level, const char *part, const char *fmt, va_list ap)
{
	char text[LINE_MAX_OCTETS], clean[LINE_MAX_OCTETS];
	int len = vsnprintf(text, sizeof(text), fmt, ap);
	if (len < 0)
		return;
	text_clean(text, strlen(text), clean, sizeof(clean));
	emit(level, part, clean);
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
