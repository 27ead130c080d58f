/*
 * What dialogues cannot show: facts, time limits, the order of actions, and an
 * owner that calls in an awkward order. Sessions are in dialogs/.
 */
#include "smtp/client.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND };

static char sender[] = "a@client.example", recipient[] = "b@example.org";
static struct mail_envelope envelope = { .sender = sender };
static const struct mail_recipient recipients[] = { { .address = recipient } };
static const struct smtp_message message = {
	.envelope = &envelope, .recipients = recipients, .recipient_count = 1
};

static struct smtp_client *new_client(bool use_starttls)
{
	struct smtp_client_options o = {
		.hostname = "client.example",
		.use_starttls = use_starttls,
		.plaintext_after_refusal = true,
	};
	envelope.content.size_bytes = 0; /* where a test does not get that far */
	return smtp_client_new(&o);
}

/* The next action that is no write. */
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

static enum smtp_action say_hello(struct smtp_client *c, struct smtp_step *step)
{
	next(c, step);
	say(c, "220 x\r\n", step);
	return say(c, "250-x\r\n250 PIPELINING\r\n", step);
}

/* To the point at which the content is asked for. */
static enum smtp_action reach_body(struct smtp_client *c, struct smtp_step *step)
{
	assert_int_equal(say_hello(c, step), SMTP_ACTION_READY);
	smtp_client_send(c, &message);
	next(c, step);
	return say(c, "250 x\r\n250 x\r\n354 x\r\n", step);
}

static void states_have_names(void **state)
{
	static const char *const names[] = { "banner", "ehlo", "helo", "starttls", "tls",
		"ehlo_tls", "helo_tls", "auth_choice", "auth", "auth_challenge", "ready",
		"mail", "rcpt", "data", "body", "mark", "final", "bdat", "rset", "quit",
		"closed" };
	(void)state;
	assert_int_equal(ARRAY_SIZE(names), SMTP_STATE_COUNT);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(smtp_state_name((enum smtp_state)i), names[i]);
}

/* Walks a session; the limit in each state. */
static void check_limits(struct smtp_client *c, const int64_t limits_ms[])
{
	struct smtp_step step;
	size_t n = 0;
	next(c, &step);
	assert_int_equal(smtp_client_timeout_ms(c), limits_ms[n++]); /* banner */
	say(c, "220 x\r\n", &step);
	assert_int_equal(smtp_client_timeout_ms(c), limits_ms[n++]); /* ehlo */
	say(c, "250 x\r\n", &step);
	assert_int_equal(smtp_client_timeout_ms(c), limits_ms[n++]); /* ready */
	smtp_client_send(c, &message);
	next(c, &step);
	assert_int_equal(smtp_client_timeout_ms(c), limits_ms[n++]); /* mail */
	say(c, "250 x\r\n", &step);
	assert_int_equal(smtp_client_timeout_ms(c), limits_ms[n++]); /* rcpt */
	say(c, "250 x\r\n", &step);
	assert_int_equal(smtp_client_timeout_ms(c), limits_ms[n++]); /* data */
	say(c, "354 x\r\n", &step);
	assert_int_equal(smtp_client_timeout_ms(c), limits_ms[n++]); /* body */
	smtp_client_body_end(c);
	next(c, &step);
	assert_int_equal(smtp_client_timeout_ms(c), limits_ms[n++]); /* mark */
	smtp_client_marked(c);
	next(c, &step);
	assert_int_equal(smtp_client_timeout_ms(c), limits_ms[n++]); /* final */
	say(c, "250 x\r\n", &step);                                  /* the recipient */
	next(c, &step);                                              /* done */
	next(c, &step);
	smtp_client_quit(c);
	next(c, &step);
	assert_int_equal(smtp_client_timeout_ms(c), limits_ms[n++]); /* quit */
}

static void time_limits_are_those_of_the_rfc(void **state)
{
	static const int64_t limits_ms[] = { 5 * MINUTE, 5 * MINUTE, 0, 5 * MINUTE,
		5 * MINUTE, 2 * MINUTE, 3 * MINUTE, 0, 10 * MINUTE, 5 * SECOND };
	(void)state;
	OWN(smtp_client_free) struct smtp_client *c = new_client(false);
	check_limits(c, limits_ms);
}

