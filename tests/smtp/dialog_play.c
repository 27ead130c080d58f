/*
 * Acts a dialogue out, and checks at every step what must hold for every peer:
 * no recipient is judged twice, a finished message has a verdict for each, a
 * message without an end is covered by FAILED, and in_doubt is said exactly
 * when the final dot or the last chunk was out, and somebody was asked about who
 * has no verdict. That end never leaves before the mark, and AUTH never outside
 * of TLS.
 */
#include "dialog.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { STEPS_MAX = 1000000 }; /* content may come octet by octet */

struct player {
	struct dialog *d;
	const struct dialog_mode *mode;
	struct err *e;
	struct smtp_client *c;
	enum smtp_action pending; /* what the machine waits for */
	enum smtp_action asked; /* what the script has to answer: BODY, MARK, AUTH ... */
	struct buf out;         /* written and not yet compared */
	struct buf log;         /* events and not yet compared, each "text\n" */
	size_t fed;
	struct dialog_message *message; /* under way */
	bool reported[DIALOG_RECIPIENTS_MAX];
	size_t again;
	size_t body_at;
	bool end_may_go, end_is_out;
	size_t at_stake; /* asked about, and no verdict yet */
	bool is_tls, has_failed, has_quit;
};

static int wrong(struct player *p, const char *what)
{
	return err_set(p->e, ERR_INVALID, "%s (state %s)", what,
		smtp_state_name(smtp_client_state(p->c)));
}

static const char *verdict_name(enum smtp_verdict v)
{
	static const char *const names[] = {
		[SMTP_VERDICT_DELIVERED] = "delivered",
		[SMTP_VERDICT_TEMPORARY] = "temporary",
		[SMTP_VERDICT_PERMANENT] = "permanent",
		[SMTP_VERDICT_AGAIN] = "again",
		[SMTP_VERDICT_HOST] = "host",
	};
	return names[v];
}

static const char *cause_name(enum smtp_cause cause)
{
	static const char *const names[] = {
		[SMTP_CAUSE_NONE] = "none",
		[SMTP_CAUSE_REPLY] = "reply",
		[SMTP_CAUSE_STARTTLS_REFUSED] = "starttls_refused",
		[SMTP_CAUSE_INJECTED] = "injected",
		[SMTP_CAUSE_PROTOCOL] = "protocol",
		[SMTP_CAUSE_LOST] = "lost",
		[SMTP_CAUSE_TIMEOUT] = "timeout",
		[SMTP_CAUSE_ABORTED] = "aborted",
		[SMTP_CAUSE_AUTH_PLAINTEXT] = "auth_plaintext",
		[SMTP_CAUSE_AUTH_IMPOSSIBLE] = "auth_impossible",
	};
	return names[cause];
}

static int on_recipient(struct player *p, const struct smtp_step *step)
{
	char status[SMTP_ENHANCED_MAX];
	if (!p->message)
		return wrong(p, "a verdict without a message");
	if (step->recipient >= p->message->recipient_count)
		return wrong(p, "a verdict on nobody");
	if (p->reported[step->recipient])
		return wrong(p, "a recipient was judged twice");
	p->reported[step->recipient] = true;
	p->again += step->verdict == SMTP_VERDICT_AGAIN;
	if (step->reply.code && p->at_stake)
		p->at_stake--;
	smtp_reply_status(&step->reply, status);
	buf_addf(&p->log, "rcpt %s %s %d %s %s\n",
		p->message->recipients[step->recipient].address,
		verdict_name(step->verdict), step->reply.code, status, step->reply.text);
	if (step->hint)
		buf_addf(&p->log, "hint %s\n", step->hint);
	return 0;
}

static int on_done(struct player *p, const struct smtp_step *step)
{
	if (!p->message)
		return wrong(p, "a message was done twice");
	for (size_t i = 0; i < p->message->recipient_count; i++) {
		if (!p->reported[i])
			return wrong(p, "message done, a recipient has no verdict");
	}
	if (step->undecided != p->again)
		return wrong(p, "undecided is not the number of verdicts AGAIN");
	p->message = NULL;
	buf_addf(&p->log, "done %zu\n", step->undecided);
	return 0;
}

