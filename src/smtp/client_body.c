/*
 * The content and its verdict: after DATA stuffed with dots and ended by one,
 * or in chunks (RFC 3030), each announced by BDAT with its length.
 *
 * Chunks gather in mail.chunk; one leaves when it is full and there is more, so
 * that the last one is never empty without need. A chunk that is refused ends
 * the transaction: what was asked of the owner is waited for and dropped, and
 * the replies to further chunks are only read.
 */
#include "smtp/client_impl.h"

#include "base/err.h"

bool smtp_waits_for_chunk(const struct smtp_client *c)
{
	return c->mail.uses_bdat && (!c->mail.is_pipelined || c->options.lmtp) &&
	       c->expected;
}

/* RFC 2033 4.2: the end has one reply for each recipient that was accepted. */
static void end_is_queued(struct smtp_client *c)
{
	c->mail.end_is_queued = true;
	if (c->options.lmtp) {
		c->expected += (unsigned)c->mail.accepted - 1;
		c->unsent += (unsigned)c->mail.accepted - 1;
	}
}

static void announce_chunk(struct smtp_client *c, size_t len, bool is_last)
{
	smtp_command_bdat(c, len, is_last);
	if (is_last)
		end_is_queued(c);
}

static void queue_chunk(struct smtp_client *c, size_t len, bool is_last)
{
	struct buf *chunk = &c->mail.chunk;
	announce_chunk(c, len, is_last);
	buf_add(&c->out, buf_bytes(chunk), len);
	buf_consume(chunk, len);
}

static void queue_full_chunks(struct smtp_client *c)
{
	while (buf_len(&c->mail.chunk) > SMTP_CHUNK_MAX && !smtp_waits_for_chunk(c))
		queue_chunk(c, SMTP_CHUNK_MAX, false);
}

static void queue_last_chunk(struct smtp_client *c)
{
	queue_chunk(c, buf_len(&c->mail.chunk), true);
}

void smtp_queue_flight(struct smtp_client *c)
{
	struct transaction *t = &c->mail;
	const struct smtp_message *m = &t->message;
	if (content_needs_nothing(m->body, m->body_len)) {
		announce_chunk(c, m->body_len, true);
		buf_add(&c->out, m->body, m->body_len);
		return;
	}
	content_dotstuff_feed(&t->stuffing, m->body, m->body_len, &t->chunk);
	content_dotstuff_end(&t->stuffing, &t->chunk);
	queue_last_chunk(c);
}

enum smtp_state smtp_begin_content(struct smtp_client *c)
{
	if (c->mail.is_flight)
		return SMTP_STATE_BDAT;
	return c->mail.accepted ? SMTP_STATE_BODY : smtp_finish(c, true);
}

/* A chunk was refused, and nothing is left to be asked. */
static enum smtp_state after_refusal(struct smtp_client *c)
{
	return c->expected ? SMTP_STATE_BDAT : smtp_finish(c, true);
}

/* The owner answered; true: nobody wants that any more. */
static bool is_too_late(struct smtp_client *c)
{
	c->is_asked = false;
	if (!c->mail.is_refused)
		return false;
	smtp_change_state(c, after_refusal(c), "refused before");
	return true;
}

void smtp_client_body(struct smtp_client *c, const char *bytes, size_t len)
{
	struct transaction *t = &c->mail;
	if (c->state == SMTP_STATE_CLOSED)
		return;
	ASSERT(c->state == SMTP_STATE_BODY);
	if (is_too_late(c))
		return;
	t->content_bytes += len;
	content_dotstuff_feed(
		&t->stuffing, bytes, len, t->uses_bdat ? &t->chunk : &c->out);
	queue_full_chunks(c);
}

static void end_content(struct smtp_client *c)
{
	/* A reply that came before the end is no verdict on the message. Those to
	 * chunks that were sent are told from it by their number. */
	if (c->expected || smtp_is_silent(c))
		smtp_change_state(c,
			c->mail.uses_bdat ? SMTP_STATE_BDAT : SMTP_STATE_FINAL,
			"end of content");
}

void smtp_client_body_end(struct smtp_client *c)
{
	struct transaction *t = &c->mail;
	if (c->state == SMTP_STATE_CLOSED)
		return;
	ASSERT(c->state == SMTP_STATE_BODY);
	if (is_too_late(c))
		return;
	/* Of a message that was damaged nobody gets a part. */
	if (t->content_bytes != t->message.envelope->content.size_bytes) {
		smtp_client_abort(c, "content is not as long as its envelope says");
		return;
	}
	content_dotstuff_end(&t->stuffing, t->uses_bdat ? &t->chunk : &c->out);
	if (c->options.no_mark)
		end_content(c);
	else
		smtp_change_state(c, SMTP_STATE_MARK, "end of content");
}