static void time_limits_can_be_set(void **state)
{
	static const int64_t limits_ms[] = { 7000, 7000, 0, 7000, 7000, 7000, 3 * MINUTE,
		0, 8000, 5 * SECOND };
	struct smtp_client_options o = { .hostname = "client.example",
		.reply_timeout_ms = 7000,
		.data_timeout_ms = 8000 };
	(void)state;
	OWN(smtp_client_free) struct smtp_client *c = smtp_client_new(&o);
	check_limits(c, limits_ms);
}

static void facts_are_told(void **state)
{
	struct smtp_step step;
	(void)state;
	OWN(smtp_client_free) struct smtp_client *c = new_client(true);
	next(c, &step);
	say(c, "220 x\r\n", &step);
	assert_false(smtp_client_offered_starttls(c));
	say(c, "250-x\r\n250 STARTTLS\r\n", &step);
	assert_true(smtp_client_offered_starttls(c));
	assert_int_equal(smtp_client_starttls_refusal(c)->code, 0);
	assert_int_equal(say(c, "220 x\r\n", &step), SMTP_ACTION_START_TLS);
	assert_false(smtp_client_is_tls(c));
	assert_int_equal(smtp_client_last_reply(c)->code, 220);
	smtp_client_tls_done(c);
	assert_true(smtp_client_is_tls(c));
	assert_int_equal(smtp_client_last_reply(c)->code, 0);
	next(c, &step);
	assert_int_equal(say(c, "250 x\r\n", &step), SMTP_ACTION_READY);
	assert_true(smtp_client_offered_starttls(c));
}

static void a_refusal_of_starttls_is_remembered(void **state)
{
	struct smtp_step step;
	(void)state;
	OWN(smtp_client_free) struct smtp_client *c = new_client(true);
	next(c, &step);
	say(c, "220 x\r\n", &step);
	say(c, "250-x\r\n250 STARTTLS\r\n", &step);
	assert_int_equal(say(c, "454 4.7.0 not now\r\n", &step), SMTP_ACTION_READY);
	assert_int_equal(smtp_client_starttls_refusal(c)->code, 454);
	assert_string_equal(smtp_client_starttls_refusal(c)->text, "not now");
	assert_false(smtp_client_is_tls(c));
}

static void assert_write(struct smtp_client *c, const char *expected)
{
	struct smtp_step step;
	assert_int_equal(smtp_client_next(c, &step), SMTP_ACTION_WRITE);
	assert_int_equal(step.len, strlen(expected));
	assert_memory_equal(step.bytes, expected, step.len);
}

static void assert_next(struct smtp_client *c, enum smtp_action expected)
{
	struct smtp_step step;
	assert_int_equal(smtp_client_next(c, &step), expected);
}

static void the_mark_comes_between_content_and_dot(void **state)
{
	struct smtp_step step;
	(void)state;
	OWN(smtp_client_free) struct smtp_client *c = new_client(false);
	envelope.content.size_bytes = 1;
	assert_int_equal(reach_body(c, &step), SMTP_ACTION_BODY);
	smtp_client_body(c, "x", 1);
	assert_next(c, SMTP_ACTION_BODY);
	assert_write(c, "x"); /* the rest takes its time */
	assert_next(c, SMTP_ACTION_READ);
	smtp_client_body_end(c);
	assert_next(c, SMTP_ACTION_MARK);
	assert_write(c, "\r\n"); /* and so does the mark */
	assert_next(c, SMTP_ACTION_READ);
	assert_next(c, SMTP_ACTION_READ);
	smtp_client_marked(c);
	assert_write(c, ".\r\n");
	assert_next(c, SMTP_ACTION_READ);
}

