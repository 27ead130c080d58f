/* A session without its connection, over a real queue. */
#include "intake_fixture.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct talk {
	struct hall *hall;
	struct intake_session *session;
	struct buf out; /* of the last say */
	enum intake_session_want want;
	unsigned waits;
};

static void run(struct talk *t)
{
	for (;;) {
		t->want = intake_session_run(t->session, &t->out);
		if (t->want != INTAKE_SESSION_WAIT)
			return;
		t->waits++;
		queue_wait(t->hall->store->port);
	}
}

static void begin(struct talk *t, struct hall *h, bool is_lmtp)
{
	struct intake_session_options options = {
		.is_lmtp = is_lmtp, .peer = "[192.0.2.1]", .client = "unknown[192.0.2.1]"
	};
	*t = (struct talk){ .hall = h };
	t->session = intake_session_new(h->intake, h->config, &options);
	run(t);
}

static void end(struct talk *t)
{
	intake_session_free(&t->session);
	buf_clear(&t->out);
}

/* Feeds text, and returns what is said to it. */
static const char *say(struct talk *t, const char *text)
{
	buf_reset(&t->out);
	intake_session_feed(t->session, text, strlen(text));
	run(t);
	return buf_text(&t->out);
}

/* The replies begin with these, one a line; an EHLO's are skipped but for the last. */
static void check(struct talk *t, const char *text, const char *expected)
{
	const char *at = say(t, text);
	while (*at) {
		const char *end = strstr(at, "\r\n") + 2;
		size_t len = strcspn(expected, "\n");
		if (!*expected || strncmp(at, expected, len) != 0)
			fail_msg("to %s: %s", text, buf_text(&t->out));
		if (at[3] != '-')
			expected += len + (expected[len] == '\n');
		at = end;
	}
	if (*expected)
		fail_msg("to %s: %s, not %s", text, buf_text(&t->out), expected);
}

#define HELLO "EHLO me.test\r\n"

static void a_message_is_stored_before_it_is_acknowledged(void **state)
{
	struct hall *h = *state;
	struct talk t;
	begin(&t, h, false);
	check(&t, HELLO, "250");
	check(&t,
		"MAIL FROM:<a@x.test> SIZE=10 RET=HDRS ENVID=e+2B1 BODY=8BITMIME\r\n"
		"RCPT TO:<b@y.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c+40z.test\r\n"
		"DATA\r\n",
		"250 2.1.0\n250 2.1.5\n354");
	buf_reset(&t.out);
	intake_session_feed(t.session, "Subject: x\r\n\r\n..x\r\n.\r\n", 23);
	assert_int_equal(intake_session_run(t.session, &t.out), INTAKE_SESSION_WAIT);
	assert_int_equal(buf_len(&t.out), 0);
	run(&t);
	struct queue_item *item = hall_only_item(h);
	char expected[60], id[MAIL_ID_MAX];
	mail_id_format(item->envelope.id, id);
	snprintf(expected, sizeof(expected), "250 2.0.0 queued as %s\r\n", id);
	assert_string_equal(buf_text(&t.out), expected);
	assert_string_equal(item->envelope.sender, "a@x.test");
	assert_string_equal(item->envelope.envid, "e+2B1");
	assert_int_equal(item->envelope.ret, MAIL_RET_HDRS);
	assert_string_equal(item->recipients[0].address, "b@y.test");
	assert_string_equal(item->recipients[0].orcpt, "rfc822;c+40z.test");
	assert_int_equal(
		item->recipients[0].notify, MAIL_NOTIFY_SUCCESS | MAIL_NOTIFY_DELAY);
	assert_non_null(strstr(item->body, "Received: from me.test ([192.0.2.1])\r\n"
					   "\tby host.test (hikyaku) with ESMTP\r\n"));
	assert_non_null(strstr(item->body, "\r\nSubject: x\r\n\r\n.x\r\n"));
	queue_item_free(&item);
	end(&t);
}

static void each_recipient_has_a_reply_in_lmtp(void **state)
{
	struct hall *h = *state;
	struct talk t;
	begin(&t, h, true);
	check(&t,
		"LHLO me.test\r\nMAIL FROM:<>\r\nRCPT TO:<b@y.test>\r\n"
		"RCPT TO:<b@>\r\nRCPT TO:<c@y.test>\r\nDATA\r\n",
		"250\n250\n250\n553 5.1.3\n250\n354");
	check(&t, "x\r\n.\r\n", "250 2.0.0 queued as\n250 2.0.0 queued as");
	struct queue_item *item = hall_only_item(h);
	assert_string_equal(item->envelope.sender, "");
	assert_int_equal(item->recipient_count, 2);
	queue_item_free(&item);
	end(&t);
}

