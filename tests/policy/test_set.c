#include "table.h"

#include "fixture.h"

#define BYTES(s) s, sizeof(s) - 1

/* How a file is read: one list, and the lines that match a destination. */
static const struct line_case {
	const char *name;
	const char *bytes;
	size_t len; /* 0: strlen */
	const char *destination;
	unsigned line; /* 0: nothing matches */
	size_t count;
} lines[] = {
	{ "one entry", "example.com\n", 0, "example.com", 1, 1 },
	{ "the last line may lack its end", "a.example\nexample.com", 0, "example.com", 2,
		2 },
	{ "CRLF", "a.example\r\nexample.com\r\n", 0, "example.com", 2, 2 },
	{ "CRLF and LF mixed", "a.example\r\nb.example\nexample.com", 0, "b.example", 2,
		3 },
	{ "blanks around an entry", " \t example.com \t \n", 0, "example.com", 1, 1 },
	{ "empty lines count as lines", "\n\n  \nexample.com\n", 0, "example.com", 4, 1 },
	{ "a comment line", "# example.com\n", 0, "example.com", 0, 0 },
	{ "a comment after an entry", "example.com # since May\n", 0, "example.com", 1,
		1 },
	{ "a comment right after an entry", "example.com#x", 0, "example.com", 1, 1 },
	{ "a comment in another encoding", "# \x83\x65\x83\x58\nexample.com\n", 0,
		"example.com", 2, 1 },
	{ "an empty file", "", 0, "example.com", 0, 0 },
	{ "a UTF-8 byte order mark",
		"\xef\xbb\xbf"
		"example.com\n",
		0, "example.com", 1, 1 },
	{ "a byte order mark alone", "\xef\xbb\xbf", 0, "example.com", 0, 0 },
	{ "a U-label", "例え.jp\n", 0, "xn--r8jz45g.jp", 1, 1 },
	{ "UTF-16, little endian",
		BYTES("\xff\xfe"
		      "a\0.\0b\0\r\0\n\0\x8b\x4f\x48\x30.\0j\0p\0"),
		"xn--r8jz45g.jp", 2, 2 },
	{ "UTF-16, big endian",
		BYTES("\xfe\xff"
		      "\0a\0.\0b\0\n\x4f\x8b\x30\x48\0.\0j\0p"),
		"xn--r8jz45g.jp", 2, 2 },
	{ "UTF-16 with a comment outside the basic plane",
		BYTES("\xff\xfe"
		      "#\0\x3d\xd8\xa9\xdc\n\0a\0"),
		"a", 2, 1 },
	{ "UTF-16 with a name outside the basic plane, at the end",
		BYTES("\xff\xfe\x40\xd8\x0b\xdc"), "xn--u50i", 1, 1 },
	{ "UTF-16 byte order mark alone", BYTES("\xff\xfe"), "a", 0, 0 },
	{ "the same entry twice is harmless", "a.example\na.example\n", 0, "a.example", 1,
		2 },
	{ "the first line that matches is named", "*\n[example.com]\nexample.com\n", 0,
		"example.com", 1, 3 },
	{ "the first line, even if a later one is more specific",
		".example.com\n[a.example.com]\n", 0, "a.example.com", 1, 2 },
	{ "the order of lines, not of kinds", "b.test\n[a.example]\nexample\n*\n", 0,
		"a.example", 2, 4 },
	{ "a literal", "[192.0.2.1]\n", 0, "[192.0.2.1]", 1, 1 },
	{ "an IPv6 literal", "a\n[IPv6:2001:db8:0::1]\n", 0, "[IPv6:2001:db8::1]", 2, 2 },
	{ "a literal that is not listed", "[192.0.2.1]\n", 0, "[192.0.2.2]", 0, 1 },
	{ "a suffix is no label", "example.com\n", 0, "notexample.com", 0, 1 },
	{ "a parent is not listed", "mail.example.com\n", 0, "example.com", 0, 1 },
};

static void check_lines(void **state)
{
	const struct line_case *c = *state;
	struct policy_source sources[POLICY_FILE_COUNT] = {
		{ "a", NULL, 0 },
		{ "/p/nomtatsl.txt", c->bytes, c->len ? c->len : strlen(c->bytes) },
		{ "c", NULL, 0 },
	};
	struct policy_errors errors;
	struct policy_set *set = policy_set_parse(sources, &fixture_label, 1, &errors);
	assert_int_equal(errors.total, 0);
	assert_non_null(set);
	assert_int_equal(policy_set_count(set, POLICY_FILE_EXCLUDE), c->count);
	const struct policy_entry *e =
		policy_set_find(set, POLICY_FILE_EXCLUDE, c->destination);
	assert_int_equal(e ? e->line : 0, c->line);
	if (e)
		assert_string_equal(e->path, "/p/nomtatsl.txt");
	policy_set_unref(&set);
	assert_null(set);
}