static void what_is_answered_at_once_leaves_in_one_write(void **state)
{
	struct smtp_step step;
	(void)state;
	OWN(smtp_client_free) struct smtp_client *c = new_client(false);
	envelope.content.size_bytes = 4;
	assert_int_equal(reach_body(c, &step), SMTP_ACTION_BODY);
	smtp_client_body(c, "x\r\n", 3);
	assert_next(c, SMTP_ACTION_BODY);
	smtp_client_body(c, "y", 1);
	assert_next(c, SMTP_ACTION_BODY);
	smtp_client_body_end(c);
	assert_next(c, SMTP_ACTION_MARK);
	smtp_client_marked(c);
	assert_write(c, "x\r\ny\r\n.\r\n");
	assert_next(c, SMTP_ACTION_READ);
}

static void a_write_is_not_gathered_without_end(void **state)
{
	static char piece[64 * 1024];
	struct smtp_step step;
	(void)state;
	OWN(smtp_client_free) struct smtp_client *c = new_client(false);
	assert_int_equal(reach_body(c, &step), SMTP_ACTION_BODY);
	memset(piece, '\n', sizeof(piece));
	smtp_client_body(c, piece, sizeof(piece));
	assert_next(c, SMTP_ACTION_WRITE);
	assert_next(c, SMTP_ACTION_BODY);
}

static void a_dot_that_was_not_handed_out_is_not_in_doubt(void **state)
{
	struct smtp_step step;
	(void)state;
	OWN(smtp_client_free) struct smtp_client *c = new_client(false);
	reach_body(c, &step);
	smtp_client_body_end(c);
	next(c, &step);
	smtp_client_marked(c);
	smtp_client_lost(c, "reset");
	assert_int_equal(smtp_client_next(c, &step), SMTP_ACTION_FAILED);
	assert_int_equal(step.failure.state, SMTP_STATE_FINAL);
	assert_false(step.failure.in_doubt);
	assert_string_equal(step.failure.text, "reset");
	assert_int_equal(smtp_client_next(c, &step), SMTP_ACTION_CLOSE);
}

static void a_verdict_outlives_a_loss_told_at_once(void **state)
{
	struct smtp_step step;
	(void)state;
	OWN(smtp_client_free) struct smtp_client *c = new_client(false);
	reach_body(c, &step);
	smtp_client_body_end(c);
	next(c, &step);
	smtp_client_marked(c);
	next(c, &step);
	smtp_client_feed(c, "250 x\r\n", 7);
	smtp_client_lost(c, "closed");
	assert_int_equal(next(c, &step), SMTP_ACTION_RECIPIENT);
	assert_int_equal(step.verdict, SMTP_VERDICT_DELIVERED);
	assert_int_equal(next(c, &step), SMTP_ACTION_MESSAGE_DONE);
	assert_int_equal(next(c, &step), SMTP_ACTION_FAILED);
	assert_int_equal(step.failure.state, SMTP_STATE_READY);
	assert_false(step.failure.in_doubt);
}

static void bytes_fed_before_tls_done_are_injected(void **state)
{
	struct smtp_step step;
	(void)state;
	OWN(smtp_client_free) struct smtp_client *c = new_client(true);
	next(c, &step);
	say(c, "220 x\r\n", &step);
	say(c, "250-x\r\n250 STARTTLS\r\n", &step);
	assert_int_equal(say(c, "220 x\r\n", &step), SMTP_ACTION_START_TLS);
	smtp_client_feed(c, "250 x\r\n", 7);
	smtp_client_tls_done(c); /* without looking first */
	assert_int_equal(next(c, &step), SMTP_ACTION_FAILED);
	assert_int_equal(step.failure.cause, SMTP_CAUSE_INJECTED);
	assert_int_equal(step.failure.state, SMTP_STATE_TLS);
	assert_false(step.failure.inside_tls);
}

static void a_421_fed_before_send_ends_the_session(void **state)
{
	struct smtp_step step;
	(void)state;
	OWN(smtp_client_free) struct smtp_client *c = new_client(false);
	assert_int_equal(say_hello(c, &step), SMTP_ACTION_READY);
	smtp_client_feed(c, "421 idle\r\n", 10);
	smtp_client_send(c, &message); /* without looking first */
	assert_int_equal(next(c, &step), SMTP_ACTION_FAILED);
	assert_int_equal(step.failure.cause, SMTP_CAUSE_REPLY);
	assert_int_equal(step.failure.reply.code, 421);
	assert_int_equal(next(c, &step), SMTP_ACTION_CLOSE);
}