static int on_failed(struct player *p, const struct smtp_failure *f)
{
	if (p->has_failed)
		return wrong(p, "the session failed twice");
	p->has_failed = true;
	bool in_doubt = p->end_is_out && p->at_stake;
	/* 421 to the dot: a verdict of a kind; in LMTP on one recipient. */
	if (f->cause == SMTP_CAUSE_REPLY && (!p->d->options.lmtp || f->reply.code != 421))
		in_doubt = false;
	if (f->state == SMTP_STATE_QUIT || f->state == SMTP_STATE_CLOSED)
		return wrong(p, "a failure where nothing is at stake");
	if (f->in_doubt != in_doubt)
		return wrong(p, f->in_doubt ? "in doubt without an end that is out"
					    : "not in doubt although the end is out");
	if (f->inside_tls != p->is_tls)
		return wrong(p, "inside_tls is wrong");
	if (!f->text[0] || f->cause == SMTP_CAUSE_NONE)
		return wrong(p, "a failure without a cause");
	buf_addf(&p->log, "failed %s %s %d %s%s%s%s %s\n", cause_name(f->cause),
		smtp_state_name(f->state), f->reply.code, f->inside_tls ? "tls" : "clear",
		f->before_first_tls_reply ? "+first" : "",
		f->after_refusal ? "+refused" : "", f->in_doubt ? "+doubt" : "",
		f->reply.code ? f->reply.text : f->text);
	return 0;
}

static void give_body(struct player *p)
{
	size_t left = buf_len(&p->message->body) - p->body_at;
	size_t len = p->mode->piece && p->mode->piece < left ? p->mode->piece : left;
	if (!left) {
		smtp_client_body_end(p->c);
		p->end_may_go = p->d->options.no_mark;
		return;
	}
	smtp_client_body(p->c, buf_bytes(&p->message->body) + p->body_at, len);
	p->body_at += len;
}

static size_t count_text(const struct smtp_step *step, const char *text)
{
	size_t n = 0;
	for (const char *s = step->bytes, *end = s + step->len; s < end; n++, s++) {
		s = memmem(s, (size_t)(end - s), text, strlen(text));
		if (!s)
			break;
	}
	return n;
}

static int note_write(struct player *p, const struct smtp_step *step)
{
	bool is_last_chunk = count_text(step, " LAST\r\n") > 0;
	buf_add(&p->out, step->bytes, step->len);
	if (count_text(step, "AUTH ") && !p->is_tls)
		return wrong(p, "AUTH outside of TLS");
	if (is_last_chunk && !p->end_may_go)
		return wrong(p, "the last chunk left before the mark");
	p->at_stake += count_text(step, "RCPT TO:<");
	if (p->end_may_go && buf_len(&p->out) >= 3 &&
		memcmp(buf_bytes(&p->out) + buf_len(&p->out) - 3, ".\r\n", 3) == 0)
		p->end_is_out = true;
	p->end_is_out |= is_last_chunk;
	return 0;
}

static void on_auth(struct player *p, const struct smtp_step *step)
{
	char text[200];
	p->asked = p->pending;
	if (p->pending == SMTP_ACTION_AUTH) {
		buf_addf(&p->log, "auth %s\n", step->mechanisms);
		return;
	}
	text_clean(step->bytes, step->len, text, sizeof(text));
	buf_addf(&p->log, "challenge %s\n", text);
}

/* Runs until the machine waits for the script. */
static int pump(struct player *p)
{
	struct smtp_step step;
	int rc = 0;
	for (int steps = 0; !rc; steps++) {
		if (steps == STEPS_MAX)
			return wrong(p, "the machine does not come to rest");
		p->pending = smtp_client_next(p->c, &step);
		switch (p->pending) {
		case SMTP_ACTION_WRITE:
			if (!step.len)
				return wrong(p, "an empty write");
			rc = note_write(p, &step);
			break;
		case SMTP_ACTION_RECIPIENT:
			rc = on_recipient(p, &step);
			break;
		case SMTP_ACTION_MESSAGE_DONE:
			rc = on_done(p, &step);
			break;
		case SMTP_ACTION_FAILED:
			rc = on_failed(p, &step.failure);
			break;
		case SMTP_ACTION_BODY:
			if (p->d->is_manual)
				p->asked = p->pending;
			else
				give_body(p);
			break;
		case SMTP_ACTION_AUTH:
		case SMTP_ACTION_CHALLENGE:
			on_auth(p, &step);
			break;
		case SMTP_ACTION_MARK:
			if (p->d->is_manual) {
				p->asked = p->pending;
				break;
			}
			smtp_client_marked(p->c);
			p->end_may_go = true;
			break;
		case SMTP_ACTION_READ:
			if (p->asked != SMTP_ACTION_READ)
				p->pending = p->asked;
			return 0;
		default:
			return 0;
		}
	}
	return rc;
}