static const struct {
	const char *name, *talk, *replies;
} refusals[] = {
	{ "a sender that is none", "MAIL FROM:<a@b@c>\r\n", "553 5.1.7" },
	{ "a recipient that is none", "MAIL FROM:<>\r\nRCPT TO:<b@-x->\r\n",
		"250\n553 5.1.3" },
	{ "a message that says it is too big", "MAIL FROM:<> SIZE=10241\r\n",
		"552 5.3.4" },
	{ "a NUL in the content",
		"MAIL FROM:<>\r\nRCPT TO:<b@y.test>\r\nBDAT 3 LAST\r\na\001b",
		"250\n250\n554 5.6.0" }, /* 1 stands for it, see below */
	{ "an address with a NUL", "MAIL FROM:<a\001@x.test>\r\n", "500 5.5.2" },
	{ "UTF-8 without SMTPUTF8", "MAIL FROM:<\xc3\xa9@x.test>\r\n", "553 5.6.7" },
};

static void what_cannot_be_taken_is_refused_with_its_code(void **state)
{
	struct hall *h = *state;
	h->config->max_message_size = 10240;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct talk t;
		begin(&t, h, false);
		check(&t, HELLO, "250");
		OWN(mem_free) char *text = xstrdup(refusals[i].talk);
		size_t len = strlen(text);
		for (size_t at = 0; at < len; at++)
			text[at] = text[at] == '\001' ? '\0' : text[at];
		buf_reset(&t.out);
		intake_session_feed(t.session, text, len);
		run(&t);
		struct buf out = t.out;
		t.out = (struct buf)BUF_INIT;
		const char *at = buf_text(&out), *expected = refusals[i].replies;
		while (*expected) {
			size_t n = strcspn(expected, "\n");
			if (strncmp(at, expected, n) != 0)
				fail_msg("%s: %s", refusals[i].name, buf_text(&out));
			expected += n + (expected[n] == '\n');
			at = strstr(at, "\r\n") + 2;
		}
		buf_clear(&out);
		/* It goes on. */
		check(&t, "RSET\r\nMAIL FROM:<a@x.test>\r\n", "250\n250");
		end(&t);
	}
	assert_int_equal(hall_message_count(h), 0);
}

#define ENVELOPE "MAIL FROM:<>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n"

static void a_message_that_grows_too_big_is_refused_at_its_end(void **state)
{
	struct hall *h = *state;
	struct talk t;
	h->config->max_message_size = 10240;
	begin(&t, h, false);
	check(&t, HELLO ENVELOPE, "250\n250\n250\n354");
	/* Line ends are counted as they are stored, dots as they are meant. */
	for (int i = 0; i < 1000; i++)
		check(&t, "..12345678\r\n", "");
	check(&t, ".\r\n", "552 5.3.4");
	check(&t, ENVELOPE "small\r\n.\r\n", "250\n250\n354\n250");
	assert_int_equal(hall_message_count(h), 1);
	end(&t);
}

static void a_message_that_goes_round_is_refused(void **state)
{
	struct hall *h = *state;
	struct talk t;
	begin(&t, h, false);
	check(&t, HELLO ENVELOPE, "250\n250\n250\n354");
	for (int i = 0; i <= 100; i++)
		check(&t, "Received: by x\r\n", "");
	check(&t, "\r\n.\r\n", "554 5.4.6");
	assert_int_equal(hall_message_count(h), 0);
	end(&t);
}

static void an_empty_message_is_one(void **state)
{
	struct hall *h = *state;
	struct talk t;
	begin(&t, h, false);
	check(&t, HELLO ENVELOPE ".\r\n", "250\n250\n250\n354\n250");
	check(&t, "MAIL FROM:<>\r\nRCPT TO:<b@y.test>\r\nBDAT 0 LAST\r\n",
		"250\n250\n250");
	assert_int_equal(hall_message_count(h), 2);
	end(&t);
}

static void nothing_is_stored_of_a_message_without_its_end(void **state)
{
	struct hall *h = *state;
	static const char text[] = HELLO ENVELOPE "Subject: x\r\n\r\nx\r\n.\r\n";
	for (size_t len = 0; len < sizeof(text); len++) {
		struct talk t;
		begin(&t, h, false);
		intake_session_feed(t.session, text, len);
		run(&t);
		intake_session_lost(t.session);
		run(&t);
		assert_int_equal(t.want, INTAKE_SESSION_CLOSE);
		end(&t);
		hall_wait(h);
		assert_int_equal(hall_message_count(h), len == sizeof(text) - 1);
	}
}

