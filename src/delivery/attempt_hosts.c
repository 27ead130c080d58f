/*
 * Where an attempt goes: the line of the routes that counts, its relays one after
 * another, the hosts of each, and the addresses of each host.
 *
 * What DNS says for good of a destination is final. Of a relay it is not: somebody here
 * wrote down its name, and a slip of theirs must not bounce mail.
 */
#include "delivery/attempt_internal.h"

#include "base/mem.h"
#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 3463 3.4: system incorrectly configured. */
#define MISCONFIGURED "4.3.5"

#define LOOPS_BACK "mail loops back: this program itself listens at %s"

struct way attempt_way(const struct attempt *a)
{
	return (struct way){ a->line, a->relay_count ? a->relays[a->relay] : NULL };
}

static bool is_own(const struct attempt *a)
{
	return a->relays[a->relay]->is_destination;
}

/* "relay smtp://[relay.test] of routes.txt:3: " before what is wrong with it. */
static void name_relay(const struct attempt *a, const char *what, char *out, size_t size)
{
	char relay[POLICY_TEXT_MAX], line[WAY_LINE_MAX];
	policy_relay_format(a->relays[a->relay], relay, sizeof(relay));
	way_format_line(a->line, line);
	snprintf(out, size, "relay %.100s of %s: %.150s", relay, line, what);
}

/* Is host the name or below it? */
static bool is_within(const char *host, const char *name)
{
	size_t host_len = strlen(host), len = strlen(name);
	if (host_len < len || strcmp(host + host_len - len, name) != 0)
		return false;
	return host_len == len || host[host_len - len - 1] == '.';
}

/* A name that DNS alone has led to proves nothing: whoever forges the answer has a
 * certificate for the host that it names. So where MX records of a relay lead out of its
 * domain, without DNSSEC, it is the relay's own name that counts. Of the destination's
 * own hosts that would ask too much: their names are taken as they come. */
const char *attempt_verify_name(const struct attempt *a, char out[DNS_NAME_MAX])
{
	const struct policy_relay *relay = a->relays[a->relay];
	const struct route_host *host = &a->route->hosts[a->host];
	bool is_trusted =
		!relay->looks_up_mx || relay->is_destination || a->route->is_secure;
	if (relay->path)
		return NULL;
	if (host->is_literal)
		addr_format(&host->literal, out);
	else if (is_trusted || is_within(host->name, relay->host))
		snprintf(out, DNS_NAME_MAX, "%s", host->name);
	else
		snprintf(out, DNS_NAME_MAX, "%s", relay->host);
	return out;
}

/* ---- addresses ---- */

/* Where this program takes mail itself. */
static void drop_own_doors(struct attempt *a, struct host_addrs *found)
{
	const struct config *config = a->config->config;
	char text[ADDR_TEXT_MAX + 8] = "";
	size_t kept = 0;
	for (size_t i = 0; i < found->count; i++) {
		if (host_addr_is_own(
			    &found->addrs[i], config->listen, config->listen_count))
			addr_format_with_port(&found->addrs[i], text);
		else
			found->addrs[kept++] = found->addrs[i];
	}
	found->count = kept;
	if (!kept && text[0])
		snprintf(found->text, sizeof(found->text), LOOPS_BACK, text);
}

static void note_host_without_address(struct attempt *a)
{
	char text[sizeof(a->addrs.text)];
	snprintf(text, sizeof(text), "%s", a->addrs.text);
	if (!is_own(a) && !a->addrs.is_temporary)
		name_relay(a, a->addrs.text, text, sizeof(text));
	if (a->addrs.is_temporary || !is_own(a))
		a->any_temporary = true;
	turn_begin(a);
	turn_fail_without_session(a, POLICY_FAILURE_DNS, "dns", text);
}

static void on_addrs(void *arg, const struct host_addrs *found)
{
	struct attempt *a = arg;
	a->lookup = NULL;
	a->addrs = *found;
	a->next_addr = 0;
	if (!a->addrs.is_path)
		drop_own_doors(a, &a->addrs);
	if (a->addrs.count)
		attempt_next(a);
	else
		note_host_without_address(a);
}

/* A host that an administrator wrote down is what they want, on loopback too: what
 * MX records say is not theirs. */
static size_t prohibited_count(const struct attempt *a)
{
	return a->relays[a->relay]->looks_up_mx ? a->config->config->prohibited_count : 0;
}