static int feed(struct player *p, const struct buf *bytes)
{
	const char *s = buf_bytes(bytes);
	size_t left = buf_len(bytes);
	int rc = 0;
	if (p->mode->is_cut && left > p->mode->cut_after - p->fed)
		left = p->mode->cut_after - p->fed;
	while (left && !rc) {
		size_t len =
			p->mode->piece && p->mode->piece < left ? p->mode->piece : left;
		smtp_client_feed(p->c, s, len);
		p->fed += len;
		s += len;
		left -= len;
		rc = pump(p);
	}
	return rc;
}

static void send_message(struct player *p, size_t number)
{
	struct dialog_message *m = &p->d->messages[number];
	struct smtp_message message = {
		.envelope = &m->envelope,
		.recipients = m->recipients,
		.recipient_count = m->recipient_count,
	};
	message.use_chunking = !m->wants_data;
	if (m->is_flight) {
		message.body = buf_bytes(&m->body);
		message.body_len = buf_len(&m->body);
		message.may_be_one_flight = true;
	}
	p->message = m;
	memset(p->reported, 0, sizeof(p->reported));
	p->again = 0;
	p->body_at = 0;
	p->end_may_go = m->is_flight && p->d->options.no_mark;
	p->end_is_out = false;
	p->at_stake = 0;
	smtp_client_send(p->c, &message);
}

static int compare_client(struct player *p, const struct dialog_item *item)
{
	size_t len = buf_len(&item->bytes);
	if (buf_len(&p->out) < len ||
		memcmp(buf_bytes(&p->out), buf_bytes(&item->bytes), len) != 0) {
		char sent[400];
		text_clean(buf_bytes(&p->out), buf_len(&p->out), sent, sizeof(sent));
		return err_set(p->e, ERR_INVALID, "sent instead: \"%s\"", sent);
	}
	buf_consume(&p->out, len);
	return 0;
}

static int compare_event(struct player *p, struct dialog_item *item)
{
	const char *log = buf_text(&p->log);
	size_t len = buf_len(&item->bytes);
	if (strncmp(log, buf_text(&item->bytes), len) != 0)
		return err_set(p->e, ERR_INVALID, "happened instead: \"%.300s\"", log);
	buf_consume(&p->log, (size_t)(strchr(log, '\n') + 1 - log));
	return 0;
}

static enum smtp_action action_for(enum dialog_verb verb)
{
	switch (verb) {
	case DIALOG_TLS:
		return SMTP_ACTION_START_TLS;
	case DIALOG_SEND:
	case DIALOG_QUIT:
		return SMTP_ACTION_READY;
	case DIALOG_MARK:
		return SMTP_ACTION_MARK;
	case DIALOG_AUTH:
	case DIALOG_AUTH_MORE:
	case DIALOG_AUTH_NONE:
		return SMTP_ACTION_AUTH;
	case DIALOG_ANSWER:
	case DIALOG_ANSWER_MORE:
	case DIALOG_CANCEL:
		return SMTP_ACTION_CHALLENGE;
	default:
		return SMTP_ACTION_BODY;
	}
}

static void answer_auth(struct player *p, const struct dialog_item *item)
{
	const char *bytes = buf_bytes(&item->bytes);
	size_t len = buf_len(&item->bytes);
	char why[100];
	text_clean(bytes, len, why, sizeof(why));
	switch (item->verb) {
	case DIALOG_AUTH:
	case DIALOG_AUTH_MORE:
		smtp_client_auth_begin(p->c, item->mechanism,
			item->has_response ? bytes : NULL, len,
			item->verb == DIALOG_AUTH);
		break;
	case DIALOG_AUTH_NONE:
		smtp_client_auth_none(p->c, why);
		break;
	case DIALOG_CANCEL:
		smtp_client_auth_cancel(p->c, why);
		break;
	default:
		smtp_client_auth_answer(p->c, bytes, len, item->verb == DIALOG_ANSWER);
		break;
	}
}

