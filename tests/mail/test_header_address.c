/* Address lists of header fields: what is taken from them, and what is refused. */
#include "mail/header_address.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define A60  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A320 A60 A60 A60 A60 A60 "aaaaaaaaaaaaaaaaaaaa"

/* Addresses joined by '|'. */
static const struct {
	const char *name, *field, *addresses;
} good[] = {
	{ "nothing", "", "" },
	{ "blanks", " \r\n\t ", "" },
	{ "one", "a@b", "a@b" },
	{ "two", " a@b, c@d\r\n", "a@b|c@d" },
	{ "without a domain", "root, operator", "root|operator" },
	{ "in angles", "<a@b>", "a@b" },
	{ "with a name", "Mary Smith <mary@x.test>", "mary@x.test" },
	{ "with a quoted name", "\"Joe Q. Public\" <john.q.public@example.com>",
		"john.q.public@example.com" },
	{ "with a comma in a quoted name", "\"Doe, Jane\" <j@x>, b@y", "j@x|b@y" },
	{ "with dots in the name", "J. R. R. Tolkien <jrr@x>", "jrr@x" },
	{ "with an address as its name", "a@b <c@d>", "c@d" },
	{ "with brackets in its name", "[list] members <list@x>", "list@x" },
	{ "with an encoded word as its name", "=?UTF-8?B?6aOb6ISa?= <a@b>", "a@b" },
	{ "with a UTF-8 name", "飛脚 <a@b>", "a@b" },
	{ "with a Latin-1 name", "Andr\xe9 <a@b>", "a@b" },
	{ "with quoted pairs in its name", "\"a \\\" <x@y>, \\\\\" <a@b>", "a@b" },
	{ "UTF-8 addresses", "飛脚@例え.jp, <é@x.test>", "飛脚@例え.jp|é@x.test" },
	{ "empty elements", ", ,a@b,, c@d,", "a@b|c@d" },
	{ "semicolons", "a@b; c@d;", "a@b|c@d" },
	{ "folded between addresses", "a@b,\r\n c@d,\n\te@f", "a@b|c@d|e@f" },
	{ "folded inside", "Mary\r\n Smith\r\n <a\r\n @\r\n b>", "a@b" },
	{ "a group", "friends: a@b, Carl <c@d>; , e@f", "a@b|c@d|e@f" },
	{ "an empty group", "undisclosed-recipients:;", "" },
	{ "an empty group with a comment", "Undisclosed (x): (y) ; (z)", "" },
	{ "two groups", "a b:c@d;\"e;f\": g@h;", "c@d|g@h" },
	{ "a group that does not end", "friends: a@b, c@d", "a@b|c@d" },
	{ "comments everywhere", "(1) a (2) @ (3) b . c (4), (5(6)\\)7) <(8)d@e(9)> (0)",
		"a@b.c|d@e" },
	{ "the oldest form", "joe@x.test (Joe, of course)", "joe@x.test" },
	{ "blanks around dots", "a . b @ c . d", "a.b@c.d" },
	{ "a quoted local part", "\"a b\"@c, <\"d@e\"@f>", "\"a b\"@c|\"d@e\"@f" },
	{ "a quoted local part with pairs", "\"a\\\"b\\\\\"@c", "\"a\\\"b\\\\\"@c" },
	{ "a folded quoted local part", "\"a\r\n b\"@c", "\"a b\"@c" },
	{ "a comma in quotes", "\"a,b\"@c", "\"a,b\"@c" },
	{ "dots anywhere", "a..b@c, .d.@e", "a..b@c|.d.@e" },
	{ "address literals", "a@[192.0.2.1], b@[ IPv6:2001:db8::1 ]",
		"a@[192.0.2.1]|b@[IPv6:2001:db8::1]" },
	{ "a source route", "<@x.test:a@b>", "a@b" },
	{ "a longer source route", "Joe <@x.test, @y.test : a@b>", "a@b" },
	{ "letters of a local part", "a+b=c_d/e'f!g#h$i%j&k*l?m^n`o{p|q}r~s-@x",
		"a+b=c_d/e'f!g#h$i%j&k*l?m^n`o{p|q}r~s-@x" },
	{ "as long as it gets", A320, A320 },
};

static const struct {
	const char *name, *field, *before, *reason;
} bad[] = {
	{ "words side by side", "a@b, Mary Smith, c@d", "a@b",
		"\"Mary Smith, c@d\": words side by side" },
	{ "a missing comma", "a@b c@d", "", "words side by side" },
	{ "a missing comma after angles", "<a@b> <c@d>", "", "text after the '>'" },
	{ "blank in angles", "<a b@c>", "", "words side by side" },
	{ "empty angles", "a@b, Joe <>", "a@b", "\"Joe <>\": address is empty" },
	{ "no end of the angles", "Joe <a@b, c@d", "", "'<' without its '>'" },
	{ "angles twice", "<<a@b>>", "", "'<' without its '>'" },
	{ "only an end of the angles", "a@b>", "", "'>' without its '<'" },
	{ "no end of a quote", "a@b, \"Joe <c@d>", "a@b", "quote that does not end" },
	{ "a backslash at the end of a quote", "\"a\\", "", "quote that does not end" },
	{ "no end of a comment", "a@b (Joe", "", "\"(Joe\": comment without" },
	{ "no end of a comment inside", "a@b (Joe (x)\\)", "", "comment without" },
	{ "only an end of a comment", "a@b)", "", "may only stand in quotes" },
	{ "a backslash", "a\\@b", "", "may only stand in quotes" },
	{ "no end of a literal", "a@[192.0.2.1", "", "'[' without its ']'" },
	{ "a group in a group", "a: b: c@d;;", "", "after a group's name" },
	{ "a group without a name", ": a@b;", "", "after a group's name" },
	{ "an address with a port", "a@b:25", "", "after a group's name" },
	{ "a route without its end", "<@x.test>", "", "source route" },
	{ "too long", "a" A320, "", "address is too long" },
};

