/* The content on its way through the command: where it ends, and what is added. */
#include "sendmail/complete.h"
#include "sendmail/dot.h"
#include "sendmail/person.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- the dot ---- */

static const struct {
	const char *in, *out;
	bool ends;
} dots[] = {
	{ "", "", false },
	{ "a\nb\n", "a\nb\n", false },
	{ "a\n.\nb\n", "a\n", true },
	{ "a\r\n.\r\nb\r\n", "a\r\n", true },
	{ "a\n.\r\nb", "a\n", true },
	{ ".\n", "", true },
	{ "a\n.", "a\n", false },
	{ "a\n..\n.b\n", "a\n..\n.b\n", false },
	{ "a\n .\n. \n.\n", "a\n .\n. \n", true },
	{ "a.\nb\n", "a.\nb\n", false },
	{ "a\r.\rb\n", "a\r.\rb\n", false },
	{ "a\n.\rb\n", "a\n.\rb\n", false },
	{ "a\n.\r\rb\n", "a\n.\r\rb\n", false },
};

static void a_lone_dot_ends_a_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(dots); i++) {
		size_t len = strlen(dots[i].in);
		for (size_t cut = 0; cut <= len; cut++) {
			struct dot d = { 0 };
			struct buf out = BUF_INIT;
			bool ends = dot_feed(&d, dots[i].in, cut, &out) ||
				    dot_feed(&d, dots[i].in + cut, len - cut, &out);
			if (ends != dots[i].ends ||
				strcmp(buf_text(&out), dots[i].out) != 0)
				fail_msg("\"%s\", cut at %zu: \"%s\"", dots[i].in, cut,
					buf_text(&out));
			buf_clear(&out);
		}
	}
}

/* ---- the header ---- */

#define NEW_DATE "Date: Sat, 21 Nov 2026 20:43:00 +0000\r\n"
#define NEW_FROM "From: Joe <joe@x.test>\r\n"
#define NEW_ID   "Message-ID: <1a1ffd91820.00000000deadbeef@host.test>\r\n"
#define ALL      "Date: d\r\nFrom: f\r\nMessage-ID: i\r\n"

static const struct {
	const char *name, *in, *out;
	bool is_gateway, keeps_bcc;
} headers[] = {
	{ "nothing is there", "", NEW_DATE NEW_FROM NEW_ID "\r\n", false, false },
	{ "a body alone", "hello\nthere\n",
		NEW_DATE NEW_FROM NEW_ID "\r\nhello\r\nthere\n", false, false },
	{ "all is there", "Subject: s\n" ALL "\nx", "Subject: s\r\n" ALL "\r\nx", false,
		false },
	{ "small letters", "date: d\nfrom: f\nmessage-id: i\n\n",
		"date: d\r\nfrom: f\r\nmessage-id: i\r\n\r\n", false, false },
	{ "no date", "From: f\nMessage-ID: i\n\n",
		NEW_DATE "From: f\r\nMessage-ID: i\r\n\r\n", false, false },
	{ "no sender", "Date: d\nMessage-ID: i\n\n",
		NEW_FROM "Date: d\r\nMessage-ID: i\r\n\r\n", false, false },
	{ "no id", "From: f\nDate: d\n\n", NEW_ID "From: f\r\nDate: d\r\n\r\n", false,
		false },
	{ "blind copies", "Bcc: a@b,\n c@d\n" ALL "bcc : e@f\nBccx: g\n\n",
		ALL "Bccx: g\r\n\r\n", false, false },
	{ "no header behind the fields", ALL "no field\n", ALL "\r\nno field\n", false,
		false },
	{ "sent on again", ALL "Resent-From: r\nResent-To: a@b\nResent-Bcc: c@d\n\n",
		"Resent-" NEW_DATE "Resent-" NEW_ID ALL
		"Resent-From: r\r\nResent-To: a@b\r\n\r\n",
		false, false },
	{ "sent on again without a sender", ALL "Resent-To: a@b\n\n",
		"Resent-" NEW_DATE "Resent-" NEW_FROM "Resent-" NEW_ID ALL
		"Resent-To: a@b\r\n\r\n",
		false, false },
	{ "from a gateway", "To: a@b\nBcc: c@d\n\n", "To: a@b\r\nBcc: c@d\r\n\r\n", true,
		true },
	{ "from a gateway with -t", "To: a@b\nBcc: c@d\n\n", "To: a@b\r\n\r\n", true,
		false },
};

