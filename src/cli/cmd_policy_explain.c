/*
 * hikyaku policy explain: what the next attempt would do, and why. It asks the
 * functions that the delivery asks; there is no second way to an answer.
 */
#include "cli/cli.h"

#include "cli/cmd_policy.h"

#include "base/mem.h"
#include "base/timefmt.h"
#include "delivery/way.h"
#include "mail/address.h"
#include "mail/envelope.h"
#include "policy/policy.h"
#include "queue/reader.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

const struct cli_option cli_policy_explain_options[] = {
	{ 0, "host", "HOST", "explain for this MX host: its pins and its server name" },
	{ 0, "json", NULL, "print one JSON object a destination" },
	{ 0 },
};

/* One thing to be explained: a destination, perhaps of a queued message. */
struct subject {
	char domain[POLICY_NAME_MAX + 1]; /* normalized */
	const char *id;                   /* of the queue; NULL: not queued */
	char state[16];
	unsigned attempts;
	int64_t next_attempt_ms;
	bool is_notice; /* made here: it goes by bounce_route */
	enum policy_channel due;
	char due_reason[POLICY_TEXT_MAX]; /* "" is none */
};

struct explain {
	struct cli *cli;
	const struct config *config;
	struct policy_set *set;
	char host[POLICY_NAME_MAX + 1]; /* "": not given */
	bool as_json;
};

/* The answer to one subject, at the first relay of its route. */
struct answer {
	const struct policy_route *route; /* NULL: none, the MX hosts */
	struct config_destination config;
	struct policy_decision decision;
	enum policy_channel
		after_failure; /* of the attempt after this one, should it fail */
};

/* --- finding the answer --- */

static const struct policy_relay *first_relay(const struct policy_route *route)
{
	return route && route->relay_count ? &route->relays[0] : NULL;
}

static const struct policy_route *route_of(
	const struct explain *x, const struct subject *s)
{
	return way_route_of(x->config, x->set, s->domain, s->is_notice);
}

static void decide(const struct explain *x, const struct subject *s,
	const struct policy_relay *relay, struct config_destination *config,
	struct policy_decision *out)
{
	const char *name = relay ? policy_relay_name(relay, s->domain) : s->domain;
	config_for_destination(x->config, name, config);
	struct policy_query query = {
		.destination = s->domain,
		.host = x->host[0] ? x->host : NULL,
		.route = route_of(x, s),
		.relay = relay,
		.settings = &config->policy,
		.due_channel = s->due,
		.attempts = s->attempts,
		.due_reason = s->due_reason[0] ? s->due_reason : NULL,
	};
	policy_decide(x->set, &query, out);
}

static bool is_tls(const struct policy_decision *d)
{
	return d->channel == POLICY_CHANNEL_TLS;
}

/* What is due if the attempt fails: in the handshake, or, where there is none,
 * by a refusal for now. */
static enum policy_channel due_after(const struct policy_decision *d)
{
	const char *reason;
	struct policy_fallback_query query = {
		.mode = d->fallback,
		.channel = d->channel,
		.tls_required = d->tls_required,
		.inside_tls = is_tls(d),
		.failure = is_tls(d) ? POLICY_FAILURE_TLS_HANDSHAKE
				     : POLICY_FAILURE_SMTP_TEMPORARY,
	};
	struct policy_attempt_summary summary = {
		.mode = d->fallback,
		.channel = d->channel,
		.tls_required = d->tls_required,
		.flips = policy_fallback_flips(&query),
		.conversed = true,
		.failure = query.failure,
	};
	return policy_fallback_next_channel(&summary, &reason);
}

/* The attempt after that is decided by all the rules again: a list may keep it
 * in plaintext whatever is due. */