/* The queue cannot take it: try again later, and nothing is acknowledged. */
static void what_the_queue_cannot_take_is_to_be_tried_again(void **state)
{
	struct hall *h = *state;
	struct talk t;
	fixture_close(h->store);
	h->store->options.max_bytes = 100 * 1024;
	fixture_open(h->store);
	intake_free(&h->intake);
	h->intake = intake_new(h->config, h->store->port);
	begin(&t, h, false);
	check(&t, HELLO ENVELOPE, "250\n250\n250\n354");
	OWN(mem_free) char *big = xcalloc(1, 64 * 1024 + 1);
	memset(big, 'x', 64 * 1024);
	for (int i = 0; i < 40; i++)
		check(&t, big, "");
	check(&t, "\r\n.\r\n", "452 4.3.1");
	assert_int_equal(hall_message_count(h), 0);
	check(&t, "NOOP\r\n", "250"); /* the session is sound */
	end(&t);
}

static void who_is_ahead_of_the_store_waits(void **state)
{
	struct hall *h = *state;
	struct talk t;
	begin(&t, h, false);
	check(&t, HELLO ENVELOPE, "250\n250\n250\n354");
	OWN(mem_free) char *big = xcalloc(1, 64 * 1024 + 1);
	memset(big, 'x', 64 * 1024);
	for (int i = 0; i < 200 && !t.waits; i++)
		check(&t, big, "");
	assert_true(t.waits > 0);
	check(&t, "\r\n.\r\n", "250");
	end(&t);
}

static void a_whole_command_is_progress_and_an_octet_is_not(void **state)
{
	struct hall *h = *state;
	struct talk t;
	begin(&t, h, false);
	uint64_t before = intake_session_progress(t.session);
	for (const char *s = "EHLO me.test\r"; *s; s++) {
		char octet[2] = { *s };
		check(&t, octet, "");
	}
	assert_int_equal(intake_session_progress(t.session), before);
	check(&t, "\n", "250");
	assert_true(intake_session_progress(t.session) > before);
	check(&t, ENVELOPE, "250\n250\n354");
	before = intake_session_progress(t.session);
	OWN(mem_free) char *piece = xcalloc(1, INTAKE_PIECE);
	memset(piece, 'x', INTAKE_PIECE - 1);
	check(&t, piece, "");
	assert_int_equal(intake_session_progress(t.session), before);
	check(&t, "xx", "");
	assert_true(intake_session_progress(t.session) > before);
	end(&t);
}

static void a_stop_lets_the_message_end_and_begins_no_other(void **state)
{
	struct hall *h = *state;
	struct talk t;
	begin(&t, h, false);
	check(&t, HELLO ENVELOPE, "250\n250\n250\n354");
	intake_session_stop(t.session, "shutting down");
	run(&t);
	check(&t, "x\r\n.\r\n" ENVELOPE "x\r\n.\r\n", "250 2.0.0\n421 4.3.2");
	assert_int_equal(t.want, INTAKE_SESSION_CLOSE);
	end(&t);
	assert_int_equal(hall_message_count(h), 1);
	begin(&t, h, false);
	check(&t, HELLO, "250");
	intake_session_stop(t.session, "shutting down");
	check(&t, "", "421 4.3.2 host.test shutting down");
	assert_int_equal(t.want, INTAKE_SESSION_CLOSE);
	end(&t);
}

static void a_shut_waits_for_the_queue_alone(void **state)
{
	struct hall *h = *state;
	struct talk t;
	begin(&t, h, false);
	check(&t, HELLO ENVELOPE, "250\n250\n250\n354");
	intake_session_feed(t.session, "x\r\n.\r\n", 6);
	assert_int_equal(intake_session_run(t.session, &t.out), INTAKE_SESSION_WAIT);
	intake_session_shut(t.session, "4.4.2", "timeout");
	check(&t, "", "250 2.0.0\n421 4.4.2");
	end(&t);
	begin(&t, h, false);
	check(&t, HELLO ENVELOPE "x\r\n", "250\n250\n250\n354");
	intake_session_shut(t.session, "4.4.2", "timeout");
	check(&t, "", "421 4.4.2");
	end(&t);
	assert_int_equal(hall_message_count(h), 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, hall_setup, hall_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_message_is_stored_before_it_is_acknowledged),
		TEST(each_recipient_has_a_reply_in_lmtp),
		TEST(what_cannot_be_taken_is_refused_with_its_code),
		TEST(a_message_that_grows_too_big_is_refused_at_its_end),
		TEST(a_message_that_goes_round_is_refused),
		TEST(an_empty_message_is_one),
		TEST(nothing_is_stored_of_a_message_without_its_end),
		TEST(what_the_queue_cannot_take_is_to_be_tried_again),
		TEST(who_is_ahead_of_the_store_waits),
		TEST(a_whole_command_is_progress_and_an_octet_is_not),
		TEST(a_stop_lets_the_message_end_and_begins_no_other),
		TEST(a_shut_waits_for_the_queue_alone),
	};
	return cmocka_run_group_tests_name("intake/session", tests, NULL, NULL);
}
