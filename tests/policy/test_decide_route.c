#include "table.h"

#include "fixture.h"
#include "policy/decide.h"

#define TLS   POLICY_CHANNEL_TLS
#define PLAIN POLICY_CHANNEL_PLAINTEXT
#define CONF  "/etc/h.conf:3"
#define ROUTE "/p/routes.txt:1"

enum { OPP = POLICY_TLS_OPPORTUNISTIC, OFF = POLICY_TLS_OFF };
enum { REQ = POLICY_TLS_REQUIRED, VER = POLICY_TLS_VERIFIED };

/* Mail for a.example with one route. The lists are asked for the relay. */
static const struct route_case {
	const char *name;
	const char *route;          /* without its pattern */
	const char *exclude, *pins; /* files */
	int tls;                    /* of the destination block, set at CONF if not OPP */
	bool starttls_off, plain_due; /* plaintext is due */
	enum policy_channel channel;
	bool starttls, implicit, required, verified; /* what comes of it */
	const char *sni;
	const char *decided_by, *says;
} cases[] = {
	{ "mx: is as without a route", "mx:", NULL, NULL, OPP, false, false, TLS, true,
		false, false, false, "", "starttls",
		"the mail for a.example goes to mx:" },
	{ "a relay", "smtp://[r.example]:587", NULL, NULL, OPP, false, false, TLS, true,
		false, false, false, "r.example", "starttls",
		"goes to smtp://[r.example]:587: lists, pins and destination blocks are "
		"asked for r.example" },
	{ "the exclude list has the relay", "smtp://[r.example]", "r.example\n", NULL,
		OPP, false, false, PLAIN, false, false, false, false, "r.example",
		"/p/nomtatsl.txt:1", "the exclude list has" },
	{ "the exclude list has the destination, which is not asked for",
		"smtp://[r.example]", "a.example\n", NULL, OPP, false, false, TLS, true,
		false, false, false, "r.example", "starttls", "no list excludes" },
	{ "a pin for the relay", "smtp://[r.example]", NULL, "r.example TLS1.3\n", OPP,
		false, false, TLS, true, false, false, false, "r.example", "starttls",
		"the pin \"r.example TLS1.3\"" },
	{ "a pin for the host that the relay is", "smtp://[r.example]", NULL,
		"mx:r.example TLS1.3\n", OPP, false, false, TLS, true, false, false,
		false, "r.example", "starttls", "the pin \"mx:r.example TLS1.3\"" },
	{ "an address as relay", "smtp://[192.0.2.1]", "[192.0.2.1]\n", NULL, OPP, false,
		false, PLAIN, false, false, false, false, "", "/p/nomtatsl.txt:1",
		"the address literal" },
	{ "a relay that is looked up has its SNI from its host", "smtp://r.example:587",
		NULL, NULL, OPP, false, false, TLS, true, false, false, false, "",
		"starttls", "the server name sent is the MX host's" },
	{ "smtps", "smtps://[r.example]", NULL, NULL, OPP, false, false, TLS, false, true,
		true, false, "r.example", ROUTE, "smtps: TLS from the first byte" },
	{ "smtps over the exclude list", "smtps://[r.example]", "*\n", NULL, OPP, false,
		false, TLS, false, true, true, false, "r.example", ROUTE,
		"but TLS is required, and that weighs more" },
	{ "smtps over starttls = false", "smtps://[r.example]", NULL, NULL, OPP, true,
		false, TLS, false, true, true, false, "r.example", ROUTE,
		"starttls = false: STARTTLS is not used, but TLS is required" },
	{ "smtps over tls = off", "smtps://[r.example]", NULL, NULL, OFF, false, false,
		TLS, false, true, true, false, "r.example", ROUTE,
		"tls = off: STARTTLS is not used, but TLS is required" },
	{ "smtps over plaintext that is due", "smtps://[r.example]", NULL, NULL, OPP,
		false, true, TLS, false, true, true, false, "r.example", ROUTE,
		"plaintext was due, but TLS is required" },
	{ "smtps with tls=verified", "smtps://[r.example] tls=verified", NULL, NULL, OPP,
		false, false, TLS, false, true, true, true, "r.example", ROUTE,
		"the certificate must verify for the host's name" },
	{ "smtps and the block's tls = verified", "smtps://[r.example]", NULL, NULL, VER,
		false, false, TLS, false, true, true, true, "r.example", ROUTE,
		"tls = verified: the channel is always TLS" },
	{ "auth means verified", "smtp://[r.example]:587 auth=me", "*\n", NULL, OPP,
		false, true, TLS, true, false, true, true, "r.example", ROUTE,
		"auth=me: the password is only sent inside TLS, and no failure leads to "
		"plaintext, and the certificate must verify" },
	{ "auth over tls = off", "smtp://[r.example] auth=me", NULL, NULL, OFF, true,
		false, TLS, true, false, true, true, "r.example", ROUTE,
		"tls = off: STARTTLS is not used, but TLS is required" },
	{ "auth with tls=required does not verify",
		"smtp://[r.example]:587 auth=me tls=required", NULL, NULL, VER, false,
		false, TLS, true, false, true, false, "r.example", ROUTE,
		"tls = verified, but the route has tls=required, and that weighs more" },
	{ "tls=required", "mx: tls=required", "*\n", NULL, OPP, false, false, TLS, true,
		false, true, false, "", ROUTE,
		"tls=required: the channel is always TLS" },
	{ "tls=verified", "mx: tls=verified", NULL, NULL, OPP, false, true, TLS, true,
		false, true, true, "", ROUTE,
		"tls=verified: the channel is always TLS, whatever the lists say, and no "
		"failure leads to plaintext, and the certificate must verify" },
	{ "tls=off", "smtp://[r.example] tls=off", NULL, NULL, OPP, false, false, PLAIN,
		false, false, false, false, "r.example", ROUTE, "tls=off: STARTTLS is" },
	{ "tls=off over the block's tls = required", "smtp://[r.example] tls=off", NULL,
		NULL, REQ, false, false, PLAIN, false, false, false, false, "r.example",
		ROUTE, "tls = required, but the route has tls=off" },
	{ "tls=opportunistic over the block's tls = required", "mx: tls=opportunistic",
		NULL, NULL, REQ, false, true, PLAIN, false, false, false, false, "",
		"fallback", "tls = required, but the route has tls=opportunistic" },
	{ "tls=opportunistic over the block's tls = off", "mx: tls=opportunistic", NULL,
		NULL, OFF, false, false, TLS, true, false, false, false, "", "starttls",
		"tls = off, but the route has tls=opportunistic" },
	{ "tls=opportunistic leaves it to the lists", "mx: tls=opportunistic", "*\n",
		NULL, OPP, false, false, PLAIN, false, false, false, false, "",
		"/p/nomtatsl.txt:1", "the exclude list has" },
	{ "lmtp", "lmtp:/run/lmtp", NULL, NULL, OPP, false, false, PLAIN, false, false,
		false, false, "", ROUTE, "does not leave the machine" },
	{ "lmtp, whatever the block says", "lmtp:/run/lmtp", NULL, NULL, REQ, false,
		false, PLAIN, false, false, false, false, "", ROUTE,
		"does not leave the machine" },
	{ "discard", "discard", NULL, NULL, REQ, false, false, PLAIN, false, false, false,
		false, "", ROUTE,
		"discard: the mail for a.example is taken and dropped" },
	{ "error", "error:5.1.10 gone", NULL, NULL, OPP, false, false, PLAIN, false,
		false, false, false, "", ROUTE,
		"error: the mail for a.example is refused with 5.1.10 \"gone\"" },
	{ "error that defers", "error:4.3.2 later", NULL, NULL, OPP, false, false, PLAIN,
		false, false, false, false, "", ROUTE,
		"is deferred with 4.3.2 \"later\"" },
};

