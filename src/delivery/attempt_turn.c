/* One host's turn: the session's events, and what they say of recipients. */
#include "delivery/attempt_internal.h"

#include "base/err.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "delivery/chunking_memory.h"
#include "delivery/failure.h"
#include "net/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_PIECE = 64 * 1024 };

void turn_begin(struct attempt *a)
{
	terms_unref(&a->turn.terms);
	memset(&a->turn, 0, sizeof(a->turn));
	a->turn.begun_ms = clock_wall_ms();
	a->turn.begun_mono_ms = loop_now_ms(a->env->loop);
	a->turn.step = POLICY_STEP_NEXT_HOST;
	a->turn.stage = "connect";
	a->turn.policy_generation = policy_set_generation(a->env->policy);
	a->turns++;
	a->body_offset = 0;
	a->body_wanted = false; /* what the last host waited for is not this one's */
}

static struct policy_fallback_query fallback_query(
	const struct attempt *a, enum policy_failure failure, bool inside_tls)
{
	return (struct policy_fallback_query){
		.mode = a->turn.terms->decision.fallback,
		.channel = a->turn.channel,
		.tls_required = a->turn.terms->decision.tls_required,
		.inside_tls = inside_tls,
		.failure = failure,
	};
}

/* Writes down what failed, and asks the policy what it leads to. */
static void note_failure(struct attempt *a, enum policy_failure failure, bool inside_tls)
{
	struct policy_fallback_query query = fallback_query(a, failure, inside_tls);
	a->turn.failure = failure;
	a->turn.step = policy_fallback_step(&query);
	if (policy_fallback_flips(&query) && !a->any_flip) {
		a->any_flip = true;
		a->flip_mode = query.mode;
	}
	if (failure != POLICY_FAILURE_CONNECT && failure != POLICY_FAILURE_DNS)
		a->any_conversed = true;
}

/* ---- the message ---- */

/* Those who were not asked in this turn, or who are to be asked again. */
static void collect_asked(struct attempt *a)
{
	a->asked_count = 0;
	for (size_t i = 0; i < a->item->recipient_count; i++) {
		struct attempt_recipient *r = &a->recipients[i];
		bool is_open = r->standing == STANDING_OPEN ||
			       r->standing == STANDING_TEMPORARY ||
			       r->standing == STANDING_HOST;
		if (!is_open || r->turn == a->turns)
			continue;
		a->asked[a->asked_count] = a->item->recipients[i];
		a->asked_index[a->asked_count++] = i;
		r->turn = a->turns;
		r->standing = STANDING_OPEN;
	}
}

/* The content is sent, all but its end; or it is about to be, in one flight. */
static void on_mark(void *arg)
{
	struct attempt *a = arg;
	struct err e = { 0 };
	const char *host = session_mx(a->session);
	(void)failpoint("delivery.mark");
	if (queue_mark_in_doubt(a->env->queue, a->item->id, host, &e) == 0) {
		session_marked(a->session);
		return;
	}
	a->mark_refused = true;
	session_body_failed(a->session, e.text);
}

static void on_piece(void *arg, const char *bytes, size_t len, const struct err *e);

static void read_piece(struct attempt *a)
{
	a->body_pending = true;
	a->body_turn = a->turns;
	a->body_wanted = false;
	queue_body_read(a->env->queue, a->item->envelope.id, a->body_offset, BODY_PIECE,
		on_piece, a);
}

static void on_piece(void *arg, const char *bytes, size_t len, const struct err *e)
{
	struct attempt *a = arg;
	a->body_pending = false;
	if (a->is_finishing) {
		attempt_finish(a);
	} else if (a->body_turn != a->turns || !a->session) {
		/* Read for a session that is gone. */
		if (a->body_wanted && a->session)
			read_piece(a);
	} else if (e) {
		session_body_failed(a->session, e->text);
	} else if (len) {
		a->body_offset += len;
		session_body(a->session, bytes, len);
	} else {
		session_body_end(a->session);
	}
}

static void on_body(void *arg)
{
	struct attempt *a = arg;
	const struct queue_item *item = a->item;
	if (!item->body) {
		a->body_wanted = true;
		if (!a->body_pending)
			read_piece(a);
	} else if (a->body_offset < item->body_len) {
		a->body_offset = item->body_len;
		session_body(a->session, item->body, item->body_len);
	} else {
		session_body_end(a->session);
	}
}

/* ---- the verdicts ---- */

/* Without the room behind its text. */
static void copy_reply(struct smtp_reply *to, const struct smtp_reply *from)
{
	to->code = from->code;
	memcpy(to->enhanced, from->enhanced, sizeof(to->enhanced));
	memcpy(to->text, from->text, strlen(from->text) + 1);
}

