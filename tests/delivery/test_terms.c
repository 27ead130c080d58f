/* On what terms a kept session carries the next message. */
#include "delivery/terms.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { VERSIONS = POLICY_TLS1_2 | POLICY_TLS1_3 };

static struct config_ref *new_config(void)
{
	struct config *config = NULL;
	assert_int_equal(config_load(NULL, VERSIONS, &config, NULL), 0);
	return config_ref_new(config);
}

static struct policy_set *new_policy(const char *exclude, const char *pins)
{
	struct policy_source sources[POLICY_FILE_COUNT] = {
		[POLICY_FILE_ALLOW] = { "mtatsl.txt", NULL, 0 },
		[POLICY_FILE_EXCLUDE] = { "nomtatsl.txt", exclude,
			exclude ? strlen(exclude) : 0 },
		[POLICY_FILE_PINS] = { "mtaproto.txt", pins, pins ? strlen(pins) : 0 },
	};
	struct policy_options options = { POLICY_MATCH_LABEL, VERSIONS };
	struct policy_errors errors = { 0 };
	struct policy_set *set = policy_set_parse(sources, &options, 1, &errors);
	assert_non_null(set);
	return set;
}

/* Everything that goes into a decision. */
struct given {
	struct config_ref *config;
	struct policy_set *policy;
	struct way way;
	struct queue_item item;
	const char *host;
};

static void set_up(struct given *g)
{
	*g = (struct given){ .config = new_config(),
		.policy = new_policy(NULL, NULL),
		.way = way_own,
		.item = { .domain = "a.test",
			.attempts = 1,
			.next_channel = "tls",
			.channel_reason = "TLS failed" },
		.host = "mx.a.test" };
}

static void tear_down(struct given *g)
{
	policy_set_unref(&g->policy);
	config_ref_drop(&g->config);
}

static struct terms *decide(struct given *g)
{
	return terms_decide(g->config, g->policy, &g->way, &g->item, g->host);
}

static bool still_hold(const struct terms *t, struct given *g)
{
	return terms_still_hold(t, g->config, g->policy, &g->way, &g->item, g->host);
}

static void change_config(struct given *g)
{
	config_ref_drop(&g->config);
	g->config = new_config();
}

static void change_policy(struct given *g)
{
	policy_set_unref(&g->policy);
	g->policy = new_policy(NULL, NULL); /* the same texts, the same generation */
}

static void forget_policy(struct given *g)
{
	policy_set_unref(&g->policy);
}

static void change_domain(struct given *g)
{
	g->item.domain = "b.test";
}

static void change_host(struct given *g)
{
	g->host = "mx2.a.test";
}

static void change_to_literal(struct given *g)
{
	g->host = "[192.0.2.1]";
}

static void change_relay(struct given *g)
{
	static const struct policy_relay other = { .host = "a.test" };
	g->way.relay = &other;
}

static void change_route(struct given *g)
{
	static const struct policy_route other = { .path = "routes.txt", .line = 1 };
	g->way.route = &other;
}

static void change_attempts(struct given *g)
{
	g->item.attempts++;
}

static void change_channel(struct given *g)
{
	g->item.next_channel = "plaintext";
}

static void forget_channel(struct given *g)
{
	g->item.next_channel = NULL;
}

static void change_reason(struct given *g)
{
	g->item.channel_reason = "another reason";
}

static void forget_reason(struct given *g)
{
	g->item.channel_reason = NULL;
}

static const struct {
	const char *name;
	void (*change)(struct given *g);
} changes[] = {
	{ "the configuration was read again", change_config },
	{ "the policy was read again", change_policy },
	{ "the policy is gone", forget_policy },
	{ "another destination", change_domain },
	{ "another host", change_host },
	{ "a host without a name", change_to_literal },
	{ "another relay", change_relay },
	{ "another route with it", change_route },
	{ "another attempt", change_attempts },
	{ "another channel is due", change_channel },
	{ "no channel is due", forget_channel },
	{ "due for another reason", change_reason },
	{ "due for no reason", forget_reason },
};

static void terms_hold_while_all_that_they_are_made_of_is_the_same(void **state)
{
	(void)state;
	struct given g;
	set_up(&g);
	struct terms *t = decide(&g);
	char domain[] = "a.test", channel[] = "tls", reason[] = "TLS failed";
	struct queue_item other = { .id = 7,
		.domain = domain,
		.attempts = 1,
		.next_channel = channel,
		.channel_reason = reason };
	g.item = other; /* equal texts elsewhere */
	assert_true(still_hold(t, &g));
	terms_unref(&t);
	tear_down(&g);
}

static void terms_are_decided_anew_when_any_of_it_changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct given g;
		set_up(&g);
		struct terms *t = decide(&g);
		changes[i].change(&g);
		if (still_hold(t, &g))
			fail_msg("%s", changes[i].name);
		terms_unref(&t);
		tear_down(&g);
	}
}

/* Its strings and settings stay when everybody else has let go of them. */
static void terms_outlive_what_they_were_made_of(void **state)
{
	(void)state;
	struct given g;
	set_up(&g);
	g.item.domain = xstrdup("a.test");
	struct terms *t = decide(&g), *other = terms_ref(t);
	free(g.item.domain);
	tear_down(&g);
	terms_unref(&t);
	assert_null(t);
	assert_string_equal(other->destination, "a.test");
	assert_int_equal(other->settings->port, 25);
	assert_string_equal(other->decision.sni, "mx.a.test");
	terms_unref(&other);
}

static const struct {
	const char *name, *exclude, *pins, *host;
	bool are_alike;
} others[] = {
	{ "rules for others", "b.test\n", NULL, "mx.a.test", true },
	{ "an exclusion", "a.test\n", NULL, "mx.a.test", false },
	{ "a pin", NULL, "a.test TLS1.2\n", "mx.a.test", false },
	{ "another name to send", NULL, NULL, "mx2.a.test", false },
};

static void alike_is_what_opens_the_same_connection(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct given g;
		set_up(&g);
		struct terms *before = decide(&g);
		policy_set_unref(&g.policy);
		g.policy = new_policy(others[i].exclude, others[i].pins);
		g.host = others[i].host;
		struct terms *now = decide(&g);
		if (terms_are_alike(before, now) != others[i].are_alike)
			fail_msg("%s", others[i].name);
		terms_unref(&before);
		terms_unref(&now);
		tear_down(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(terms_hold_while_all_that_they_are_made_of_is_the_same),
		cmocka_unit_test(terms_are_decided_anew_when_any_of_it_changes),
		cmocka_unit_test(terms_outlive_what_they_were_made_of),
		cmocka_unit_test(alike_is_what_opens_the_same_connection),
	};
	return cmocka_run_group_tests_name("terms", tests, NULL, NULL);
}
