/* Where a header ends, and which fields it has, however it comes. */
#include "mail/header.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define A100                                                                             \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aa"                                                                             \
	"aaaaaaaaaaaaaaaaaaaa"
#define A1000 A100 A100 A100 A100 A100 A100 A100 A100 A100 A100

/* fields: each with its line ends as "|"; body: what is left, its begin normalized. */
static const struct {
	const char *name, *in, *fields, *body;
} cases[] = {
	{ "nothing", "", "", "" },
	{ "only an empty line", "\n", "", "" },
	{ "an empty line and a body", "\nbody\n", "", "body\n" },
	{ "fields and a body", "A: b\nC: d\n\nbody\n", "A: b|C: d|", "body\n" },
	{ "fields, no body", "A: b\nC: d\n", "A: b|C: d|", "" },
	{ "no end of the last line", "A: b\nC: d", "A: b|C: d|", "" },
	{ "CR LF", "A: b\r\nC: d\r\n\r\nbody\r\n", "A: b|C: d|", "body\r\n" },
	{ "CR", "A: b\rC: d\r\rbody\r", "A: b|C: d|", "body\r" },
	{ "mixed line ends", "A: b\rC: d\r\nE: f\n\r\n\nbody", "A: b|C: d|E: f|",
		"\nbody" },
	{ "an empty line in the body", "A: b\n\n\n\nx", "A: b|", "\n\nx" },
	{ "folded", "A: b\n c\r\n\td\nE:\n \n f\n\nx", "A: b| c|\td|E:| | f|", "x" },
	{ "a blank before the colon", "Subject : x\nTo\t: y\n\n", "Subject : x|To\t: y|",
		"" },
	{ "a field without a body", "A:\nB: c\n\nx", "A:|B: c|", "x" },
	{ "colons in a field", "A: b: c\n\n", "A: b: c|", "" },
	{ "no field", "hello\nA: b\n", "", "hello\r\nA: b\n" },
	{ "no field, no line end", "hello", "", "hello" },
	{ "words before a colon", "hello there: x\nA: b\n", "",
		"hello there: x\nA: b\n" },
	{ "a text after fields", "A: b\nhello there\nC: d\n", "A: b|",
		"hello there\nC: d\n" },
	{ "a colon alone", "A: b\n: c\n", "A: b|", ": c\n" },
	{ "a continuation of nothing", " A: b\n", "", " A: b\n" },
	{ "not ASCII", "\xe3\x81\x82: b\n", "", "\xe3\x81\x82: b\n" },
	{ "not ASCII in a field", "A: \xe3\x81\x82\n\nx", "A: \xe3\x81\x82|", "x" },
	{ "a lone word, then CR LF", "A: b\r\nhello\r\nx", "A: b|", "hello\r\nx" },
	{ "a name as long as a line", A1000 ": b\n", "", A1000 ": b\n" },
	{ "a mailbox", "From joe@x.test Sat Nov 21 20:43:00 2026\nA: b\n\nx", "A: b|",
		"x" },
	{ "a mailbox, quoted", ">>From joe Sat Nov 21 20:43:00 2026\r\nA: b\r\n\r\nx",
		"A: b|", "x" },
	{ "a patch", "From 0123456789abcdef Mon Sep 17 00:00:00 2001\nFrom: joe\n\nx",
		"From: joe|", "x" },
	{ "two lines of mailboxes",
		"From joe Sat Nov 21 20:43:00 2026\n>From joe Sat Nov 21 20:43 2026\n"
		"A: b\n",
		"A: b|", "" },
	{ "nothing but a mailbox's line", "From joe Sat Nov 21 20:43:00 2026", "", "" },
	{ "a sentence", "From now on\nA: b\n", "", "From now on\r\nA: b\n" },
	{ "a sentence, cut", "From now on", "", "From now on" },
	{ "a sentence in small letters", "from 12:00 on\n", "", "from 12:00 on\n" },
	{ "a long sentence", "From " A1000 " 12:00\n", "", "From " A1000 " 12:00\n" },
	{ "a mailbox's line behind a field", "A: b\nFrom joe Sat Nov 21 20:43:00 2026\nx",
		"A: b|", "From joe Sat Nov 21 20:43:00 2026\nx" },
	{ "an old From field", "From : joe\n\n", "From : joe|", "" },
};

