#include "table.h"

#include "fixture.h"

#include "policy/decide.h"

#define TLS   POLICY_CHANNEL_TLS
#define PLAIN POLICY_CHANNEL_PLAINTEXT
#define CONF  "/etc/h.conf:3"

enum { ALT = POLICY_FALLBACK_ALTERNATE, ANY = POLICY_FALLBACK_ALTERNATE_ANY };
enum { NOT = POLICY_FALLBACK_NONE, SAME = POLICY_FALLBACK_PLAINTEXT };
enum { OPP = POLICY_TLS_OPPORTUNISTIC, OFF = POLICY_TLS_OFF, REQ = POLICY_TLS_REQUIRED };

/* Who settles the channel. The destination is a.example. */
static const struct channel_case {
	const char *name;
	const char *allow, *exclude;
	bool starttls_off;
	int tls, fallback;
	enum policy_channel due;
	enum policy_channel channel;
	const char *decided_by;
	const char *says; /* a part of some reason */
} channels[] = {
	{ "nothing set: TLS where it is offered", NULL, NULL, false, OPP, ALT, TLS, TLS,
		"starttls", "starttls = true (default), and no list excludes" },
	/* which list counts */
	{ "the allow list has it", "b.test\na.example\n", NULL, false, OPP, ALT, TLS, TLS,
		"/p/mtatsl.txt:2",
		"the allow list has \"a.example\" (a.example and everything below it)" },
	{ "the allow list does not have it", "b.test\n", NULL, false, OPP, ALT, TLS,
		PLAIN, "/p/mtatsl.txt", "no entry of it matches a.example" },
	{ "the allow list is empty", "", NULL, false, OPP, ALT, TLS, PLAIN,
		"/p/mtatsl.txt", "is empty" },
	{ "the allow list exists: the exclude list is not evaluated", "a.example\n",
		"a.example\n", false, OPP, ALT, TLS, TLS, "/p/mtatsl.txt:1",
		"not looked at, because the allow list exists" },
	{ "not even where the allow list does not have it", "b.test\n", "c.test\n", false,
		OPP, ALT, TLS, PLAIN, "/p/mtatsl.txt", "not looked at" },
	{ "the exclude list has it", NULL, "[a.example]\n", false, OPP, ALT, TLS, PLAIN,
		"/p/nomtatsl.txt:1",
		"the exclude list has \"[a.example]\" (exactly a.example)" },
	{ "the exclude list does not have it", NULL, "b.test\n", false, OPP, ALT, TLS,
		TLS, "starttls", "no list excludes" },
	{ "the exclude list is empty", NULL, "", false, OPP, ALT, TLS, TLS, "starttls",
		"no list excludes" },
	/* switches */
	{ "starttls = false", NULL, NULL, true, OPP, ALT, TLS, PLAIN, CONF,
		"starttls = false: STARTTLS is not used" },
	{ "starttls = false over the allow list", "a.example\n", NULL, true, OPP, ALT,
		TLS, PLAIN, CONF, "but STARTTLS is off already" },
	{ "tls = off", NULL, NULL, false, OFF, ALT, TLS, PLAIN, CONF, "tls = off" },
	{ "tls = off over the allow list", "a.example\n", NULL, false, OFF, ALT, TLS,
		PLAIN, CONF, "but STARTTLS is off already" },
	/* requirements */
	{ "tls = required", NULL, NULL, false, REQ, ALT, TLS, TLS, CONF,
		"no failure leads to plaintext" },
	{ "tls = required over the exclude list", NULL, "a.example\n", false, REQ, ALT,
		TLS, TLS, CONF,
		"STARTTLS is not used, but TLS is required, and that weighs more" },
	{ "tls = required over the allow list", "b.test\n", NULL, false, REQ, ALT, TLS,
		TLS, CONF, "STARTTLS is not used, but TLS is required" },
	{ "tls = required over starttls = false", NULL, NULL, true, REQ, ALT, TLS, TLS,
		CONF, "starttls = false: STARTTLS is not used, but TLS is required" },
	{ "tls = required over plaintext that is due", NULL, NULL, false, REQ, ALT, PLAIN,
		TLS, CONF, "plaintext was due, but TLS is required" },
	/* the channel that is due */
	{ "plaintext is due", NULL, NULL, false, OPP, ALT, PLAIN, PLAIN, "fallback",
		"fallback = alternate (default): plaintext is due: it said so" },
	{ "plaintext is due in alternate-any", NULL, NULL, false, OPP, ANY, PLAIN, PLAIN,
		"fallback", "plaintext is due" },
	{ "plaintext is due for one of the allow list", "a.example\n", NULL, false, OPP,
		ALT, PLAIN, PLAIN, "fallback", "the allow list has" },
	{ "plaintext was due before fallback became none", NULL, NULL, false, OPP, NOT,
		PLAIN, TLS, "starttls", "every attempt starts with TLS" },
	{ "plaintext was due before fallback became plaintext", NULL, NULL, false, OPP,
		SAME, PLAIN, TLS, "starttls", "every attempt starts with TLS" },
	{ "plaintext is due, and the list excludes it anyway", NULL, "a.example\n", false,
		OPP, ALT, PLAIN, PLAIN, "/p/nomtatsl.txt:1", "the exclude list has" },
	{ "TLS is due again", NULL, NULL, false, OPP, ALT, TLS, TLS, "starttls",
		"TLS is due: it said so" },
};

