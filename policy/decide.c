#include "policy/decide.h"

#include "policy/fallback.h"
#include "policy/name.h"
#include "policy/util.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The rules are asked in the order of their weight. The first that has a
 * channel to say settles it; those after it only leave their reason. */
struct decider {
	const struct policy_set *set; /* or NULL */
	const struct policy_query *query;
	const struct policy_settings *settings;
	const struct policy_route *route; /* or NULL */
	const struct policy_relay *relay; /* or NULL */
	const char *name;                 /* what lists, pins and blocks are asked for */
	const char *host;                 /* or NULL */
	struct policy_decision *out;
	bool settled;
	struct policy_reason *permit; /* the allow list's entry, if there is one */
};

static bool is_default(const char *from)
{
	return !from || strcmp(from, "default") == 0;
}

/* "file:line" where the option was set, else its name. */
static const char *option_rule(const char *from, const char *option)
{
	return is_default(from) ? option : from;
}

static const char *default_mark(const char *from)
{
	return is_default(from) ? " (default)" : "";
}

static struct policy_reason *add_reason(struct decider *d, const char *rule,
	const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* There are fewer rules than room for reasons: all of them fit. */
static struct policy_reason *add_reason(
	struct decider *d, const char *rule, const char *fmt, ...)
{
	char text[POLICY_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	struct policy_reason *r = &d->out->reasons[d->out->reason_count++];
	policy_text(r->rule, sizeof(r->rule), "%s", rule);
	policy_text(r->text, sizeof(r->text), "%s", text);
	r->decided = false;
	return r;
}

static void settle(
	struct decider *d, struct policy_reason *r, enum policy_channel channel)
{
	if (d->settled)
		return;
	d->settled = true;
	d->out->channel = channel;
	r->decided = true;
	policy_text(d->out->decided_by, sizeof(d->out->decided_by), "%s", r->rule);
}

/* What a rule's sentence ends with if a weightier rule has settled it. */
static const char *overridden(const struct decider *d)
{
	if (!d->settled)
		return "";
	return d->out->tls_required ? ", but TLS is required, and that weighs more"
				    : ", but STARTTLS is off already";
}

static void format_line_rule(const char *path, unsigned line, char *out, size_t out_size)
{
	/* The line number must survive a long path. */
	policy_text(out, out_size, "%.240s:%u", path, line);
}

/* A route of an option has no file of its own. */
static const char *route_rule(const struct decider *d, char *out, size_t out_size)
{
	if (d->route && d->route->path)
		format_line_rule(d->route->path, d->route->line, out, out_size);
	else
		policy_text(out, out_size, "route");
	return out;
}

/* Where the mail goes, and for whom the other rules are asked then. */
static void rule_route(struct decider *d)
{
	char rule[256], target[256];
	if (!d->route || !d->relay)
		return;
	policy_relay_format(d->relay, target, sizeof(target));
	bool is_other = strcmp(d->name, d->query->destination) != 0;
	add_reason(d, route_rule(d, rule, sizeof(rule)), "the mail for %s goes to %s%s%s",
		d->query->destination, target,
		is_other ? ": lists, pins and destination blocks are asked for " : "",
		is_other ? d->name : "");
}

static bool is_strict(enum policy_tls_level level)
{
	return level == POLICY_TLS_REQUIRED || level == POLICY_TLS_VERIFIED;
}

/* What counts of the levels that are written: that of the route before that of the
 * destination. A password is for one server, so that auth= means verified. */
static enum policy_tls_level level_of(const struct decider *d)
{
	if (d->route && d->route->has_tls)
		return d->route->tls;
	if (d->route && d->route->auth)
		return POLICY_TLS_VERIFIED;
	return d->settings->tls;
}

static void require(struct decider *d, struct policy_reason *r)
{
	d->out->tls_required = true;
	settle(d, r, POLICY_CHANNEL_TLS);
}

static void rule_route_requires(struct decider *d)
{
	char rule[256];
	const struct policy_route *route = d->route;
	const char *verified =
		d->out->tls_verified
			? ", and the certificate must verify for the host's name"
			: "";
	if (!route || !d->relay)
		return;
	route_rule(d, rule, sizeof(rule));
	if (d->out->implicit_tls)
		require(d,
			add_reason(d, rule,
				"smtps: TLS from the first byte, and no failure leads to "
				"plaintext%s",
				verified));
	if (route->auth)
		require(d,
			add_reason(d, rule,
				"auth=%s: the password is only sent inside TLS, and no "
				"failure leads to plaintext%s",
				route->auth, verified));
	if (route->has_tls && is_strict(route->tls))
		require(d,
			add_reason(d, rule,
				"tls=%s: the channel is always TLS, whatever the lists "
				"say, and no failure leads to plaintext%s",
				policy_tls_level_name(route->tls), verified));
	if (route->has_tls && route->tls == POLICY_TLS_OFF)
		settle(d, add_reason(d, rule, "tls=off: STARTTLS is not used"),
			POLICY_CHANNEL_PLAINTEXT);
}

/* A requirement of the destination is above everything, the lists too. */
static void rule_required(struct decider *d)
{
	const struct policy_settings *s = d->settings;
	const char *rule = option_rule(s->tls_from, "tls");
	const char *name = policy_tls_level_name(s->tls);
	if (d->route && d->route->has_tls) {
		if (s->tls != POLICY_TLS_OPPORTUNISTIC)
			add_reason(d, rule,
				"tls = %s, but the route has tls=%s, and that weighs "
				"more",
				name, policy_tls_level_name(d->route->tls));
		return;
	}
	if (is_strict(s->tls))
		require(d,
			add_reason(d, rule,
				"tls = %s: the channel is always TLS, whatever the lists "
				"say, and no failure leads to plaintext%s",
				name,
				s->tls == POLICY_TLS_VERIFIED
					? ", and the certificate must verify for the "
					  "host's name"
					: ""));
}

static void rule_switches(struct decider *d)
{
	const struct policy_settings *s = d->settings;
	struct policy_reason *r;
	if (!s->starttls) {
		r = add_reason(d, option_rule(s->starttls_from, "starttls"),
			"starttls = false: STARTTLS is not used%s", overridden(d));
		settle(d, r, POLICY_CHANNEL_PLAINTEXT);
	}
	if (s->tls == POLICY_TLS_OFF && !(d->route && d->route->has_tls)) {
		r = add_reason(d, option_rule(s->tls_from, "tls"),
			"tls = off: STARTTLS is not used%s", overridden(d));
		settle(d, r, POLICY_CHANNEL_PLAINTEXT);
	}
}

/* "the allow list has "example.com" (example.com and everything below it): ..." */
static struct policy_reason *add_list_reason(struct decider *d,
	const struct policy_entry *entry, const char *list, const char *effect)
{
	char rule[256], words[POLICY_NAME_MAX + 64];
	struct policy_pattern pattern;
	policy_entry_pattern(entry, &pattern);
	policy_pattern_describe(&pattern, policy_set_match(d->set), words, sizeof(words));
	format_line_rule(entry->path, entry->line, rule, sizeof(rule));
	return add_reason(d, rule, "the %s list has \"%.64s\" (%s): %s%s", list,
		entry->text, words, effect, overridden(d));
}

static void rule_allow(struct decider *d)
{
	const struct policy_entry *entry =
		policy_set_find(d->set, POLICY_FILE_ALLOW, d->name);
	if (entry) {
		/* It permits TLS; the channel that is due has its say still. */
		d->permit = add_list_reason(
			d, entry, "allow", "STARTTLS is used where the host offers it");
		return;
	}
	const char *fact = policy_set_count(d->set, POLICY_FILE_ALLOW)
				   ? "and no entry of it matches"
				   : "and is empty, which excludes";
	struct policy_reason *r =
		add_reason(d, policy_set_path(d->set, POLICY_FILE_ALLOW),
			"the allow list exists %s %s: STARTTLS is not used%s", fact,
			d->name, overridden(d));
	settle(d, r, POLICY_CHANNEL_PLAINTEXT);
}

static void rule_exclude(struct decider *d)
{
	const struct policy_entry *entry =
		policy_set_find(d->set, POLICY_FILE_EXCLUDE, d->name);
	if (!entry)
		return;
	struct policy_reason *r =
		add_list_reason(d, entry, "exclude", "STARTTLS is not used");
	settle(d, r, POLICY_CHANNEL_PLAINTEXT);
}

static void rule_lists(struct decider *d)
{
	if (!d->set)
		return;
	if (!policy_set_has_file(d->set, POLICY_FILE_ALLOW)) {
		rule_exclude(d);
		return;
	}
	rule_allow(d);
	if (policy_set_has_file(d->set, POLICY_FILE_EXCLUDE))
		add_reason(d, policy_set_path(d->set, POLICY_FILE_EXCLUDE),
			"the exclude list is not looked at, because the allow list "
			"exists");
}

static struct policy_reason *add_due_reason(struct decider *d, const char *what)
{
	const struct policy_settings *s = d->settings;
	const char *why = d->query->due_reason;
	return add_reason(d, option_rule(s->fallback_from, "fallback"),
		"fallback = %s%s: %s%s%s", policy_fallback_name(s->fallback),
		default_mark(s->fallback_from), what, why ? ": " : "", why ? why : "");
}

static void settle_due(struct decider *d)
{
	settle(d, add_due_reason(d, "plaintext is due"), POLICY_CHANNEL_PLAINTEXT);
	d->out->by_fallback = true;
}

/* What earlier attempts left behind. It counts in the modes that alternate;
 * the mode may have been another one when it was written. */
static void rule_due(struct decider *d)
{
	bool alternates = policy_fallback_needs_retries(d->settings->fallback);
	if (d->query->due_channel == POLICY_CHANNEL_PLAINTEXT) {
		if (d->out->tls_required)
			add_due_reason(d, "plaintext was due, but TLS is required, and "
					  "that weighs more");
		else if (!d->settled && alternates)
			settle_due(d);
		else if (!d->settled)
			add_due_reason(d, "plaintext was due, but in this mode every "
					  "attempt starts with TLS");
	} else if (!d->settled && alternates && d->query->attempts > 0) {
		add_due_reason(d, "TLS is due");
	}
}

static void rule_default(struct decider *d)
{
	const char *from = d->settings->starttls_from;
	if (d->settled)
		return;
	struct policy_reason *r = d->permit;
	if (!r)
		r = add_reason(d, option_rule(from, "starttls"),
			"starttls = true%s, and no list excludes the destination: "
			"STARTTLS is used where the host offers it",
			default_mark(from));
	settle(d, r, POLICY_CHANNEL_TLS);
}

static bool is_tls(const struct decider *d)
{
	return d->out->channel == POLICY_CHANNEL_TLS;
}

static void decide_channel(struct decider *d)
{
	enum policy_tls_level level = level_of(d);
	d->out->implicit_tls = d->out->transport == POLICY_TRANSPORT_SMTPS;
	d->out->tls_verified = level == POLICY_TLS_VERIFIED;
	rule_route(d);
	rule_route_requires(d);
	rule_required(d);
	rule_switches(d);
	rule_lists(d);
	rule_due(d);
	rule_default(d);
	d->out->use_starttls = is_tls(d) && !d->out->implicit_tls;
}

static void decide_fallback(struct decider *d)
{
	static const char *const effects[POLICY_FALLBACK_COUNT] = {
		[POLICY_FALLBACK_NONE] = "a failure in TLS leads to TLS again",
		[POLICY_FALLBACK_PLAINTEXT] = "a failure at the start of TLS leads to "
					      "plaintext with the same host, at once",
		[POLICY_FALLBACK_ALTERNATE] = "a failure at the start of TLS makes the "
					      "next attempt plaintext",
		[POLICY_FALLBACK_ALTERNATE_ANY] = "any failure in TLS makes the next "
						  "attempt plaintext",
	};
	const struct policy_settings *s = d->settings;
	const char *rule = option_rule(s->fallback_from, "fallback");
	const char *name = policy_fallback_name(s->fallback);
	d->out->fallback = d->out->tls_required ? POLICY_FALLBACK_NONE : s->fallback;
	if (!is_tls(d))
		return;
	if (d->out->tls_required && s->fallback != POLICY_FALLBACK_NONE)
		add_reason(d, rule, "fallback = %s%s has no effect: TLS is required",
			name, default_mark(s->fallback_from));
	else
		add_reason(d, rule, "fallback = %s%s: %s", name,
			default_mark(s->fallback_from), effects[s->fallback]);
}

static void decide_protocols(struct decider *d)
{
	const struct policy_settings *s = d->settings;
	const struct policy_entry *pin = NULL;
	char versions[40], rule[256];
	if (d->set)
		pin = policy_set_pin(d->set, d->name, d->host);
	d->out->protocols = pin ? pin->versions : s->protocols;
	if (!is_tls(d))
		return;
	policy_versions_format(d->out->protocols, versions, sizeof(versions));
	if (pin) {
		format_line_rule(pin->path, pin->line, rule, sizeof(rule));
		add_reason(d, rule, "the pin \"%.250s\" fixes the versions to %s",
			pin->text, versions);
	} else {
		add_reason(d, option_rule(s->protocols_from, "protocols"),
			"no pin matches: the versions are %s%s", versions,
			default_mark(s->protocols_from));
	}
	if (d->set && !d->host && d->name[0] != '[' && policy_set_has_host_pins(d->set))
		add_reason(d, policy_set_path(d->set, POLICY_FILE_PINS),
			"it has pins for hosts (mx:) too; whether one of them counts is "
			"known when the MX host is");
}

/* SNI is a host name, never an address (RFC 6066 section 3), nor what an MX record may
 * have for one, 192.0.2.1. An underscore is fine in DNS, but makes some servers (GnuTLS)
 * end the handshake. */
static bool may_be_sent(const char *host)
{
	return host && host[0] != '[' && !strchr(host, '_') &&
	       !policy_name_ends_in_number(host);
}

static void decide_sni(struct decider *d)
{
	const struct policy_settings *s = d->settings;
	const char *rule = option_rule(s->sni_from, "sni");
	const char *mark = default_mark(s->sni_from);
	const char *host = d->host;
	char *out = d->out->sni;
	if (s->sni == POLICY_SNI_NAME)
		policy_text(out, sizeof(d->out->sni), "%s", s->sni_name);
	else if (s->sni == POLICY_SNI_ON && may_be_sent(host))
		policy_text(out, sizeof(d->out->sni), "%s", host);
	if (!is_tls(d))
		return;
	if (s->sni == POLICY_SNI_OFF)
		add_reason(d, rule, "sni = off: no server name is sent");
	else if (*out)
		add_reason(d, rule, "sni = %s%s: the server name sent is %s",
			s->sni == POLICY_SNI_NAME ? s->sni_name : "on", mark, out);
	else if (d->name[0] == '[')
		add_reason(
			d, rule, "sni = on%s, but an address has no name to send", mark);
	else if (host)
		add_reason(d, rule,
			"sni = on%s, but %s is no host name that TLS takes: none is sent",
			mark, host);
	else
		add_reason(d, rule, "sni = on%s: the server name sent is the MX host's",
			mark);
}

static void decide_greeting(struct decider *d)
{
	const struct policy_settings *s = d->settings;
	if (!d->out->implicit_tls)
		d->out->greeting = s->greeting_after_starttls;
	if (d->out->use_starttls && d->out->greeting == POLICY_GREETING_HELO)
		add_reason(d, option_rule(s->greeting_from, "greeting_after_starttls"),
			"greeting_after_starttls = helo: no extension is used inside "
			"TLS");
}

static const struct policy_relay *relay_of(const struct policy_query *query)
{
	const struct policy_route *route = query->route;
	if (query->relay || !route || !route->relay_count)
		return query->relay;
	return &route->relays[0];
}

/* A relay that is one host by name has no other host. */
static const char *host_of(const struct policy_query *query)
{
	const struct policy_relay *relay = relay_of(query);
	if (query->host || !relay || relay->looks_up_mx || !relay->host)
		return query->host;
	return relay->host[0] == '[' ? NULL : relay->host;
}

/* No TLS, and nothing that asks for it: the mail does not leave the machine. */
static void decide_lmtp(struct decider *d)
{
	char rule[256];
	rule_route(d);
	settle(d,
		add_reason(d, route_rule(d, rule, sizeof(rule)),
			"lmtp over a unix socket does not leave the machine: without "
			"TLS, whatever lists and blocks say"),
		POLICY_CHANNEL_PLAINTEXT);
}

static void decide_nothing_sent(struct decider *d)
{
	char rule[256];
	const struct policy_route *route = d->route;
	route_rule(d, rule, sizeof(rule));
	d->out->channel = POLICY_CHANNEL_PLAINTEXT;
	struct policy_reason *r =
		route->kind == POLICY_ROUTE_DISCARD
			? add_reason(d, rule,
				  "discard: the mail for %s is taken and dropped, "
				  "nothing is sent",
				  d->query->destination)
			: add_reason(d, rule,
				  "error: the mail for %s is %s with %s \"%.300s\", "
				  "nothing is sent",
				  d->query->destination,
				  route->status[0] == '4' ? "deferred" : "refused",
				  route->status, route->error_text);
	settle(d, r, POLICY_CHANNEL_PLAINTEXT);
}

void policy_decide(const struct policy_set *set, const struct policy_query *query,
	struct policy_decision *out)
{
	const struct policy_relay *relay = relay_of(query);
	struct decider d = {
		.set = set,
		.query = query,
		.settings = query->settings,
		.route = query->route,
		.relay = relay,
		.name = relay ? policy_relay_name(relay, query->destination)
			      : query->destination,
		.host = host_of(query),
		.out = out,
	};
	/* Room for reasons is 12 KiB: what reason_count does not cover stays as it is. */
	memset(out, 0, offsetof(struct policy_decision, reasons));
	if (relay)
		out->transport = relay->transport;
	if (d.route && d.route->kind != POLICY_ROUTE_RELAYS) {
		decide_nothing_sent(&d);
		return;
	}
	if (out->transport == POLICY_TRANSPORT_LMTP) {
		decide_lmtp(&d);
		return;
	}
	decide_channel(&d);
	decide_fallback(&d);
	decide_protocols(&d);
	decide_sni(&d);
	decide_greeting(&d);
}