static const struct substring_case {
	const char *name, *list, *destination;
	unsigned line;
} substrings[] = {
	{ "a bare entry anywhere in the name", "b.test\nexam\n", "my.example.com", 2 },
	{ "the first bare entry counts", "ample\nexam\n", "example.com", 1 },
	{ "an earlier entry of another kind counts", "*\nexam\n", "example.com", 1 },
	{ "exact stays exact", "[exam]\n", "example.com", 0 },
	{ "below stays below a label", ".ample.com\n", "example.com", 0 },
	{ "literals are left alone", "192\n", "[192.0.2.1]", 0 },
};

static void check_substring(void **state)
{
	const struct substring_case *c = *state;
	struct policy_set *set =
		fixture_good(NULL, c->list, NULL, POLICY_MATCH_SUBSTRING);
	const struct policy_entry *e =
		policy_set_find(set, POLICY_FILE_EXCLUDE, c->destination);
	assert_int_equal(e ? e->line : 0, c->line);
	assert_int_equal(policy_set_match(set), POLICY_MATCH_SUBSTRING);
	policy_set_unref(&set);
}

/* Pins: which line counts for a destination and a host. */
static const struct pin_case {
	const char *name, *pins, *destination, *host;
	unsigned line, versions;
} pins[] = {
	{ "no pin", "other.example TLS1.2\n", "example.com", NULL, 0, 0 },
	{ "one version", "example.com TLS1.2\n", "example.com", NULL, 1, POLICY_TLS1_2 },
	{ "versions with blanks, tabs and commas", "example.com\tTLS1.1, tls1.2,TLS1.3\n",
		"example.com", NULL, 1, POLICY_TLS1_1 | POLICY_TLS1_2 | POLICY_TLS1_3 },
	{ "any case, and a comment", "EXAMPLE.com tls1.0 # old box\n", "example.com",
		NULL, 1, POLICY_TLS1_0 },
	{ "exact before suffix", "example.com TLS1.2\n[a.example.com] TLS1.3\n",
		"a.example.com", NULL, 2, POLICY_TLS1_3 },
	{ "the longest suffix", "com TLS1.1\nb.example.com TLS1.3\nexample.com TLS1.2\n",
		"a.b.example.com", NULL, 2, POLICY_TLS1_3 },
	{ "the star comes last", "* TLS1.2\ncom TLS1.3\n", "example.com", NULL, 2,
		POLICY_TLS1_3 },
	{ "the star catches the rest", "* TLS1.2\norg TLS1.3\n", "example.com", NULL, 1,
		POLICY_TLS1_2 },
	{ "below before the same name with itself",
		"example.com TLS1.2\n.example.com TLS1.3\n", "a.example.com", NULL, 2,
		POLICY_TLS1_3 },
	{ "a host pin counts at its host", "mx:mx1.provider.example TLS1.2\n",
		"example.com", "mx1.provider.example", 1, POLICY_TLS1_2 },
	{ "a host pin is not for destinations", "mx:example.com TLS1.2\n", "example.com",
		"mx.other.example", 0, 0 },
	{ "a host pin needs a known host", "mx:* TLS1.2\n", "example.com", NULL, 0, 0 },
	{ "a destination pin is not for hosts", "provider.example TLS1.2\n",
		"example.com", "mx1.provider.example", 0, 0 },
	{ "host before destination at the same length",
		"example.com TLS1.2\nmx:example.com TLS1.3\n", "example.com",
		"mx.example.com", 2, POLICY_TLS1_3 },
	{ "host before destination, even if that one is below",
		".example.com TLS1.2\nmx:example.com TLS1.3\n", "a.example.com",
		"mx.example.com", 2, POLICY_TLS1_3 },
	{ "the longer destination before a host",
		"mail.example.com TLS1.2\nmx:example.com TLS1.3\n", "mail.example.com",
		"mx.example.com", 1, POLICY_TLS1_2 },
	{ "exact destination before a host's suffix",
		"mx:mx1.very.long.provider.example TLS1.3\n[a.example] TLS1.2\n",
		"a.example", "mx1.very.long.provider.example", 2, POLICY_TLS1_2 },
	{ "exact host before exact destination",
		"[a.example] TLS1.2\nmx:[b.example] TLS1.3\n", "a.example", "b.example",
		2, POLICY_TLS1_3 },
	{ "the host's star before the star", "* TLS1.2\nmx:* TLS1.3\n", "a.example",
		"b.example", 2, POLICY_TLS1_3 },
	{ "a literal", "[192.0.2.1] TLS1.2\n", "[192.0.2.1]", NULL, 1, POLICY_TLS1_2 },
	{ "MX: in capitals", "MX:provider.example TLS1.2\n", "a.example",
		"mx.provider.example", 1, POLICY_TLS1_2 },
	{ "one pattern for host and destination is no conflict",
		"a.example TLS1.2\nmx:a.example TLS1.3\n", "a.example", NULL, 1,
		POLICY_TLS1_2 },
};

