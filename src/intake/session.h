/*
 * One SMTP or LMTP session without its connection: the server machine
 * (smtp/server.h) joined with messages at intake (message.h). Octets in, octets out.
 * The owner has the connection, the clock and the limits of clients; the listener's
 * clients and `sendmail -bs` are such owners.
 *
 *	feed -> run -> write what is in out -> READ: feed more
 *	                                       WAIT: run again when the queue's port
 *	                                             has dispatched something
 *	                                       CLOSE: when all is written
 *
 * A message is acknowledged after its commit, and what was not acknowledged may be
 * there all the same if the connection was lost meanwhile. Each message that is taken
 * is a line in the log, and so is each refusal, up to a number for a session.
 */
#ifndef INTAKE_SESSION_H
#define INTAKE_SESSION_H

#include "base/buf.h"
#include "intake/message.h"
#include "smtp/server.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INTAKE_PIECE = 64 * 1024 }; /* of content: counts as progress */

struct intake_session_options {
	bool is_lmtp;
	/* Both are copied. peer: for the Received field ("[192.0.2.1]", "local socket");
	 * client: for the log ("unknown[192.0.2.1]"). */
	const char *peer, *client;
};

enum intake_session_want {
	INTAKE_SESSION_READ,
	INTAKE_SESSION_WAIT,
	INTAKE_SESSION_CLOSE
};

struct intake_session;
/* config: hostname and limits, copied. */
struct intake_session *intake_session_new(struct intake *in, const struct config *config,
	const struct intake_session_options *options);
/* Not while the queue has to answer (WAIT), unless its port is closed. */
void intake_session_free(struct intake_session **s);

void intake_session_feed(struct intake_session *s, const char *bytes, size_t len);
void intake_session_lost(struct intake_session *s); /* no more will come */
/* 421: at once, but after the answer to a message that is with the queue. */
void intake_session_shut(struct intake_session *s, const char *enhanced, const char *why);
/* 421 as soon as no message is under way. */
void intake_session_stop(struct intake_session *s, const char *why);

/* Appends to out what is to be written. After CLOSE only free is useful. */
enum intake_session_want intake_session_run(struct intake_session *s, struct buf *out);

/* Changes with each whole command and each INTAKE_PIECE of content. */
uint64_t intake_session_progress(const struct intake_session *s);

#endif
