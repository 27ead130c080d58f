/* The breaking of lines. */
#include "report/words.h"

#include "base/mem.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct wrap_case {
	const char *name;
	struct words_wrap how;
	const char *text, *wrapped;
};

static const struct wrap_case wrap_cases[] = {
	{ "nothing", { 0, 2, 10, "\n" }, "", "" },
	{ "no width", { 0, 2, 0, "\n" }, "one two three four", "one two three four" },
	{ "a break between words", { 0, 2, 10, "\n" }, "one two three four",
		"one two\n  three\n  four" },
	{ "the column where it begins counts", { 5, 2, 10, "\n" }, "one two",
		"one\n  two" },
	{ "a long first word is not preceded by a break", { 5, 2, 10, "\n" },
		"onetwothree four", "onetwothree\n  four" },
	{ "a long word stays whole", { 0, 2, 10, "\n" }, "a verylongwordindeed b",
		"a\n  verylongwordindeed\n  b" },
	{ "blanks within a line stay", { 0, 2, 20, "\n" }, "a  b   c", "a  b   c" },
	{ "blanks at a break go", { 0, 1, 5, "\n" }, "aaa    bbb", "aaa\n bbb" },
	{ "a blank at the end makes no line", { 0, 1, 3, "\n" }, "aaa ", "aaa " },
	{ "wide characters take two columns", { 0, 0, 8, "\n" }, "飛脚 飛脚 飛脚",
		"飛脚 飛\n脚 飛脚" },
	{ "a line may end between wide characters", { 0, 2, 10, "\n" }, "飛脚が届けます",
		"飛脚が届け\n  ます" },
	{ "and where others meet them", { 0, 0, 10, "\n" }, "ホストmx1.exampleの応答",
		"ホスト\nmx1.example\nの応答" },
	{ "but not before what ends a sentence", { 0, 0, 10, "\n" }, "飛脚が届く。はい",
		"飛脚が届\nく。はい" },
	{ "nor behind an opening bracket", { 0, 0, 10, "\n" }, "飛脚から「手紙」",
		"飛脚から\n「手紙」" },
	{ "an address stays in its brackets", { 0, 0, 10, "\n" }, "宛先は<b@example.jp>",
		"宛先は\n<b@example.jp>" },
	{ "line breaks of the text are none", { 0, 2, 0, "\r\n" }, "a\r\n.b\nc",
		"a .b c" },
};

static void text_is_broken_between_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrap_cases); i++) {
		struct buf out = BUF_INIT;
		words_wrap(&out, &wrap_cases[i].how, wrap_cases[i].text);
		if (strcmp(buf_text(&out), wrap_cases[i].wrapped) != 0)
			fail_msg("%s: \"%s\"", wrap_cases[i].name, buf_text(&out));
		buf_clear(&out);
	}
}

static void an_endless_word_is_broken_between_characters(void **state)
{
	(void)state;
	const struct words_wrap how = { 0, 1, 76, "\n" };
	struct buf out = BUF_INIT, text = BUF_INIT;
	for (int i = 0; i < 400; i++)
		buf_addstr(&text, "飛");
	words_wrap(&out, &how, buf_text(&text));
	assert_true(text_is_utf8(buf_bytes(&out), buf_len(&out)));
	size_t octets = 0;
	for (const char *s = buf_text(&out), *end; *s; s = *end ? end + 1 : end) {
		end = strchrnul(s, '\n');
		assert_true(end - s <= WORDS_WORD_MAX + 1);
		octets += (size_t)(end - s) - (s == buf_text(&out) ? 0 : 1);
	}
	assert_int_equal(octets, 1200);
	buf_clear(&out);
	buf_clear(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_broken_between_words),
		cmocka_unit_test(an_endless_word_is_broken_between_characters),
	};
	return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