static bool any_reason_has(const struct policy_decision *d, const char *part)
{
	for (size_t i = 0; i < d->reason_count; i++) {
		if (strstr(d->reasons[i].text, part))
			return true;
	}
	return false;
}

static void check_one_decided(const struct policy_decision *d)
{
	size_t decided = 0;
	assert_in_range(d->reason_count, 1, POLICY_REASONS_MAX);
	for (size_t i = 0; i < d->reason_count; i++)
		decided += d->reasons[i].decided;
	assert_int_equal(decided, 1);
}

static struct policy_set *set_with(
	const char *route, const char *exclude, const char *pins)
{
	char routes[512];
	snprintf(routes, sizeof(routes), "a.example %s\n", route);
	struct fixture_files files = {
		.exclude = exclude,
		.pins = pins,
		.routes = routes,
	};
	return fixture_good_of(&files, POLICY_MATCH_LABEL);
}

static void check_route(void **state)
{
	const struct route_case *c = *state;
	struct policy_settings settings;
	policy_settings_default(&settings);
	settings.tls = (enum policy_tls_level)c->tls;
	settings.tls_from = c->tls == OPP ? "default" : CONF;
	settings.starttls = !c->starttls_off;
	settings.starttls_from = c->starttls_off ? CONF : "default";
	struct policy_set *set = set_with(c->route, c->exclude, c->pins);
	struct policy_query query = {
		.destination = "a.example",
		.route = policy_set_route(set, "a.example"),
		.settings = &settings,
		.due_channel = c->plain_due ? PLAIN : TLS,
		.attempts = 1,
	};
	struct policy_decision d;
	assert_non_null(query.route);
	policy_decide(set, &query, &d);
	if (!any_reason_has(&d, c->says)) {
		for (size_t i = 0; i < d.reason_count; i++)
			print_error("%s: %s\n", d.reasons[i].rule, d.reasons[i].text);
		fail_msg("no reason has \"%s\"", c->says);
	}
	check_one_decided(&d);
	assert_string_equal(
		policy_channel_name(d.channel), policy_channel_name(c->channel));
	assert_int_equal(d.use_starttls, c->starttls);
	assert_int_equal(d.implicit_tls, c->implicit);
	assert_int_equal(d.tls_required, c->required);
	assert_int_equal(d.tls_verified, c->verified);
	assert_string_equal(d.sni, c->sni);
	assert_string_equal(d.decided_by, c->decided_by);
	if (c->required)
		assert_int_equal(d.fallback, POLICY_FALLBACK_NONE);
	policy_set_unref(&set);
}

