/*
 * A client of the listener: one connection, its session, and the time it may take.
 *
 * Reading stops while the session waits for the queue or while our replies wait for
 * the client, so that what a client makes us hold is bounded. The time limit is for
 * a whole command or a piece of content, not for each octet; it does not run while
 * the client waits for us.
 *
 * A client frees itself at its end and says so; the last thing it may wait for is the
 * answer of the queue to a message whose connection is gone.
 */
#ifndef INTAKE_CLIENT_H
#define INTAKE_CLIENT_H

#include "intake/session.h"
#include "net/stream.h"

struct intake_client;

struct intake_client_options {
	struct uv_loop_s *loop;
	int64_t timeout_ms;
	struct intake_session_options session;
	void (*on_end)(void *arg, struct intake_client *c); /* it is freed after it */
	void *arg;
};

/* Takes the stream. on_end does not run before this returns. */
struct intake_client *intake_client_new(struct intake *in, const struct config *config,
	const struct intake_client_options *options, struct stream *stream);

/* The queue's port has dispatched something. May end the client. */
void intake_client_resume(struct intake_client *c);
/* No further message: the client ends when none is under way. May end it. */
void intake_client_stop(struct intake_client *c, const char *why);
/* At once, without on_end. The queue's port must be closed. */
void intake_client_abort(struct intake_client **c);

#endif
