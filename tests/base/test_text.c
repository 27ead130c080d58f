#include "base/text.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *bytes;
	size_t len; /* 0: strlen */
	size_t expected;
} sequences[] = {
	{ "a", 0, 1 },
	{ "\x7f", 0, 1 },
	{ "\0", 1, 1 },
	{ "\xc2\x80", 0, 2 },
	{ "\xdf\xbf", 0, 2 },
	{ "\xe0\xa0\x80", 0, 3 },
	{ "\xed\x9f\xbf", 0, 3 },
	{ "\xee\x80\x80", 0, 3 },
	{ "\xf0\x90\x80\x80", 0, 4 },
	{ "\xf4\x8f\xbf\xbf", 0, 4 },
	{ "\x80", 0, 0 },             /* continuation alone */
	{ "\xc0\x80", 0, 0 },         /* overlong NUL */
	{ "\xc1\xbf", 0, 0 },         /* overlong */
	{ "\xe0\x9f\xbf", 0, 0 },     /* overlong */
	{ "\xed\xa0\x80", 0, 0 },     /* surrogate */
	{ "\xf0\x8f\xbf\xbf", 0, 0 }, /* overlong */
	{ "\xf4\x90\x80\x80", 0, 0 }, /* over U+10FFFF */
	{ "\xf5\x80\x80\x80", 0, 0 },
	{ "\xff", 0, 0 },
	{ "\xc3", 0, 0 }, /* cut short */
	{ "\xe3\x81", 0, 0 },
	{ "\xf0\x90\x80", 0, 0 },
	{ "\xe3\x81\x82", 2, 0 },
	{ "\xc3(", 0, 0 },
	{ "\xe3\x81(", 0, 0 },
};

static void utf8_is_what_rfc_3629_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sequences); i++) {
		const char *s = sequences[i].bytes;
		size_t len = sequences[i].len ? sequences[i].len : strlen(s);
		if (text_utf8_len(s, len) != sequences[i].expected)
			fail_msg("sequence %zu", i);
		assert_int_equal(text_is_utf8(s, len), sequences[i].expected == len);
	}
	assert_int_equal(text_utf8_len("", 0), 0);
	assert_true(text_is_utf8("", 0));
	assert_true(text_is_utf8("a\xe3\x81\x82z", 5));
	assert_false(text_is_utf8("a\xe3\x81", 3));
	assert_true(text_is_ascii("az\x7f", 3));
	assert_false(text_is_ascii("a\x80", 2));
}

static const struct {
	const char *name, *in;
	size_t len; /* 0: strlen */
	const char *out;
	size_t room; /* 0: plenty */
} dirty[] = {
	{ "clean text stays", "250 2.0.0 Ok: queued", 0, "250 2.0.0 Ok: queued", 0 },
	{ "nothing", "", 0, "", 0 },
	{ "a long text with one thing in it", "0123456789abcde\n0123456789abcdef", 0,
		"0123456789abcde 0123456789abcdef", 0 },
	{ "a long text, cut", "0123456789abcdef", 0, "0123456789a", 12 },
	{ "a line break is one blank", "a\r\nb\tc", 0, "a b c", 0 },
	{ "many line breaks are one blank", "a\r\n\r\n\t\nb", 0, "a b", 0 },
	{ "terminal escapes", "\x1b[31mred\x07", 0, "?[31mred?", 0 },
	{ "NUL and DEL", "a\0b\x7f", 4, "a?b?", 0 },
	{ "C1 controls in UTF-8",
		"a\xc2\x9b"
		"31m\xc2\x80",
		0, "a?31m?", 0 },
	{ "what follows C1 stays", "\xc2\xa0", 0, "\xc2\xa0", 0 },
	{ "a raw C1 octet", "a\x9b", 0, "a?", 0 },
	{ "text that is turned", "250 \xe2\x80\xaeko\xe2\x80\xac", 0, "250 ?ko?", 0 },
	{ "isolates and marks",
		"\xe2\x81\xa6"
		"a\xe2\x81\xa9\xe2\x80\x8e\xd8\x9c",
		0, "?a???", 0 },
	{ "separators of lines and paragraphs",
		"a\xe2\x80\xa8"
		"b\xe2\x80\xa9",
		0, "a?b?", 0 },
	{ "what is next to those stays",
		"\xe2\x80\x8d\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5"
		"\xe2\x81\xaa\xd8\x9b\xd8\x9d",
		0,
		"\xe2\x80\x8d\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5"
		"\xe2\x81\xaa\xd8\x9b\xd8\x9d",
		0 },
	{ "UTF-8 stays", "\xe9\xa3\x9b\xe8\x84\x9a", 0, "\xe9\xa3\x9b\xe8\x84\x9a", 0 },
	{ "bad UTF-8, octet by octet", "a\xe3\x81z\xff", 0, "a??z?", 0 },
	{ "cut at its size", "abcdef", 0, "abc", 4 },
	{ "exactly full", "abc", 0, "abc", 4 },
	{ "never half a character", "ab\xe3\x81\x82", 0, "ab", 5 },
	{ "a character that just fits", "a\xe3\x81\x82", 0, "a\xe3\x81\x82", 5 },
	{ "room for the end alone", "abc", 0, "", 1 },
};

