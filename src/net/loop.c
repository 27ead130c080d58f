#include "net/loop.h"

#include "base/mem.h"

#include <signal.h>
#include <stdlib.h>
#include <uv.h>

struct uv_loop_s *loop_new(void)
{
	struct uv_loop_s *loop = xcalloc(1, sizeof(*loop));
	if (uv_loop_init(loop) != 0) {
		free(loop);
		return NULL;
	}
	uv_loop_configure(loop, UV_METRICS_IDLE_TIME); /* cannot fail */
	/* libuv writes to sockets with write(2): without this a peer that resets
	 * the connection would end the process. */
	signal(SIGPIPE, SIG_IGN);
	return loop;
}

void loop_free(struct uv_loop_s **loop)
{
	if (!*loop)
		return;
	uv_run(*loop, UV_RUN_DEFAULT);
	/* A handle that nobody closed is our own bug. */
	ASSERT(uv_loop_close(*loop) == 0);
	mem_free(loop);
}

void loop_run(struct uv_loop_s *loop)
{
	uv_run(loop, UV_RUN_DEFAULT);
}

void loop_stop(struct uv_loop_s *loop)
{
	uv_stop(loop);
}

int64_t loop_now_ms(struct uv_loop_s *loop)
{
	return (int64_t)uv_now(loop);
}

enum { LOAD_SPAN_NS = 20 * 1000 * 1000, LOAD_FADES_NS = 4 * LOAD_SPAN_NS };

unsigned loop_load_percent(struct uv_loop_s *loop, struct loop_load *load)
{
	uint64_t now_ns = uv_hrtime(), span_ns = now_ns - load->since_ns;
	if (span_ns < LOAD_SPAN_NS)
		return load->percent;
	uint64_t idle_ns = uv_metrics_idle_time(loop);
	uint64_t waited_ns = idle_ns - load->idle_ns;
	unsigned percent =
		waited_ns < span_ns ? (unsigned)(100 - 100 * waited_ns / span_ns) : 0;
	unsigned old = span_ns < LOAD_FADES_NS
			       ? (unsigned)(100 - 100 * span_ns / LOAD_FADES_NS)
			       : 0;
	if (load->since_ns) /* the first span has no beginning */
		load->percent = (old * load->percent + (100 - old) * percent) / 100;
	load->since_ns = now_ns;
	load->idle_ns = idle_ns;
	return load->percent;
}

/* One kind of handle and its callback: the shape of everything below. */
struct watch {
	union {
		uv_handle_t handle;
		uv_timer_t timer;
		uv_prepare_t prepare;
		uv_async_t async;
		uv_signal_t signal;
		uv_poll_t poll;
	};
	timer_callback *cb;
	void *arg;
};

struct timer {
	struct watch w;
};
struct turn_watch {
	struct watch w;
};
struct wake {
	struct watch w;
};
struct signal_watch {
	struct watch w;
};
struct fd_watch {
	struct watch w;
};

static struct watch *watch_new(timer_callback *cb, void *arg)
{
	struct watch *w = xcalloc(1, sizeof(*w));
	w->cb = cb;
	w->arg = arg;
	return w;
}

/* libuv still owns the memory until the loop has come around. */
static void on_watch_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void watch_close(struct watch *w)
{
	if (!w)
		return;
	w->cb = NULL;
	uv_close(&w->handle, on_watch_closed);
}

static void watch_fire(struct watch *w)
{
	if (w->cb)
		w->cb(w->arg);
}

static void on_timer(uv_timer_t *handle)
{
	watch_fire(handle->data);
}

struct timer *timer_new(struct uv_loop_s *loop, timer_callback *cb, void *arg)
{
	struct watch *w = watch_new(cb, arg);
	uv_timer_init(loop, &w->timer); /* cannot fail */
	w->handle.data = w;
	return (struct timer *)w;
}

void timer_start(struct timer *t, int64_t delay_ms)
{
	uint64_t delay = delay_ms > 0 ? (uint64_t)delay_ms : 0;
	/* Fails only for a closing handle, which nobody has a pointer to. */
	ASSERT(uv_timer_start(&t->w.timer, on_timer, delay, 0) == 0);
}

void timer_stop(struct timer *t)
{
	uv_timer_stop(&t->w.timer);
}

bool timer_is_active(const struct timer *t)
{
	return uv_is_active(&t->w.handle);
}

void timer_close(struct timer **t)
{
	watch_close((struct watch *)*t);
	*t = NULL;
}

static void on_prepare(uv_prepare_t *handle)
{
	watch_fire(handle->data);
}

struct turn_watch *turn_watch_new(struct uv_loop_s *loop, timer_callback *cb, void *arg)
{
	struct watch *w = watch_new(cb, arg);
	uv_prepare_init(loop, &w->prepare); /* neither can fail */
	uv_prepare_start(&w->prepare, on_prepare);
	uv_unref(&w->handle);
	w->handle.data = w;
	return (struct turn_watch *)w;
}

void turn_watch_close(struct turn_watch **w)
{
	watch_close((struct watch *)*w);
	*w = NULL;
}

static void on_async(uv_async_t *handle)
{
	watch_fire(handle->data);
}

struct wake *wake_new(struct uv_loop_s *loop, timer_callback *cb, void *arg)
{
	struct watch *w = watch_new(cb, arg);
	if (uv_async_init(loop, &w->async, on_async) != 0) {
		free(w);
		return NULL;
	}
	w->handle.data = w;
	return (struct wake *)w;
}

void wake_send(struct wake *w)
{
	uv_async_send(&w->w.async); /* fails only for a handle of another type */
}

void wake_close(struct wake **w)
{
	watch_close((struct watch *)*w);
	*w = NULL;
}

static void on_signal(uv_signal_t *handle, int signum)
{
	(void)signum;
	watch_fire(handle->data);
}

struct signal_watch *signal_watch_new(
	struct uv_loop_s *loop, int signum, timer_callback *cb, void *arg)
{
	struct watch *w = watch_new(cb, arg);
	if (uv_signal_init(loop, &w->signal) != 0) {
		free(w);
		return NULL;
	}
	w->handle.data = w;
	if (uv_signal_start(&w->signal, on_signal, signum) != 0)
		watch_close(MOVE(w));
	return (struct signal_watch *)w;
}

void signal_watch_close(struct signal_watch **w)
{
	watch_close((struct watch *)*w);
	*w = NULL;
}

/* An error of the poll is news too: the caller's read will tell which. */
static void on_poll(uv_poll_t *handle, int status, int events)
{
	(void)status;
	(void)events;
	watch_fire(handle->data);
}

struct fd_watch *fd_watch_new(
	struct uv_loop_s *loop, int fd, timer_callback *cb, void *arg)
{
	struct watch *w = watch_new(cb, arg);
	if (uv_poll_init(loop, &w->poll, fd) != 0) {
		free(w);
		return NULL;
	}
	w->handle.data = w;
	if (uv_poll_start(&w->poll, UV_READABLE, on_poll) != 0)
		watch_close(MOVE(w));
	return (struct fd_watch *)w;
}

void fd_watch_close(struct fd_watch **w)
{
	watch_close((struct watch *)*w);
	*w = NULL;
}

/* The numbers of a header as text. */
#define TEXT_OF(x)     #x
#define NUMBER_TEXT(x) TEXT_OF(x)

const char *loop_library_version(void)
{
	return uv_version_string();
}

const char *loop_library_built(void)
{
	return NUMBER_TEXT(UV_VERSION_MAJOR) "." NUMBER_TEXT(
		UV_VERSION_MINOR) "." NUMBER_TEXT(UV_VERSION_PATCH);
}