/* Each relay of a line has a decision of its own. */
static void check_relays(void **state)
{
	static const struct {
		enum policy_transport transport;
		enum policy_channel channel;
		bool required;
		const char *sni;
	} expected[] = {
		{ POLICY_TRANSPORT_SMTP, PLAIN, false, "r.example" },
		{ POLICY_TRANSPORT_SMTPS, TLS, true, "s.example" },
		{ POLICY_TRANSPORT_SMTP, TLS, false, "mx1.t.example" },
		{ POLICY_TRANSPORT_LMTP, PLAIN, false, "" },
	};
	struct policy_settings settings;
	struct policy_decision d;
	(void)state;
	policy_settings_default(&settings);
	struct policy_set *set = set_with(
		"smtp://[r.example], smtps://[s.example], mx:t.example, lmtp:/run/lmtp",
		"r.example\ns.example\n", NULL);
	struct policy_query query = {
		.destination = "a.example",
		.route = policy_set_route(set, "a.example"),
		.settings = &settings,
	};
	for (size_t i = 0; i < 4; i++) {
		query.relay = &query.route->relays[i];
		query.host = i == 2 ? "mx1.t.example" : NULL;
		policy_decide(set, &query, &d);
		assert_int_equal(d.transport, expected[i].transport);
		assert_int_equal(d.channel, expected[i].channel);
		assert_int_equal(d.tls_required, expected[i].required);
		assert_string_equal(d.sni, expected[i].sni);
		check_one_decided(&d);
	}
	policy_set_unref(&set);
}

/* A route of an option has no file to name. */
static void check_owned(void **state)
{
	static const char text[] = "smtps://[r.example] auth=me";
	char why[POLICY_TEXT_MAX];
	struct policy_settings settings;
	struct policy_decision d;
	(void)state;
	policy_settings_default(&settings);
	struct policy_route *route = policy_route_parse_targets(text, strlen(text), why);
	assert_non_null(route);
	struct policy_query query = {
		.destination = "a.example",
		.route = route,
		.settings = &settings,
	};
	policy_decide(NULL, &query, &d);
	assert_string_equal(d.decided_by, "route");
	route->path = "/etc/h.conf";
	route->line = 9;
	policy_decide(NULL, &query, &d);
	assert_string_equal(d.decided_by, "/etc/h.conf:9");
	assert_true(d.implicit_tls);
	policy_route_free(&route);
}

/* Every rule at once: the reasons have room. */
static void check_all_rules(void **state)
{
	struct policy_settings settings;
	struct policy_decision d;
	(void)state;
	policy_settings_default(&settings);
	settings.starttls = false;
	settings.tls = POLICY_TLS_OFF;
	settings.greeting_after_starttls = POLICY_GREETING_HELO;
	struct fixture_files files = {
		.allow = "b.test\n",
		.exclude = "*\n",
		.pins = "mx:b.test TLS1.2\n",
		.routes = "a.example smtps://r.example auth=me tls=verified\n",
	};
	struct policy_set *set = fixture_good_of(&files, POLICY_MATCH_LABEL);
	struct policy_query query = {
		.destination = "a.example",
		.route = policy_set_route(set, "a.example"),
		.settings = &settings,
		.due_channel = PLAIN,
		.attempts = 1,
		.due_reason = "it failed",
	};
	policy_decide(set, &query, &d);
	check_one_decided(&d);
	assert_in_range(d.reason_count, 12, POLICY_REASONS_MAX);
	policy_set_unref(&set);
}

static const struct {
	const char *name;
} relays_case[] = { { "each relay of a line has a decision of its own" } },
  owned_case[] = { { "a route of an option has no file to name" } },
  all_case[] = { { "every rule at once" } };

int main(void)
{
	const struct table tables[] = {
		TABLE(check_route, cases),
		TABLE(check_relays, relays_case),
		TABLE(check_owned, owned_case),
		TABLE(check_all_rules, all_case),
	};
	return TABLE_RUN_ALL("policy/decide_route", tables);
}