static void foreign_text_is_cleaned(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(dirty); i++) {
		char plenty[200];
		size_t room = dirty[i].room ? dirty[i].room : sizeof(plenty);
		size_t len = dirty[i].len ? dirty[i].len : strlen(dirty[i].in);
		char *exact = xmalloc(room), *in = xmemdup(dirty[i].in, len);
		size_t got = text_clean(in, len, exact, room);
		if (strcmp(exact, dirty[i].out) != 0)
			fail_msg("%s: \"%s\"", dirty[i].name, exact);
		assert_int_equal(got, strlen(dirty[i].out));
		assert_true(text_is_clean(exact, got));
		if (!dirty[i].room)
			assert_int_equal(text_is_clean(in, len),
				len == got && memcmp(in, exact, len) == 0);
		mem_free(&exact);
		mem_free(&in);
	}
}

static void no_octet_gets_through_that_moves_a_terminal(void **state)
{
	(void)state;
	for (int a = 0; a < 256; a++) {
		for (int b = 0; b < 256; b++) {
			char in[2] = { (char)a, (char)b }, out[8];
			size_t len = text_clean(in, sizeof(in), out, sizeof(out));
			assert_true(text_is_utf8(out, len));
			assert_int_equal(strlen(out), len);
			for (size_t i = 0; i < len; i++)
				assert_true(
					(unsigned char)out[i] >= 0x20 && out[i] != 0x7f);
		}
	}
}

static void plain_text_ends_at_the_first_octet_that_is_not(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		bool is_plain = c >= 0x20 && c < 0x7f;
		for (size_t at = 0; at < 20; at++) {
			char text[20];
			memset(text, 'x', sizeof(text));
			text[at] = (char)c;
			size_t expected = is_plain ? sizeof(text) : at;
			assert_int_equal(text_plain_len(text, sizeof(text)), expected);
		}
	}
	assert_int_equal(text_plain_len("", 0), 0);
	assert_int_equal(text_plain_len("12345678\t", 8), 8);
}

static void case_is_folded_for_ascii_alone(void **state)
{
	(void)state;
	assert_true(text_equal("Example.TEST", "eXAMPLE.test"));
	assert_false(text_equal("a", "ab"));
	assert_false(text_equal("ab", "a"));
	assert_true(text_equal("", ""));
	assert_false(text_equal("@", "`"));
	assert_false(text_equal("[", "{"));
	assert_false(text_equal("\xc3\x84", "\xc3\xa4"));
	assert_true(text_has_prefix("250-STARTTLS", 12, "250-startTLS"));
	assert_false(text_has_prefix("250-STARTTLS", 11, "250-STARTTLS"));
	assert_true(text_has_prefix("", 0, ""));
	assert_int_equal(text_lower('Z'), 'z');
	assert_int_equal(text_upper('z'), 'Z');
	assert_int_equal(text_lower('['), '[');
	assert_int_equal(text_upper('{'), '{');
	assert_true(text_is_digit('0') && text_is_digit('9'));
	assert_false(text_is_digit('/') || text_is_digit(':'));
}

static void what_is_missing_is_the_same_as_nothing_else(void **state)
{
	(void)state;
	char a[] = "Queue", b[] = "Queue"; /* two objects */
	assert_true(text_same(a, a));
	assert_true(text_same(a, b));
	assert_false(text_same(a, "queue"));
	assert_false(text_same(a, "Queu"));
	assert_false(text_same("Queu", a));
	assert_true(text_same(NULL, NULL));
	assert_false(text_same(NULL, ""));
	assert_false(text_same("", NULL));
	assert_true(text_same("", ""));
}

static void the_nearest_word_is_found_or_none(void **state)
{
	(void)state;
	static const char *const names[] = { "fallback", "hostname", "port", "queue",
		NULL };
	static const char *const none[] = { NULL };
	char longest[200];
	memset(longest, 'p', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_string_equal(text_nearest("falback", names), "fallback");
	assert_string_equal(text_nearest("Hostnme", names), "hostname");
	assert_string_equal(text_nearest("prot", names), "port");
	assert_string_equal(text_nearest("queue", names), "queue");
	assert_null(text_nearest("certificate", names));
	assert_null(text_nearest("port", none));
	assert_null(text_nearest(longest, names));
}

static const struct {
	const char *text;
	bool is_size;
	unsigned long long bytes;
} sizes[] = {
	{ "0", true, 0 },
	{ "4096", true, 4096 },
	{ "1K", true, 1024 },
	{ "64KiB", true, 65536 },
	{ "10M", true, 10485760 },
	{ "10mb", true, 10485760 },
	{ "2G", true, 2147483648ULL },
	{ "18446744073709551615", true, 18446744073709551615ULL },
	{ "18446744073709551616", false, 0 },
	{ "18446744073709551615K", false, 0 },
	{ "", false, 0 },
	{ "K", false, 0 },
	{ "-1", false, 0 },
	{ " 1", false, 0 },
	{ "1 K", false, 0 },
	{ "1Ki", false, 0 },
	{ "1KiBs", false, 0 },
	{ "1.5M", false, 0 },
	{ "1T", false, 0 },
	{ "0x10", false, 0 },
};

static void sizes_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned long long bytes = 0;
		if (text_parse_size(sizes[i].text, &bytes) != sizes[i].is_size)
			fail_msg("\"%s\"", sizes[i].text);
		if (sizes[i].is_size)
			assert_true(bytes == sizes[i].bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_is_what_rfc_3629_says),
		cmocka_unit_test(plain_text_ends_at_the_first_octet_that_is_not),
		cmocka_unit_test(foreign_text_is_cleaned),
		cmocka_unit_test(no_octet_gets_through_that_moves_a_terminal),
		cmocka_unit_test(case_is_folded_for_ascii_alone),
		cmocka_unit_test(what_is_missing_is_the_same_as_nothing_else),
		cmocka_unit_test(the_nearest_word_is_found_or_none),
		cmocka_unit_test(sizes_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
