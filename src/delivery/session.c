/*
 *	PREPARING -> DIALING -> TALKING (banner ... STARTTLS) -> HANDSHAKE -> TALKING
 *	                ^_______ failed with a ticket offered, once __|_________|
 *
 * `busy` counts our frames on the stack: a session that is closed by one of its
 * own events is freed when the last of them returns. The dial is in session_dial.c, the
 * handshake in session_tls.c, who we are in session_auth.c, and what a session can be
 * asked in session_facts.c.
 */
#include "delivery/session_internal.h"

#include "base/err.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "delivery/chunking_memory.h"
#include "delivery/failure.h"
#include "net/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WRITE_HIGH_WATER = 256 * 1024 }; /* octets queued in the stream */

#define OVERDUE "the session took longer than session_timeout"

static void release(struct session *s)
{
	stream_close(&s->stream);
	smtp_client_free(&s->client);
	tls_identity_free(&s->identity);
	terms_unref(&s->terms);
	free(s);
}

void session_enter(struct session *s)
{
	s->busy++;
}

void session_leave(struct session *s)
{
	ASSERT(s->busy > 0);
	if (--s->busy == 0 && s->is_closed)
		release(s);
}

void session_close(struct session **sp)
{
	struct session *s = *sp;
	*sp = NULL;
	if (!s || s->is_closed)
		return;
	s->is_closed = true;
	s->has_ended = true;
	s->env->sessions--;
	s->env->quitting -= s->is_quitting;
	if (s->env->session_gone)
		s->env->session_gone(s->env->session_gone_arg);
	timer_close(&s->timer);
	timer_close(&s->deadline);
	session_forget_auth(s);
	if (s->dial)
		dial_cancel(&s->dial);
	if (!s->busy)
		release(s);
}

static bool retry_without_ticket(struct session *s, const struct session_failure *f);
void session_end(struct session *s, const struct session_failure *failure)
{
	if (s->has_ended || retry_without_ticket(s, failure))
		return;
	s->has_ended = true;
	timer_stop(s->timer);
	timer_stop(s->deadline);
	if (s->stream)
		stream_read_stop(s->stream);
	if (s->is_quitting)
		session_close(&(struct session *){ s });
	else
		s->events.on_failed(s->events.arg, failure);
}

/* ---- the protocol machine ---- */

/* As chunking_memory.h says. It is noted here because a session that nobody uses at
 * the moment hears it, too: what comes after the verdict on a flight. */
static bool does_badly_with_chunks(const struct session *s, const struct smtp_failure *f)
{
	bool is_out_of_turn = f->cause == SMTP_CAUSE_REPLY &&
			      f->state == SMTP_STATE_READY && f->reply.code != 421;
	bool is_broken = f->cause == SMTP_CAUSE_LOST || f->cause == SMTP_CAUSE_TIMEOUT;
	bool has_no_reply = f->in_doubt && f->state == SMTP_STATE_MAIL;
	return f->cause == SMTP_CAUSE_PROTOCOL || is_out_of_turn ||
	       (is_broken && has_no_reply) || smtp_client_refused_chunking(s->client);
}

/* A server that speaks TLS from the first octet waits for ours. */
static const char *hint_of(const struct session *s, const struct smtp_failure *f)
{
	const struct policy_relay *relay = s->terms->way.relay;
	if (f->cause != SMTP_CAUSE_TIMEOUT || f->state != SMTP_STATE_BANNER ||
		relay->transport != POLICY_TRANSPORT_SMTP || !relay->port)
		return "";
	return "; a port that speaks TLS from the first octet is silent until then: did "
	       "you mean smtps://?";
}

static void fail_smtp(struct session *s, const struct smtp_failure *smtp)
{
	struct session_failure f = { .phase = SESSION_TALKING, .smtp = *smtp };
	snprintf(f.text, sizeof(f.text), "%.220s%s", s->is_overdue ? OVERDUE : smtp->text,
		hint_of(s, smtp));
	session_explain_auth(s, smtp, f.text, sizeof(f.text));
	if (does_badly_with_chunks(s, smtp))
		chunking_memory_distrust(s->env->chunking, s->mx);
	if (smtp->inside_tls &&
		(smtp->cause == SMTP_CAUSE_LOST || smtp->cause == SMTP_CAUSE_TIMEOUT))
		session_log_handshake(s, f.text, smtp_state_name(smtp->state));
	session_end(s, &f);
}

static bool write_bytes(struct session *s, const struct smtp_step *step)
{
	if (s->is_marked)
		(void)failpoint("delivery.final_dot.before");
	stream_write(s->stream, step->bytes, step->len);
	if (s->is_marked)
		(void)failpoint("delivery.final_dot.after");
	s->is_marked = false;
	if (s->env->is_stopping && smtp_client_state(s->client) == SMTP_STATE_QUIT) {
		session_close(&(struct session *){ s }); /* what is queued still goes */
		return false;
	}
	s->waits_for_drain = stream_pending(s->stream) > WRITE_HIGH_WATER;
	return !s->waits_for_drain;
}

