/* Which mailbox addresses are taken, and how the others are refused. */
#include "mail/address.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A64 A63 "a"

static const struct good {
	const char *input, *text, *domain;
	bool needs_smtputf8;
} good[] = {
	{ "a@b", "a@b", "b", false },
	{ "<a@example.org>", "a@example.org", "example.org", false },
	{ "a.b+c=d!#$%&'*/?^_`{|}~-@example.org", "a.b+c=d!#$%&'*/?^_`{|}~-@example.org",
		"example.org", false },
	{ "a..b@carrier.example", "a..b@carrier.example", "carrier.example", false },
	{ ".a.@carrier.example", ".a.@carrier.example", "carrier.example", false },
	{ "\"a b\"@example.org", "\"a b\"@example.org", "example.org", false },
	{ "\"a@b\"@example.org", "\"a@b\"@example.org", "example.org", false },
	{ "\"a\\\"b\"@example.org", "\"a\\\"b\"@example.org", "example.org", false },
	{ "\"\"@example.org", "\"\"@example.org", "example.org", false },
	{ "\"<>\"@example.org", "\"<>\"@example.org", "example.org", false },
	{ "a@[192.0.2.1]", "a@[192.0.2.1]", "[192.0.2.1]", false },
	{ "a@[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]", false },
	{ "a@[ipv6:::1]", "a@[ipv6:::1]", "[ipv6:::1]", false },
	{ "a@_dmarc.example.org", "a@_dmarc.example.org", "_dmarc.example.org", false },
	{ "飛脚@example.org", "飛脚@example.org", "example.org", true },
	{ "a@例え.jp", "a@例え.jp", "例え.jp", true },
	{ A64 "@example.org", A64 "@example.org", "example.org", false },
	{ "a@" A63 ".org", "a@" A63 ".org", A63 ".org", false },
};

static const struct bad {
	const char *name, *input;
	size_t len; /* 0: strlen */
	const char *reason;
} bad[] = {
	{ "no @", "postmaster", 0, "no @domain" },
	{ "nothing before the @", "@example.org", 0, "nothing before" },
	{ "nothing after the @", "a@", 0, "no domain" },
	{ "CR LF", "a@b\r\nRCPT", 0, "control character (0x0d)" },
	{ "NUL", "a@b\0c", 5, "control character (0x00)" },
	{ "DEL", "a\x7f@b", 0, "control character (0x7f)" },
	{ "C1 control", "a\xc2\x85@b", 0, "control character (0x85)" },
	{ "a line separator", "a\xe2\x80\xa8@b", 0, "parts lines" },
	{ "text that is turned", "a\xe2\x80\xaemoc@b", 0, "direction of text" },
	{ "a domain that is turned", "a@\xe2\x80\xaemoc", 0, "direction of text" },
	{ "control in quotes", "\"a\nb\"@c", 0, "control character (0x0a)" },
	{ "Latin-1", "\xe9@b", 0, "not valid UTF-8" },
	{ "overlong UTF-8", "\xc0\xaf@b", 0, "not valid UTF-8" },
	{ "blank", "a b@c", 0, "blank" },
	{ "two @", "a@b@c", 0, "domain contains '@'" },
	{ "bracket inside", "a>b@c", 0, "'>' outside quotes" },
	{ "bracket in the domain", "a@b>c", 0, "domain contains '>'" },
	{ "one bracket", "<a@b", 0, "bracket too many" },
	{ "the other bracket", "a@b>", 0, "bracket too many" },
	{ "a lone bracket", "<", 0, "bracket too many" },
	{ "source route", "<@x:a@b>", 0, "source route" },
	{ "open quote", "\"a@b", 0, "quote that does not end" },
	{ "backslash at the end", "\"a\\", 0, "quote that does not end" },
	{ "text after the quote", "\"a\"b@c", 0, "after its quoted part" },
	{ "quoted non-ASCII", "\"\\\xc3\xa9\"@c", 0, "backslash before" },
	{ "local part of 65", A64 "a@b", 0, "longer than 64" },
	{ "label of 64", "a@" A64, 0, "label longer than 63" },
	{ "path of 257", A64 "@" A63 "." A63 "." A63, 0, "longer than 254" },
	{ "empty label", "a@b..c", 0, "empty label" },
	{ "dot at the end", "a@b.", 0, "empty label" },
	{ "dot at the start", "a@.b", 0, "empty label" },
	{ "hyphen at the start", "a@-b", 0, "hyphen" },
	{ "hyphen at the end", "a@b-.c", 0, "hyphen" },
	{ "literal without end", "a@[192.0.2.1", 0, "does not end with a ]" },
	{ "empty literal", "a@[]", 0, "address literal is neither" },
	{ "lone bracket of a literal", "a@[", 0, "does not end with a ]" },
	{ "IPv6 without its tag", "a@[2001:db8::1]", 0, "address literal is neither" },
	{ "IPv4 with the tag", "a@[IPv6:192.0.2.1]", 0, "address literal is neither" },
	{ "literal too long", "a@[" A64 A64 "]", 0, "address literal is too long" },
};

static void takes_what_is_an_address(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct address a;
		struct err e = { 0 };
		int rc = address_parse_recipient(
			good[i].input, strlen(good[i].input), &a, &e);
		if (rc)
			fail_msg("%s: %s", good[i].input, e.text);
		assert_string_equal(a.text, good[i].text);
		assert_string_equal(address_domain(&a), good[i].domain);
		assert_int_equal(a.text[a.at], '@');
		assert_int_equal(a.needs_smtputf8, good[i].needs_smtputf8);
	}
}

static void refuses_the_rest_and_says_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const struct bad *b = &bad[i];
		size_t len = b->len ? b->len : strlen(b->input);
		struct address a;
		struct err e = { 0 };
		int rc = address_parse_recipient(b->input, len, &a, &e);
		if (rc != ERR_INVALID || !strstr(e.text, b->reason))
			fail_msg("%s: %d, \"%s\"", b->name, rc, e.text);
		assert_int_equal(
			address_parse_sender(b->input, len, &a, NULL), ERR_INVALID);
	}
}

static void only_a_sender_may_be_empty(void **state)
{
	struct address a;
	(void)state;
	assert_int_equal(address_parse_sender("", 0, &a, NULL), 0);
	assert_string_equal(a.text, "");
	assert_int_equal(address_parse_sender("<>", 2, &a, NULL), 0);
	assert_string_equal(address_domain(&a), "");
	assert_int_equal(address_parse_recipient("", 0, &a, NULL), ERR_INVALID);
	assert_int_equal(address_parse_recipient("<>", 2, &a, NULL), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_is_an_address),
		cmocka_unit_test(refuses_the_rest_and_says_why),
		cmocka_unit_test(only_a_sender_may_be_empty),
	};
	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
