#include "table.h"

#include "policy/pattern.h"

#include <string.h>

/* Every cell of the table of patterns, in both ways of matching. */
static const struct match_case {
	const char *name, *pattern, *destination;
	bool by_label, by_substring;
} matches[] = {
	{ "[exact] matches itself", "[example.com]", "example.com", true, true },
	{ "[exact] does not match below", "[example.com]", "mail.example.com", false,
		false },
	{ ".below matches one label below", ".example.com", "mail1.example.com", true,
		true },
	{ ".below matches two labels below", ".example.com", "a.b.example.com", true,
		true },
	{ ".below does not match itself", ".example.com", "example.com", false, false },
	{ ".below does not match another name", ".example.com", "notexample.com", false,
		false },
	{ "bare matches itself", "example.com", "example.com", true, true },
	{ "bare matches below", "example.com", "mail.example.com", true, true },
	{ "bare matches far below", "example.com", "a.b.example.com", true, true },
	{ "bare ends at a label", "example.com", "notexample.com", false, true },
	{ "bare is a suffix", "example.com", "example.com.test", false, true },
	{ "bare part of a label", "exam", "example.com", false, true },
	{ "bare that is nowhere", "example.org", "example.com", false, false },
	{ "*.below matches below", "*.example.com", "mail1.example.com", true, true },
	{ "*.below matches far below", "*.example.com", "a.b.example.com", true, true },
	{ "*.below does not match itself", "*.example.com", "example.com", false, false },
	{ "* matches a name", "*", "example.com", true, true },
	{ "* matches a literal", "*", "[192.0.2.1]", true, true },
	{ "an IPv4 literal matches itself", "[192.0.2.1]", "[192.0.2.1]", true, true },
	{ "an IPv4 literal is not another", "[192.0.2.1]", "[192.0.2.10]", false, false },
	{ "an IPv6 literal matches itself", "[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]",
		true, true },
	{ "an IPv6 literal in another spelling", "[ipv6:2001:DB8:0::1]",
		"[IPv6:2001:db8::1]", true, true },
	{ "a literal does not match a name", "[192.0.2.1]", "example.com", false, false },
	{ "a bare entry does not match a literal", "ipv6", "[IPv6:2001:db8::1]", false,
		false },
	{ "case does not count", "EXAMPLE.COM", "example.com", true, true },
	{ "a trailing dot does not count", "[example.com.]", "example.com", true, true },
	{ "a U-label matches the A-label", "例え.jp", "www.xn--r8jz45g.jp", true, true },
	{ "a U-label in brackets", "[例え.jp]", "xn--r8jz45g.jp", true, true },
};

static void check_match(void **state)
{
	const struct match_case *c = *state;
	struct policy_pattern p;
	char why[POLICY_TEXT_MAX] = "";
	bool ok = policy_pattern_parse(c->pattern, strlen(c->pattern), &p, why);
	assert_string_equal(why, "");
	assert_true(ok);
	assert_int_equal(policy_pattern_matches(&p, c->destination, POLICY_MATCH_LABEL),
		c->by_label);
	assert_int_equal(
		policy_pattern_matches(&p, c->destination, POLICY_MATCH_SUBSTRING),
		c->by_substring);
}

static const struct bad_case {
	const char *name, *pattern, *why;
} bad[] = {
	{ "nothing", "", "empty" },
	{ "a dot alone", ".", "empty" },
	{ "star and dot alone", "*.", "empty" },
	{ "empty brackets", "[]", "empty" },
	{ "an open bracket", "[example.com", "unbalanced bracket" },
	{ "a closed bracket", "example.com]", "bracket" },
	{ "brackets in brackets", "[[example.com]]", "bracket" },
	{ "something after the bracket", "[example.com]x", "bracket" },
	{ "a star inside", "mail.*.example.com", "\"*\"" },
	{ "a star on a label", "*example.com", "\"*\"" },
	{ "two dots", "..example.com", "empty label" },
	{ "a dot in brackets", "[.example.com]", "empty label" },
	{ "an address without brackets", "192.0.2.1", "[192.0.2.1]" },
	{ "an address that is none", "[192.0.2.300]", "IPv4" },
	{ "IPv6 without its tag", "[2001:db8::1]", "[IPv6:" },
	{ "an address of a person", "a@example.com", "\"@\"" },
	{ "a blank inside", "example.com example.org", "blank" },
};

static void check_bad(void **state)
{
	const struct bad_case *c = *state;
	struct policy_pattern p;
	char why[POLICY_TEXT_MAX] = "";
	assert_false(policy_pattern_parse(c->pattern, strlen(c->pattern), &p, why));
	if (!strstr(why, c->why))
		fail_msg("\"%s\" is not in \"%s\"", c->why, why);
}

/* Each is more specific than the one after it. */
static void check_order(void **state)
{
	static const char *const order[] = { "[a.example]", ".mail.example.com",
		"mail.example.com", ".example.com", "example.com", "com", "*" };
	unsigned before = UINT32_MAX;
	(void)state;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		struct policy_pattern p;
		char why[POLICY_TEXT_MAX];
		assert_true(policy_pattern_parse(order[i], strlen(order[i]), &p, why));
		assert_true(policy_pattern_rank(&p) < before);
		before = policy_pattern_rank(&p);
	}
}

static const struct form_case {
	const char *name, *in, *out, *words, *words_substring;
} forms[] = {
	{ "exact, in words", "[Example.com]", "[example.com]", "exactly example.com",
		"exactly example.com" },
	{ "below, in words", "*.example.com", ".example.com", "names below example.com",
		"names below example.com" },
	{ "bare, in words", "例え.jp", "xn--r8jz45g.jp",
		"xn--r8jz45g.jp and everything below it",
		"names with \"xn--r8jz45g.jp\" anywhere in them" },
	{ "any, in words", "*", "*", "every destination", "every destination" },
	{ "literal, in words", "[192.0.2.1]", "[192.0.2.1]",
		"the address literal [192.0.2.1]", "the address literal [192.0.2.1]" },
};

static void check_form(void **state)
{
	const struct form_case *c = *state;
	struct policy_pattern p, again;
	char text[POLICY_TEXT_MAX], why[POLICY_TEXT_MAX];
	assert_true(policy_pattern_parse(c->in, strlen(c->in), &p, why));
	policy_pattern_format(&p, text, sizeof(text));
	assert_string_equal(text, c->out);
	assert_true(policy_pattern_parse(text, strlen(text), &again, why));
	assert_true(policy_pattern_equal(&p, &again));
	policy_pattern_describe(&p, POLICY_MATCH_LABEL, text, sizeof(text));
	assert_string_equal(text, c->words);
	policy_pattern_describe(&p, POLICY_MATCH_SUBSTRING, text, sizeof(text));
	assert_string_equal(text, c->words_substring);
}

static const struct {
	const char *name;
} order_case[] = { { "exact, then the longest suffix, the star last" } };

int main(void)
{
	const struct table tables[] = {
		TABLE(check_match, matches),
		TABLE(check_bad, bad),
		TABLE(check_order, order_case),
		TABLE(check_form, forms),
	};
	return TABLE_RUN_ALL("policy/pattern", tables);
}
