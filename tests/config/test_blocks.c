/* What destination blocks set, and for whom it counts. */
#include "fixture.h"

#include "base/mem.h"

#include <stdio.h>

static void test_the_most_specific_block_counts(void **state)
{
	struct config *c = load_good(blocks);
	struct config_destination d;
	char from[64];
	(void)state;

	config_for_destination(c, "a.example.com", &d);
	assert_int_equal(d.policy.tls, POLICY_TLS_OFF);
	assert_int_equal(d.policy.protocols, POLICY_TLS1_3);
	assert_int_equal(d.port, 2525);
	assert_int_equal(d.policy.fallback, POLICY_FALLBACK_NONE);
	snprintf(from, sizeof(from), "%s:11", path);
	assert_string_equal(d.policy.tls_from, from);
	snprintf(from, sizeof(from), "%s:12", path);
	assert_string_equal(d.policy.protocols_from, from);
	snprintf(from, sizeof(from), "%s:1", path);
	assert_string_equal(d.policy.fallback_from, from);
	assert_string_equal(d.policy.sni_from, "default");

	config_for_destination(c, "example.com", &d);
	assert_int_equal(d.port, 26);
	assert_int_equal(d.policy.sni, POLICY_SNI_NAME);
	assert_string_equal(d.policy.sni_name, "mx.example.org");
	assert_int_equal(d.max_age_ms, 86400 * 1000);
	assert_int_equal(d.policy.fallback, POLICY_FALLBACK_NONE);

	config_for_destination(c, "b.example.com", &d);
	assert_int_equal(d.policy.tls, POLICY_TLS_REQUIRED);

	config_for_destination(c, "other.test", &d);
	assert_int_equal(d.policy.fallback, POLICY_FALLBACK_PLAINTEXT);

	config_for_destination(c, "[192.0.2.1]", &d);
	assert_int_equal(d.retry_schedule.count, 2);
	assert_int_equal(d.retry_schedule.steps[0].times, 3);
	config_free(&c);
}

/* A value for each option that differs from its default. */
static const struct {
	const char *name, *value, *text;
} block_cases[] = {
	{ "tls", "required", NULL },
	{ "starttls", "false", NULL },
	{ "protocols", "{ TLS1.2 }", "TLS1.2" },
	{ "sni", "mail.a.test", NULL },
	{ "greeting_after_starttls", "helo", NULL },
	{ "fallback", "none", NULL },
	{ "fallback_memory", "destination", NULL },
	{ "fallback_memory_ttl", "2h", NULL },
	{ "port", "26", NULL },
	{ "chunking", "false", NULL },
	{ "retry_schedule", "\"1m, 2h\"", "1m, 2h" },
	{ "retry_jitter", "20", NULL },
	{ "max_attempts", "7", NULL },
	{ "max_age", "1d", NULL },
	{ "bounce_delay_warning", "4h", NULL },
	{ "max_sessions_per_destination", "3", NULL },
	{ "connect_timeout", "31s", NULL },
	{ "handshake_timeout", "32s", NULL },
	{ "reply_timeout", "33s", NULL },
	{ "data_timeout", "34s", NULL },
	{ "session_timeout", "35s", NULL },
};

/* What counts for the destination, as text. */
static char *value_for(struct config *c, const char *destination, size_t index)
{
	const struct config_destination outside = c->defaults;
	config_for_destination(c, destination, &c->defaults);
	char *value = config_option_value(c, index);
	c->defaults = outside;
	return value;
}

static void check_block_option(size_t i)
{
	const char *expected =
		block_cases[i].text ? block_cases[i].text : block_cases[i].value;
	size_t index = index_of(block_cases[i].name);
	char text[200];
	snprintf(text, sizeof(text), "destination \"a.test\" {\n%s = %s\n}\n",
		block_cases[i].name, block_cases[i].value);
	struct config *c = load_good(text);
	OWN(mem_free) char *inside = value_for(c, "a.test", index);
	OWN(mem_free) char *outside = value_for(c, "b.test", index);
	assert_string_equal(inside, expected);
	assert_string_equal(outside, config_options[index].default_text);
	config_free(&c);
}

static void test_a_block_counts_for_its_destination_whatever_it_sets(void **state)
{
	size_t in_blocks = 0;
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(block_cases); i++)
		check_block_option(i);
	for (size_t i = 0; i < config_option_count(); i++) {
		struct config_option_info info;
		config_option_info(i, &info);
		in_blocks += info.in_destination;
	}
	assert_int_equal(in_blocks, ARRAY_SIZE(block_cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_most_specific_block_counts),
		cmocka_unit_test(
			test_a_block_counts_for_its_destination_whatever_it_sets),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
