/*
 * One transaction: MAIL, RCPT, DATA or the way to BDAT.
 *
 * The states follow the replies (the receive cursor). Without PIPELINING each
 * command leaves as its state begins; with it, all of MAIL, RCPT ... DATA leave
 * as MAIL begins, and the states after it only read (RFC 2920 3.1). A refused
 * MAIL then does not end the transaction before its last reply is in.
 */
#include "smtp/client_impl.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/address.h"

#include <stddef.h>
#include <string.h>

enum smtp_verdict smtp_refusal(const struct smtp_client *c, const struct smtp_reply *r)
{
	return smtp_reply_class(r) == 5 && !smtp_wants_tls(c, r) ? SMTP_VERDICT_PERMANENT
								 : SMTP_VERDICT_TEMPORARY;
}

void smtp_mail_clear(struct smtp_client *c)
{
	mem_free(&c->mail.rcpts);
	buf_clear(&c->mail.chunk);
	memset(&c->mail, 0, offsetof(struct transaction, batch));
}

/* The replies so far leave nobody to whom the host could deliver. */
static bool is_for_nobody(const struct transaction *t)
{
	return t->mail_failed || t->is_refused ||
	       (t->settled && t->settled == t->accepted) ||
	       (t->answered == t->batch_count && !t->accepted);
}

bool smtp_mail_is_unsent(const struct smtp_client *c)
{
	return c->state == SMTP_STATE_READY || c->state == SMTP_STATE_RSET ||
	       (c->state == SMTP_STATE_MARK && c->mail.is_flight);
}

bool smtp_mail_is_in_doubt(const struct smtp_client *c)
{
	const struct transaction *t = &c->mail;
	return t->end_was_handed && !t->is_done && !is_for_nobody(t);
}

void smtp_put_off_rest(struct smtp_client *c)
{
	struct transaction *t = &c->mail;
	for (size_t i = 0; i < t->message.recipient_count; i++) {
		if (t->rcpts[i].state == RCPT_NEW)
			smtp_decide_ours(c, i, REASON_TRANSACTION_FULL);
	}
}

enum smtp_state smtp_finish(struct smtp_client *c, bool needs_rset)
{
	smtp_put_off_rest(c);
	c->mail.is_done = true;
	c->needs_rset = needs_rset;
	return SMTP_STATE_READY;
}

static bool is_bad_sender(const char *s)
{
	struct address a;
	return address_parse_sender(s, strlen(s), &a, NULL) != ERR_OK || *s == '<';
}

static bool is_bad_recipient(const char *s)
{
	struct address a;
	return address_parse_recipient(s, strlen(s), &a, NULL) != ERR_OK || *s == '<';
}

/* Why this message cannot go to this host at all, or REASON_REPLY. */
static enum rcpt_reason judge_message(const struct smtp_client *c)
{
	const struct mail_envelope *m = c->mail.message.envelope;
	if (is_bad_sender(m->sender))
		return REASON_BAD_SENDER;
	if (c->mail.needs_smtputf8 && !c->offer.smtputf8)
		return REASON_NO_SMTPUTF8;
	if (c->offer.size_limit && m->content.size_bytes > c->offer.size_limit)
		return REASON_TOO_LARGE;
	return REASON_REPLY;
}

static enum rcpt_reason judge_recipient(
	const struct smtp_client *c, const struct mail_recipient *r)
{
	if (is_bad_recipient(r->address))
		return REASON_BAD_RECIPIENT;
	if (!c->offer.smtputf8 && !text_is_ascii(r->address, strlen(r->address)))
		return REASON_NO_SMTPUTF8;
	return REASON_REPLY;
}

static size_t batch_limit(const struct smtp_client *c)
{
	unsigned limit = c->options.max_recipients;
	return limit && limit < SMTP_BATCH_MAX ? limit : SMTP_BATCH_MAX;
}

/* Those that can be asked for go into the batch, as many as fit. */
static void fill_batch(struct smtp_client *c)
{
	struct transaction *t = &c->mail;
	enum rcpt_reason all = judge_message(c);
	size_t limit = batch_limit(c);
	for (size_t i = 0; i < t->message.recipient_count; i++) {
		const struct mail_recipient *r = &t->message.recipients[i];
		enum rcpt_reason reason = all ? all : judge_recipient(c, r);
		if (reason) {
			smtp_decide_ours(c, i, reason);
		} else if (t->batch_count < limit) {
			t->batch[t->batch_count++] = i;
			t->needs_smtputf8 |=
				!text_is_ascii(r->address, strlen(r->address));
		}
	}
}

/* Everything can leave in one write, and be counted before. */
static bool is_one_flight(const struct smtp_client *c, const struct smtp_message *m)
{
	return m->may_be_one_flight && !c->options.lmtp && m->body &&
	       m->body_len <= SMTP_CHUNK_MAX && c->mail.uses_bdat &&
	       c->mail.is_pipelined && m->body_len == m->envelope->content.size_bytes;
}

/* The mark goes before what could be the end of the content. */
static enum smtp_state first_state(const struct smtp_client *c)
{
	return c->mail.is_flight && !c->options.no_mark ? SMTP_STATE_MARK
							: SMTP_STATE_MAIL;
}

