/* What dialogues cannot say: limits in octets, calls out of turn, facts. */
#include "smtp/server.h"

#include "base/buf.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 1000, FEED = 64 * 1024 };

static const struct smtp_server_options plain = { .hostname = "mx.example.org" };

static struct smtp_server *begin(void)
{
	return smtp_server_new(&plain);
}

static void say(struct smtp_server *s, const char *text)
{
	smtp_server_feed(s, text, strlen(text));
}

/* Up to an action that is none of our business. */
static enum smtp_server_action skip_writes(
	struct smtp_server *s, struct smtp_server_step *step)
{
	enum smtp_server_action action;
	do
		action = smtp_server_next(s, step);
	while (action == SMTP_SERVER_WRITE);
	return action;
}

/* A session with an open transaction that has a recipient. */
static struct smtp_server *begin_transaction(void)
{
	struct smtp_server *s = begin();
	struct smtp_server_step step;
	say(s, "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
	assert_int_equal(skip_writes(s, &step), SMTP_SERVER_MAIL);
	smtp_server_accept(s);
	assert_int_equal(skip_writes(s, &step), SMTP_SERVER_RCPT);
	smtp_server_accept(s);
	assert_int_equal(skip_writes(s, &step), SMTP_SERVER_READ);
	return s;
}

static void assert_written(const struct smtp_server_step *step, const char *text)
{
	assert_int_equal(step->len, strlen(text));
	assert_memory_equal(step->bytes, text, step->len);
}

static void who_is_not_wanted_gets_421_for_a_greeting(void **state)
{
	OWN(smtp_server_free) struct smtp_server *s = begin();
	struct smtp_server_step step;
	(void)state;
	assert_int_equal(smtp_server_state(s), SMTP_SERVER_STATE_GREETING);
	smtp_server_shut(s, "4.3.2", "too many clients");
	assert_int_equal(smtp_server_next(s, &step), SMTP_SERVER_WRITE);
	assert_written(&step, "421 mx.example.org too many clients\r\n");
	assert_int_equal(smtp_server_next(s, &step), SMTP_SERVER_CLOSE);
}

static void states_have_names(void **state)
{
	(void)state;
	for (int i = 0; i < SMTP_SERVER_STATE_COUNT; i++)
		assert_true(smtp_server_state_name((enum smtp_server_state)i)[0]);
	assert_string_equal(smtp_server_state_name(SMTP_SERVER_STATE_BDAT), "bdat");
}

static void a_client_has_no_name_before_ehlo(void **state)
{
	OWN(smtp_server_free) struct smtp_server *s = begin();
	struct smtp_server_step step;
	(void)state;
	assert_string_equal(smtp_server_client_name(s), "");
	say(s, "EHLO [192.0.2.1]\r\n");
	assert_int_equal(skip_writes(s, &step), SMTP_SERVER_READ);
	assert_string_equal(smtp_server_client_name(s), "[192.0.2.1]");
	assert_string_equal(smtp_server_protocol(s), "ESMTP");
}

static void who_is_asked_is_busy_and_nothing_more_is_asked(void **state)
{
	OWN(smtp_server_free) struct smtp_server *s = begin();
	struct smtp_server_step step;
	(void)state;
	say(s, "EHLO x\r\n");
	assert_int_equal(skip_writes(s, &step), SMTP_SERVER_READ);
	assert_false(smtp_server_is_busy(s));
	say(s, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
	assert_int_equal(skip_writes(s, &step), SMTP_SERVER_MAIL);
	assert_int_equal(step.path_len, 3);
	assert_memory_equal(step.path, "a@b", 3);
	assert_true(smtp_server_is_busy(s));
	say(s, "RCPT TO:<e@f>\r\n");
	assert_int_equal(smtp_server_next(s, &step), SMTP_SERVER_READ);
	assert_true(smtp_server_is_busy(s));
}

static void a_backlog_over_its_limit_ends_the_session(void **state)
{
	OWN(smtp_server_free) struct smtp_server *s = begin_transaction();
	OWN(mem_free) char *much = xcalloc(1, FEED);
	struct smtp_server_step step;
	(void)state;
	say(s, "RCPT TO:<e@f>\r\n");
	assert_int_equal(skip_writes(s, &step), SMTP_SERVER_RCPT);
	for (int fed = 0; fed < SMTP_SERVER_BACKLOG_MAX; fed += FEED) {
		assert_int_equal(smtp_server_state(s), SMTP_SERVER_STATE_ASKED);
		smtp_server_feed(s, much, FEED);
	}
	assert_int_equal(smtp_server_next(s, &step), SMTP_SERVER_READ);
	smtp_server_feed(s, much, 1);
	assert_int_equal(smtp_server_next(s, &step), SMTP_SERVER_ABORT);
	assert_int_equal(smtp_server_next(s, &step), SMTP_SERVER_WRITE);
	assert_written(&step, "421 4.7.0 mx.example.org too much input at once\r\n");
	assert_int_equal(smtp_server_next(s, &step), SMTP_SERVER_CLOSE);
}

static void a_backlog_over_its_limit_waits_for_the_commit(void **state)
{
	OWN(smtp_server_free) struct smtp_server *s = begin_transaction();
	OWN(mem_free) char *much = xcalloc(1, FEED);
	struct smtp_server_step step;
	(void)state;
	say(s, "BDAT 0 LAST\r\n");
	assert_int_equal(skip_writes(s, &step), SMTP_SERVER_COMMIT);
	for (int fed = 0; fed <= SMTP_SERVER_BACKLOG_MAX; fed += FEED)
		smtp_server_feed(s, much, FEED);
	assert_int_equal(smtp_server_next(s, &step), SMTP_SERVER_READ);
	smtp_server_stored(s, "1");
	assert_int_equal(smtp_server_next(s, &step), SMTP_SERVER_WRITE);
	assert_written(&step, "250 2.0.0 queued as 1\r\n"
			      "421 4.7.0 mx.example.org too much input at once\r\n");
	assert_int_equal(smtp_server_next(s, &step), SMTP_SERVER_CLOSE);
}

static void answers_after_the_end_are_ignored(void **state)
{
	OWN(smtp_server_free) struct smtp_server *s = begin();
	struct smtp_server_step step;
	(void)state;
	say(s, "EHLO x\r\nMAIL FROM:<a@b>\r\n");
	assert_int_equal(skip_writes(s, &step), SMTP_SERVER_MAIL);
	smtp_server_shut(s, "4.3.2", "x");
	assert_int_equal(smtp_server_next(s, &step), SMTP_SERVER_ABORT);
	smtp_server_accept(s);
	smtp_server_refuse(s, 550, "5.1.1", "x");
	smtp_server_stored(s, "1");
	smtp_server_refuse_content(s, 550, "5.1.1", "x");
	smtp_server_shut(s, "4.3.2", "x");
	say(s, "NOOP\r\n");
	assert_int_equal(skip_writes(s, &step), SMTP_SERVER_CLOSE);
	assert_int_equal(smtp_server_next(s, &step), SMTP_SERVER_CLOSE);
}

/* Lines without dots at their start come in one piece a feed, with what was held back
 * of the one before. */
static void content_is_not_cut_without_need(void **state)
{
	OWN(smtp_server_free) struct smtp_server *s = begin_transaction();
	struct smtp_server_step step;
	struct buf content = BUF_INIT;
	size_t total = 0, pieces = 0;
	(void)state;
	for (int i = 0; i < 500; i++)
		buf_addstr(&content, "a line that has no dot at its start\r\n");
	say(s, "DATA\r\n");
	assert_int_equal(skip_writes(s, &step), SMTP_SERVER_READ);
	/* The last feed ends in the CR of a CRLF. */
	smtp_server_feed(s, buf_bytes(&content), buf_len(&content));
	smtp_server_feed(s, buf_bytes(&content), buf_len(&content) - 1);
	for (; skip_writes(s, &step) == SMTP_SERVER_CONTENT; pieces++)
		total += step.len;
	assert_int_equal(pieces, 1);
	assert_int_equal(total, 2 * buf_len(&content) - 2);
	say(s, "\n.\r\n");
	assert_int_equal(skip_writes(s, &step), SMTP_SERVER_CONTENT);
	assert_written(&step, "\r\n");
	assert_int_equal(skip_writes(s, &step), SMTP_SERVER_COMMIT);
	buf_clear(&content);
}

static void replies_do_not_gather_without_end(void **state)
{
	OWN(smtp_server_free) struct smtp_server *s = begin();
	struct smtp_server_step step;
	struct buf flight = BUF_INIT;
	size_t written = 0, most = 0;
	(void)state;
	for (int i = 0; i < SMTP_SERVER_BACKLOG_MAX / 8; i++)
		buf_addstr(&flight, "NOOP\r\n");
	smtp_server_feed(s, buf_bytes(&flight), buf_len(&flight));
	while (smtp_server_next(s, &step) == SMTP_SERVER_WRITE) {
		written += step.len;
		most = step.len > most ? step.len : most;
	}
	assert_int_equal(written,
		strlen("220 mx.example.org ESMTP\r\n") +
			SMTP_SERVER_BACKLOG_MAX / 8 * strlen("250 2.0.0 Ok\r\n"));
	assert_true(most < 65 * 1024);
	buf_clear(&flight);
}

static void a_session_carries_many_messages(void **state)
{
	OWN(smtp_server_free) struct smtp_server *s = begin_transaction();
	struct smtp_server_step step;
	(void)state;
	for (int i = 0; i < MANY; i++) {
		say(s, "BDAT 3 LAST\r\nx\r\n");
		assert_int_equal(skip_writes(s, &step), SMTP_SERVER_CONTENT);
		assert_int_equal(skip_writes(s, &step), SMTP_SERVER_COMMIT);
		smtp_server_stored(s, "1");
		say(s, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
		assert_int_equal(skip_writes(s, &step), SMTP_SERVER_MAIL);
		smtp_server_accept(s);
		assert_int_equal(skip_writes(s, &step), SMTP_SERVER_RCPT);
		smtp_server_accept(s);
	}
	smtp_server_lost(s);
	assert_int_equal(skip_writes(s, &step), SMTP_SERVER_ABORT);
	assert_int_equal(skip_writes(s, &step), SMTP_SERVER_CLOSE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_not_wanted_gets_421_for_a_greeting),
		cmocka_unit_test(states_have_names),
		cmocka_unit_test(a_client_has_no_name_before_ehlo),
		cmocka_unit_test(who_is_asked_is_busy_and_nothing_more_is_asked),
		cmocka_unit_test(a_backlog_over_its_limit_ends_the_session),
		cmocka_unit_test(a_backlog_over_its_limit_waits_for_the_commit),
		cmocka_unit_test(answers_after_the_end_are_ignored),
		cmocka_unit_test(content_is_not_cut_without_need),
		cmocka_unit_test(replies_do_not_gather_without_end),
		cmocka_unit_test(a_session_carries_many_messages),
	};
	return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