static void check_pin(void **state)
{
	const struct pin_case *c = *state;
	struct policy_set *set = fixture_good(NULL, NULL, c->pins, POLICY_MATCH_LABEL);
	const struct policy_entry *e = policy_set_pin(set, c->destination, c->host);
	assert_int_equal(e ? e->line : 0, c->line);
	assert_int_equal(e ? e->versions : 0, c->versions);
	policy_set_unref(&set);
}

/* Substring matching is for the bare entries of pins too, each on its own side. */
static void check_substring_pins(void **state)
{
	struct policy_set *set = fixture_good(
		NULL, NULL, "xam TLS1.2\nmx:xamp TLS1.3\n", POLICY_MATCH_SUBSTRING);
	(void)state;
	const struct policy_entry *e = policy_set_pin(set, "example.com", "mx.test");
	assert_non_null(e);
	assert_int_equal(e->line, 1);
	e = policy_set_pin(set, "a.test", "mx.example.com");
	assert_non_null(e);
	assert_int_equal(e->line, 2);
	assert_null(policy_set_pin(set, "a.test", "mx.test"));
	assert_true(policy_set_has_host_pins(set));
	policy_set_unref(&set);
	set = fixture_good(NULL, NULL, "a TLS1.2\n", POLICY_MATCH_LABEL);
	assert_false(policy_set_has_host_pins(set));
	policy_set_unref(&set);
}

static const struct error_case {
	const char *name;
	enum policy_file file;
	const char *bytes;
	size_t len; /* 0: strlen */
	unsigned line;
	const char *why;
} bad[] = {
	{ "an empty label", POLICY_FILE_ALLOW, "a.example\nb..example\n", 0, 2,
		"empty label" },
	{ "a blank inside", POLICY_FILE_EXCLUDE, "a.example b.example\n", 0, 1, "blank" },
	{ "an at sign", POLICY_FILE_EXCLUDE, "#\n#\nx@a.example\n", 0, 3, "\"@\"" },
	{ "an unbalanced bracket", POLICY_FILE_ALLOW, "[a.example\n", 0, 1, "bracket" },
	{ "a control character", POLICY_FILE_ALLOW, "a\x02.example\n", 0, 1, "control" },
	{ "a lone CR", POLICY_FILE_ALLOW, "a.example\rb.example\n", 0, 1, "control" },
	{ "a NUL", POLICY_FILE_ALLOW, BYTES("a.example\nb\0c\n"), 2, "control" },
	{ "invalid UTF-8", POLICY_FILE_EXCLUDE, "a.example\n\x83\x65.jp\n", 0, 2,
		"UTF-8" },
	{ "half a surrogate pair in UTF-16", POLICY_FILE_ALLOW,
		BYTES("\xff\xfe"
		      "a\0\n\0\x3d\xd8"),
		2, "UTF-8" },
	{ "half a unit in UTF-16", POLICY_FILE_ALLOW,
		BYTES("\xff\xfe"
		      "a\0b"),
		1, "UTF-8" },
	{ "half a unit in a comment in UTF-16", POLICY_FILE_ALLOW,
		BYTES("\xff\xfe"
		      "a\0\n\0#\0b"),
		2, "UTF-8" },
	{ "a host prefix in a list", POLICY_FILE_ALLOW, "mx:a.example\n", 0, 1, "\":\"" },
	{ "a pin without version", POLICY_FILE_PINS, "a.example\n", 0, 1,
		"needs TLS versions" },
	{ "a pin with commas only", POLICY_FILE_PINS, "a.example ,,\n", 0, 1,
		"needs TLS versions" },
	{ "an unknown version", POLICY_FILE_PINS, "a.example TLS1.4\n", 0, 1,
		"\"TLS1.4\" is no TLS version; known are: SSL3.0" },
	{ "a version that the library does not have", POLICY_FILE_PINS,
		"a.example TLS1.2 SSL3.0\n", 0, 1, "SSL3.0 cannot be pinned" },
	{ "binary where a version should be", POLICY_FILE_PINS, "a.example \xff\xfe\n", 0,
		1, "no TLS version" },
	{ "a second pin for a pattern", POLICY_FILE_PINS,
		"example.com TLS1.2\nb.example TLS1.2\nEXAMPLE.COM. TLS1.3\n", 0, 3,
		"line 1 has a pin for example.com already" },
	{ "a second pin in another spelling", POLICY_FILE_PINS,
		".example.com TLS1.2\n*.example.com TLS1.3\n", 0, 2,
		"line 1 has a pin for .example.com already" },
	{ "a second host pin", POLICY_FILE_PINS,
		"mx:a.example TLS1.2\nMX:a.example TLS1.2\n", 0, 2,
		"pin for mx:a.example" },
	{ "a host pin for an address", POLICY_FILE_PINS, "mx:[192.0.2.1] TLS1.2\n", 0, 1,
		"name of a host" },
	{ "a host pin without a host", POLICY_FILE_PINS, "mx: TLS1.2\n", 0, 1, "empty" },
};

