/* The record of a turn: what the retry log will say of it. */
#include "delivery/attempt_internal.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "net/loop.h"

#include <stdlib.h>
#include <string.h>

static const char *outcome_name(enum standing standing)
{
	static const char *const names[] = {
		[STANDING_OPEN] = "deferred",
		[STANDING_TEMPORARY] = "deferred",
		[STANDING_HOST] = "deferred",
		[STANDING_DELIVERED] = "delivered",
		[STANDING_PERMANENT] = "bounced",
		[STANDING_IN_DOUBT] = "in_doubt",
	};
	return names[standing];
}

/* The gravest outcome of those who were asked. */
static const char *turn_outcome(const struct attempt *a)
{
	static const int gravity[] = {
		[STANDING_DELIVERED] = 0,
		[STANDING_PERMANENT] = 1,
		[STANDING_OPEN] = 2,
		[STANDING_TEMPORARY] = 2,
		[STANDING_HOST] = 2,
		[STANDING_IN_DOUBT] = 3,
	};
	const char *name = NULL;
	int worst = -1;
	for (size_t i = 0; i < a->item->recipient_count; i++) {
		const struct attempt_recipient *r = &a->recipients[i];
		if (r->turn == a->turns && gravity[r->standing] > worst) {
			worst = gravity[r->standing];
			name = outcome_name(r->standing);
		}
	}
	return name ? name : "deferred";
}

static void set_reply(
	struct event_attempt *e, struct event_reply *to, const struct smtp_reply *from)
{
	/* A verdict of ours has a status, but no reply. */
	event_reply_set(e, to, from->code, from->enhanced[0] ? from->enhanced : NULL,
		from->code ? from->text : NULL);
}

static void add_recipients(const struct attempt *a, struct event_attempt *e)
{
	for (size_t i = 0; i < a->item->recipient_count; i++) {
		const struct attempt_recipient *r = &a->recipients[i];
		if (r->turn != a->turns)
			continue;
		struct event_recipient *to = event_attempt_add_recipient(
			e, a->item->recipients[i].address, NULL);
		to->outcome = outcome_name(r->standing);
		set_reply(e, &to->reply, &r->reply);
	}
}

/* The rule where it is the host that decides. */
#define NO_STARTTLS_RULE "host"

/* TLS was meant and plaintext it was: which rule let that happen. */
static const char *downgrade(const struct attempt *a, const char **rule_out)
{
	const struct turn *t = &a->turn;
	const char *from = t->terms->settings->policy.fallback_from;
	*rule_out = strcmp(from, "default") == 0 ? "fallback" : from;
	if (t->is_reconnect)
		return "TLS failed at this address, and fallback = plaintext goes on "
		       "without it";
	if (t->starttls_refused)
		return "the host refused STARTTLS, and fallback = plaintext goes on "
		       "without TLS";
	if (t->lacks_own_tls && t->was_ready)
		return "TLS cannot be begun on this side, and fallback = plaintext goes "
		       "on "
		       "without it";
	if (t->was_ready && t->channel == POLICY_CHANNEL_TLS &&
		!session_is_tls(a->session) && !t->terms->decision.tls_required) {
		*rule_out = NO_STARTTLS_RULE;
		return "the host offers no STARTTLS";
	}
	return NULL;
}

static const char *decided_text(const struct policy_decision *d)
{
	for (size_t i = 0; i < d->reason_count; i++) {
		if (d->reasons[i].decided)
			return d->reasons[i].text;
	}
	return NULL;
}

