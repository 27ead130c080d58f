/* The course of an attempt: its life, and what follows from each turn. */
#include "delivery/attempt_internal.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/timefmt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGES_A_TURN = 10 };

bool standing_is_unsettled(enum standing s)
{
	return s == STANDING_OPEN || s == STANDING_TEMPORARY || s == STANDING_HOST;
}

bool attempt_has_work(const struct attempt *a)
{
	for (size_t i = 0; i < a->item->recipient_count; i++) {
		if (standing_is_unsettled(a->recipients[i].standing))
			return true;
	}
	return false;
}

void attempt_decide(struct attempt *a, const char *host)
{
	struct way way = attempt_way(a);
	terms_unref(&a->turn.terms);
	a->turn.terms = terms_decide(a->config, a->env->policy, &way, a->item, host);
	a->turn.channel = a->turn.terms->decision.channel;
}

/* A session is as good as a new connection would be: it has TLS, or the host
 * offers none, or plaintext is what is due. One that went on after a refused
 * STARTTLS is not: the next connection may be luckier. */
static bool has_due_channel(const struct policy_decision *now, const struct session *s)
{
	if (now->channel == POLICY_CHANNEL_PLAINTEXT)
		return !session_is_tls(s);
	return session_is_tls(s) || (!session_offered_starttls(s) && !now->tls_required);
}

/* With order=turn the other relays get some of the mail, too. */
static bool has_had_its_turn(const struct way *way, const struct session *s)
{
	return way->route && way->route->takes_turns && way->route->relay_count > 1 &&
	       session_messages(s) >= MESSAGES_A_TURN;
}

/* May this session, opened under an earlier decision, carry this item now? Its
 * terms are then what is decided for the item. */
static bool can_reuse(
	struct delivery_env *env, const struct queue_item *item, struct session *s)
{
	struct terms *t = session_terms(s);
	const struct policy_route *route = way_route_of(
		env->config->config, env->policy, item->domain, item->envelope.is_notice);
	struct way way = t->way;
	const char *mx = session_mx(s);
	if (!session_is_ready(s) ||
		(route != way.route && !way_find(route, &t->way, &way)))
		return false;
	if (!terms_still_hold(t, env->config, env->policy, &way, item, mx)) {
		t = terms_decide(env->config, env->policy, &way, item, mx);
		bool are_alike = terms_are_alike(t, session_terms(s));
		if (are_alike)
			session_set_terms(s, t);
		terms_unref(&t);
		if (!are_alike)
			return false;
		t = session_terms(s);
	}
	/* Half of session_timeout is left for the message. */
	return !has_had_its_turn(&way, s) &&
	       session_age_ms(s) < t->settings->session_timeout_ms / 2 &&
	       has_due_channel(&t->decision, s);
}

/* ---- one turn after another ---- */

/* The address that a session got connected to is done with, and so are those
 * that were dialled before it. */
static void skip_tried(struct attempt *a, const struct addr *address)
{
	for (size_t i = a->next_addr; i < a->addrs.count; i++) {
		if (addr_equal(&a->addrs.addrs[i], address)) {
			a->next_addr = i + 1;
			return;
		}
	}
}

/* A kept session was at this host already. */
static void skip_host_of(struct attempt *a, const struct session *s)
{
	const struct terms *t = session_terms(s);
	snprintf(a->skip_host, sizeof(a->skip_host), "%s", session_mx(s));
	a->skip_port = way_port(&t->way, t->settings);
}

static void next_in_plaintext(struct attempt *a, const struct addr *address)
{
	struct addr same = *address;
	turn_begin(a);
	a->turn.is_reconnect = true;
	turn_open(a, &same, 1);
}

void attempt_after_step(struct attempt *a)
{
	struct addr address;
	bool has_address = a->session && session_address(a->session, &address);
	if (a->turn.is_reused && a->session && !a->turn.tries_again)
		skip_host_of(a, a->session);
	bool was_dialling = a->turn.failure == POLICY_FAILURE_CONNECT &&
			    !a->turn.was_open && !a->turn.is_reconnect;
	enum policy_step step =
		a->is_aborted || a->mark_refused ? POLICY_STEP_STOP : a->turn.step;

	if (a->session)
		session_quit(&a->session);
	/* The dial tried all that were left, of which turn_open counted one. */
	if (was_dialling && !a->turn.is_reconnect && a->next_addr < a->addrs.count)
		a->addrs_tried += a->addrs.count - a->next_addr - 1;
	bool is_done = !a->turn.is_reconnect && !a->turn.tries_again;
	if (has_address && is_done)
		skip_tried(a, &address);
	/* The dial went through all of them; a path is the only one. */
	if (was_dialling || (a->addrs.is_path && is_done))
		a->next_addr = a->addrs.count;
	switch (step) {
	case POLICY_STEP_PLAINTEXT_SESSION:
	case POLICY_STEP_PLAINTEXT_RECONNECT:
		if (has_address && !a->turn.is_reconnect) {
			next_in_plaintext(a, &address);
			return;
		}
		attempt_next(a);
		return;
	case POLICY_STEP_NEXT_HOST:
		attempt_next(a);
		return;
	case POLICY_STEP_STOP:
	case POLICY_STEP_COUNT:
		attempt_finish(a);
		return;
	}
}

