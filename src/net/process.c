/*
 *   waiting --from the loop--> running --exit--> over
 *      |                        |  |
 *      |                        |  +--time limit, too much output--> over, killed
 *      |                        +--process_cancel--> over, killed
 *      +--process_cancel, it does not start--> over
 *
 * cb runs on the way to "over", but not from process_cancel. The handle of what was
 * killed stays open until it is reaped.
 */
#include "net/process.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "net/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { ERRORS_KEPT = 400 };

/* Our end of one of the child's descriptors. */
struct channel {
	int fd; /* -1: closed */
	struct fd_watch *watch;
	char *bytes;
	size_t len, size;
	bool has_overflowed;
};

struct process {
	struct uv_loop_s *loop;
	uv_process_t handle;
	bool has_handle;
	bool is_running;     /* not reaped yet */
	struct timer *timer; /* for the turn in which it begins, then its time limit */
	int64_t timeout_ms;
	char *command; /* owned */
	char **words;  /* owned */
	struct channel output, errors;
	process_callback *cb; /* NULL: over */
	void *arg;
	char output_bytes[PROCESS_OUTPUT_MAX + 1]; /* a NUL at the end */
	char error_bytes[ERRORS_KEPT];
};

static void channel_close(struct channel *c)
{
	fd_watch_close(&c->watch);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* Reads what is there. What there is no room for is read and dropped, so that the
 * process does not wait for us; one piece a call, so that we do not wait for it. */
static void channel_read(struct channel *c)
{
	char dropped[4096];
	bool is_full = false;
	ssize_t n = 1;
	while (c->fd >= 0 && n > 0 && !is_full) {
		is_full = c->len == c->size;
		n = is_full ? read(c->fd, dropped, sizeof(dropped))
			    : read(c->fd, c->bytes + c->len, c->size - c->len);
		if (n > 0 && is_full)
			c->has_overflowed = true;
		else if (n > 0)
			c->len += (size_t)n;
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		channel_close(c);
}

static void process_free(struct process *p)
{
	process_words_free(&p->words);
	explicit_bzero(p->command, strlen(p->command));
	free(p->command);
	explicit_bzero(p->output_bytes, sizeof(p->output_bytes));
	free(p);
}

static void on_handle_closed(uv_handle_t *handle)
{
	process_free(handle->data);
}

/* Nobody hears of it any more. */
static void let_go(struct process *p)
{
	p->cb = NULL;
	if (p->is_running)
		(void)kill(-p->handle.pid, SIGKILL); /* it is there: it was not reaped */
	channel_close(&p->output);
	channel_close(&p->errors);
	timer_close(&p->timer);
	if (p->is_running)
		return; /* on_exited closes the handle */
	if (p->has_handle)
		uv_close((uv_handle_t *)&p->handle, on_handle_closed);
	else
		process_free(p);
}

/* The last thing a caller does with p. */
static void finish(struct process *p, const struct err *e)
{
	process_callback *cb = MOVE(p->cb);
	size_t len = p->output.len;
	if (!e && len && p->output_bytes[len - 1] == '\n')
		len--;
	p->output_bytes[len] = '\0';
	if (e)
		cb(p->arg, NULL, 0, e);
	else
		cb(p->arg, p->output_bytes, len, NULL);
	let_go(p);
}

/* Adds what the process itself said of it. */
static void add_errors(const struct process *p, struct err *e)
{
	char line[ERRORS_KEPT];
	const char *newline = memchr(p->errors.bytes, '\n', p->errors.len);
	size_t len = newline ? (size_t)(newline - p->errors.bytes) : p->errors.len;
	text_clean(p->errors.bytes, len, line, sizeof(line));
	if (*line)
		err_set(e, e->code, "%.500s: %s", e->text, line);
}

static void finish_overflow(struct process *p)
{
	struct err e;
	err_set(&e, ERR_LIMIT, "%s: it wrote more than %d octets", p->words[0],
		PROCESS_OUTPUT_MAX);
	finish(p, &e);
}

static void on_output(void *arg)
{
	struct process *p = arg;
	channel_read(&p->output);
	if (p->output.has_overflowed)
		finish_overflow(p);
}

static void on_errors(void *arg)
{
	channel_read(&((struct process *)arg)->errors);
}

static void on_exited(uv_process_t *handle, int64_t status, int signal)
{
	struct process *p = handle->data;
	struct err e;
	p->is_running = false;
	if (!p->cb) { /* it was killed; now it is reaped */
		uv_close((uv_handle_t *)handle, on_handle_closed);
		return;
	}
	channel_read(&p->output);
	channel_read(&p->errors);
	if (p->output.has_overflowed) {
		finish_overflow(p);
	} else if (!status && !signal) {
		finish(p, NULL);
	} else {
		err_set(&e, ERR_IO, "%s: %s %d", p->words[0],
			signal ? "killed by signal" : "exit status",
			signal ? signal : (int)status);
		add_errors(p, &e);
		finish(p, &e);
	}
}

static void on_deadline(void *arg)
{
	struct process *p = arg;
	struct err e;
	char limit[TIMEFMT_MAX];
	timefmt_duration(p->timeout_ms, limit);
	err_set(&e, ERR_TIMEOUT, "%s: not done within %s", p->words[0], limit);
	channel_read(&p->errors);
	add_errors(p, &e);
	finish(p, &e);
}

static int make_pipe(int fds[2], struct err *e)
{
	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_errno(e, errno, "make a pipe");
	(void)fcntl(fds[0], F_SETFL, O_NONBLOCK); /* our end alone */
	return 0;
}

/* A real pipe: with libuv's own, which are sockets, "> /dev/stdout" would fail. */
static int channel_open(struct process *p, struct channel *c, timer_callback *cb,
	int *childs_end, struct err *e)
{
	int fds[2];
	int result = make_pipe(fds, e);
	if (result)
		return result;
	c->fd = fds[0];
	*childs_end = fds[1];
	c->watch = fd_watch_new(p->loop, c->fd, cb, p);
	return c->watch ? 0 : err_set(e, ERR_LIMIT, "no descriptor is left");
}

/* fallback NULL: then it is not there. */
static char *environment_entry(const char *name, const char *fallback)
{
	const char *value = getenv(name);
	if (!value || !*value)
		value = fallback;
	return value ? xasprintf("%s=%s", name, value) : NULL;
}

static int spawn(struct process *p, int output, int errors)
{
	char *path = environment_entry("PATH", "/usr/local/bin:/usr/bin:/bin");
	char *lang = environment_entry("LANG", "C.UTF-8");
	char *home = environment_entry("HOME", NULL);
	char *environment[] = { path, lang, home, NULL };
	uv_stdio_container_t stdio[] = { { .flags = UV_IGNORE },
		{ .flags = UV_INHERIT_FD, .data.fd = output },
		{ .flags = UV_INHERIT_FD, .data.fd = errors } };
	uv_process_options_t options = { .exit_cb = on_exited,
		.file = p->words[0],
		.args = p->words,
		.env = environment,
		.cwd = "/",
		.flags = UV_PROCESS_DETACHED,
		.stdio_count = ARRAY_SIZE(stdio),
		.stdio = stdio };
	/* All of ours close themselves; what we were started with, or a library has
	 * opened, may not. Where the kernel cannot do it, it stays so. */
#ifdef CLOSE_RANGE_CLOEXEC
	(void)close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC);
#endif
	p->has_handle = true;
	p->handle.data = p;
	int status = uv_spawn(p->loop, &p->handle, &options);
	p->is_running = status == 0;
	free(path);
	free(lang);
	free(home);
	return status;
}

static int begin(struct process *p, struct err *e)
{
	int output = -1, errors = -1;
	p->words = process_words(p->command, e);
	if (!p->words)
		return e->code;
	int result = channel_open(p, &p->output, on_output, &output, e);
	if (!result)
		result = channel_open(p, &p->errors, on_errors, &errors, e);
	if (!result) {
		int status = spawn(p, output, errors);
		if (status)
			result = err_errno(e, -status, "start %s", p->words[0]);
	}
	if (output >= 0)
		close(output);
	if (errors >= 0)
		close(errors);
	return result;
}

static void on_timer(void *arg)
{
	struct process *p = arg;
	struct err e;
	if (p->is_running)
		on_deadline(p);
	else if (begin(p, &e) == 0)
		timer_start(p->timer, p->timeout_ms);
	else
		finish(p, &e);
}

struct process *process_start(struct uv_loop_s *loop, const char *command,
	int64_t timeout_ms, process_callback *cb, void *arg)
{
	struct process *p = xcalloc(1, sizeof(*p));
	p->loop = loop;
	p->command = xstrdup(command);
	p->timeout_ms = timeout_ms;
	p->cb = cb;
	p->arg = arg;
	p->output = (struct channel){
		.fd = -1, .bytes = p->output_bytes, .size = PROCESS_OUTPUT_MAX
	};
	p->errors = (struct channel){
		.fd = -1, .bytes = p->error_bytes, .size = sizeof(p->error_bytes)
	};
	p->timer = timer_new(loop, on_timer, p);
	timer_start(p->timer, 0);
	return p;
}

void process_cancel(struct process **pp)
{
	struct process *p = MOVE(*pp);
	if (!p)
		return;
	ASSERT(p->cb); /* after it there is nothing to cancel */
	let_go(p);
}
