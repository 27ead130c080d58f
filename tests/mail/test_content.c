/* Content in and out: the same output for every way to cut the input. */
#include "mail/content.h"

#include "base/mem.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct buf intake(
	struct content_intake *c, const char *in, size_t len, size_t a, size_t b)
{
	struct buf out = BUF_INIT;
	content_intake_init(c, 0);
	assert_int_equal(content_intake_feed(c, in, a, &out, NULL), 0);
	assert_int_equal(content_intake_feed(c, in + a, b - a, &out, NULL), 0);
	assert_int_equal(content_intake_feed(c, in + b, len - b, &out, NULL), 0);
	assert_int_equal(content_intake_end(c, &out, NULL), 0);
	return out;
}

static struct buf stuff(const char *in, size_t len, size_t a, size_t b)
{
	struct content_dotstuff c;
	struct buf out = BUF_INIT;
	content_dotstuff_init(&c);
	content_dotstuff_feed(&c, in, a, &out);
	content_dotstuff_feed(&c, in + a, b - a, &out);
	content_dotstuff_feed(&c, in + b, len - b, &out);
	content_dotstuff_end(&c, &out);
	return out;
}

static const struct {
	const char *in, *out;
} line_ends[] = {
	{ "", "" },
	{ "a", "a\r\n" },
	{ "a\n", "a\r\n" },
	{ "a\r\n", "a\r\n" },
	{ "a\r", "a\r\n" },
	{ "a\r\rb", "a\r\n\r\nb\r\n" },
	{ "a\n\rb\r\n\nc", "a\r\n\r\nb\r\n\r\nc\r\n" },
	{ "a\r\r\nb", "a\r\n\r\nb\r\n" },
	{ "\n", "\r\n" },
	{ "a\n.\nb", "a\r\n.\r\nb\r\n" },
};

static void line_ends_become_crlf(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(line_ends); i++) {
		size_t len = strlen(line_ends[i].in);
		for (size_t a = 0; a <= len; a++) {
			for (size_t b = a; b <= len; b++) {
				struct content_intake c;
				struct buf out = intake(&c, line_ends[i].in, len, a, b);
				assert_string_equal(buf_text(&out), line_ends[i].out);
				assert_int_equal(
					c.content.size_bytes, strlen(line_ends[i].out));
				buf_clear(&out);
			}
		}
	}
}

enum fact { FROM = 1, DATE = 2, ID = 4, EIGHT = 8, UTF8 = 16 };

static const struct {
	const char *name, *in;
	unsigned facts, received;
} headers[] = {
	{ "all there", "From: a\nDate: b\nMessage-ID: c\n\nx", FROM | DATE | ID, 0 },
	{ "case and CRLF", "fRoM: a\r\nDATE:b\r\nmessage-id :c\r\n\r\nx",
		FROM | DATE | ID, 0 },
	{ "two hops, one of them folded",
		"Received: a\n by b\n\tfrom: c\nReceived: d\nX-Received: e\n\n", 0, 2 },
	{ "fields in the body do not count", "A: b\n\nFrom: c\nReceived: d\n", 0, 0 },
	{ "no header at all", "hello there\nFrom: x\n", 0, 0 },
	{ "no header, and not ASCII", "\xe3\x81\x82\nFrom: x\n", EIGHT, 0 },
	{ "text before a colon", "hello there: x\nFrom: x\n", 0, 0 },
	{ "blank first line", " From: x\n", 0, 0 },
	{ "8-bit body", "From: a\n\n\xe3\x81\x82", FROM | EIGHT, 0 },
	{ "8-bit header", "From: a\nSubject: \xe3\x81\x82\n\nb", FROM | EIGHT | UTF8, 0 },
	{ "8-bit folded header", "Subject: a\n \xe3\x81\x82\nDate: x\n",
		DATE | EIGHT | UTF8, 0 },
	{ "long names are no short names",
		"Message-IDxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: a\nFromm: b\nDat: c\n", 0,
		0 },
	{ "header without a body", "Date: x", DATE, 0 },
};