/* Joins what comes, and returns how it ended. */
static int read_all(const char *s, size_t len, struct buf *out, struct err *e)
{
	struct header_address_list l;
	char address[ADDRESS_MAX + 1];
	int rc;
	header_address_list_init(&l, s, len);
	while ((rc = header_address_next(&l, address, e)) == 1) {
		assert_true(*address && strlen(address) <= ADDRESS_MAX);
		buf_addf(out, "%s%s", buf_len(out) ? "|" : "", address);
	}
	assert_true(rc != 0 || l.at == len || !l.s[l.at]);
	return rc;
}

static void takes_the_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct buf out = BUF_INIT;
		struct err e = { 0 };
		if (read_all(good[i].field, strlen(good[i].field), &out, &e) != 0)
			fail_msg("%s: %s", good[i].name, e.text);
		if (strcmp(buf_text(&out), good[i].addresses) != 0)
			fail_msg("%s: %s", good[i].name, buf_text(&out));
		buf_clear(&out);
	}
}

static void refuses_the_rest_and_says_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct buf out = BUF_INIT;
		struct err e = { 0 };
		int rc = read_all(bad[i].field, strlen(bad[i].field), &out, &e);
		if (rc != ERR_INVALID || !strstr(e.text, bad[i].reason))
			fail_msg("%s: %d, %s", bad[i].name, rc, e.text);
		if (strcmp(buf_text(&out), bad[i].before) != 0)
			fail_msg("%s: read %s before", bad[i].name, buf_text(&out));
		buf_clear(&out);
	}
}

static void shows_no_more_than_a_piece_of_the_field(void **state)
{
	struct err e = { 0 };
	struct buf out = BUF_INIT;
	(void)state;
	static const char field[] = "<a\x07" A320;
	assert_int_equal(read_all(field, strlen(field), &out, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "\"<a?aaa"));
	assert_non_null(strstr(e.text, "aaa...\": "));
	assert_true(strlen(e.text) < 120);
}

/* Wherever a field is cut, and whatever octet comes then. */
static void survives_any_cut_and_any_octet(void **state)
{
	static const char octets[] = "\0\x01\t\r\n ()<>[]:;@\\,.\"a\x80\xff";
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		size_t len = strlen(good[i].field);
		for (size_t cut = 0; cut <= len && len < 100; cut++) {
			for (size_t o = 0; o < sizeof(octets) - 1; o++) {
				struct buf out = BUF_INIT;
				struct err e = { 0 };
				OWN(mem_free) char *copy = xmalloc(cut + 1);
				memcpy(copy, good[i].field, cut);
				copy[cut] = octets[o];
				int rc = read_all(copy, cut + 1, &out, &e);
				assert_true(rc == 0 || rc == ERR_INVALID);
				assert_true((rc == 0) == (e.text[0] == '\0'));
				buf_clear(&out);
			}
		}
	}
}

/* The same numbers in every run. */
static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245U + 12345U;
	return *seed >> 16;
}

static void survives_pieces_in_any_order(void **state)
{
	static const char *const pieces[] = { "a", "@", "b.test", "<", ">", ":", ";", ",",
		"(", ")", "\"", "\\", "[", "]", ".", " ", "\r\n ", "é", "\xff", "\t",
		"\x01", "=?x?q?y?=" };
	unsigned seed = 1;
	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct buf field = BUF_INIT, out = BUF_INIT;
		for (unsigned n = next_random(&seed) % 24; n > 0; n--)
			buf_addstr(
				&field, pieces[next_random(&seed) % ARRAY_SIZE(pieces)]);
		int rc = read_all(buf_bytes(&field), buf_len(&field), &out, NULL);
		assert_true(rc == 0 || rc == ERR_INVALID);
		buf_clear(&field);
		buf_clear(&out);
	}
}

/* A display name, in a hundred thousand open comments, must not cost a stack. */
static void nesting_costs_nothing(void **state)
{
	enum { DEPTH = 100000 };
	struct buf field = BUF_INIT, out = BUF_INIT;
	(void)state;
	for (int i = 0; i < DEPTH; i++)
		buf_addc(&field, '(');
	assert_int_equal(read_all(buf_bytes(&field), DEPTH, &out, NULL), ERR_INVALID);
	for (int i = 0; i < DEPTH; i++)
		buf_addc(&field, ')');
	buf_addstr(&field, "a@b");
	assert_int_equal(read_all(buf_bytes(&field), buf_len(&field), &out, NULL), 0);
	assert_string_equal(buf_text(&out), "a@b");
	buf_clear(&field);
	buf_clear(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_addresses),
		cmocka_unit_test(refuses_the_rest_and_says_why),
		cmocka_unit_test(shows_no_more_than_a_piece_of_the_field),
		cmocka_unit_test(survives_any_cut_and_any_octet),
		cmocka_unit_test(survives_pieces_in_any_order),
		cmocka_unit_test(nesting_costs_nothing),
	};
	return cmocka_run_group_tests_name("header_address", tests, NULL, NULL);
}
