/*
 * A message at intake: addresses are checked and brought into form, content is
 * normalized and gets its Received field, and the queue takes it. Used by
 * `send`; holds many messages under way at once, but not much memory.
 */
#ifndef INTAKE_MESSAGE_H
#define INTAKE_MESSAGE_H

#include "base/err.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct intake;
struct intake_message;

/* Opens the queue of the configuration, which must outlive the intake. */
int intake_open(const struct config *config, struct intake **out, struct err *e);
/* Waits for what is under way. */
void intake_wait_all(struct intake *in);
void intake_close(struct intake **in);

struct intake_message *intake_message_new(struct intake *in);
void intake_message_free(struct intake_message **m); /* nothing of it stays */

/* All return 0, or ERR_INVALID or ERR_LIMIT with what is wrong in words. */
int intake_set_sender(struct intake_message *m, const char *s, size_t len, struct err *e);
/* An address without a domain gets the hostname. One that is there already is
 * not added again. orcpt: checked xtext, or NULL. */
int intake_add_recipient(struct intake_message *m, const char *s, size_t len,
	unsigned notify, const char *orcpt, struct err *e);
size_t intake_recipient_count(const struct intake_message *m);
struct mail_envelope;
struct mail_envelope *intake_envelope(struct intake_message *m); /* to fill in */
/* Content, in any pieces; waits while too much is under way. */
int intake_write(struct intake_message *m, const char *bytes, size_t len, struct err *e);

/* Ends the content and hands the message over; takes it (NULL afterwards) if 0
 * is returned. done comes later, from any intake function that waits. */
typedef void intake_done(void *arg, int64_t id, const struct err *e);
int intake_commit(struct intake_message **m, intake_done *done, void *arg, struct err *e);

#endif