void smtp_client_send(struct smtp_client *c, const struct smtp_message *message)
{
	if (c->state == SMTP_STATE_CLOSED)
		return;
	ASSERT(c->state == SMTP_STATE_READY && !c->mail.rcpts && !c->mail.is_done);
	if (!smtp_is_silent(c))
		return;
	struct transaction *t = &c->mail;
	const struct mail_envelope *m = message->envelope;
	t->message = *message;
	t->rcpts = xcalloc(message->recipient_count + 1, sizeof(*t->rcpts));
	t->is_pipelined = c->offer.pipelining;
	t->uses_bdat = c->offer.chunking && message->use_chunking;
	t->is_flight = is_one_flight(c, message);
	t->needs_smtputf8 =
		m->content.needs_smtputf8 || !text_is_ascii(m->sender, strlen(m->sender));
	if (t->uses_bdat)
		content_unstuffed_init(&t->stuffing);
	else
		content_dotstuff_init(&t->stuffing);
	fill_batch(c);
	if (t->batch_count)
		smtp_change_state(
			c, c->needs_rset ? SMTP_STATE_RSET : first_state(c), "message");
	else
		t->is_done = true;
}

void smtp_enter_rset(struct smtp_client *c)
{
	smtp_command(c, "RSET");
}

enum smtp_state smtp_on_rset(struct smtp_client *c, const struct smtp_reply *r)
{
	if (smtp_reply_class(r) != 2)
		return smtp_fail_refused(c, r);
	c->needs_rset = false;
	return first_state(c);
}

static void ask_next(struct smtp_client *c, size_t n)
{
	size_t i = c->mail.batch[n];
	smtp_command_rcpt(c, &c->mail.message.recipients[i]);
}

void smtp_enter_mail(struct smtp_client *c)
{
	struct transaction *t = &c->mail;
	for (size_t n = 0; n < t->batch_count; n++)
		t->rcpts[t->batch[n]].state = RCPT_ASKED;
	smtp_command_mail(c);
	if (!t->is_pipelined)
		return;
	for (size_t n = 0; n < t->batch_count; n++)
		ask_next(c, n);
	if (t->is_flight)
		smtp_queue_flight(c);
	else if (!t->uses_bdat)
		smtp_command_line(c, "DATA", 4);
}

enum smtp_state smtp_on_mail(struct smtp_client *c, const struct smtp_reply *r)
{
	struct transaction *t = &c->mail;
	if (smtp_reply_class(r) == 2)
		return SMTP_STATE_RCPT;
	t->mail_failed = true;
	smtp_reply_copy(&t->by, r);
	smtp_decide_all(c, RCPT_ASKED, smtp_refusal(c, r));
	smtp_decide_all(c, RCPT_NEW, smtp_refusal(c, r)); /* it would be refused again */
	return t->is_pipelined ? SMTP_STATE_RCPT : smtp_finish(c, true);
}

void smtp_enter_rcpt(struct smtp_client *c)
{
	if (!c->mail.is_pipelined)
		ask_next(c, c->mail.answered);
}

static void judge_rcpt(struct smtp_client *c, size_t i, const struct smtp_reply *r)
{
	struct transaction *t = &c->mail;
	bool is_full = r->code == 452 || r->code == 552;
	smtp_reply_copy(&t->by, r);
	if (smtp_reply_class(r) == 2) {
		t->rcpts[i].state = RCPT_ACCEPTED;
		t->accepted++;
	} else if (is_full && t->accepted) {
		/* RFC 5321 4.5.3.1.10: the host has enough for this transaction. */
		smtp_decide(c, i, SMTP_VERDICT_AGAIN);
	} else if (is_full) {
		smtp_decide(c, i, SMTP_VERDICT_TEMPORARY);
	} else {
		smtp_decide(c, i, smtp_refusal(c, r));
	}
}

enum smtp_state smtp_on_rcpt(struct smtp_client *c, const struct smtp_reply *r)
{
	struct transaction *t = &c->mail;
	size_t i = t->batch[t->answered++];
	if (!t->mail_failed)
		judge_rcpt(c, i, r);
	if (t->answered < t->batch_count)
		return SMTP_STATE_RCPT;
	if (t->uses_bdat)
		return smtp_begin_content(c);
	return t->is_pipelined || t->accepted ? SMTP_STATE_DATA : smtp_finish(c, true);
}

void smtp_enter_data(struct smtp_client *c)
{
	if (!c->mail.is_pipelined)
		smtp_command_line(c, "DATA", 4);
}

enum smtp_state smtp_on_data(struct smtp_client *c, const struct smtp_reply *r)
{
	struct transaction *t = &c->mail;
	switch (smtp_reply_class(r)) {
	case 3:
		/* RFC 2033 4.2: it must refuse DATA; how it answers a dot is not said. */
		if (!t->accepted && c->options.lmtp)
			return smtp_fail(c, SMTP_CAUSE_PROTOCOL, NULL,
				"354 to DATA, and no recipient was accepted");
		t->is_lone_dot = !t->accepted;
		return t->is_lone_dot ? SMTP_STATE_FINAL : SMTP_STATE_BODY;
	case 2:
		return smtp_fail(c, SMTP_CAUSE_PROTOCOL, NULL, "2xx reply to DATA");
	default:
		smtp_reply_copy(&t->by, r);
		smtp_decide_all(c, RCPT_ACCEPTED, smtp_refusal(c, r));
		return smtp_finish(c, true);
	}
}