static void use_literal(struct attempt *a, const struct route_host *host)
{
	struct host_addrs found = { 0 };
	bool is_v6 = addr_family(&host->literal) == AF_INET6;
	host_addrs_merge(&host->literal, is_v6, &host->literal, !is_v6, a->port, &found);
	if (host_addr_is_prohibited(&found.addrs[0], a->config->config->prohibited,
		    prohibited_count(a))) {
		found.count = 0;
		snprintf(found.text, sizeof(found.text),
			"address %.200s is among prohibited_addresses", host->name);
	}
	on_addrs(a, &found);
}

static bool is_own_path(const struct config *config, const char *path)
{
	for (size_t i = 0; i < config->listen_count; i++) {
		if (strcmp(config->listen[i].path, path) == 0)
			return true;
	}
	return false;
}

/* The one place that there is. */
static void use_path(struct attempt *a, const char *path)
{
	struct host_addrs found = { .count = 1, .is_path = true };
	if (is_own_path(a->config->config, path)) {
		found.count = 0;
		snprintf(found.text, sizeof(found.text), LOOPS_BACK, path);
	}
	on_addrs(a, &found);
}

/* ---- hosts ---- */

static void begin_relay(struct attempt *a);

static void end_relay(struct attempt *a)
{
	if (a->relay + 1 < a->relay_count && attempt_has_work(a) && !a->is_aborted) {
		a->relay++;
		begin_relay(a);
	} else {
		attempt_finish(a);
	}
}

static bool was_visited(const struct attempt *a, const struct route_host *host)
{
	return strcmp(host->name, a->skip_host) == 0 && a->port == a->skip_port;
}

static void begin_host(struct attempt *a)
{
	const struct config *config = a->config->config;
	while (a->host < a->route->host_count &&
		was_visited(a, &a->route->hosts[a->host]))
		a->host++;
	if (a->host >= a->route->host_count || !attempt_has_work(a)) {
		end_relay(a);
		return;
	}
	const struct route_host *host = &a->route->hosts[a->host];
	memset(&a->addrs, 0, sizeof(a->addrs));
	if (host->is_literal)
		use_literal(a, host);
	else if (a->relays[a->relay]->path)
		use_path(a, host->name);
	else
		a->lookup = host_lookup_start(a->env->resolver, host->name, a->port,
			config->prohibited, prohibited_count(a), on_addrs, a);
}

/* The same for everybody whom a kept session, or another relay, did not settle. */
static void settle_the_rest(
	struct attempt *a, enum standing standing, const char *enhanced, const char *why)
{
	for (size_t i = 0; i < a->item->recipient_count; i++) {
		struct attempt_recipient *r = &a->recipients[i];
		if (!standing_is_unsettled(r->standing))
			continue;
		r->standing = standing;
		r->handover = NOTICE_RELAYED; /* of what is discarded: nobody tells */
		r->reply.code = 0;
		snprintf(r->reply.enhanced, sizeof(r->reply.enhanced), "%s", enhanced);
		snprintf(r->detail, sizeof(r->detail), "%.310s", why);
		r->is_private = false;
		r->mx[0] = '\0';
		r->turn = a->turns;
	}
	a->any_temporary |= standing == STANDING_TEMPORARY;
}

/* No host at all. */
static void fail_relay(struct attempt *a)
{
	struct route *r = a->route;
	bool is_final = r->status == ROUTE_PERMANENT && is_own(a);
	if (!is_own(a)) {
		char text[sizeof(r->text)];
		name_relay(a, r->text, text, sizeof(text));
		snprintf(r->text, sizeof(r->text), "%s", text);
		if (r->status == ROUTE_PERMANENT)
			snprintf(r->enhanced, sizeof(r->enhanced), MISCONFIGURED);
	}
	turn_begin(a);
	settle_the_rest(a, is_final ? STANDING_PERMANENT : STANDING_TEMPORARY,
		r->enhanced, r->text);
	turn_fail_without_session(a, POLICY_FAILURE_DNS, "dns", r->text);
}

static void on_route(struct attempt *a)
{
	a->host = 0;
	if (a->route->status == ROUTE_OK)
		begin_host(a);
	else
		fail_relay(a);
}

