#include "dsn_cases.h"

#include "base/mem.h"
#include "base/text.h"
#include "report/dsn_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *name, *sender;
	unsigned notify;
	bool failure, delay, success;
} wanted_cases[] = {
	{ "without NOTIFY trouble is told", "alice@example.org", 0, true, true, false },
	{ "a null sender gets nothing", "", 0, false, false, false },
	{ "a null sender gets nothing even if asked", "",
		MAIL_NOTIFY_FAILURE | MAIL_NOTIFY_SUCCESS, false, false, false },
	{ "NEVER", "alice@example.org", MAIL_NOTIFY_NEVER, false, false, false },
	{ "NEVER beats the rest", "alice@example.org",
		MAIL_NOTIFY_NEVER | MAIL_NOTIFY_FAILURE | MAIL_NOTIFY_SUCCESS, false,
		false, false },
	{ "SUCCESS", "alice@example.org", MAIL_NOTIFY_SUCCESS, false, false, true },
	{ "FAILURE", "alice@example.org", MAIL_NOTIFY_FAILURE, true, false, false },
	{ "DELAY", "alice@example.org", MAIL_NOTIFY_DELAY, false, true, false },
	{ "both", "alice@example.org", MAIL_NOTIFY_FAILURE | MAIL_NOTIFY_DELAY, true,
		true, false },
};

static void who_is_told_follows_notify(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wanted_cases); i++) {
		const struct mail_envelope m = { .sender =
							 (char *)wanted_cases[i].sender };
		unsigned notify = wanted_cases[i].notify;
		if (dsn_is_wanted(&m, notify, DSN_FAILURE) != wanted_cases[i].failure ||
			dsn_is_wanted(&m, notify, DSN_DELAY) != wanted_cases[i].delay ||
			dsn_is_wanted(&m, notify, DSN_SUCCESS) != wanted_cases[i].success)
			fail_msg("%s", wanted_cases[i].name);
	}
}

static const struct {
	const char *name;
	int append;
	const char *type;
	bool is_8bit, needs_smtputf8;
} append_cases[] = {
	{ "bounce", QUEUE_APPEND_MESSAGE, "message/rfc822", false, false },
	{ "delay", QUEUE_APPEND_HEADER, "text/rfc822-headers", false, false },
	{ "large", QUEUE_APPEND_HEADER, "text/rfc822-headers", false, false },
	{ "large_full", QUEUE_APPEND_MESSAGE, "message/rfc822", false, false },
	{ "relayed", QUEUE_APPEND_HEADER, "text/rfc822-headers", false, false },
	{ "small_hdrs", QUEUE_APPEND_HEADER, "text/rfc822-headers", false, false },
	{ "utf8", QUEUE_APPEND_MESSAGE, "message/global", true, true },
	{ "eightbit", QUEUE_APPEND_MESSAGE, "message/rfc822", true, false },
	{ "odd", QUEUE_APPEND_MESSAGE, "message/rfc822", false, false },
};

static void the_message_comes_back_as_ret_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(append_cases); i++) {
		struct dsn_message m;
		dsn_case_build(dsn_case_find(append_cases[i].name), &m);
		char *type = xasprintf("Content-Type: %s\r\n", append_cases[i].type);
		const struct mail_content *content = &m.message.envelope.content;
		if ((int)m.message.append != append_cases[i].append ||
			!strstr(m.message.body, type) ||
			content->is_8bit != append_cases[i].is_8bit ||
			content->needs_smtputf8 != append_cases[i].needs_smtputf8)
			fail_msg("%s: append %d, 8 bit %d, SMTPUTF8 %d\n%s",
				append_cases[i].name, m.message.append, content->is_8bit,
				content->needs_smtputf8, m.message.body);
		assert_int_equal(m.message.append_message_id, 0x1abcdef);
		free(type);
		dsn_message_clear(&m);
	}
}

static void a_notification_cannot_bounce(void **state)
{
	(void)state;
	struct dsn_message m;
	dsn_case_build(dsn_case_find("bounce"), &m);
	assert_string_equal(m.message.envelope.sender, "");
	assert_int_equal(m.message.envelope.id, 0);
	assert_true(m.message.envelope.is_notice);
	assert_int_equal(m.message.recipient_count, 1);
	assert_string_equal(m.message.recipients[0].address, "alice@example.org");
	assert_string_equal(m.message.recipients[0].domain, "example.org");
	assert_int_equal(m.message.recipients[0].notify, MAIL_NOTIFY_NEVER);
	assert_false(dsn_is_wanted(&m.message.envelope, 0, DSN_FAILURE));
	dsn_message_clear(&m);
}

static void what_is_not_declared_8bit_is_ascii(void **state)
{
	(void)state;
	for (const struct dsn_case *c = dsn_cases; c->name; c++) {
		struct dsn_message m;
		dsn_case_build(c, &m);
		OWN(mem_free) char *story = dsn_case_story(c, &m);
		if (!text_is_ascii(story, strlen(story)) ||
			(!m.message.envelope.content.is_8bit &&
				!text_is_ascii(m.message.body, m.message.body_len)))
			fail_msg("%s", c->name);
		dsn_message_clear(&m);
	}
}