void smtp_client_body_failed(struct smtp_client *c, const char *why)
{
	smtp_client_abort(c, why);
}

void smtp_client_marked(struct smtp_client *c)
{
	if (c->state == SMTP_STATE_CLOSED)
		return;
	ASSERT(c->state == SMTP_STATE_MARK);
	if (is_too_late(c))
		return;
	if (!c->mail.is_flight)
		end_content(c);
	else if (smtp_is_silent(c))
		smtp_change_state(c, SMTP_STATE_MAIL, "marked");
}

/* ---- the replies ---- */

static void refuse_content(struct smtp_client *c, const struct smtp_reply *r)
{
	if (c->mail.is_refused)
		return; /* it follows from the first refusal */
	c->mail.is_refused = true;
	smtp_reply_copy(&c->mail.by, r);
	smtp_decide_all(c, RCPT_ACCEPTED, smtp_refusal(c, r));
}

/* The host does not know the command, and may go on with the content as if it
 * were commands: no reply can be trusted any more. */
static bool is_unknown_command(const struct smtp_reply *r)
{
	return r->code == 500 || r->code == 501 || r->code == 502 || r->code == 504;
}

static enum smtp_state do_without_chunking(
	struct smtp_client *c, const struct smtp_reply *r)
{
	c->refused_chunking = true;
	enum smtp_state next = smtp_fail_refused(c, r);
	c->failure.in_doubt = false;
	return next;
}

enum smtp_state smtp_on_chunk(struct smtp_client *c, const struct smtp_reply *r)
{
	if (is_unknown_command(r))
		return do_without_chunking(c, r);
	if (smtp_reply_class(r) == 2) {
		queue_full_chunks(c);
		return c->state;
	}
	refuse_content(c, r);
	return c->is_asked ? c->state : after_refusal(c);
}

void smtp_enter_bdat(struct smtp_client *c)
{
	if (!c->mail.end_is_queued && !c->mail.is_refused)
		queue_last_chunk(c);
}

/* After DATA the 354 shows that the replies are in step; in a flight nothing does. One
 * more that is positive means that an earlier one was too many, and that the verdict
 * may be another one than this. A refusal may follow: a host that ends the session. */
static bool is_out_of_step(const struct smtp_client *c)
{
	return c->mail.is_flight && !c->expected && buf_len(&c->in) &&
	       *buf_bytes(&c->in) == '2';
}

void smtp_settle_next(struct smtp_client *c, const struct smtp_reply *r)
{
	struct transaction *t = &c->mail;
	while (t->rcpts[t->batch[t->settle_at]].state != RCPT_ACCEPTED)
		t->settle_at++;
	smtp_reply_copy(&t->by, r);
	smtp_decide(c, t->batch[t->settle_at],
		smtp_reply_class(r) == 2 ? SMTP_VERDICT_DELIVERED : smtp_refusal(c, r));
	t->settled++;
}

static enum smtp_state on_settled(struct smtp_client *c, const struct smtp_reply *r)
{
	smtp_settle_next(c, r);
	return c->expected ? c->state : smtp_finish(c, false);
}

enum smtp_state smtp_on_bdat(struct smtp_client *c, const struct smtp_reply *r)
{
	struct transaction *t = &c->mail;
	bool is_positive = smtp_reply_class(r) == 2;
	if (is_unknown_command(r) && !t->settled)
		return do_without_chunking(c, r);
	if (c->options.lmtp)
		return on_settled(c, r);
	if (is_positive && is_out_of_step(c))
		return smtp_fail(
			c, SMTP_CAUSE_PROTOCOL, NULL, "one reply too many to a flight");
	if (!is_positive)
		refuse_content(c, r);
	if (c->expected)
		return SMTP_STATE_BDAT;
	if (is_positive && !t->is_refused) {
		smtp_reply_copy(&t->by, r);
		smtp_decide_all(c, RCPT_ACCEPTED, SMTP_VERDICT_DELIVERED);
	}
	/* RFC 3030 2: after a refused BDAT only RSET or a new MAIL makes sense. */
	return smtp_finish(c, !is_positive || t->is_refused || !t->accepted);
}

void smtp_enter_final(struct smtp_client *c)
{
	if (c->mail.end_is_queued)
		return;
	smtp_command_line(c, ".", 1);
	end_is_queued(c);
}

enum smtp_state smtp_on_final(struct smtp_client *c, const struct smtp_reply *r)
{
	struct transaction *t = &c->mail;
	if (c->options.lmtp)
		return on_settled(c, r);
	smtp_reply_copy(&t->by, r);
	if (!t->is_lone_dot)
		smtp_decide_all(c, RCPT_ACCEPTED,
			smtp_reply_class(r) == 2 ? SMTP_VERDICT_DELIVERED
						 : smtp_refusal(c, r));
	return smtp_finish(c, false);
}
