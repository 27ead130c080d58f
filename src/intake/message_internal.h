/*
 * What message.c and wait.c both see. Nobody else includes it.
 */
#ifndef INTAKE_MESSAGE_INTERNAL_H
#define INTAKE_MESSAGE_INTERNAL_H

#include "intake/message.h"

#include "base/buf.h"
#include "base/hash.h"
#include "mail/content.h"
#include "mail/envelope.h"
#include "queue/queue.h"

struct intake {
	const struct config *config;
	struct queue_port *port;
	struct queue *queue; /* wait.c's own; NULL: the port is the caller's */
	int64_t last_id;
	size_t held_bytes; /* of messages that are under way */
	struct intake_message *under_way;
};

/* What is there already is not added again. */
struct known_recipient {
	char *key; /* local@domain, the domain normalized */
	UT_hash_handle hh;
};

struct intake_message {
	struct intake *in;
	struct mail_envelope envelope;
	struct queue_new_recipient *recipients; /* owned, with their strings */
	size_t count, cap;
	struct known_recipient *known;
	char *received[2]; /* the trace field around the id; NULL: not said yet */
	struct queue_put *put;
	struct content_intake content;
	struct buf normal; /* scratch */
	bool needs_smtputf8, must_have_id, has_ended;
	const char *enhanced; /* of the last error */
	/* after the commit */
	struct intake_message *next, **link; /* in under_way */
	size_t held;
	intake_done *done;
	void *arg;
};

#endif