static void ready(struct session *s)
{
	session_forget_auth(s);
	if (s->is_quitting)
		smtp_client_quit(s->client);
	else
		s->events.on_ready(s->events.arg);
}

/* Carries out one action; false: the machine waits for somebody. An event that
 * answers at once calls drive, which notes that there is more to do. */
static bool act(struct session *s, enum smtp_action action, const struct smtp_step *step)
{
	switch (action) {
	case SMTP_ACTION_READ:
		return false;
	case SMTP_ACTION_WRITE:
		return write_bytes(s, step);
	case SMTP_ACTION_START_TLS:
		session_start_tls(s);
		return false;
	case SMTP_ACTION_READY:
		ready(s);
		return false;
	case SMTP_ACTION_BODY:
		s->events.on_body(s->events.arg);
		return true; /* answered or not: the machine knows */
	case SMTP_ACTION_MARK:
		s->events.on_mark(s->events.arg);
		return true;
	case SMTP_ACTION_RECIPIENT:
		s->events.on_recipient(s->events.arg, step);
		return true;
	case SMTP_ACTION_MESSAGE_DONE:
		return true; /* READY follows: there the owner asks again, or ends */
	case SMTP_ACTION_FAILED:
		fail_smtp(s, &step->failure);
		return false;
	case SMTP_ACTION_CLOSE:
		session_end(s, &(struct session_failure){ .phase = SESSION_TALKING,
				       .smtp = { .cause = SMTP_CAUSE_ABORTED,
					       .state = SMTP_STATE_CLOSED },
				       .text = "session closed" });
		return false;
	case SMTP_ACTION_AUTH:
		session_choose_auth(s, step->mechanisms);
		return false;
	case SMTP_ACTION_CHALLENGE:
		session_answer_challenge(s, step->bytes, step->len);
		return true;
	}
	ASSERT(!"an action that exists");
	return false;
}

/* The limit counts from the last thing that got on, not from the last octet: a
 * peer that drips its reply does not gain time by it. */
static void arm_timer(struct session *s, bool has_progressed)
{
	if (s->is_closed || s->has_ended || s->phase != SESSION_TALKING)
		return;
	int64_t limit_ms = smtp_client_timeout_ms(s->client);
	if (limit_ms <= 0)
		timer_stop(s->timer);
	else if (has_progressed || !timer_is_active(s->timer))
		timer_start(s->timer, limit_ms);
}

static bool can_drive(const struct session *s)
{
	return !s->has_ended && !s->waits_for_drain && s->phase == SESSION_TALKING;
}

void session_drive(struct session *s)
{
	struct smtp_step step;
	size_t replies = s->client ? smtp_client_reply_count(s->client) : 0;
	bool has_progressed = false, go_on = true;
	s->has_more = true;
	if (s->is_driving || !can_drive(s))
		return;
	session_enter(s);
	s->is_driving = true;
	while (can_drive(s) && (go_on || s->has_more)) {
		s->has_more = false;
		enum smtp_action action = smtp_client_next(s->client, &step);
		has_progressed |= action != SMTP_ACTION_READ;
		go_on = act(s, action, &step);
	}
	s->is_driving = false;
	/* With PIPELINING each reply of a batch is progress of its own. */
	has_progressed |= smtp_client_reply_count(s->client) != replies;
	arm_timer(s, has_progressed);
	session_leave(s);
}

void session_send(struct session *s, const struct smtp_message *message)
{
	struct smtp_message m = *message;
	m.may_be_one_flight &= s->heard_ms == loop_now_ms(s->env->loop);
	s->messages++;
	smtp_client_send(s->client, &m);
	session_drive(s);
}

void session_body(struct session *s, const char *bytes, size_t len)
{
	smtp_client_body(s->client, bytes, len);
	session_drive(s);
}

void session_body_end(struct session *s)
{
	smtp_client_body_end(s->client);
	session_drive(s);
}

void session_body_failed(struct session *s, const char *why)
{
	smtp_client_body_failed(s->client, why);
	session_drive(s);
}

void session_marked(struct session *s)
{
	s->is_marked = true;
	smtp_client_marked(s->client);
	session_drive(s);
}

void session_quit(struct session **sp)
{
	struct session *s = *sp;
	*sp = NULL;
	if (!s)
		return;
	if (s->has_ended || smtp_client_state(s->client) != SMTP_STATE_READY) {
		session_close(&s);
		return;
	}
	session_enter(s);
	s->is_quitting = true;
	s->env->quitting++;
	smtp_client_quit(s->client);
	session_drive(s);
	session_leave(s);
}

/* ---- what comes in ---- */

static void on_data(void *arg, const char *bytes, size_t len)
{
	struct session *s = arg;
	session_enter(s);
	s->heard_ms = loop_now_ms(s->env->loop);
	if (!s->has_ended) {
		smtp_client_feed(s->client, bytes, len);
		session_drive(s);
	}
	session_leave(s);
}