static bool any_reason_has(const struct policy_decision *d, const char *part)
{
	for (size_t i = 0; i < d->reason_count; i++) {
		if (strstr(d->reasons[i].text, part))
			return true;
	}
	return false;
}

static void print_reasons(const struct policy_decision *d)
{
	for (size_t i = 0; i < d->reason_count; i++)
		print_error("%c %s: %s\n", d->reasons[i].decided ? '*' : ' ',
			d->reasons[i].rule, d->reasons[i].text);
}

/* Exactly one reason decided, and it is the one that is named. */
static void check_one_decided(const struct policy_decision *d)
{
	size_t decided = 0;
	assert_true(d->reason_count <= POLICY_REASONS_MAX);
	for (size_t i = 0; i < d->reason_count; i++) {
		if (!d->reasons[i].decided)
			continue;
		decided++;
		assert_string_equal(d->reasons[i].rule, d->decided_by);
	}
	assert_int_equal(decided, 1);
}

static void check_channel(void **state)
{
	const struct channel_case *c = *state;
	struct policy_settings settings;
	policy_settings_default(&settings);
	settings.starttls = !c->starttls_off;
	settings.starttls_from = c->starttls_off ? CONF : "default";
	settings.tls = (enum policy_tls_level)c->tls;
	settings.tls_from = c->tls != OPP ? CONF : "default";
	settings.fallback = (enum policy_fallback)c->fallback;
	struct policy_set *set =
		fixture_good(c->allow, c->exclude, NULL, POLICY_MATCH_LABEL);
	struct policy_query query = {
		.destination = "a.example",
		.settings = &settings,
		.due_channel = c->due,
		.attempts = 2,
		.due_reason = "it said so",
	};
	struct policy_decision d;
	policy_decide(set, &query, &d);
	policy_set_unref(&set);
	if (!any_reason_has(&d, c->says)) {
		print_reasons(&d);
		fail_msg("no reason has \"%s\"", c->says);
	}
	assert_string_equal(
		policy_channel_name(d.channel), policy_channel_name(c->channel));
	assert_int_equal(d.use_starttls, c->channel == TLS);
	assert_int_equal(d.tls_required, c->tls == REQ);
	assert_string_equal(d.decided_by, c->decided_by);
	assert_int_equal(d.fallback, c->tls == REQ ? NOT : c->fallback);
	check_one_decided(&d);
}

static const struct sni_case {
	const char *name;
	enum policy_sni sni;
	const char *destination, *host, *out, *says;
} snis[] = {
	{ "SNI is the MX host", POLICY_SNI_ON, "a.example", "mx1.b.example",
		"mx1.b.example", "the server name sent is mx1.b.example" },
	{ "SNI before the host is known", POLICY_SNI_ON, "a.example", NULL, "",
		"the server name sent is the MX host's" },
	{ "an address has no SNI", POLICY_SNI_ON, "[192.0.2.1]", NULL, "",
		"an address has no name" },
	{ "an address as host has no SNI", POLICY_SNI_ON, "[192.0.2.1]", "[192.0.2.1]",
		"", "an address has no name" },
	{ "a name that looks like an address has no SNI", POLICY_SNI_ON, "a.example",
		"192.0.2.1", "", "192.0.2.1 is no host name that TLS takes" },
	{ "digits elsewhere do no harm", POLICY_SNI_ON, "a.example", "1.2.3.4.example",
		"1.2.3.4.example", "the server name sent is 1.2.3.4.example" },
	{ "SNI off", POLICY_SNI_OFF, "a.example", "mx1.b.example", "", "no server name" },
	{ "SNI by name", POLICY_SNI_NAME, "a.example", "mx1.b.example", "front.example",
		"the server name sent is front.example" },
};