static void check_error(void **state)
{
	const struct error_case *c = *state;
	struct policy_source sources[POLICY_FILE_COUNT] = { { "a", NULL, 0 },
		{ "b", NULL, 0 }, { "c", NULL, 0 } };
	struct policy_errors errors;
	sources[c->file].bytes = c->bytes;
	sources[c->file].len = c->len ? c->len : strlen(c->bytes);
	assert_null(policy_set_parse(sources, &fixture_label, 1, &errors));
	assert_int_equal(errors.total, 1);
	assert_string_equal(errors.list[0].file, sources[c->file].path);
	assert_int_equal(errors.list[0].line, c->line);
	if (!strstr(errors.list[0].text, c->why))
		fail_msg("\"%s\" is not in \"%s\"", c->why, errors.list[0].text);
	policy_errors_clear(&errors);
}

static void check_all_errors(void **state)
{
	struct policy_errors errors;
	(void)state;
	assert_null(fixture_set(
		"a..b\nok.example\n[x\n", "@\n", "z\n", &fixture_label, &errors));
	assert_int_equal(errors.total, 4);
	assert_int_equal(errors.count, 4);
	static const unsigned expected[] = { 1, 3, 1, 1 };
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(errors.list[i].line, expected[i]);
	assert_string_equal(errors.list[2].file, "/p/nomtatsl.txt");
	assert_string_equal(errors.list[3].file, "/p/mtaproto.txt");
	policy_errors_clear(&errors);
}

static void check_many_errors(void **state)
{
	char text[2 * 5000 + 1] = "";
	struct policy_errors errors;
	(void)state;
	for (int i = 0; i < 5000; i++)
		memcpy(text + 2 * i, "@\n", 3);
	assert_null(fixture_set(text, NULL, NULL, &fixture_label, &errors));
	assert_int_equal(errors.total, 5000);
	assert_int_equal(errors.count, 100);
	policy_errors_clear(&errors);
}