/* RFC 3461 5.2.1, 5.2.2: a host that speaks DSN was told who wants to know what. */
static enum notice_handover handover_of(const struct session *s)
{
	if (session_offers_dsn(s))
		return NOTICE_PASSED_ON;
	return session_terms(s)->way.relay->path ? NOTICE_DELIVERED : NOTICE_RELAYED;
}

static void on_recipient(void *arg, const struct smtp_step *step)
{
	static const enum standing standings[] = {
		[SMTP_VERDICT_DELIVERED] = STANDING_DELIVERED,
		[SMTP_VERDICT_TEMPORARY] = STANDING_TEMPORARY,
		[SMTP_VERDICT_PERMANENT] = STANDING_PERMANENT,
		[SMTP_VERDICT_AGAIN] = STANDING_OPEN,
		[SMTP_VERDICT_HOST] = STANDING_HOST,
	};
	struct attempt *a = arg;
	(void)failpoint("delivery.verdict");
	struct attempt_recipient *r = &a->recipients[a->asked_index[step->recipient]];
	r->standing = standings[step->verdict];
	copy_reply(&r->reply, &step->reply);
	r->state = step->verdict_state;
	r->handover = handover_of(a->session);
	r->detail[0] = '\0';
	snprintf(r->mx, sizeof(r->mx), "%s", session_mx(a->session));
	if (step->hint)
		snprintf(a->turn.detail, sizeof(a->turn.detail), "%s", step->hint);
	if (step->verdict == SMTP_VERDICT_DELIVERED &&
		step->verdict_state == SMTP_STATE_FINAL &&
		session_offers_chunking(a->session))
		chunking_memory_trust(a->env->chunking, session_mx(a->session));
	if (step->verdict == SMTP_VERDICT_AGAIN)
		r->turn = 0;
	if (step->verdict == SMTP_VERDICT_TEMPORARY)
		a->any_temporary = true;
	/* The verdict is ours; the text is no reply of the host. */
	if (!step->reply.code)
		snprintf(r->detail, sizeof(r->detail), "%.310s", step->reply.text);
}

static bool turn_asked(const struct attempt *a, size_t i)
{
	return a->recipients[i].turn == a->turns;
}

/* What a transaction that ran to its end says of the turn. */
static void judge_turn(struct attempt *a)
{
	const struct attempt_recipient *shown = NULL;
	enum policy_failure failure = POLICY_FAILURE_NONE;
	for (size_t i = 0; i < a->item->recipient_count; i++) {
		const struct attempt_recipient *r = &a->recipients[i];
		if (!turn_asked(a, i))
			continue;
		if (r->standing == STANDING_TEMPORARY || r->standing == STANDING_HOST) {
			failure = POLICY_FAILURE_SMTP_TEMPORARY;
			shown = r;
		} else if (r->standing == STANDING_PERMANENT &&
			   failure == POLICY_FAILURE_NONE) {
			failure = POLICY_FAILURE_SMTP_PERMANENT;
			shown = r;
		} else if (!shown) {
			shown = r;
		}
	}
	if (shown) {
		a->turn.reply = &shown->reply;
		a->turn.stage = smtp_state_name(shown->state);
		if (shown->standing == STANDING_HOST && !a->turn.detail[0])
			snprintf(a->turn.detail, sizeof(a->turn.detail), "%s",
				shown->detail);
	}
	a->any_conversed = true;
	if (failure != POLICY_FAILURE_NONE)
		note_failure(a, failure, session_is_tls(a->session));
}

static void fail_turn(struct attempt *a, enum policy_failure failure, bool inside_tls,
	const struct smtp_reply *reply, const char *text);

static void complete_turn(struct attempt *a)
{
	judge_turn(a);
	if (attempt_has_work(a)) {
		turn_end(a);
		attempt_after_step(a);
		return;
	}
	a->turn.step = POLICY_STEP_STOP;
	turn_end(a);
	a->kept = MOVE(a->session);
	attempt_finish(a);
}