static void check_sni(void **state)
{
	const struct sni_case *c = *state;
	struct policy_settings settings;
	policy_settings_default(&settings);
	settings.sni = c->sni;
	strcpy(settings.sni_name, "front.example");
	struct policy_query query = {
		.destination = c->destination,
		.host = c->host,
		.settings = &settings,
	};
	struct policy_decision d;
	policy_decide(NULL, &query, &d);
	assert_string_equal(d.sni, c->out);
	assert_true(any_reason_has(&d, c->says));
	check_one_decided(&d);
}

static const struct protocol_case {
	const char *name, *pins, *host;
	unsigned protocols;
	const char *says;
} protocols[] = {
	{ "no pin", NULL, "mx.example", POLICY_TLS1_2 | POLICY_TLS1_3,
		"the versions are TLS1.2 TLS1.3 (default)" },
	{ "a pin takes the place of protocols", "a.example TLS1.1\n", "mx.example",
		POLICY_TLS1_1,
		"the pin \"a.example TLS1.1\" fixes the versions to TLS1.1" },
	{ "a host pin", "mx:mx.example TLS1.3\n", "mx.example", POLICY_TLS1_3, "fixes" },
	{ "a host pin before the host is known", "mx:mx.example TLS1.3\n", NULL,
		POLICY_VERSIONS_DEFAULT, "known when the MX host is" },
};

static void check_protocols(void **state)
{
	const struct protocol_case *c = *state;
	struct policy_settings settings;
	policy_settings_default(&settings);
	struct policy_set *set = fixture_good(NULL, NULL, c->pins, POLICY_MATCH_LABEL);
	struct policy_query query = {
		.destination = "a.example",
		.host = c->host,
		.settings = &settings,
	};
	struct policy_decision d;
	policy_decide(set, &query, &d);
	policy_set_unref(&set);
	assert_int_equal(d.protocols, c->protocols);
	assert_true(any_reason_has(&d, c->says));
}

/* The longest names everywhere, and every rule at once: nothing is overrun. */
static void check_longest(void **state)
{
	char name[POLICY_NAME_MAX + 1], text[POLICY_NAME_MAX + 64];
	struct policy_settings settings;
	(void)state;
	for (size_t i = 0; i < POLICY_NAME_MAX; i++)
		name[i] = i % 64 == 63 ? '.' : 'a';
	name[POLICY_NAME_MAX] = '\0';
	policy_settings_default(&settings);
	settings.starttls = false;
	settings.tls = POLICY_TLS_REQUIRED;
	settings.greeting_after_starttls = POLICY_GREETING_HELO;
	snprintf(text, sizeof(text), "%s TLS1.2\nmx:b.example TLS1.3\n", name);
	struct policy_set *set = fixture_good("", "*\n", text, POLICY_MATCH_SUBSTRING);
	struct policy_query query = {
		.destination = name,
		.settings = &settings,
		.due_channel = PLAIN,
		.attempts = 1,
		.due_reason = name,
	};
	struct policy_decision d;
	policy_decide(set, &query, &d);
	policy_set_unref(&set);
	check_one_decided(&d);
	assert_true(d.reason_count >= 9);
	assert_true(any_reason_has(&d, "helo"));
}

static void check_substring_says_so(void **state)
{
	struct policy_settings settings;
	(void)state;
	policy_settings_default(&settings);
	struct policy_set *set =
		fixture_good(NULL, "exam\n", NULL, POLICY_MATCH_SUBSTRING);
	struct policy_query query = { .destination = "a.example", .settings = &settings };
	struct policy_decision d;
	policy_decide(set, &query, &d);
	policy_set_unref(&set);
	assert_int_equal(d.channel, PLAIN);
	assert_true(any_reason_has(&d, "names with \"exam\" anywhere in them"));
}

static const struct {
	const char *name;
} longest_case[] = { { "the longest names and every rule at once" } },
  substring_case[] = { { "a substring match says that it is one" } };

int main(void)
{
	const struct table tables[] = {
		TABLE(check_channel, channels),
		TABLE(check_sni, snis),
		TABLE(check_protocols, protocols),
		TABLE(check_longest, longest_case),
		TABLE(check_substring_says_so, substring_case),
	};
	return TABLE_RUN_ALL("policy/decide", tables);
}
