/* The course of an attempt: from the destination to its hosts and addresses. */
#include "delivery/attempt_internal.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/timefmt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void begin_host(struct attempt *a);
static void find_route(struct attempt *a);

/* Has no verdict that stays, and may be asked for again. */
static bool is_unsettled(enum standing s)
{
	return s == STANDING_OPEN || s == STANDING_TEMPORARY || s == STANDING_HOST;
}

bool attempt_has_work(const struct attempt *a)
{
	for (size_t i = 0; i < a->item->recipient_count; i++) {
		if (is_unsettled(a->recipients[i].standing))
			return true;
	}
	return false;
}

void attempt_decide(struct attempt *a, const char *host)
{
	terms_unref(&a->turn.terms);
	a->turn.terms = terms_decide(a->config, a->env->policy, a->item, host);
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

/* May this session, opened under an earlier decision, carry this item now? Its
 * terms are then what is decided for the item. */
static bool can_reuse(
	struct delivery_env *env, const struct queue_item *item, struct session *s)
{
	struct terms *t = session_terms(s);
	if (!session_is_ready(s))
		return false;
	if (!terms_still_hold(t, env->config, env->policy, item, session_mx(s))) {
		t = terms_decide(env->config, env->policy, item, session_mx(s));
		bool are_alike = terms_are_alike(t, session_terms(s));
		if (are_alike)
			session_set_terms(s, t);
		terms_unref(&t);
		if (!are_alike)
			return false;
		t = session_terms(s);
	}
	/* Half of session_timeout is left for the message. */
	return session_age_ms(s) < t->settings->session_timeout_ms / 2 &&
	       has_due_channel(&t->decision, s);
}

/* ---- addresses ---- */

static void note_host_without_address(struct attempt *a)
{
	if (a->addrs.is_temporary)
		a->any_temporary = true;
	turn_begin(a);
	turn_fail_without_session(a, POLICY_FAILURE_DNS, "dns", a->addrs.text);
}

static void on_addrs(void *arg, const struct host_addrs *found)
{
	struct attempt *a = arg;
	a->lookup = NULL;
	a->addrs = *found;
	a->next_addr = 0;
	if (found->count)
		attempt_next(a);
	else
		note_host_without_address(a);
}

static void use_literal(struct attempt *a, const struct route_host *host)
{
	const struct config *config = a->config->config;
	struct host_addrs found = { 0 };
	bool is_v6 = addr_family(&host->literal) == AF_INET6;
	host_addrs_merge(
		&host->literal, is_v6, &host->literal, !is_v6, a->settings->port, &found);
	if (host_addr_is_prohibited(
		    &found.addrs[0], config->prohibited, config->prohibited_count)) {
		found.count = 0;
		snprintf(found.text, sizeof(found.text),
			"address %.200s is among prohibited_addresses", host->name);
	}
	on_addrs(a, &found);
}

static void begin_host(struct attempt *a)
{
	const struct config *config = a->config->config;
	if (a->host >= a->route->host_count || !attempt_has_work(a)) {
		attempt_finish(a);
		return;
	}
	const struct route_host *host = &a->route->hosts[a->host];
	if (strcmp(host->name, a->skip_host) == 0) {
		a->host++;
		begin_host(a);
		return;
	}
	memset(&a->addrs, 0, sizeof(a->addrs));
	if (host->is_literal)
		use_literal(a, host);
	else
		a->lookup = host_lookup_start(a->env->resolver, host->name,
			a->settings->port, config->prohibited, config->prohibited_count,
			on_addrs, a);
}

void attempt_next(struct attempt *a)
{
	bool may_try = a->addrs_tried < HOSTS_ADDRS_MAX && !a->is_aborted;
	if (may_try && !a->route && attempt_has_work(a)) {
		find_route(a);
		return;
	}
	if (may_try && attempt_has_work(a) && a->next_addr < a->addrs.count) {
		size_t left = a->addrs.count - a->next_addr;
		size_t allowed = HOSTS_ADDRS_MAX - a->addrs_tried;
		turn_begin(a);
		turn_open(a, a->addrs.addrs + a->next_addr,
			left < allowed ? left : allowed);
		return;
	}
	if (!may_try || !a->route) {
		attempt_finish(a);
		return;
	}
	a->host++;
	begin_host(a);
}

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
		snprintf(
			a->skip_host, sizeof(a->skip_host), "%s", session_mx(a->session));
	bool was_dialling = a->turn.failure == POLICY_FAILURE_CONNECT &&
			    !a->turn.was_open && !a->turn.is_reconnect;
	enum policy_step step =
		a->is_aborted || a->mark_refused ? POLICY_STEP_STOP : a->turn.step;

	if (a->session)
		session_quit(&a->session);
	/* The dial tried all that were left, of which turn_open counted one. */
	if (was_dialling && !a->turn.is_reconnect && a->next_addr < a->addrs.count)
		a->addrs_tried += a->addrs.count - a->next_addr - 1;
	if (has_address && !a->turn.is_reconnect && !a->turn.tries_again)
		skip_tried(a, &address);
	if (was_dialling)
		a->next_addr = a->addrs.count; /* the dial went through all of them */
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

/* ---- the route ---- */

/* No host at all: the same for everybody whom a kept session did not settle. */
static void fail_route(struct attempt *a)
{
	bool is_final = a->route->status == ROUTE_PERMANENT;
	turn_begin(a);
	for (size_t i = 0; i < a->item->recipient_count; i++) {
		struct attempt_recipient *r = &a->recipients[i];
		if (!is_unsettled(r->standing))
			continue;
		r->standing = is_final ? STANDING_PERMANENT : STANDING_TEMPORARY;
		snprintf(r->reply.enhanced, sizeof(r->reply.enhanced), "%s",
			a->route->enhanced);
		snprintf(r->detail, sizeof(r->detail), "%.310s", a->route->text);
		r->turn = a->turns;
	}
	a->any_temporary = !is_final;
	turn_fail_without_session(a, POLICY_FAILURE_DNS, "dns", a->route->text);
}

static void on_route(struct attempt *a)
{
	a->host = 0;
	if (a->route->status == ROUTE_OK)
		begin_host(a);
	else
		fail_route(a);
}

static void on_mx(void *arg, const struct dns_answer *answer)
{
	struct attempt *a = arg;
	a->mx_query = NULL;
	a->route = xmalloc(sizeof(*a->route));
	route_from_mx(answer, a->item->domain, a->config->config->hostname, rng_below,
		a->route);
	on_route(a);
}

static void find_route(struct attempt *a)
{
	a->route = xmalloc(sizeof(*a->route));
	if (route_from_literal(a->item->domain, a->route)) {
		on_route(a);
		return;
	}
	mem_free(&a->route);
	a->mx_query = dns_lookup_mx(a->env->resolver, a->item->domain, on_mx, a);
}

void attempt_start_over(struct attempt *a)
{
	session_close(&a->session);
	find_route(a);
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
	}
	return list;
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
		a->settings = session_terms(kept)->settings;
		turn_begin(a);
		turn_use_kept(a);
	} else {
		a->settings = config_destination(a->config->config, item->domain);
		if (kept)
			session_quit(&kept);
		find_route(a);
	}
	return a;
}

void attempt_free(struct attempt *a)
{
	attempt_result_free(a);
	for (size_t i = 0; i < a->record_count; i++)
		event_attempt_clear(&a->records[i]);
	free(a->records);
	session_close(&a->session);
	if (a->mx_query)
		dns_query_cancel(&a->mx_query);
	host_lookup_cancel(&a->lookup);
	queue_item_free(&a->item);
	config_ref_drop(&a->config);
	terms_unref(&a->turn.terms);
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
	if (a->mx_query)
		dns_query_cancel(&a->mx_query);
	host_lookup_cancel(&a->lookup);
	if (a->session)
		turn_abort(a, why);
	else
		attempt_finish(a);
}