static void on_mx(void *arg, const struct dns_answer *answer)
{
	struct attempt *a = arg;
	const char *name = policy_relay_name(a->relays[a->relay], a->item->domain);
	a->mx_query = NULL;
	a->route = xmalloc(sizeof(*a->route));
	route_from_mx(answer, name, a->config->config->hostname, rng_below, a->route);
	/* RFC 1047: it may have the message, and is the one that can tell. */
	if (a->item->was_in_doubt && a->item->last_host)
		route_prefer(a->route, a->item->last_host);
	on_route(a);
}

/* ---- relays ---- */

static void begin_relay(struct attempt *a)
{
	const struct policy_relay *relay = a->relays[a->relay];
	const char *name = policy_relay_name(relay, a->item->domain);
	const struct config_destination *settings =
		name == a->item->domain ? a->settings
					: config_destination(a->config->config, name);
	a->port = way_port(&(struct way){ a->line, relay }, settings);
	a->addrs_tried = 0;
	a->addrs.count = a->next_addr = 0;
	free(a->route);
	a->route = xmalloc(sizeof(*a->route));
	if (relay->path) {
		route_from_host(relay->path, a->route);
	} else if (!route_from_literal(name, a->route)) {
		if (relay->looks_up_mx) {
			mem_free(&a->route);
			a->mx_query = dns_lookup_mx(a->env->resolver, name, on_mx, a);
			return;
		}
		route_from_host(name, a->route);
	}
	on_route(a);
}

/* The route itself is the answer. */
static void settle_by_route(struct attempt *a)
{
	const struct policy_route *line = a->line;
	bool is_discard = line->kind == POLICY_ROUTE_DISCARD;
	enum standing standing = is_discard               ? STANDING_DELIVERED
				 : line->status[0] == '5' ? STANDING_PERMANENT
							  : STANDING_TEMPORARY;
	char where[WAY_LINE_MAX], text[320];
	way_format_line(line, where);
	if (is_discard)
		snprintf(text, sizeof(text), "discarded by %s", where);
	else
		snprintf(text, sizeof(text), "%.240s (%s)", line->error_text, where);
	turn_begin(a);
	settle_the_rest(a, standing, is_discard ? "2.0.0" : line->status, text);
	turn_end_by_route(a, text);
	attempt_finish(a);
}

/* The policy in force gives the line, and the configuration that the attempt began
 * with. */
static const struct policy_route *route_in_force(const struct attempt *a)
{
	return way_route_of(a->config->config, a->env->policy, a->item->domain,
		a->item->envelope.is_notice);
}

static void take_line(struct attempt *a)
{
	const struct policy_route *line = route_in_force(a);
	policy_set_unref(&a->policy);
	a->policy = line && a->env->policy ? policy_set_ref(a->env->policy) : NULL;
	a->line = line;
}

void attempt_follow_route(struct attempt *a)
{
	take_line(a);
	a->relay = a->relay_count = 0;
	mem_free(&a->route);
	if (a->line && a->line->kind != POLICY_ROUTE_RELAYS) {
		settle_by_route(a);
		return;
	}
	a->relay_count = way_order(a->line, rng_below, a->relays);
	begin_relay(a);
}

/* An edit counts for the next connection. false: this one has to be begun anew, since
 * the mail goes another way now. */
static bool keep_to_policy(struct attempt *a)
{
	const struct policy_route *before = a->line;
	const struct policy_route *now = route_in_force(a);
	if (now == before)
		return true;
	if (!way_routes_are_alike(before, now))
		return false;
	for (size_t i = 0; i < a->relay_count; i++)
		a->relays[i] = &now->relays[a->relays[i] - before->relays];
	take_line(a);
	return true;
}

static void open_next(struct attempt *a)
{
	size_t left = a->addrs.count - a->next_addr;
	size_t allowed = HOSTS_ADDRS_MAX - a->addrs_tried;
	turn_begin(a);
	turn_open(a, a->addrs.addrs + a->next_addr, left < allowed ? left : allowed);
}

void attempt_next(struct attempt *a)
{
	if (a->is_aborted || !attempt_has_work(a)) {
		attempt_finish(a);
	} else if (!a->relay_count || !keep_to_policy(a)) {
		attempt_follow_route(a);
	} else if (a->addrs_tried >= HOSTS_ADDRS_MAX) {
		end_relay(a);
	} else if (a->next_addr < a->addrs.count) {
		open_next(a);
	} else {
		a->host++;
		begin_host(a);
	}
}
