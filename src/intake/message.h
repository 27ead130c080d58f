/*
 * A message at intake: addresses are checked and brought into form, content is
 * normalized and gets its Received field, and the queue takes it. What all doors
 * share: `send`, the listener, XMail's files.
 *
 * Nothing here waits, and many messages may be under way at once. Whoever brings
 * content in stops reading its source while intake_backlog is high, and looks again
 * when the queue's port has dispatched something. Commands, which have no loop,
 * wait instead: wait.h.
 *
 *	new -> sender, recipients, trace -> write ... -> commit -> done
 *
 * A message may be freed at any time before its commit, and nothing of it stays.
 */
#ifndef INTAKE_MESSAGE_H
#define INTAKE_MESSAGE_H

#include "base/err.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue_port;
struct mail_envelope;
struct smtp_mail_parameters;
struct smtp_rcpt_parameters;

struct intake; /* what the messages of a process have in common */
struct intake_message;

/* Both are borrowed; the thread that owns the port is the one to use it. */
struct intake *intake_new(const struct config *config, struct queue_port *port);
/* For messages that begin from now on. */
void intake_configure(struct intake *in, const struct config *config);
/* Messages before their commit must be freed already. What is on its way to the
 * queue gets there, but done is not called any more: the port must be closed. */
void intake_free(struct intake **in);

struct intake_message *intake_message_new(struct intake *in);
void intake_message_free(struct intake_message **m); /* nothing of it stays */

/* All that return int return 0, or ERR_INVALID or ERR_LIMIT with what is wrong in
 * words. The same for SMTP, RFC 3463, of the last error ("5.1.3"): */
const char *intake_enhanced_code(const struct intake_message *m);

int intake_set_sender(struct intake_message *m, const char *s, size_t len, struct err *e);
/* An address without a domain gets the hostname. One that is there already is
 * not added again. orcpt: checked xtext, or NULL. */
int intake_add_recipient(struct intake_message *m, const char *s, size_t len,
	unsigned notify, const char *orcpt, struct err *e);
/* The same from commands of SMTP, as smtp/command.h parses them. */
int intake_mail(struct intake_message *m, const char *path, size_t len,
	const struct smtp_mail_parameters *p, struct err *e);
int intake_rcpt(struct intake_message *m, const char *path, size_t len,
	const struct smtp_rcpt_parameters *p, struct err *e);
size_t intake_recipient_count(const struct intake_message *m);
/* As it will be sent; borrowed. */
const char *intake_recipient(const struct intake_message *m, size_t index);
struct mail_envelope *intake_envelope(struct intake_message *m); /* to fill in */

/* Where it came from, for the Received field (RFC 5321 4.4). Strings are copied;
 * what a client may have said is made fit for a header. */
struct intake_trace {
	const char *from;     /* what the client calls itself; NULL: no "from" */
	const char *peer;     /* what is known of it: "[192.0.2.1]", "local socket" */
	const char *protocol; /* "ESMTP", RFC 3848; NULL: no "with" */
	const char *note;     /* beside our own name: "from userid 1000"; NULL: none */
};
/* Before the first octet of the content. Without it: the user who runs this. */
void intake_set_trace(struct intake_message *m, const struct intake_trace *trace);

/* Before the first octet of the content: the queue is to know the message by this id,
 * and if it has one like it already, commit ends with ERR_EXISTS. Without it the id that
 * the message has is changed where it is taken. */
void intake_require_id(struct intake_message *m, int64_t id);

/* Content, in any pieces. After an error the message is only good for being freed. */
int intake_write(struct intake_message *m, const char *bytes, size_t len, struct err *e);
/* Octets that wait for the store: memory that only the source can bound. */
size_t intake_backlog(const struct intake_message *m);

/* Ends the content: nothing can be wrong with the message from then on. */
int intake_end(struct intake_message *m, struct err *e);

/* Ends the content, if that has not been done, and hands the message over; takes it (NULL
 * afterwards) if 0 is returned. done comes later, from the port's dispatch, when the
 * message is stored, durably, or cannot be: e is NULL, or says why not. */
typedef void intake_done(void *arg, int64_t id, const struct err *e);
int intake_commit(struct intake_message **m, intake_done *done, void *arg, struct err *e);

#endif