static void on_end(void *arg, enum stream_end why, const struct err *e)
{
	static const char *const facts[] = {
		[STREAM_END_EOF] = "connection closed by the other side",
		[STREAM_END_TRUNCATED] = "connection closed inside TLS without notice",
		[STREAM_END_RESET] = "connection lost",
		[STREAM_END_TLS] = "TLS error",
	};
	struct session *s = arg;
	char text[256];
	bool has_text =
		e && e->text[0] && (why == STREAM_END_RESET || why == STREAM_END_TLS);
	snprintf(text, sizeof(text), "%s%s%.200s", facts[why], has_text ? ": " : "",
		has_text ? e->text : "");
	session_enter(s);
	s->waits_for_drain = false;
	if (!s->has_ended) {
		smtp_client_lost(s->client, text);
		session_drive(s);
	}
	session_leave(s);
}

static void on_drain(void *arg)
{
	struct session *s = arg;
	if (!s->waits_for_drain)
		return;
	s->waits_for_drain = false;
	session_drive(s);
}

static void on_timer(void *arg)
{
	struct session *s = arg;
	session_enter(s);
	s->waits_for_drain = false;
	smtp_client_timed_out(s->client);
	session_drive(s);
	session_leave(s);
}

static void on_deadline(void *arg)
{
	struct session *s = arg;
	struct session_failure f = {
		.phase = s->phase, .session_timeout = true, .text = OVERDUE
	};
	session_enter(s);
	/* A stall like any other: its class follows from where it happened. */
	s->is_overdue = true;
	s->waits_for_drain = false;
	smtp_client_timed_out(s->client);
	session_drive(s);
	if (!s->has_ended)
		session_end(s, &f);
	session_leave(s);
}

void session_listen(struct session *s)
{
	struct stream_events events = {
		.on_data = on_data, .on_end = on_end, .on_drain = on_drain, .arg = s
	};
	stream_set_events(s->stream, &events);
}

/* ---- the beginning ---- */

/* What fails with a ticket offered says nothing about TLS with this host before
 * a full handshake has failed too: once more without, the same address first. */
static bool retry_without_ticket(struct session *s, const struct session_failure *f)
{
	bool was_resuming = s->tls.offered_ticket && (!s->has_tls || s->tls.resumed);
	if (!was_resuming || failure_classify(f) != POLICY_FAILURE_TLS_HANDSHAKE ||
		s->is_overdue || s->is_quitting || s->env->is_stopping)
		return false;
	timer_stop(s->timer);
	tls_stream_distrust_tickets(s->stream);
	stream_close(&s->stream);
	s->tls = (struct tls_facts){ 0 };
	s->has_tls = s->waits_for_drain = false;
	smtp_client_free(&s->client);
	s->client = smtp_client_new(&s->client_options);
	s->shuns_tickets = true;
	session_dial(s);
	return true;
}

static void make_client(struct session *s, const struct session_params *p)
{
	s->client_options = (struct smtp_client_options){
		.hostname = s->hostname,
		.use_starttls = p->offer_starttls,
		.helo_after_starttls =
			p->terms->decision.greeting == POLICY_GREETING_HELO,
		.plaintext_after_refusal = p->plaintext_after_refusal,
		.reply_timeout_ms = p->terms->settings->reply_timeout_ms,
		.data_timeout_ms = p->terms->settings->data_timeout_ms,
		.lmtp = p->terms->decision.transport == POLICY_TRANSPORT_LMTP,
		.implicit_tls = p->terms->decision.implicit_tls,
		.use_auth = p->terms->way.route && p->terms->way.route->auth,
	};
	s->client = smtp_client_new(&s->client_options);
}

struct session *session_open(
	const struct session_params *p, const struct session_events *events)
{
	bool has_path = p->terms->way.relay->path != NULL;
	ASSERT(has_path ? p->addr_count == 0 : p->addr_count > 0);
	struct session *s = xcalloc(1, sizeof(*s));
	s->env = p->env;
	s->events = *events;
	s->terms = terms_ref(p->terms);
	s->id = p->id;
	s->opened_ms = loop_now_ms(p->env->loop);
	snprintf(s->hostname, sizeof(s->hostname), "%s", p->hostname);
	snprintf(s->mx, sizeof(s->mx), "%s", p->mx);
	snprintf(s->domain, sizeof(s->domain), "%s", p->domain);
	snprintf(s->verify_name, sizeof(s->verify_name), "%s",
		p->verify_name ? p->verify_name : "");
	s->addr_count = p->addr_count < DIAL_ADDRS_MAX ? p->addr_count : DIAL_ADDRS_MAX;
	if (s->addr_count)
		memcpy(s->addrs, p->addrs, s->addr_count * sizeof(s->addrs[0]));
	make_client(s, p);
	s->timer = timer_new(p->env->loop, on_timer, s);
	s->deadline = timer_new(p->env->loop, on_deadline, s);
	timer_start(s->deadline, s->terms->settings->session_timeout_ms);
	p->env->sessions++;
	session_prepare(s);
	return s;
}

void session_set_events(struct session *s, const struct session_events *events)
{
	s->events = *events;
}