/* A list of 100,000 lines answers as one line would, from both its ends. */
static void check_long_list(void **state)
{
	enum { LINES = 100000 };
	static const struct {
		const char *line[2], *hit[2], *miss[2]; /* the number is between */
	} forms[] = {
		{ { "d", ".example\n" }, { "a.b.d", ".example" }, { "xd", ".example" } },
		{ { "[e", ".example]\n" }, { "e", ".example" }, { "x.e", ".example" } },
		{ { ".b", ".example\n" }, { "x.b", ".example" }, { "b", ".example" } },
		{ { "*.s", ".example\n" }, { "x.y.s", ".example" },
			{ "s", ".example.test" } },
	};
	char *text = malloc(LINES * 24), name[64];
	size_t len = 0;
	(void)state;
	assert_non_null(text);
	for (int i = 0; i < LINES; i++)
		len += (size_t)sprintf(text + len, "%s%d%s", forms[i % 4].line[0], i,
			forms[i % 4].line[1]);
	struct policy_source sources[POLICY_FILE_COUNT] = { { "a", text, len },
		{ "b", NULL, 0 }, { "c", NULL, 0 } };
	struct policy_errors errors;
	struct policy_set *set = policy_set_parse(sources, &fixture_label, 1, &errors);
	free(text); /* the set has its own copy */
	assert_non_null(set);
	assert_int_equal(policy_set_count(set, POLICY_FILE_ALLOW), LINES);
	for (int i = 0; i < LINES; i++) {
		snprintf(name, sizeof(name), "%s%d%s", forms[i % 4].hit[0], i,
			forms[i % 4].hit[1]);
		const struct policy_entry *e =
			policy_set_find(set, POLICY_FILE_ALLOW, name);
		if (!e || e->line != (unsigned)i + 1)
			fail_msg("%s found in line %u, not %d", name, e ? e->line : 0,
				i + 1);
		snprintf(name, sizeof(name), "%s%d%s", forms[i % 4].miss[0], i,
			forms[i % 4].miss[1]);
		if (policy_set_find(set, POLICY_FILE_ALLOW, name))
			fail_msg("%s found", name);
	}
	policy_set_unref(&set);
}

static void check_digest(void **state)
{
	static const struct {
		const char *allow, *exclude, *pins;
		bool same;
	} sets[] = {
		{ NULL, "a\nb\n", "c TLS1.2\n", true },
		{ NULL, "a\nb\n# said again\n", "c tls1.2 # pinned\n", false },
		{ NULL, "a\nb\n# said again\n", "c TLS1.2\n", true },
		{ NULL, "b\na\n", "c TLS1.2\n", false },
		{ NULL, "a\n\nb\n", "c TLS1.2\n",
			false }, /* lines are named in reasons */
		{ NULL, "a\nb\n", "c TLS1.3\n", false },
		{ "", "a\nb\n", "c TLS1.2\n", false },
		{ NULL, "a\nb\n", NULL, false },
	};
	uint64_t first = 0;
	(void)state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		struct policy_set *set = fixture_good(
			sets[i].allow, sets[i].exclude, sets[i].pins, POLICY_MATCH_LABEL);
		uint64_t digest = policy_set_digest(set);
		if (i == 0)
			first = digest;
		if ((digest == first) != sets[i].same)
			fail_msg("set %zu", i);
		policy_set_unref(&set);
	}
}

static void check_references(void **state)
{
	struct policy_set *set = fixture_good(NULL, "a\n", NULL, POLICY_MATCH_LABEL);
	struct policy_set *other = policy_set_ref(set);
	(void)state;
	policy_set_unref(&set);
	assert_null(set);
	assert_int_equal(policy_set_generation(other), 7);
	assert_non_null(policy_set_find(other, POLICY_FILE_EXCLUDE, "a"));
	assert_false(policy_set_has_file(other, POLICY_FILE_ALLOW));
	assert_true(policy_set_has_file(other, POLICY_FILE_EXCLUDE));
	assert_string_equal(policy_set_path(other, POLICY_FILE_PINS), "/p/mtaproto.txt");
	assert_null(policy_set_entry(other, POLICY_FILE_EXCLUDE, 1));
	policy_set_unref(&other);
	policy_set_unref(&other); /* NULL is fine */
}

static const struct named {
	const char *name;
} substring_pins_case[] = { { "a bare pin anywhere in the name" } },
  all_errors_case[] = { { "all errors are told, in file and line order" } },
  many_errors_case[] = { { "of very many errors 100 are told and all counted" } },
  long_list_case[] = { { "100,000 lines: every one is found, nothing else is" } },
  digest_case[] = { { "the digest changes with what the files say" } },
  references_case[] = { { "a set lives as long as its last reference" } };

int main(void)
{
	const struct table tables[] = {
		TABLE(check_lines, lines),
		TABLE(check_substring, substrings),
		TABLE(check_pin, pins),
		TABLE(check_substring_pins, substring_pins_case),
		TABLE(check_error, bad),
		TABLE(check_all_errors, all_errors_case),
		TABLE(check_many_errors, many_errors_case),
		TABLE(check_long_list, long_list_case),
		TABLE(check_digest, digest_case),
		TABLE(check_references, references_case),
	};
	return TABLE_RUN_ALL("policy/set", tables);
}
