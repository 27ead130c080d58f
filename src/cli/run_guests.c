#include "cli/run_guests.h"

#include "intake/listener.h"
#include "intake/xmail_watch.h"

static int listener_start(void *arg, struct uv_loop_s *loop, struct queue *queue,
	const struct config *config, struct err *e)
{
	struct intake_listener **listener = arg;
	return intake_listener_open(loop, queue, config, listener, e);
}

static void listener_configure(void *arg, const struct config *config)
{
	struct intake_listener **listener = arg;
	intake_listener_configure(*listener, config);
}

static void listener_stop(
	void *arg, int64_t grace_ms, void (*finished)(void *arg), void *finished_arg)
{
	struct intake_listener **listener = arg;
	intake_listener_stop(*listener, grace_ms, finished, finished_arg);
}

static void listener_close(void *arg)
{
	intake_listener_close(arg);
}

static int xmail_start(void *arg, struct uv_loop_s *loop, struct queue *queue,
	const struct config *config, struct err *e)
{
	struct xmail_watch **watch = arg;
	return xmail_watch_open(loop, queue, config, watch, e);
}

static void xmail_configure(void *arg, const struct config *config)
{
	struct xmail_watch **watch = arg;
	xmail_watch_configure(*watch, config);
}

static void xmail_stop(
	void *arg, int64_t grace_ms, void (*finished)(void *arg), void *finished_arg)
{
	struct xmail_watch **watch = arg;
	xmail_watch_stop(*watch, grace_ms, finished, finished_arg);
}

static void xmail_close(void *arg)
{
	xmail_watch_close(arg);
}

void run_guests_init(struct run_guests *g)
{
	*g = (struct run_guests){ 0 };
	g->list[0] = (struct worker_guest){ .start = listener_start,
		.configure = listener_configure,
		.stop = listener_stop,
		.close = listener_close,
		.arg = &g->listener };
	g->list[1] = (struct worker_guest){ .start = xmail_start,
		.configure = xmail_configure,
		.stop = xmail_stop,
		.close = xmail_close,
		.arg = &g->xmail };
}