static void answers_after_the_end_are_ignored(void **state)
{
	struct smtp_step step;
	(void)state;
	OWN(smtp_client_free) struct smtp_client *c = new_client(false);
	next(c, &step);
	smtp_client_abort(c, "no");
	smtp_client_abort(c, "again");
	smtp_client_feed(c, "220 x\r\n", 7);
	smtp_client_tls_done(c);
	smtp_client_send(c, &message);
	smtp_client_body(c, "x", 1);
	smtp_client_body_end(c);
	smtp_client_body_failed(c, "no");
	smtp_client_marked(c);
	smtp_client_quit(c);
	smtp_client_lost(c, "no");
	smtp_client_timed_out(c);
	assert_int_equal(smtp_client_next(c, &step), SMTP_ACTION_FAILED);
	assert_string_equal(step.failure.text, "no");
	assert_int_equal(smtp_client_next(c, &step), SMTP_ACTION_CLOSE);
	assert_int_equal(smtp_client_next(c, &step), SMTP_ACTION_CLOSE);
	assert_int_equal(smtp_client_timeout_ms(c), 0);
}

static void a_flood_ends_the_session(void **state)
{
	static char flood[64 * 1024];
	struct smtp_step step;
	(void)state;
	OWN(smtp_client_free) struct smtp_client *c = new_client(false);
	assert_int_equal(reach_body(c, &step), SMTP_ACTION_BODY);
	memset(flood, '2', sizeof(flood));
	for (int i = 0; i < 100; i++)
		smtp_client_feed(c, flood, sizeof(flood));
	assert_int_equal(next(c, &step), SMTP_ACTION_FAILED);
	assert_int_equal(step.failure.cause, SMTP_CAUSE_PROTOCOL);
	assert_string_equal(step.failure.text, "too much input");
}

static void a_message_without_recipients_is_done(void **state)
{
	const struct smtp_message nobody = { .envelope = &envelope };
	struct smtp_step step;
	(void)state;
	OWN(smtp_client_free) struct smtp_client *c = new_client(false);
	assert_int_equal(say_hello(c, &step), SMTP_ACTION_READY);
	smtp_client_send(c, &nobody);
	assert_int_equal(next(c, &step), SMTP_ACTION_MESSAGE_DONE);
	assert_int_equal(next(c, &step), SMTP_ACTION_READY);
}

static void a_session_may_be_freed_at_any_time(void **state)
{
	struct smtp_step step;
	struct smtp_client *none = NULL;
	(void)state;
	OWN(smtp_client_free) struct smtp_client *c = new_client(false);
	reach_body(c, &step);
	smtp_client_body(c, "x", 1);
	smtp_client_feed(c, "25", 2);
	smtp_client_free(&c);
	assert_null(c);
	smtp_client_free(&none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_have_names),
		cmocka_unit_test(time_limits_are_those_of_the_rfc),
		cmocka_unit_test(time_limits_can_be_set),
		cmocka_unit_test(facts_are_told),
		cmocka_unit_test(a_refusal_of_starttls_is_remembered),
		cmocka_unit_test(the_mark_comes_between_content_and_dot),
		cmocka_unit_test(what_is_answered_at_once_leaves_in_one_write),
		cmocka_unit_test(a_write_is_not_gathered_without_end),
		cmocka_unit_test(a_dot_that_was_not_handed_out_is_not_in_doubt),
		cmocka_unit_test(a_verdict_outlives_a_loss_told_at_once),
		cmocka_unit_test(bytes_fed_before_tls_done_are_injected),
		cmocka_unit_test(a_421_fed_before_send_ends_the_session),
		cmocka_unit_test(answers_after_the_end_are_ignored),
		cmocka_unit_test(a_flood_ends_the_session),
		cmocka_unit_test(a_message_without_recipients_is_done),
		cmocka_unit_test(a_session_may_be_freed_at_any_time),
	};
	return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