static void on_ready(void *arg)
{
	struct attempt *a = arg;
	const struct smtp_reply *refusal = session_starttls_refusal(a->session);
	a->turn.was_open = true;
	a->turn.was_ready = true;
	if (a->turn.terms->decision.tls_required && !session_is_tls(a->session)) {
		a->turn.stage = smtp_state_name(SMTP_STATE_READY);
		fail_turn(a, POLICY_FAILURE_POLICY, false, NULL,
			"TLS is required here, and the host offers no STARTTLS");
		return;
	}
	if (refusal && a->turn.failure == POLICY_FAILURE_NONE) {
		/* The session goes on in plaintext; the downgrade stays on record. */
		a->turn.failure = POLICY_FAILURE_STARTTLS_REFUSED;
		a->turn.starttls_refused = true;
		snprintf(a->turn.detail, sizeof(a->turn.detail),
			"STARTTLS was answered %d %.280s", refusal->code, refusal->text);
	}
	collect_asked(a);
	if (!a->asked_count) {
		complete_turn(a);
		return;
	}
	if (!a->turn.sent_mono_ms)
		a->turn.sent_mono_ms = loop_now_ms(a->env->loop);
	a->body_offset = 0;
	bool is_trusted =
		a->turn.terms->settings->chunking &&
		chunking_memory_is_trusted(a->env->chunking, session_mx(a->session));
	a->message = (struct smtp_message){ .envelope = &a->item->envelope,
		.recipients = a->asked,
		.recipient_count = a->asked_count,
		.body = a->item->body,
		.body_len = a->item->body_len,
		.use_chunking = is_trusted,
		.may_be_one_flight = is_trusted };
	session_send(a->session, &a->message);
}

/* ---- failures ---- */

static void set_open_recipients(struct attempt *a, enum standing standing,
	const struct smtp_reply *reply, const char *text)
{
	const char *mx = a->session ? session_mx(a->session) : "";
	for (size_t i = 0; i < a->item->recipient_count; i++) {
		struct attempt_recipient *r = &a->recipients[i];
		bool is_open = r->standing == STANDING_OPEN ||
			       (r->standing == STANDING_TEMPORARY && !turn_asked(a, i));
		if (!is_open || (standing == STANDING_IN_DOUBT && !turn_asked(a, i)))
			continue;
		r->standing = standing;
		memset(&r->reply, 0, sizeof(r->reply));
		if (reply)
			r->reply = *reply;
		snprintf(r->detail, sizeof(r->detail), "%.310s", text);
		r->is_private = a->turn.is_private;
		snprintf(r->mx, sizeof(r->mx), "%s", mx);
		r->turn = a->turns;
	}
}

static void fail_turn(struct attempt *a, enum policy_failure failure, bool inside_tls,
	const struct smtp_reply *reply, const char *text)
{
	if (reply)
		a->turn.reply = reply;
	snprintf(a->turn.detail, sizeof(a->turn.detail), "%.310s", text);
	a->any_temporary = true;
	set_open_recipients(a,
		failure == POLICY_FAILURE_IN_DOUBT ? STANDING_IN_DOUBT
						   : STANDING_TEMPORARY,
		reply, text);
	if (failure == POLICY_FAILURE_IN_DOUBT)
		a->was_in_doubt = true;
	note_failure(a, failure, inside_tls);
	turn_end(a);
	attempt_after_step(a);
}

/* A kept session that the other side gave up while it was idle says nothing
 * about the message: a new connection is made, and the turn is forgotten. */
static bool was_stale(const struct attempt *a, const struct session_failure *f)
{
	bool is_gone = f->smtp.cause == SMTP_CAUSE_LOST ||
		       (f->smtp.cause == SMTP_CAUSE_REPLY && f->smtp.reply.code == 421);
	return a->turn.is_reused && !a->is_aborted && is_gone && !f->smtp.in_doubt &&
	       (f->smtp.nothing_sent || f->smtp.state == SMTP_STATE_MAIL);
}

/* What follows is told with what it followed from. */
static void explain_failure(struct attempt *a, const struct session_failure *f,
	enum policy_failure failure, char out[320])
{
	const struct smtp_reply *refusal = session_starttls_refusal(a->session);
	if (refusal && failure == POLICY_FAILURE_STARTTLS_REFUSED &&
		f->smtp.after_refusal)
		snprintf(out, 320, "STARTTLS was answered %d %.140s, and then: %.120s",
			refusal->code, refusal->text, f->text);
	else
		snprintf(out, 320, "%s", f->text);
}

static void on_failed(void *arg, const struct session_failure *f)
{
	struct attempt *a = arg;
	enum policy_failure failure = failure_classify(f);
	a->turn.stage = failure_stage(f);
	if (f->phase != SESSION_DIALING && f->phase != SESSION_PREPARING)
		a->turn.was_open = true;
	/* At its other addresses that would be the same. */
	if (f->phase == SESSION_PREPARING)
		a->next_addr = a->addrs.count;
	/* It is not trusted with chunks any more: this time with DATA. */
	a->turn.tries_again = session_refused_chunking(a->session);
	if (was_stale(a, f)) {
		attempt_start_over(a);
		return;
	}
	char text[320];
	explain_failure(a, f, failure, text);
	a->turn.is_private = failure_is_private(f);
	fail_turn(a, failure, f->smtp.inside_tls,
		f->smtp.reply.code ? &f->smtp.reply : NULL, text);
}