static void find_answer(
	const struct explain *x, const struct subject *s, struct answer *out)
{
	struct policy_decision after;
	out->route = route_of(x, s);
	const struct policy_relay *relay = first_relay(out->route);
	decide(x, s, relay, &out->config, &out->decision);
	struct subject later = *s;
	later.due = due_after(&out->decision);
	later.attempts++;
	decide(x, &later, relay, &out->config, &after);
	out->after_failure = after.channel;
}

static bool is_sent(const struct answer *a)
{
	return !a->route || a->route->kind == POLICY_ROUTE_RELAYS;
}

/* --- telling it --- */

/* NULL: no server name is sent. "on": that of the MX host, not known yet. */
static const char *sni_of(const struct subject *s, const struct answer *a)
{
	const struct policy_relay *relay = first_relay(a->route);
	const char *name = relay ? policy_relay_name(relay, s->domain) : s->domain;
	if (!is_tls(&a->decision))
		return NULL;
	if (a->decision.sni[0])
		return a->decision.sni;
	if (a->config.policy.sni == POLICY_SNI_ON && name[0] != '[')
		return "on";
	return NULL;
}

static json_t *reasons_to_json(const struct policy_decision *d)
{
	json_t *list = json_array();
	for (size_t i = 0; i < d->reason_count; i++) {
		json_t *o = json_object();
		policy_json_set(o, "rule", policy_json_text(d->reasons[i].rule));
		policy_json_set(o, "text", policy_json_text(d->reasons[i].text));
		policy_json_set(o, "decided", json_boolean(d->reasons[i].decided));
		policy_json_append(list, o);
	}
	return list;
}

static json_t *rules_to_json(const struct policy_decision *d)
{
	json_t *list = json_array();
	for (size_t i = 0; i < d->reason_count; i++)
		policy_json_append(list, policy_json_text(d->reasons[i].rule));
	return list;
}

static void add_queued_json(json_t *o, const struct subject *s)
{
	char when[TIMEFMT_MAX];
	if (!s->id)
		return;
	policy_json_set(o, "id", policy_json_text(s->id));
	policy_json_set(o, "state", policy_json_text(s->state));
	policy_json_set(o, "attempts", json_integer(s->attempts));
	if (s->next_attempt_ms)
		timefmt_rfc3339(s->next_attempt_ms, when);
	policy_json_set(
		o, "next_attempt", policy_json_text(s->next_attempt_ms ? when : NULL));
}

/* What is null where nothing is sent. */
static json_t *sent_word(const struct answer *a, const char *word)
{
	return is_sent(a) ? json_string(word) : json_null();
}

static json_t *relays_to_json(const struct explain *x, const struct subject *s,
	const struct policy_route *route)
{
	struct config_destination config;
	struct policy_decision d;
	char target[POLICY_TEXT_MAX];
	json_t *list = json_array();
	for (size_t i = 0; route && i < route->relay_count; i++) {
		json_t *o = json_object();
		decide(x, s, &route->relays[i], &config, &d);
		policy_relay_format(&route->relays[i], target, sizeof(target));
		policy_json_set(o, "target", policy_json_text(target));
		policy_json_set(
			o, "channel", json_string(policy_channel_name(d.channel)));
		policy_json_set(o, "required", json_boolean(d.tls_required));
		policy_json_set(o, "verified", json_boolean(d.tls_verified));
		policy_json_set(o, "decided_by", policy_json_text(d.decided_by));
		policy_json_append(list, o);
	}
	return list;
}

