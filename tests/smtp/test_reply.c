/* The reply parser: limits, enhanced codes, and any way to cut the input. */
#include "smtp/reply.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *in;
	int code;
	const char *enhanced, *status, *text;
} replies[] = {
	{ "250 ok\r\n", 250, "", "2.0.0", "ok" },
	{ "250\r\n", 250, "", "2.0.0", "" },
	{ "250 \r\n", 250, "", "2.0.0", "" },
	{ "250-a\r\n250-b\r\n250 c\r\n", 250, "", "2.0.0", "a b c" },
	{ "250-\r\n250\r\n", 250, "", "2.0.0", "" },
	{ "250 2.1.5 ok\r\n", 250, "2.1.5", "2.1.5", "ok" },
	{ "550 5.1.1\r\n", 550, "5.1.1", "5.1.1", "" },
	{ "550-5.7.1 a\r\n550 5.7.1 b\r\n", 550, "5.7.1", "5.7.1", "a b" },
	{ "550-5.7.1 a\r\n550 5.7.2 b\r\n", 550, "5.7.1", "5.7.1", "a 5.7.2 b" },
	{ "550-a\r\n550 5.7.2 b\r\n", 550, "", "5.0.0", "a 5.7.2 b" },
	{ "550 5.123.456 a\r\n", 550, "5.123.456", "5.123.456", "a" },
	{ "550 4.1.1 a\r\n", 550, "", "5.0.0", "4.1.1 a" },
	{ "550 5.1.1a\r\n", 550, "", "5.0.0", "5.1.1a" },
	{ "550 5..1 a\r\n", 550, "", "5.0.0", "5..1 a" },
	{ "550 5.1. a\r\n", 550, "", "5.0.0", "5.1. a" },
	{ "421 4.3.2 a\n", 421, "4.3.2", "4.3.2", "a" },
	{ "354 go\r\n", 354, "", "4.0.0", "go" },
	{ "599 x\r\n", 599, "", "5.0.0", "x" },
	{ "550 a\x1b[2J\tb\r\n", 550, "", "5.0.0", "a?[2J b" },
	{ "550 \xe3\x81\x82\xff\r\n", 550, "", "5.0.0", "あ?" },
};

static const struct {
	const char *in, *why;
} errors[] = {
	{ "\r\n", "reply code" },
	{ "25\r\n", "reply code" },
	{ "25a x\r\n", "reply code" },
	{ " 250 x\r\n", "reply code" },
	{ "2500 x\r\n", "neither" },
	{ "250\tx\r\n", "neither" },
	{ "199 x\r\n", "out of range" },
	{ "000 x\r\n", "out of range" },
	{ "600 x\r\n", "out of range" },
	{ "250-a\r\n251 b\r\n", "different codes" },
};

static enum smtp_parse parse_cut(struct smtp_reply_parser *p, const char *in, size_t cut,
	struct smtp_reply *out, const char **why)
{
	size_t used, len = strlen(in);
	enum smtp_parse result = smtp_reply_feed(p, in, cut, &used, out, why);
	if (result != SMTP_PARSE_MORE)
		return result;
	assert_int_equal(used, cut);
	result = smtp_reply_feed(p, in + cut, len - cut, &used, out, why);
	if (result == SMTP_PARSE_REPLY)
		assert_int_equal(used, len - cut);
	return result;
}

static void replies_are_read_for_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
		for (size_t cut = 0; cut <= strlen(replies[i].in); cut++) {
			struct smtp_reply_parser p;
			struct smtp_reply r;
			char status[SMTP_ENHANCED_MAX];
			const char *why;
			smtp_reply_parser_init(&p);
			assert_int_equal(parse_cut(&p, replies[i].in, cut, &r, &why),
				SMTP_PARSE_REPLY);
			assert_false(smtp_reply_parser_is_midway(&p));
			assert_int_equal(r.code, replies[i].code);
			assert_string_equal(r.enhanced, replies[i].enhanced);
			assert_string_equal(r.text, replies[i].text);
			smtp_reply_status(&r, status);
			assert_string_equal(status, replies[i].status);
			smtp_reply_parser_clear(&p);
		}
	}
}

static void errors_are_found_for_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		for (size_t cut = 0; cut <= strlen(errors[i].in); cut++) {
			struct smtp_reply_parser p;
			struct smtp_reply r;
			const char *why;
			smtp_reply_parser_init(&p);
			assert_int_equal(parse_cut(&p, errors[i].in, cut, &r, &why),
				SMTP_PARSE_ERROR);
			if (strcmp(errors[i].why, "neither") != 0)
				assert_non_null(strstr(why, errors[i].why));
			smtp_reply_parser_clear(&p);
		}
	}
}