static void recipients_with_one_answer_share_a_line(void **state)
{
	(void)state;
	static const char record[] =
		"{\"time\":\"2026-11-21T20:43:00Z\",\"id\":\"0000000001ABCDEF\","
		"\"attempt\":1,\"recipients\":["
		"{\"address\":\"a@x.test\",\"outcome\":\"deferred\",\"code\":450},"
		"{\"address\":\"c@x.test\",\"outcome\":\"deferred\",\"code\":450},"
		"{\"address\":\"b@x.test\",\"outcome\":\"deferred\",\"code\":450},"
		"{\"address\":\"d@x.test\",\"outcome\":\"bounced\",\"code\":550}],"
		"\"mx\":\"mx.test\",\"channel\":\"plaintext\"}";
	const struct {
		const char *a, *b, *expected;
	} cases[] = {
		{ "b@x.test", "a@x.test",
			"    <a@x.test>, <b@x.test>: the host said \"450\"\r\n" },
		{ "d@x.test", "a@x.test",
			"    <a@x.test>: the host said \"450\"\r\n"
			"    <d@x.test>: the host said \"550\"\r\n" },
		{ "d@x.test", NULL, "    the host said \"550\"\r\n" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct dsn_case c = { .recipients = { { .address = cases[i].a },
					      { .address = cases[i].b } },
			.records = { record } };
		struct dsn_message m;
		dsn_case_build(&c, &m);
		OWN(mem_free) char *story = dsn_case_story(&c, &m);
		OWN(mem_free)
		char *expected = xasprintf(
			"    mx.test, without TLS\r\n%s\r\n", cases[i].expected);
		if (!strstr(story, expected))
			fail_msg("%s", story);
		dsn_message_clear(&m);
	}
}

static void who_we_are_is_not_called_a_matter_of_tls(void **state)
{
	(void)state;
	static const struct {
		const char *stage, *words[DSN_LANGUAGE_COUNT];
	} cases[] = {
		{ "tls", { "what is required of TLS is not met",
				 "TLS について求められている条件を満たしません" } },
		{ "auth_choice", { "we could not log in", "ログインできません" } },
		{ "auth_challenge", { "we could not log in", "ログインできません" } },
		{ "prepare", { "no connection was made", "接続していません" } },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct event_attempt a = { 0 };
		event_set(&a, &a.failure, "policy");
		event_set(&a, &a.stage, cases[i].stage);
		for (int language = 0; language < DSN_LANGUAGE_COUNT; language++)
			assert_string_equal(dsn_failure((enum dsn_language)language, &a),
				cases[i].words[language]);
		event_attempt_clear(&a);
	}
}

static void boundaries_are_new_each_time(void **state)
{
	(void)state;
	struct dsn_message a, b;
	dsn_case_build(dsn_case_find("bounce"), &a);
	dsn_case_build(dsn_case_find("bounce"), &b);
	assert_string_not_equal(a.message.tail, b.message.tail);
	/* "\r\n--boundary--\r\n": its beginning closes each part. */
	char *boundary = xstrndup(a.message.tail + 2, a.message.tail_len - 6);
	unsigned seen = 0;
	for (const char *s = a.message.body; (s = strstr(s, boundary)); s++)
		seen++;
	assert_int_equal(seen, 3);
	free(boundary);
	dsn_message_clear(&a);
	dsn_message_clear(&b);
}

static void a_text_without_blanks_is_broken(void **state)
{
	(void)state;
	char text[TEXT_REMOTE_MAX + 1], orcpt[2000];
	memset(text, 'x', TEXT_REMOTE_MAX);
	text[TEXT_REMOTE_MAX] = '\0';
	snprintf(orcpt, sizeof(orcpt), "rfc822;%s", text);
	struct dsn_case c = *dsn_case_find("bounce");
	struct dsn_message m;
	c.recipients[0].reply.text = text;
	c.recipients[0].orcpt = orcpt;
	dsn_case_build(&c, &m);
	OWN(mem_free) char *whole = dsn_case_text(&c, &m, "");
	for (const char *s = whole, *end; (end = strstr(s, "\r\n")); s = end + 2)
		assert_true(end - s <= 998);
	dsn_message_clear(&m);
}

static void a_status_that_says_nothing_is_that_of_the_kind(void **state)
{
	static const char *const statuses[] = { NULL, "", "5", "." };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		struct dsn_case c = *dsn_case_find("bounce");
		struct dsn_message m;
		/* To the octet, so that what reads on is caught. */
		OWN(mem_free) char *status = xstrdup(statuses[i]);
		c.recipients[0].status = status;
		dsn_case_build(&c, &m);
		OWN(mem_free) char *whole = dsn_case_text(&c, &m, "");
		assert_non_null(strstr(whole, "\r\nStatus: 5.0.0\r\n"));
		dsn_message_clear(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_told_follows_notify),
		cmocka_unit_test(the_message_comes_back_as_ret_says),
		cmocka_unit_test(a_notification_cannot_bounce),
		cmocka_unit_test(what_is_not_declared_8bit_is_ascii),
		cmocka_unit_test(recipients_with_one_answer_share_a_line),
		cmocka_unit_test(who_we_are_is_not_called_a_matter_of_tls),
		cmocka_unit_test(boundaries_are_new_each_time),
		cmocka_unit_test(a_text_without_blanks_is_broken),
		cmocka_unit_test(a_status_that_says_nothing_is_that_of_the_kind),
	};
	return cmocka_run_group_tests_name("dsn", tests, NULL, NULL);
}