static int print_json(
	const struct explain *x, const struct subject *s, const struct answer *a)
{
	const struct policy_decision *d = &a->decision;
	const char *channel = policy_channel_name(d->channel);
	json_t *o = json_object();
	policy_json_set(o, "domain", policy_json_text(s->domain));
	policy_json_set(o, "channel", sent_word(a, channel));
	policy_json_set(o, "starttls", json_boolean(d->use_starttls));
	policy_json_set(o, "decided_by", policy_json_text(d->decided_by));
	policy_json_set(o, "rules", rules_to_json(d));
	policy_json_set(o, "protocols", policy_json_versions(d->protocols));
	policy_json_set(o, "sni", policy_json_text(sni_of(s, a)));
	policy_json_set(o, "fallback", sent_word(a, policy_fallback_name(d->fallback)));
	/* As in the queue and in the log: the channel of the next attempt. */
	policy_json_set(o, "next_channel", sent_word(a, channel));
	policy_json_set(o, "channel_after_failure",
		sent_word(a, policy_channel_name(a->after_failure)));
	policy_json_set(o, "reasons", reasons_to_json(d));
	policy_json_set(o, "downgraded", json_boolean(d->by_fallback));
	policy_json_set(
		o, "transport", sent_word(a, policy_transport_name(d->transport)));
	policy_json_set(o, "required", json_boolean(d->tls_required));
	policy_json_set(o, "verified", json_boolean(d->tls_verified));
	policy_json_set(o, "route", policy_json_route(a->route));
	policy_json_set(o, "relays", relays_to_json(x, s, a->route));
	add_queued_json(o, s);
	return policy_json_print(o);
}

static const char *headline_tls(const struct policy_decision *d)
{
	if (d->implicit_tls)
		return d->tls_verified
			       ? "TLS from the first byte, with a certificate "
				 "that verifies, and nothing without it"
			       : "TLS from the first byte, and nothing without it";
	if (d->tls_verified)
		return "TLS with a certificate that verifies, and nothing without it";
	if (d->tls_required)
		return "TLS, and nothing without it";
	return "TLS where the host offers STARTTLS, else plaintext";
}

static const char *headline(const struct policy_decision *d)
{
	if (d->transport == POLICY_TRANSPORT_LMTP)
		return "by LMTP over a unix socket, without TLS";
	if (d->by_fallback)
		return "DOWNGRADE: plaintext, because TLS failed; STARTTLS is not sent";
	return is_tls(d) ? headline_tls(d) : "plaintext; STARTTLS is not sent";
}

static const char *after_failure(const struct answer *a)
{
	const struct policy_decision *d = &a->decision;
	bool next_is_tls = a->after_failure == POLICY_CHANNEL_TLS;
	if (d->transport == POLICY_TRANSPORT_LMTP)
		return "the attempt after it is the same";
	if (!is_tls(d))
		return next_is_tls ? "the attempt after it is over TLS again"
				   : "the attempt after it is in plaintext too";
	if (d->tls_required)
		return "the attempt after it is over TLS again, never in plaintext";
	if (d->fallback == POLICY_FALLBACK_PLAINTEXT)
		return "the same attempt goes on in plaintext with the same host; the "
		       "attempt after it starts with TLS again";
	return next_is_tls ? "the attempt after it is over TLS again"
			   : "the attempt after it is in plaintext";
}

static void print_tls(const struct subject *s, const struct answer *a)
{
	char versions[40];
	const char *sni = sni_of(s, a);
	if (!is_tls(&a->decision))
		return;
	policy_versions_format(a->decision.protocols, versions, sizeof(versions));
	printf("  versions       %s\n", versions);
	printf("  server name    %s\n", !sni                     ? "none is sent"
					: strcmp(sni, "on") == 0 ? "the MX host's name"
								 : sni);
}

static void print_queued(const struct subject *s)
{
	char when[TIMEFMT_MAX];
	printf("%s to %s: %s, attempts made: %u", s->id, s->domain, s->state,
		s->attempts);
	if (s->next_attempt_ms) {
		timefmt_rfc3339(s->next_attempt_ms, when);
		printf(", next at %s", when);
	}
	putchar('\n');
}

/* "fallback = none: ..." needs no "fallback: " before it. */
static void print_reason(const struct policy_reason *r)
{
	bool names_itself = strncmp(r->text, r->rule, strlen(r->rule)) == 0;
	printf("  %c %s%s%s\n", r->decided ? '*' : ' ', names_itself ? "" : r->rule,
		names_itself ? "" : ": ", r->text);
}

