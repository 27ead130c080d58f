#include "intake/client.h"

#include "base/failpoint.h"
#include "base/mem.h"
#include "net/loop.h"

#include <stdlib.h>

struct intake_client {
	struct intake_client_options options;
	struct intake_session *session;
	struct stream *stream; /* NULL: the connection is gone */
	struct timer *deadline;
	uint64_t progress; /* as of the last start of the deadline */
	bool is_waiting;   /* for the queue */
	struct buf out;    /* scratch */
};

static void client_free(struct intake_client *c)
{
	stream_close(&c->stream);
	timer_close(&c->deadline);
	intake_session_free(&c->session);
	buf_clear(&c->out);
	free(c);
}

static void end(struct intake_client *c)
{
	c->options.on_end(c->options.arg, c);
	client_free(c);
}

/* A drip of octets is no progress, and we may take as long as we have to. */
static void set_deadline(struct intake_client *c)
{
	uint64_t progress = intake_session_progress(c->session);
	if (c->is_waiting) {
		timer_stop(c->deadline);
	} else if (progress != c->progress || !timer_is_active(c->deadline)) {
		c->progress = progress;
		timer_start(c->deadline, c->options.timeout_ms);
	}
}

static void set_reading(struct intake_client *c)
{
	if (!c->stream)
		return;
	if (c->is_waiting || stream_pending(c->stream))
		stream_read_stop(c->stream);
	else
		stream_read_start(c->stream);
}

/* Ends the client, or leaves it waiting for something. */
static void run(struct intake_client *c)
{
	/* Who does not read our replies gets no more of them, and is not waited for
	 * longer, whatever the queue has been doing meanwhile. */
	if (c->stream && stream_pending(c->stream)) {
		if (!timer_is_active(c->deadline))
			timer_start(c->deadline, c->options.timeout_ms);
		set_reading(c);
		return;
	}
	buf_reset(&c->out);
	enum intake_session_want want = intake_session_run(c->session, &c->out);
	if (c->stream)
		stream_write(c->stream, buf_bytes(&c->out), buf_len(&c->out));
	if (c->is_waiting && buf_len(&c->out))
		(void)failpoint("listener.replied");
	if (want == INTAKE_SESSION_CLOSE) {
		end(c);
		return;
	}
	c->is_waiting = want == INTAKE_SESSION_WAIT;
	set_deadline(c);
	set_reading(c);
}

static void on_data(void *arg, const char *bytes, size_t len)
{
	struct intake_client *c = arg;
	intake_session_feed(c->session, bytes, len);
	run(c);
}

static void on_end(void *arg, enum stream_end how, const struct err *e)
{
	struct intake_client *c = arg;
	(void)how;
	(void)e; /* a client may go when it likes */
	stream_close(&c->stream);
	intake_session_lost(c->session);
	run(c);
}

static void on_drain(void *arg)
{
	run(arg);
}

static void on_deadline(void *arg)
{
	struct intake_client *c = arg;
	/* It does not even read. */
	if (c->stream && stream_pending(c->stream)) {
		stream_abort(&c->stream);
		intake_session_lost(c->session);
	} else {
		intake_session_shut(
			c->session, "4.4.2", "timeout: nothing came for too long");
	}
	run(c);
}

struct intake_client *intake_client_new(struct intake *in, const struct config *config,
	const struct intake_client_options *options, struct stream *stream)
{
	struct intake_client *c = xcalloc(1, sizeof(*c));
	c->options = *options;
	c->options.session.peer = c->options.session.client = NULL; /* borrowed */
	c->session = intake_session_new(in, config, &options->session);
	c->stream = stream;
	c->deadline = timer_new(options->loop, on_deadline, c);
	stream_set_events(stream, &(struct stream_events){ .on_data = on_data,
					  .on_end = on_end,
					  .on_drain = on_drain,
					  .arg = c });
	run(c); /* the greeting */
	return c;
}

void intake_client_resume(struct intake_client *c)
{
	if (c->is_waiting)
		run(c);
}

void intake_client_stop(struct intake_client *c, const char *why)
{
	intake_session_stop(c->session, why);
	run(c);
}

void intake_client_abort(struct intake_client **cp)
{
	struct intake_client *c = MOVE(*cp);
	if (c)
		client_free(c);
}