static void header_facts_are_noted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		size_t len = strlen(headers[i].in);
		for (size_t a = 0; a <= len; a++) {
			struct content_intake c;
			struct buf out =
				intake(&c, headers[i].in, len, a, a + (len - a) / 2);
			unsigned facts = (c.has_from ? FROM : 0U) |
					 (c.has_date ? DATE : 0U) |
					 (c.has_message_id ? ID : 0U) |
					 (c.content.is_8bit ? EIGHT : 0U) |
					 (c.content.needs_smtputf8 ? UTF8 : 0U);
			if (facts != headers[i].facts ||
				c.received_count != headers[i].received)
				fail_msg("%s, cut at %zu: facts %u, received %u",
					headers[i].name, a, facts, c.received_count);
			buf_clear(&out);
		}
	}
}

static void nul_and_size_are_refused(void **state)
{
	struct content_intake c;
	struct buf out = BUF_INIT;
	struct err e;
	(void)state;
	content_intake_init(&c, 0);
	assert_int_equal(content_intake_feed(&c, "a\0b", 3, &out, &e), ERR_INVALID);
	assert_true(c.is_binary);
	buf_reset(&out);
	content_intake_init(&c, 4);
	assert_int_equal(content_intake_feed(&c, "ab\n", 3, &out, &e), 0);
	assert_int_equal(content_intake_feed(&c, "c", 1, &out, &e), ERR_LIMIT);
	assert_string_equal(e.text, "message is larger than 4 octets");
	buf_reset(&out);
	content_intake_init(&c, 3);
	assert_int_equal(content_intake_feed(&c, "ab", 2, &out, &e), 0);
	assert_int_equal(content_intake_end(&c, &out, &e), ERR_LIMIT);
	buf_clear(&out);
}

static const struct {
	const char *in, *out;
} dots[] = {
	{ "", "" },
	{ ".", "..\r\n" },
	{ ".\r\n", "..\r\n" },
	{ "a.\r\n.b\r\n..c\r\n", "a.\r\n..b\r\n...c\r\n" },
	{ "a\r\n\r\n.\r\n", "a\r\n\r\n..\r\n" },
	{ "a\n.\nb", "a\r\n..\r\nb\r\n" },
	{ "a\r.\rb", "a\r\n..\r\nb\r\n" },
	{ "a\r\n.\n\r\n.\r", "a\r\n..\r\n\r\n..\r\n" },
};

static void dots_are_doubled(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(dots); i++) {
		size_t len = strlen(dots[i].in);
		for (size_t a = 0; a <= len; a++) {
			for (size_t b = a; b <= len; b++) {
				struct buf out = stuff(dots[i].in, len, a, b);
				assert_string_equal(buf_text(&out), dots[i].out);
				buf_clear(&out);
			}
		}
	}
}

/* For BDAT: line ends and folds as for DATA, dots as they are. */
static void without_stuffing_dots_stay(void **state)
{
	static const char in[] = ".\r\n..a\r\nb\r.\nc.\r\n.";
	static const char expected[] = ".\r\n..a\r\nb\r\n.\r\nc.\r\n.\r\n";
	(void)state;
	for (size_t a = 0; a < sizeof(in); a++) {
		struct content_dotstuff c;
		struct buf out = BUF_INIT;
		content_unstuffed_init(&c);
		content_dotstuff_feed(&c, in, a, &out);
		content_dotstuff_feed(&c, in + a, sizeof(in) - 1 - a, &out);
		content_dotstuff_end(&c, &out);
		assert_string_equal(buf_text(&out), expected);
		buf_clear(&out);
	}
}

