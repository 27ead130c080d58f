#include "cli/run_listener.h"

#include "intake/listener.h"

static int start(void *arg, struct uv_loop_s *loop, struct queue *queue,
	const struct config *config, struct err *e)
{
	struct intake_listener **listener = arg;
	return intake_listener_open(loop, queue, config, listener, e);
}

static void configure(void *arg, const struct config *config)
{
	struct intake_listener **listener = arg;
	intake_listener_configure(*listener, config);
}

static void stop(
	void *arg, int64_t grace_ms, void (*finished)(void *arg), void *finished_arg)
{
	struct intake_listener **listener = arg;
	intake_listener_stop(*listener, grace_ms, finished, finished_arg);
}

static void close_listener(void *arg)
{
	intake_listener_close(arg);
}

struct worker_guest run_listener(struct intake_listener **listener)
{
	return (struct worker_guest){ .start = start,
		.configure = configure,
		.stop = stop,
		.close = close_listener,
		.arg = listener };
}