static void one_reply_is_taken_at_a_time(void **state)
{
	const char in[] = "250-a b\r\n250 c\r\n354 go\r\n25";
	struct smtp_reply_parser p;
	struct smtp_reply r;
	const char *why;
	size_t used, at = 0;
	(void)state;
	smtp_reply_parser_init(&p);
	assert_int_equal(
		smtp_reply_feed(&p, in, strlen(in), &used, &r, &why), SMTP_PARSE_REPLY);
	assert_string_equal(smtp_reply_parser_lines(&p), "a b\nc\n");
	at += used;
	assert_int_equal(smtp_reply_feed(&p, in + at, strlen(in) - at, &used, &r, &why),
		SMTP_PARSE_REPLY);
	assert_int_equal(r.code, 354);
	assert_string_equal(smtp_reply_parser_lines(&p), "go\n");
	at += used;
	assert_int_equal(smtp_reply_feed(&p, in + at, strlen(in) - at, &used, &r, &why),
		SMTP_PARSE_MORE);
	assert_true(smtp_reply_parser_is_midway(&p));
	assert_int_equal(at + used, strlen(in));
	smtp_reply_parser_clear(&p);
}

static void nul_does_not_hide_the_rest_of_a_line(void **state)
{
	struct smtp_reply_parser p;
	struct smtp_reply r;
	const char *why;
	size_t used;
	(void)state;
	smtp_reply_parser_init(&p);
	assert_int_equal(smtp_reply_feed(&p, "250 a\0b\r\n", 9, &used, &r, &why),
		SMTP_PARSE_REPLY);
	assert_string_equal(smtp_reply_parser_lines(&p), "a?b\n");
	assert_string_equal(r.text, "a?b");
	smtp_reply_parser_clear(&p);
}

/* Feeds a line again and again: how many are taken? */
static unsigned lines_taken(const char *line, size_t len, unsigned max_lines)
{
	struct smtp_reply_parser p;
	struct smtp_reply r;
	const char *why;
	size_t used;
	unsigned n = 0;
	smtp_reply_parser_init(&p);
	p.max_lines = max_lines;
	while (n < 1000 &&
		smtp_reply_feed(&p, line, len, &used, &r, &why) == SMTP_PARSE_MORE)
		n++;
	smtp_reply_parser_clear(&p);
	return n;
}

static void a_reply_has_its_limits(void **state)
{
	char line[4096];
	(void)state;
	memset(line, 'a', sizeof(line));
	memcpy(line, "250-", 4);
	line[sizeof(line) - 1] = '\n';
	assert_int_equal(lines_taken("250-\r\n", 6, SMTP_REPLY_LINES_MAX), 100);
	assert_int_equal(lines_taken("250-\r\n", 6, SMTP_REPLY_EHLO_LINES_MAX), 200);
	/* 4,092 octets of each line are kept. */
	assert_int_equal(lines_taken(line, sizeof(line), SMTP_REPLY_LINES_MAX), 16);
	/* A line without end: the second piece is over 4,096. */
	assert_int_equal(lines_taken(line, 4000, SMTP_REPLY_LINES_MAX), 1);
}

static void text_is_cut_at_a_character(void **state)
{
	struct buf in = BUF_INIT;
	struct smtp_reply_parser p;
	struct smtp_reply r;
	const char *why;
	size_t used;
	(void)state;
	buf_addstr(&in, "250 ");
	for (int i = 0; i < 400; i++)
		buf_addstr(&in, "\xe3\x81\x82");
	buf_addstr(&in, "\r\n");
	smtp_reply_parser_init(&p);
	assert_int_equal(
		smtp_reply_feed(&p, buf_bytes(&in), buf_len(&in), &used, &r, &why),
		SMTP_PARSE_REPLY);
	assert_int_equal(strlen(r.text), 999);
	assert_true(text_is_utf8(r.text, strlen(r.text)));
	smtp_reply_parser_clear(&p);
	buf_clear(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_read_for_every_cut),
		cmocka_unit_test(errors_are_found_for_every_cut),
		cmocka_unit_test(one_reply_is_taken_at_a_time),
		cmocka_unit_test(nul_does_not_hide_the_rest_of_a_line),
		cmocka_unit_test(a_reply_has_its_limits),
		cmocka_unit_test(text_is_cut_at_a_character),
	};
	return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