static void most_content_needs_nothing(void **state)
{
	static const struct {
		const char *content;
		bool needs_nothing;
	} cases[] = {
		{ "", true },
		{ "a\r\n.\r\n\r\n", true },
		{ "a", false },
		{ "a\r\nb\r", false },
		{ "a\nb\r\n", false },
		{ "a\rb\r\n", false },
		{ "\r\r\n", false },
	};
	char line[CONTENT_LINE_MAX + 1];
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(
			content_needs_nothing(cases[i].content, strlen(cases[i].content)),
			cases[i].needs_nothing);
	memset(line, 'a', sizeof(line));
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	assert_false(content_needs_nothing(line, sizeof(line)));
	assert_true(content_needs_nothing(line + 10, sizeof(line) - 10));
}

/* A line of n octets 'a' and then tail: where is it folded? */
static const struct {
	const char *name;
	size_t n;
	const char *tail;
	size_t first_line; /* octets of the first line that leaves */
} folds[] = {
	{ "998 octets stay", 997, "b", 998 },
	{ "999 are folded", 998, "b", 998 },
	{ "a dot after the fold is no dot line", 998, ".", 998 },
	{ "two octets fit exactly", 996,
		"\xc3\xa9"
		"b",
		998 },
	{ "two octets do not", 997, "\xc3\xa9", 997 },
	{ "three octets do not, by two", 996, "\xe3\x81\x82", 996 },
	{ "three octets do not, by one", 997, "\xe3\x81\x82", 997 },
	{ "four octets do not", 995, "\xf0\x9f\x9a\xb2", 995 },
	{ "octets that are no UTF-8 are folded too", 998, "\x82\xa0", 998 },
};

static void long_lines_are_folded_between_characters(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(folds); i++) {
		struct buf in = BUF_INIT;
		for (size_t k = 0; k < folds[i].n; k++)
			buf_addc(&in, 'a');
		buf_addstr(&in, folds[i].tail);
		size_t len = buf_len(&in);
		buf_addstr(&in, "\r\n"); /* whole lines have a short way of their own */
		for (size_t a = 980; a <= len + 2; a++) {
			size_t given = a > len ? len + 2 : len;
			struct buf out = stuff(buf_bytes(&in), given, a, given);
			const char *text = buf_text(&out);
			size_t first = strcspn(text, "\r");
			if (first != folds[i].first_line)
				fail_msg("%s: %zu", folds[i].name, first);
			/* The rest follows after "\r\n ", nothing is lost. */
			size_t folded = first < len ? 3 : 0;
			assert_int_equal(buf_len(&out), len + folded + 2);
			if (folded)
				assert_memory_equal(text + first, "\r\n ", 3);
			buf_clear(&out);
		}
		buf_clear(&in);
	}
}

static void every_split_gives_the_same(void **state)
{
	struct buf in = BUF_INIT;
	(void)state;
	for (int i = 0; i < 700; i++)
		buf_addstr(&in, i % 97 == 96 ? "\r\n." : "\xe3\x81\x82");
	for (int i = 0; i < 700; i++)
		buf_addstr(&in, i % 5 ? "\xe9" : "\xf0\x9f\x9a\xb2");
	size_t len = buf_len(&in);
	struct buf whole = stuff(buf_bytes(&in), len, 0, 0);
	for (size_t a = 0; a <= len; a++) {
		struct buf out = stuff(buf_bytes(&in), len, a, len);
		assert_int_equal(buf_len(&out), buf_len(&whole));
		assert_memory_equal(buf_bytes(&out), buf_bytes(&whole), buf_len(&out));
		buf_clear(&out);
	}
	buf_clear(&whole);
	buf_clear(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_ends_become_crlf),
		cmocka_unit_test(header_facts_are_noted),
		cmocka_unit_test(nul_and_size_are_refused),
		cmocka_unit_test(dots_are_doubled),
		cmocka_unit_test(without_stuffing_dots_stay),
		cmocka_unit_test(most_content_needs_nothing),
		cmocka_unit_test(long_lines_are_folded_between_characters),
		cmocka_unit_test(every_split_gives_the_same),
	};
	return cmocka_run_group_tests_name("content", tests, NULL, NULL);
}