void turn_fail_without_session(struct attempt *a, enum policy_failure failure,
	const char *stage, const char *text)
{
	bool is_open = !a->route || a->route->status == ROUTE_OK;
	if (failure == POLICY_FAILURE_DNS)
		attempt_decide(a, NULL);
	a->turn.stage = stage;
	snprintf(a->turn.detail, sizeof(a->turn.detail), "%.310s", text);
	if (is_open)
		set_open_recipients(a, STANDING_TEMPORARY, NULL, text);
	if (failure != POLICY_FAILURE_DNS)
		a->any_temporary = true; /* what DNS says may be final */
	note_failure(a, failure, false);
	turn_end(a);
	attempt_after_step(a);
}

/* The route was the answer, and the recipients have it. */
void turn_end_by_route(struct attempt *a, const char *text)
{
	attempt_decide(a, NULL);
	a->turn.stage = "route";
	snprintf(a->turn.detail, sizeof(a->turn.detail), "%.310s", text);
	turn_end(a);
}

/* Who was not spoken to says nothing of the channel. */
static enum policy_failure classify_abort(const struct session *s)
{
	if (session_is_in_doubt(s))
		return POLICY_FAILURE_IN_DOUBT;
	return session_state(s) == SMTP_STATE_BANNER ? POLICY_FAILURE_CONNECT
						     : POLICY_FAILURE_SESSION;
}

void turn_abort(struct attempt *a, const char *why)
{
	enum smtp_state state = session_state(a->session);
	a->turn.stage = smtp_state_name(state);
	fail_turn(a, classify_abort(a->session), session_is_tls(a->session), NULL, why);
}

/* ---- the beginning ---- */

static const struct session_events *session_events_of(struct attempt *a)
{
	a->session_events = (struct session_events){
		.on_ready = on_ready,
		.on_body = on_body,
		.on_mark = on_mark,
		.on_recipient = on_recipient,
		.on_failed = on_failed,
		.arg = a,
	};
	return &a->session_events;
}

/* Our own side is tried before STARTTLS is sent: after its 220 there is no way
 * back to plaintext in that session. false: the turn has failed. */
static bool check_tls_init(struct attempt *a, bool *offer)
{
	const struct policy_decision *d = &a->turn.terms->decision;
	struct err e = { 0 };
	if ((!*offer && !d->implicit_tls) ||
		tls_check(a->env->credentials, d->protocols, &e) == 0)
		return true;
	struct policy_fallback_query query =
		fallback_query(a, POLICY_FAILURE_TLS_INIT, false);
	if (policy_fallback_step(&query) != POLICY_STEP_PLAINTEXT_SESSION) {
		/* It would not begin at this host's other addresses either. */
		a->next_addr = a->addrs.count;
		turn_fail_without_session(a, POLICY_FAILURE_TLS_INIT, "tls", e.text);
		return false;
	}
	*offer = false;
	a->turn.lacks_own_tls = true;
	a->turn.failure = POLICY_FAILURE_TLS_INIT;
	snprintf(a->turn.detail, sizeof(a->turn.detail), "%.310s", e.text);
	return true;
}

/* In EHLO. */
static const char *own_name(const struct attempt *a)
{
	return a->line && a->line->ehlo ? a->line->ehlo : a->config->config->hostname;
}

void turn_open(struct attempt *a, const struct addr *addrs, size_t count)
{
	const char *mx = a->route->hosts[a->host].name;
	char verify_name[DNS_NAME_MAX];
	attempt_decide(a, mx);
	if (a->turn.is_reconnect)
		a->turn.channel = POLICY_CHANNEL_PLAINTEXT;
	bool offer = a->turn.terms->decision.use_starttls &&
		     a->turn.channel == POLICY_CHANNEL_TLS;
	if (!check_tls_init(a, &offer))
		return;
	struct policy_fallback_query refused =
		fallback_query(a, POLICY_FAILURE_STARTTLS_REFUSED, false);
	struct session_params params = {
		.env = a->env,
		.terms = a->turn.terms,
		.hostname = own_name(a),
		.mx = mx,
		.verify_name = attempt_verify_name(a, verify_name),
		.addrs = addrs,
		.addr_count = a->addrs.is_path ? 0 : count,
		.offer_starttls = offer,
		.plaintext_after_refusal =
			policy_fallback_step(&refused) == POLICY_STEP_PLAINTEXT_SESSION,
		.id = a->item->envelope.id,
		.domain = a->item->domain,
	};
	a->addrs_tried++;
	a->session = session_open(&params, session_events_of(a));
}

void turn_use_kept(struct attempt *a)
{
	a->turn.is_reused = true;
	a->turn.terms = terms_ref(session_terms(a->session));
	a->turn.channel = a->turn.terms->decision.channel;
	session_set_events(a->session, session_events_of(a));
	on_ready(a);
}
