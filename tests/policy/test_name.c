#include "table.h"

#include "policy/name.h"

#include <string.h>

#define LABEL63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"
#define NAME253                                                          \
	LABEL63 "." LABEL63 "." LABEL63 ".abcdefghijklmnopqrstuvwxyzabc" \
		"defghijklmnopqrstuvwxyzabcdefghi"

static const struct name_case {
	const char *name, *in, *out; /* out NULL: refused */
	const char *why;             /* a part of the reason */
} names[] = {
	{ "a plain name stays", "example.com", "example.com", NULL },
	{ "case is folded", "EXAMPLE.Com", "example.com", NULL },
	{ "a trailing dot is dropped", "example.com.", "example.com", NULL },
	{ "a single label is a name", "localhost", "localhost", NULL },
	{ "an underscore stays", "_mta-sts.Example.com", "_mta-sts.example.com", NULL },
	{ "an underscore stays beside a U-label", "_a.例え.jp", "_a.xn--r8jz45g.jp",
		NULL },
	{ "a U-label becomes an A-label", "例え.jp", "xn--r8jz45g.jp", NULL },
	{ "an A-label stays", "xn--r8jz45g.jp", "xn--r8jz45g.jp", NULL },
	{ "an A-label in capitals is the same", "XN--R8JZ45G.JP", "xn--r8jz45g.jp",
		NULL },
	{ "sharp s is not mapped away", "FAß.de", "xn--fa-hia.de", NULL },
	{ "capitals outside ASCII are folded", "BÜCHER.example", "xn--bcher-kva.example",
		NULL },
	{ "a decomposed letter is composed",
		"bu\xcc\x88"
		"cher.example",
		"xn--bcher-kva.example", NULL },
	{ "an ideographic full stop is a dot", "例え。jp。", "xn--r8jz45g.jp", NULL },
	{ "hyphens in places three and four are left", "r3---sn.example",
		"r3---sn.example", NULL },
	{ "a label of 63 octets fits", LABEL63 ".example", LABEL63 ".example", NULL },
	{ "a label of 64 octets does not", LABEL63 "x.example", NULL,
		"label is too long" },
	{ "a name of 253 octets fits", NAME253, NAME253, NULL },
	{ "a name of 253 octets and a dot fits", NAME253 ".", NAME253, NULL },
	{ "a name of 254 octets does not", NAME253 "x", NULL, "at most 253" },
	{ "nothing is no name", "", NULL, "empty name" },
	{ "the root is no destination", ".", NULL, "empty name" },
	{ "an empty label at the start", ".example.com", NULL, "empty label" },
	{ "an empty label in the middle", "a..example", NULL, "empty label" },
	{ "an empty label beside a U-label", "例え..jp", NULL, "empty label" },
	{ "two dots at the end", "example.com..", NULL, "empty label" },
	{ "a label of ignored characters is empty", "\xc2\xad.jp", NULL, "empty label" },
	{ "a blank inside", "exa mple.com", NULL, "blank" },
	{ "a tab inside", "exa\tmple.com", NULL, "blank" },
	{ "an ideographic blank inside",
		"a\xe3\x80\x80"
		"b.例え.jp",
		NULL, "blank" },
	{ "an at sign inside", "user@example.com", NULL, "right of the \"@\"" },
	{ "a fullwidth at sign is one too", "a＠b.例え.jp", NULL, "\"@\"" },
	{ "a character that mapping makes a slash", "a\xe2\x84\x80.jp", NULL,
		"\"/\" inside" },
	{ "a control character inside", "exa\x01mple.com", NULL, "control character" },
	{ "DEL inside", "exa\x7fmple.com", NULL, "control character" },
	{ "a C1 control inside", "exa\xc2\x85mple.com", NULL, "control character" },
	{ "invalid UTF-8", "ex\xe9mple.com", NULL, "invalid UTF-8" },
	{ "UTF-8 cut short", "ex\xe3\x81", NULL, "invalid UTF-8" },
	{ "overlong UTF-8", "ex\xc0\xae.com", NULL, "invalid UTF-8" },
	{ "a surrogate in UTF-8", "ex\xed\xa0\x80.com", NULL, "invalid UTF-8" },
	{ "what IDNA does not have", "☃.net", NULL, "IDNA2008" },
	{ "a bracket inside", "exa]mple.com", NULL, "bracket" },
	{ "a star inside", "a.*.com", NULL, "\"*\"" },
	{ "two names with a comma", "a.example,b.example", NULL, "\",\"" },
	{ "a URL", "https://example.com", NULL, "\":\"" },
};