static void add_policy(const struct attempt *a, struct event_attempt *e)
{
	const struct policy_decision *d = &a->turn.terms->decision;
	const char *rule, *text = downgrade(a, &rule);
	enum policy_channel channel = text ? POLICY_CHANNEL_PLAINTEXT : a->turn.channel;
	e->downgraded = text ? strcmp(rule, NO_STARTTLS_RULE) != 0 : d->by_fallback;
	if (!text) {
		rule = d->decided_by[0] ? d->decided_by : NULL;
		text = decided_text(d);
	}
	event_set(e, &e->rule, rule);
	event_set(e, &e->rule_text, text);
	if (a->turn.terms->way.relay) { /* else nothing was to be sent */
		e->channel = policy_channel_name(channel);
		e->fallback = policy_fallback_name(d->fallback);
	}
	e->policy_generation = a->turn.policy_generation;
}

static void add_connection(const struct attempt *a, struct event_attempt *e)
{
	struct addr address;
	char text[ADDR_TEXT_MAX];
	const struct tls_facts *tls = NULL;
	e->port = a->port;
	if (a->session) {
		event_set(e, &e->mx, session_mx(a->session));
		event_set(e, &e->sni, session_sni(a->session));
		tls = session_tls(a->session);
		if (session_address(a->session, &address)) {
			addr_format(&address, text);
			event_set(e, &e->address, text);
			e->port = addr_port(&address);
		}
	} else if (a->route && a->host < a->route->host_count) {
		event_set(e, &e->mx, a->route->hosts[a->host].name);
	}
	e->has_tls = tls != NULL;
	if (tls) {
		event_set(e, &e->tls.version, tls->version);
		event_set(e, &e->tls.cipher, tls->cipher);
		event_set(e, &e->tls.peer, tls->peer);
		e->tls.resumed = tls->resumed;
		e->tls.verified = tls->verified;
	}
}

static void add_delays(const struct attempt *a, struct event_attempt *e)
{
	const struct turn *t = &a->turn;
	int64_t now = loop_now_ms(a->env->loop);
	struct event_delays *d = &e->delays;
	int64_t sent = t->sent_mono_ms ? t->sent_mono_ms : now;
	e->duration_ms = now - t->begun_mono_ms;
	d->before_ms = t->begun_ms - queue_item_arrival_ms(a->item);
	if (d->before_ms < 0)
		d->before_ms = 0; /* the clock was set back */
	d->connect_ms = sent - t->begun_mono_ms;
	d->transmit_ms = now - sent;
	d->total_ms = d->before_ms + e->duration_ms;
}

/* Now that another turn has come to its end, the one before it knows what it
 * led to. */
static void tell_previous(struct attempt *a, const struct event_attempt *e)
{
	if (!a->record_count)
		return;
	struct event_attempt *before = &a->records[a->record_count - 1];
	if (a->turn.is_reconnect) {
		before->then = "the same address in plaintext";
	} else if (!e->mx) {
		before->then = "another host";
	} else {
		struct buf place = BUF_INIT;
		event_attempt_place(e, &place);
		event_set(before, &before->then, buf_text(&place));
		buf_clear(&place);
	}
}

void turn_end(struct attempt *a)
{
	const struct turn *t = &a->turn;
	struct event_attempt e = {
		.time_ms = t->begun_ms,
		.id = a->item->envelope.id,
		.attempt = a->item->attempts + 1,
	};
	event_set(&e, &e.sender, a->item->envelope.sender);
	event_set(&e, &e.domain, a->item->domain);
	e.outcome = turn_outcome(a);
	e.stage = t->stage;
	event_set(&e, &e.detail, t->detail[0] ? t->detail : NULL);
	if (t->failure != POLICY_FAILURE_NONE)
		e.failure = policy_failure_name(t->failure);
	if (t->reply)
		set_reply(&e, &e.reply, t->reply);
	add_recipients(a, &e);
	add_policy(a, &e);
	add_connection(a, &e);
	add_delays(a, &e);
	tell_previous(a, &e);
	a->was_busy = t->reply && t->reply->code == 421;
	a->records = xreallocarray(a->records, a->record_count + 1, sizeof(*a->records));
	a->records[a->record_count++] = e;
	if (t->failure != POLICY_FAILURE_NONE)
		a->failure = t->failure;
}