/* An answer to an action: only where the machine asked for it. */
static int answer(struct player *p, const struct dialog_item *item)
{
	if (p->pending != action_for(item->verb))
		return p->mode->is_cut ? 0 : wrong(p, "it does not ask for that");
	p->asked = SMTP_ACTION_READ;
	switch (item->verb) {
	case DIALOG_TLS:
		smtp_client_tls_done(p->c);
		p->is_tls = true;
		break;
	case DIALOG_SEND:
		send_message(p, item->number);
		break;
	case DIALOG_QUIT:
		smtp_client_quit(p->c);
		p->has_quit = true;
		break;
	case DIALOG_MARK:
		smtp_client_marked(p->c);
		p->end_may_go = true;
		break;
	case DIALOG_AUTH:
	case DIALOG_AUTH_MORE:
	case DIALOG_AUTH_NONE:
	case DIALOG_ANSWER:
	case DIALOG_ANSWER_MORE:
	case DIALOG_CANCEL:
		answer_auth(p, item);
		break;
	case DIALOG_BODY_FAIL:
		smtp_client_body_failed(p->c, "body cannot be read");
		break;
	case DIALOG_BODY_END:
		smtp_client_body_end(p->c);
		p->end_may_go = p->d->options.no_mark;
		break;
	default:
		smtp_client_body(
			p->c, buf_bytes(&p->message->body), buf_len(&p->message->body));
		break;
	}
	return pump(p);
}

static int play_item(struct player *p, struct dialog_item *item)
{
	bool compares = !p->mode->is_cut;
	if (item->verb == DIALOG_CLIENT)
		return compares ? compare_client(p, item) : 0;
	if (item->verb == DIALOG_EXPECT)
		return compares ? compare_event(p, item) : 0;
	if (compares && buf_len(&p->out))
		return err_set(
			p->e, ERR_INVALID, "sent too much: \"%s\"", buf_text(&p->out));
	switch (item->verb) {
	case DIALOG_SERVER:
		return feed(p, &item->bytes);
	case DIALOG_LOST:
		smtp_client_lost(p->c, "connection lost");
		return pump(p);
	case DIALOG_TIMEOUT:
		smtp_client_timed_out(p->c);
		return pump(p);
	case DIALOG_ABORT:
		smtp_client_abort(p->c, "given up");
		return pump(p);
	default:
		return answer(p, item);
	}
}

static int check_end(struct player *p)
{
	struct smtp_step step;
	if (!p->mode->is_cut && buf_len(&p->log))
		return err_set(
			p->e, ERR_INVALID, "happened too: \"%s\"", buf_text(&p->log));
	if (!p->mode->is_cut && buf_len(&p->out))
		return err_set(
			p->e, ERR_INVALID, "sent too much: \"%s\"", buf_text(&p->out));
	smtp_client_lost(p->c, "connection lost");
	int rc = pump(p);
	if (rc)
		return rc;
	if (p->pending != SMTP_ACTION_CLOSE ||
		smtp_client_next(p->c, &step) != SMTP_ACTION_CLOSE)
		return wrong(p, "the session does not end");
	if (p->message && !p->has_failed)
		return wrong(p, "an unfinished message, and no failure");
	if (!p->has_failed && !p->has_quit)
		return wrong(p, "a session ends with QUIT or fails");
	return 0;
}

static int play(struct player *p)
{
	struct dialog *d = p->d;
	int rc = pump(p);
	for (size_t i = 0; !rc && i < d->item_count; i++) {
		if (p->mode->is_cut && p->fed >= p->mode->cut_after &&
			d->items[i].verb == DIALOG_SERVER)
			break;
		rc = play_item(p, &d->items[i]);
		if (rc)
			err_context(p->e, "line %u", d->items[i].line);
	}
	return rc ? rc : check_end(p);
}

int dialog_play(struct dialog *d, const struct dialog_mode *mode, struct err *e)
{
	struct player p = {
		.d = d, .mode = mode, .e = e, .is_tls = d->options.implicit_tls
	};
	p.c = smtp_client_new(&d->options);
	int rc = play(&p);
	smtp_client_free(&p.c);
	buf_clear(&p.out);
	buf_clear(&p.log);
	return rc;
}