/* In the order of the line, and what is done with each; the story is the first's. */
static void print_relays(const struct explain *x, const struct subject *s,
	const struct policy_route *route)
{
	struct config_destination config;
	struct policy_decision d;
	char target[POLICY_TEXT_MAX];
	if (route->relay_count == 1)
		return;
	printf("  relays         %s\n",
		route->takes_turns ? "in an order that is drawn for each attempt; below: "
				     "the first of the line"
				   : "in this order; below: the first");
	for (size_t i = 0; i < route->relay_count; i++) {
		decide(x, s, &route->relays[i], &config, &d);
		policy_relay_format(&route->relays[i], target, sizeof(target));
		printf("    %2zu. %s  (%s)\n", i + 1, target, headline(&d));
	}
}

static void print_route(const struct explain *x, const struct subject *s,
	const struct policy_route *route)
{
	if (!route) {
		printf("  route          none: the MX hosts of %s\n", s->domain);
		return;
	}
	printf("  route          %s:%u: %s\n", route->path, route->line, route->text);
	if (route->kind == POLICY_ROUTE_RELAYS)
		print_relays(x, s, route);
}

static void print_attempt(const struct subject *s, const struct answer *a)
{
	const struct policy_decision *d = &a->decision;
	printf("  next attempt   %s\n", headline(d));
	printf("  decided by     %s\n", d->decided_by);
	print_tls(s, a);
	printf("  fallback       %s\n", policy_fallback_name(d->fallback));
	printf("  if %-12s%s\n", is_tls(d) ? "TLS fails" : "it fails", after_failure(a));
}

static void print_story(
	const struct explain *x, const struct subject *s, const struct answer *a)
{
	const struct policy_decision *d = &a->decision;
	if (s->id)
		print_queued(s);
	else
		printf("%s\n", s->domain);
	print_route(x, s, a->route);
	if (is_sent(a))
		print_attempt(s, a);
	else
		printf("  next attempt   nothing is sent\n");
	printf("  because (* decided)\n");
	for (size_t i = 0; i < d->reason_count; i++)
		print_reason(&d->reasons[i]);
}

static int explain_subject(const struct explain *x, const struct subject *s)
{
	struct answer a;
	find_answer(x, s, &a);
	if (x->as_json)
		return print_json(x, s, &a);
	print_story(x, s, &a);
	return EX_OK;
}

/* --- what the queue remembers --- */

/* Another message's failure may have left a channel due for all of the
 * destination's (fallback_memory = destination). */
static void recall(
	const struct explain *x, struct queue_reader *reader, struct subject *s)
{
	struct config_destination config;
	const char *channel, *reason;
	char when[TIMEFMT_MAX];
	int64_t until_ms;
	config_for_destination(x->config, s->domain, &config);
	if (!config.fallback_memory || s->attempts > 0)
		return;
	if (!queue_reader_memory(
		    reader, s->domain, clock_wall_ms(), &channel, &reason, &until_ms))
		return;
	if (!policy_channel_parse(channel, &s->due))
		return;
	timefmt_rfc3339(until_ms - until_ms % 1000, when);
	snprintf(s->due_reason, sizeof(s->due_reason),
		"remembered for the destination until %s%s%.400s", when,
		reason ? ": " : "", reason ? reason : "");
}

static bool remembers(const struct explain *x, const char *domain)
{
	struct config_destination config;
	config_for_destination(x->config, domain, &config);
	return config.fallback_memory && access(x->config->queue, F_OK) == 0;
}

