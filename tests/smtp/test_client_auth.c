/* What dialogues cannot show of AUTH: what the owner is asked and when, and what stays
 * in memory. The sessions are in dialogs/auth-*.txt. */
#include "smtp/client.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct smtp_client *new_client(void)
{
	struct smtp_client_options o = {
		.hostname = "client.example", .implicit_tls = true, .use_auth = true
	};
	return smtp_client_new(&o);
}

static enum smtp_action next(struct smtp_client *c, struct smtp_step *step)
{
	enum smtp_action action;
	do {
		action = smtp_client_next(c, step);
	} while (action == SMTP_ACTION_WRITE);
	return action;
}

static enum smtp_action say(struct smtp_client *c, const char *s, struct smtp_step *step)
{
	smtp_client_feed(c, s, strlen(s));
	return next(c, step);
}

/* To the point at which a mechanism is asked for. */
static struct smtp_client *reach_choice(struct smtp_step *step)
{
	struct smtp_client *c = new_client();
	next(c, step);
	say(c, "220 x\r\n", step);
	assert_int_equal(
		say(c, "250-x\r\n250 AUTH PLAIN LOGIN\r\n", step), SMTP_ACTION_AUTH);
	assert_string_equal(step->mechanisms, "PLAIN LOGIN");
	return c;
}

static void the_owner_is_asked_once_and_may_take_its_time(void **state)
{
	struct smtp_step step;
	(void)state;
	OWN(smtp_client_free) struct smtp_client *c = reach_choice(&step);
	assert_int_equal(next(c, &step), SMTP_ACTION_READ);
	assert_null(step.mechanisms);
	assert_int_equal(smtp_client_timeout_ms(c), 0);
	smtp_client_auth_begin(c, "LOGIN", NULL, 0, false);
	assert_int_equal(next(c, &step), SMTP_ACTION_READ);
	assert_true(smtp_client_timeout_ms(c) > 0);
	assert_int_equal(say(c, "334 VXNlcg==\r\n", &step), SMTP_ACTION_CHALLENGE);
	assert_int_equal(step.len, 4);
	assert_memory_equal(step.bytes, "User", 4);
	assert_int_equal(next(c, &step), SMTP_ACTION_READ);
	assert_int_equal(smtp_client_timeout_ms(c), 0);
	smtp_client_auth_answer(c, "u", 1, true);
	assert_null(smtp_client_auth_mechanism(c));
	next(c, &step);
	assert_int_equal(say(c, "235 x\r\n", &step), SMTP_ACTION_READY);
	assert_string_equal(smtp_client_auth_mechanism(c), "LOGIN");
}

static bool is_wiped(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

/* The machine keeps the memory of its output: it can be looked at after the write. */
static void check_wiped(struct smtp_client *c, const char *expected)
{
	struct smtp_step step;
	assert_int_equal(smtp_client_next(c, &step), SMTP_ACTION_WRITE);
	const char *bytes = step.bytes;
	size_t len = step.len;
	assert_int_equal(len, strlen(expected));
	assert_memory_equal(bytes, expected, len);
	assert_int_equal(smtp_client_next(c, &step), SMTP_ACTION_READ);
	assert_true(is_wiped(bytes, len));
}

static void what_was_sent_is_overwritten(void **state)
{
	struct smtp_step step;
	(void)state;
	OWN(smtp_client_free) struct smtp_client *c = reach_choice(&step);
	smtp_client_auth_begin(c, "PLAIN", "\0u\0p", 4, true);
	check_wiped(c, "AUTH PLAIN AHUAcA==\r\n");
	assert_int_equal(say(c, "334 eA==\r\n", &step), SMTP_ACTION_CHALLENGE);
	smtp_client_auth_answer(c, "pw", 2, true);
	check_wiped(c, "cHc=\r\n");
}

static void a_long_initial_response_is_overwritten_too(void **state)
{
	struct smtp_step step;
	char token[600];
	(void)state;
	OWN(smtp_client_free) struct smtp_client *c = reach_choice(&step);
	memset(token, 0, sizeof(token));
	smtp_client_auth_begin(c, "PLAIN", token, sizeof(token), true);
	check_wiped(c, "AUTH PLAIN\r\n");
	smtp_client_feed(c, "334 \r\n", 6);
	assert_int_equal(smtp_client_next(c, &step), SMTP_ACTION_WRITE);
	assert_int_equal(step.len, 800 + 2);
	const char *bytes = step.bytes;
	smtp_client_next(c, &step);
	assert_true(is_wiped(bytes, 802));
}

static void answers_after_the_end_are_ignored(void **state)
{
	struct smtp_step step;
	(void)state;
	OWN(smtp_client_free) struct smtp_client *c = reach_choice(&step);
	smtp_client_lost(c, "lost");
	assert_int_equal(next(c, &step), SMTP_ACTION_FAILED);
	smtp_client_auth_begin(c, "PLAIN", "x", 1, true);
	smtp_client_auth_none(c, "none");
	smtp_client_auth_answer(c, "x", 1, true);
	smtp_client_auth_cancel(c, "why");
	assert_int_equal(next(c, &step), SMTP_ACTION_CLOSE);
}

static void a_session_may_be_freed_with_a_secret_under_way(void **state)
{
	struct smtp_step step;
	(void)state;
	struct smtp_client *c = reach_choice(&step);
	smtp_client_auth_begin(c, "PLAIN", "x", 1, true);
	smtp_client_free(&c);
	c = reach_choice(&step);
	char token[600] = "t";
	smtp_client_auth_begin(c, "PLAIN", token, sizeof(token), true);
	smtp_client_next(c, &step);
	smtp_client_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_owner_is_asked_once_and_may_take_its_time),
		cmocka_unit_test(what_was_sent_is_overwritten),
		cmocka_unit_test(a_long_initial_response_is_overwritten_too),
		cmocka_unit_test(answers_after_the_end_are_ignored),
		cmocka_unit_test(a_session_may_be_freed_with_a_secret_under_way),
	};
	return cmocka_run_group_tests_name("client_auth", tests, NULL, NULL);
}