static struct complete_facts facts(void)
{
	return (struct complete_facts){
		.sender = "joe@x.test",
		.full_name = "Joe",
		.hostname = "host.test",
		.now_ms = 1795293780000,
		.unique = 0xdeadbeef,
		.adds_fields = true,
	};
}

/* Returns what is left of it for the body. */
static const char *read_header(struct header *h, const char *in)
{
	size_t used = 0;
	header_init(h, 10000);
	assert_true(header_feed(h, in, strlen(in), &used, NULL) >= 0);
	header_end(h);
	return in + used;
}

static void what_a_header_lacks_is_added(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		struct header h;
		struct buf out = BUF_INIT;
		struct complete_facts f = facts();
		f.adds_fields = !headers[i].is_gateway;
		f.keeps_bcc = headers[i].keeps_bcc;
		const char *rest = read_header(&h, headers[i].in);
		complete_header(&h, &f, &out);
		buf_addstr(&out, rest);
		if (strcmp(buf_text(&out), headers[i].out) != 0)
			fail_msg("%s: \"%s\"", headers[i].name, buf_text(&out));
		header_clear(&h);
		buf_clear(&out);
	}
}

static void a_sender_needs_no_name_and_no_address(void **state)
{
	struct header h;
	struct buf out = BUF_INIT;
	struct complete_facts f = facts();
	(void)state;
	f.full_name = "";
	read_header(&h, "Date: d\nMessage-ID: i\n\n");
	complete_header(&h, &f, &out);
	assert_non_null(strstr(buf_text(&out), "From: joe@x.test\r\n"));
	buf_reset(&out);
	f.sender = "";
	f.full_name = "Mail System";
	complete_header(&h, &f, &out);
	assert_non_null(strstr(
		buf_text(&out), "From: Mail System <MAILER-DAEMON@host.test>\r\n"));
	header_clear(&h);
	buf_clear(&out);
}

static const struct {
	const char *name, *out;
} names[] = {
	{ "Joe Doe", "Joe Doe" },
	{ "Joe O'Neill-Doe", "Joe O'Neill-Doe" },
	{ "Joe Q. Doe", "\"Joe Q. Doe\"" },
	{ "Doe, Joe (x)", "\"Doe, Joe (x)\"" },
	{ "a \"b\" \\c", "\"a \\\"b\\\" \\\\c\"" },
	{ "=?us-ascii?q?x?=", "\"=?us-ascii?q?x?=\"" },
	{ "飛脚", "=?UTF-8?B?6aOb6ISa?=" },
	{ "Jörg \"x\"", "=?UTF-8?B?SsO2cmcgIngi?=" },
	{ "a\r\nBcc: x@y", "\"a Bcc: x@y\"" },
	{ "a\x01\xff", "a??" },
	{ "飛脚飛脚飛脚飛脚飛脚飛脚飛脚飛脚ab",
		"=?UTF-8?B?6aOb6ISa6aOb6ISa6aOb6ISa6aOb6ISa6aOb6ISa6aOb6ISa6aOb6ISa6aOb?="
		"\r\n =?UTF-8?B?6ISaYWI=?=" },
};

static void names_are_quoted_and_encoded(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct buf out = BUF_INIT;
		complete_add_name(names[i].name, &out);
		assert_string_equal(buf_text(&out), names[i].out);
		buf_clear(&out);
	}
}

static void a_full_name_ends_at_the_comma(void **state)
{
	static const struct {
		const char *gecos, *name;
	} cases[] = {
		{ "Joe Doe,Room 1,555", "Joe Doe" },
		{ "& Doe", "Joe Doe" },
		{ ",,,", "" },
		{ "", "" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		OWN(mem_free) char *name = person_from_gecos(cases[i].gecos, "joe");
		assert_string_equal(name, cases[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lone_dot_ends_a_message),
		cmocka_unit_test(what_a_header_lacks_is_added),
		cmocka_unit_test(a_sender_needs_no_name_and_no_address),
		cmocka_unit_test(names_are_quoted_and_encoded),
		cmocka_unit_test(a_full_name_ends_at_the_comma),
	};
	return cmocka_run_group_tests_name("sendmail_content", tests, NULL, NULL);
}