static void collect(struct header *h, const char *rest, size_t rest_len,
	struct buf *fields, struct buf *body)
{
	size_t len;
	for (size_t i = 0; i < h->count; i++) {
		const char *s = header_field_text(h, i, &len);
		for (size_t at = 0; at < len; at++) {
			if (s[at] != '\r')
				buf_addc(fields, s[at] == '\n' ? '|' : s[at]);
		}
	}
	const char *begin = header_body_begin(h, &len);
	buf_add(body, begin, len);
	buf_add(body, rest, rest_len);
}

static void the_cut_does_not_matter(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = strlen(cases[i].in);
		for (size_t cut = 0; cut <= len; cut++) {
			struct header h;
			struct buf fields = BUF_INIT, body = BUF_INIT;
			size_t used = 0, more = 0;
			header_init(&h, 4096);
			int rc = header_feed(&h, cases[i].in, cut, &used, NULL);
			if (rc == 0)
				rc = header_feed(
					&h, cases[i].in + cut, len - cut, &more, NULL);
			assert_true(rc == 0 || rc == 1);
			used += more;
			assert_true(rc == 1 || used == len);
			header_end(&h);
			collect(&h, cases[i].in + used, len - used, &fields, &body);
			if (strcmp(buf_text(&fields), cases[i].fields) != 0 ||
				strcmp(buf_text(&body), cases[i].body) != 0)
				fail_msg("%s, cut at %zu: \"%s\", \"%s\"", cases[i].name,
					cut, buf_text(&fields), buf_text(&body));
			buf_clear(&fields);
			buf_clear(&body);
			header_clear(&h);
		}
	}
}

static void fields_are_found_by_name(void **state)
{
	static const char in[] = "To: a\nTOTAL: b\nresent-to : c\n d\n\n";
	struct header h;
	size_t used, len;
	(void)state;
	header_init(&h, 1000);
	assert_int_equal(header_feed(&h, in, strlen(in), &used, NULL), 1);
	assert_true(header_has(&h, "to"));
	assert_true(header_has(&h, "Resent-To"));
	assert_false(header_has(&h, "Tot"));
	assert_false(header_has(&h, "T"));
	assert_false(header_has(&h, "Resent-"));
	assert_true(header_field_is(&h, 1, "Total"));
	const char *body = header_field_body(&h, 2, &len);
	assert_int_equal(len, strlen(" c\r\n d\r\n"));
	assert_memory_equal(body, " c\r\n d\r\n", len);
	header_clear(&h);
}

static void a_header_has_a_limit(void **state)
{
	struct header h;
	struct err e = { 0 };
	size_t used, rounds = 0;
	int rc;
	(void)state;
	header_init(&h, 1000);
	while ((rc = header_feed(&h, "A: b\n", 5, &used, &e)) == 0)
		assert_true(++rounds < 1000);
	assert_int_equal(rc, ERR_LIMIT);
	assert_int_equal(rounds, 1000 / 6);
	assert_non_null(strstr(e.text, "over 1000 octets"));
	header_clear(&h);

	/* What is left of it behind the header does not count. */
	header_init(&h, 10);
	assert_int_equal(header_feed(&h, "A: b\n\n" A1000, 1006, &used, &e), 1);
	assert_int_equal(used, 6);
	header_clear(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cut_does_not_matter),
		cmocka_unit_test(fields_are_found_by_name),
		cmocka_unit_test(a_header_has_a_limit),
	};
	return cmocka_run_group_tests_name("header", tests, NULL, NULL);
}