static void check_name(void **state)
{
	const struct name_case *c = *state;
	char out[POLICY_NAME_MAX + 1] = "untouched", why[POLICY_TEXT_MAX] = "";
	bool ok = policy_name_normalize(c->in, strlen(c->in), out, why);
	if (c->out) {
		assert_string_equal(why, "");
		assert_true(ok);
		assert_string_equal(out, c->out);
	} else {
		assert_false(ok);
		assert_string_equal(out, "untouched");
		if (!strstr(why, c->why))
			fail_msg("\"%s\" is not in \"%s\"", c->why, why);
	}
}

static const struct name_case destinations[] = {
	{ "a destination may be a name", "Example.COM.", "example.com", NULL },
	{ "an IPv4 literal", "[192.0.2.1]", "[192.0.2.1]", NULL },
	{ "an IPv6 literal", "[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]", NULL },
	{ "an IPv6 literal in its shortest form", "[ipv6:2001:0DB8:0:0:0:0:0:1]",
		"[IPv6:2001:db8::1]", NULL },
	{ "IPv6 needs its tag", "[2001:db8::1]", NULL, "[IPv6:2001:db8::1]" },
	{ "an IPv4 literal with an octet too large", "[192.0.2.256]", NULL, "literal" },
	{ "a name in brackets is no destination", "[example.com]", NULL, "literal" },
	{ "an open bracket", "[192.0.2.1", NULL, "literal" },
	{ "empty brackets", "[]", NULL, "literal" },
	{ "an empty destination", "", NULL, "empty" },
};

static void check_destination(void **state)
{
	const struct name_case *c = *state;
	char out[POLICY_NAME_MAX + 1] = "", why[POLICY_TEXT_MAX] = "";
	bool ok = policy_destination_normalize(c->in, strlen(c->in), out, why);
	assert_int_equal(ok, c->out != NULL);
	if (c->out)
		assert_string_equal(out, c->out);
	else
		assert_non_null(strstr(why, c->why));
}

static void check_nul_inside(void **state)
{
	(void)state;
	char out[POLICY_NAME_MAX + 1], why[POLICY_TEXT_MAX] = "";
	assert_false(policy_name_normalize("a\0b.example", 11, out, why));
	assert_non_null(strstr(why, "control character"));
	assert_false(policy_name_is_literal("[192.0.2.1\0]", 12, out));
}

/* A long line of a wrong file must not overrun anything. */
static void check_huge(void **state)
{
	(void)state;
	char out[POLICY_NAME_MAX + 1], why[POLICY_TEXT_MAX] = "";
	size_t len = 100000;
	char *s = malloc(len);
	assert_non_null(s);
	memset(s, 'a', len);
	assert_false(policy_name_normalize(s, len, out, why));
	assert_false(policy_name_is_literal(s, len, out));
	for (size_t i = 0; i + 3 <= len; i += 3)
		memcpy(s + i, "例", 3);
	assert_false(policy_name_normalize(s, 99999, out, why));
	assert_false(policy_name_normalize(s, 1998, out, why));
	free(s);
}

static const struct {
	const char *name;
} nul_case[] = { { "a NUL is a control character" } },
  huge_case[] = { { "a name of 100,000 octets is refused" } };

int main(void)
{
	const struct table tables[] = {
		TABLE(check_name, names),
		TABLE(check_destination, destinations),
		TABLE(check_nul_inside, nul_case),
		TABLE(check_huge, huge_case),
	};
	return TABLE_RUN_ALL("policy/name", tables);
}