static int explain_domain(const struct explain *x, const char *domain)
{
	struct subject s = { .due = POLICY_CHANNEL_TLS };
	struct queue_reader *reader = NULL;
	struct err e = { 0 };
	char why[POLICY_TEXT_MAX];
	if (!policy_destination_normalize(domain, strlen(domain), s.domain, why))
		return cli_fail(EX_DATAERR,
			"what is to be explained is no domain (%s); give an address, a "
			"domain or a queue id",
			why);
	if (remembers(x, s.domain)) {
		if (queue_reader_open(x->config->queue, 5000, &reader, &e) == 0)
			recall(x, reader, &s);
		else
			cli_fail(0,
				"note: explained without what the queue remembers: %s",
				e.text);
		queue_reader_close(&reader);
	}
	return explain_subject(x, &s);
}

static bool subject_of_item(
	const struct queue_entry_item *item, const char *id, struct subject *out)
{
	char why[POLICY_TEXT_MAX];
	*out = (struct subject){
		.id = id,
		.attempts = item->attempts,
		.next_attempt_ms = item->next_attempt_ms,
		.due = POLICY_CHANNEL_TLS,
	};
	snprintf(out->state, sizeof(out->state), "%.15s", item->state);
	if (item->next_channel)
		(void)policy_channel_parse(item->next_channel, &out->due); /* else TLS */
	if (item->channel_reason)
		snprintf(out->due_reason, sizeof(out->due_reason), "%.500s",
			item->channel_reason);
	return policy_destination_normalize(
		item->domain, strlen(item->domain), out->domain, why);
}

/* All items are copied before the first is explained: they are the reader's,
 * and the look at the memory is its next call. */
static int explain_items(const struct explain *x, struct queue_reader *reader, int64_t id)
{
	const struct queue_entry_item *items;
	struct queue_entry entry;
	size_t count, used = 0;
	struct err e = { 0 };
	char name[MAIL_ID_MAX];
	int status = EX_OK;
	mail_id_format(id, name);
	if (queue_reader_get(reader, id, &entry, &e) != 0)
		return cli_fail_err(&e);
	bool is_notice = entry.envelope.is_notice;
	if (queue_reader_items(reader, id, &items, &count, &e) != 0)
		return cli_fail_err(&e);
	OWN(mem_free) struct subject *subjects = xcalloc(count + 1, sizeof(*subjects));
	for (size_t i = 0; i < count; i++) {
		if (subject_of_item(&items[i], name, &subjects[used]))
			used++;
		else
			status = cli_fail(EX_DATAERR,
				"%s: the queue has a destination that is no domain",
				name);
	}
	for (size_t i = 0; i < used && status == EX_OK; i++) {
		subjects[i].is_notice = is_notice;
		recall(x, reader, &subjects[i]);
		status = explain_subject(x, &subjects[i]);
	}
	return status;
}

static int explain_id(const struct explain *x, int64_t id)
{
	int status = EX_OK;
	OWN(queue_reader_close) struct queue_reader *reader = cli_reader(x->cli, &status);
	return reader ? explain_items(x, reader, id) : status;
}

/* --- the command --- */

static int explain_word(const struct explain *x, const char *word)
{
	struct address address;
	struct err e = { 0 };
	int64_t id;
	if (strchr(word, '@')) {
		if (address_parse_recipient(word, strlen(word), &address, &e) != 0)
			return cli_fail_err(&e);
		return explain_domain(x, address_domain(&address));
	}
	if (mail_id_parse(word, &id))
		return explain_id(x, id);
	return explain_domain(x, word);
}

int cli_policy_explain(struct cli *cli, const struct cli_args *args)
{
	const char *host = cli_option(args, "host");
	char why[POLICY_TEXT_MAX];
	struct explain x = {
		.cli = cli,
		.config = cli_config(cli),
		.as_json = cli_option(args, "json") != NULL,
	};
	if (!x.config)
		return EX_CONFIG;
	if (host && !policy_name_normalize(host, strlen(host), x.host, why))
		return cli_fail(EX_USAGE, "--host takes the name of an MX host: %s", why);
	OWN(policy_set_unref) struct policy_set *set = cli_policy(cli);
	if (!set)
		return EX_CONFIG;
	x.set = set;
	return explain_word(&x, args->words[0]);
}