void attempt_start_over(struct attempt *a)
{
	session_close(&a->session);
	attempt_follow_route(a);
}

/* ---- life ---- */

/* Not cleared: most of their 1.6 KiB is room for texts. */
static struct attempt_recipient *new_recipients(size_t count)
{
	struct attempt_recipient *list = xreallocarray(NULL, count, sizeof(*list));
	for (size_t i = 0; i < count; i++) {
		struct attempt_recipient *r = &list[i];
		r->standing = STANDING_OPEN;
		r->reply.code = 0;
		r->reply.enhanced[0] = r->reply.text[0] = '\0';
		r->detail[0] = r->mx[0] = '\0';
		r->turn = 0;
		r->state = SMTP_STATE_BANNER;
		r->handover = NOTICE_PASSED_ON;
		r->is_private = false;
	}
	return list;
}

/* Those of the domain; mostly they are those of the terms. */
static const struct config_destination *settings_of(
	const struct attempt *a, const struct terms *t)
{
	const char *domain = a->item->domain;
	if (strcmp(t->destination, domain) == 0)
		return t->settings;
	return config_destination(a->config->config, domain);
}

struct attempt *attempt_start(struct delivery_env *env, struct queue_item *item,
	struct session *kept, const struct attempt_events *events)
{
	struct attempt *a = xcalloc(1, sizeof(*a));
	a->env = env;
	a->events = *events;
	a->item = item;
	a->config = config_ref_take(env->config);
	a->recipients = new_recipients(item->recipient_count);
	a->asked = xcalloc(item->recipient_count, sizeof(*a->asked));
	a->asked_index = xcalloc(item->recipient_count, sizeof(*a->asked_index));
	if (kept && can_reuse(env, item, kept)) {
		a->session = kept;
		a->settings = settings_of(a, session_terms(kept));
		turn_begin(a);
		turn_use_kept(a);
	} else {
		a->settings = config_destination(a->config->config, item->domain);
		if (kept)
			session_quit(&kept);
		attempt_follow_route(a);
	}
	return a;
}

static void stop_asking_dns(struct attempt *a)
{
	if (a->mx_query)
		dns_query_cancel(&a->mx_query);
	host_lookup_cancel(&a->lookup);
}

void attempt_free(struct attempt *a)
{
	attempt_result_free(a);
	for (size_t i = 0; i < a->record_count; i++)
		event_attempt_clear(&a->records[i]);
	free(a->records);
	session_close(&a->session);
	stop_asking_dns(a);
	queue_item_free(&a->item);
	config_ref_drop(&a->config);
	terms_unref(&a->turn.terms);
	policy_set_unref(&a->policy);
	free(a->route);
	free(a->recipients);
	free(a->asked);
	free(a->asked_index);
	free(a);
}

void attempt_abort(struct attempt *a, const char *why)
{
	if (a->is_finishing) {
		attempt_stop_storing(a);
		return;
	}
	a->is_aborted = true;
	a->is_last_store = true;
	a->any_temporary = true; /* hosts that were not asked hold out hope */
	stop_asking_dns(a);
	a->was_cut_short = a->session;
	if (a->session)
		turn_abort(a, why);
	else
		attempt_finish(a);
}

bool attempt_is_sending(const struct attempt *a)
{
	static const unsigned sending = 1U << SMTP_STATE_BODY | 1U << SMTP_STATE_MARK |
					1U << SMTP_STATE_FINAL | 1U << SMTP_STATE_BDAT;
	return a->session && (sending & 1U << session_state(a->session));
}

bool attempt_give_way(struct attempt *a, const char *why)
{
	bool asks_dns = a->mx_query || a->lookup;
	if (a->is_finishing || (a->session ? session_is_in_doubt(a->session) : !asks_dns))
		return false;
	a->is_aborted = true;
	if (a->session) {
		turn_abort(a, why);
		return true;
	}
	stop_asking_dns(a);
	a->any_temporary = true; /* nothing was said */
	turn_begin(a);
	turn_fail_without_session(a, POLICY_FAILURE_DNS, "dns", why);
	return true;
}
