#include "table.h"

#include "fixture.h"
#include "policy/check.h"

/* The line of the only warning, the line that it names, and a part of its text. */
static const struct reach_case {
	const char *name, *routes;
	enum policy_match match;
	unsigned line, other_line; /* 0: no warning */
	const char *text;
} reach[] = {
	{ "one line", "* mx:\n", POLICY_MATCH_LABEL, 0, 0, "" },
	{ "the star at the end", "a.example mx:\n* mx:\n", POLICY_MATCH_LABEL, 0, 0, "" },
	{ "the star first", "# x\n* mx:\na.example mx:\n", POLICY_MATCH_LABEL, 3, 2,
		"the route for a.example can never match: line 2 (*) takes all" },
	{ "the star twice", "* mx:\n* discard\n", POLICY_MATCH_LABEL, 2, 1, "" },
	{ "the star takes literals", "* mx:\n[192.0.2.1] discard\n", POLICY_MATCH_LABEL,
		2, 1, "the route for [192.0.2.1]" },
	{ "the same name twice", "[a.example] mx:\n[A.example.] discard\n",
		POLICY_MATCH_LABEL, 2, 1, "line 1 ([a.example])" },
	{ "the same tree twice", "a.example mx:\na.example discard\n", POLICY_MATCH_LABEL,
		2, 1, "" },
	{ "below, in its two spellings", ".a.example mx:\n*.a.example discard\n",
		POLICY_MATCH_LABEL, 2, 1, "line 1 (.a.example)" },
	{ "the same literal twice", "[IPv6:::1] mx:\n[ipv6:0:0::1] discard\n",
		POLICY_MATCH_LABEL, 2, 1, "" },
	{ "two literals", "[192.0.2.1] mx:\n[192.0.2.2] mx:\n", POLICY_MATCH_LABEL, 0, 0,
		"" },
	{ "a tree takes its name", "a.example mx:\n[a.example] discard\n",
		POLICY_MATCH_LABEL, 2, 1, "line 1 (a.example)" },
	{ "a tree takes what is below", "example mx:\n.a.example mx:\n",
		POLICY_MATCH_LABEL, 2, 1, "" },
	{ "a tree takes a tree in it", "example mx:\nb.a.example mx:\n",
		POLICY_MATCH_LABEL, 2, 1, "" },
	{ "a tree takes a name in it", "example mx:\n[b.a.example] mx:\n",
		POLICY_MATCH_LABEL, 2, 1, "" },
	{ "a tree does not take the one around it", "a.example mx:\nexample mx:\n",
		POLICY_MATCH_LABEL, 0, 0, "" },
	{ "below does not take the name", ".a.example mx:\n[a.example] mx:\n",
		POLICY_MATCH_LABEL, 0, 0, "" },
	{ "below does not take the tree", ".a.example mx:\na.example mx:\n",
		POLICY_MATCH_LABEL, 0, 0, "" },
	{ "below takes a name in it", ".example mx:\n[a.example] mx:\n",
		POLICY_MATCH_LABEL, 2, 1, "" },
	{ "below takes a tree in it", ".example mx:\na.example mx:\n", POLICY_MATCH_LABEL,
		2, 1, "" },
	{ "below takes below in it", ".example mx:\n.a.example mx:\n", POLICY_MATCH_LABEL,
		2, 1, "" },
	{ "a name does not take its tree", "[a.example] mx:\na.example mx:\n",
		POLICY_MATCH_LABEL, 0, 0, "" },
	{ "a name does not take what is below", "[a.example] mx:\n.a.example mx:\n",
		POLICY_MATCH_LABEL, 0, 0, "" },
	{ "a name and below it are its tree",
		"[a.example] mx:\n.a.example mx:\na.example mx:\n", POLICY_MATCH_LABEL, 3,
		2, "line 1 ([a.example]) and line 2 (.a.example) together" },
	{ "below and its name are its tree",
		".a.example mx:\n[b] mx:\n[a.example] mx:\na.example mx:\n",
		POLICY_MATCH_LABEL, 4, 3,
		"line 1 (.a.example) and line 3 ([a.example])" },
	{ "a name and below it, one of them later",
		"[a.example] mx:\na.example mx:\n.a.example mx:\n", POLICY_MATCH_LABEL, 3,
		2, "line 2 (a.example) takes all" },
	{ "a suffix that is no label", "ample mx:\nexample mx:\n", POLICY_MATCH_LABEL, 0,
		0, "" },
	{ "the first of several is named", "example mx:\n* mx:\n[a.example] mx:\n",
		POLICY_MATCH_LABEL, 3, 1, "" },
	{ "a text in the name", "ample mx:\nexample mx:\n", POLICY_MATCH_SUBSTRING, 2, 1,
		"line 1 (ample) takes all" },
	{ "a text in an exact name", "ample mx:\n[a.example] mx:\n",
		POLICY_MATCH_SUBSTRING, 2, 1, "" },
	{ "a text in what is below", "ample mx:\n.example mx:\n", POLICY_MATCH_SUBSTRING,
		2, 1, "" },
	{ "below does not take a text", ".example mx:\na.example mx:\n",
		POLICY_MATCH_SUBSTRING, 0, 0, "" },
	{ "a longer text does not take a shorter", "example mx:\nample mx:\n",
		POLICY_MATCH_SUBSTRING, 0, 0, "" },
	{ "a name and below it are not a text",
		"[a.example] mx:\n.a.example mx:\na.example mx:\n",
		POLICY_MATCH_SUBSTRING, 0, 0, "" },
	{ "a text does not take literals", "192 mx:\n[192.0.2.1] mx:\n",
		POLICY_MATCH_SUBSTRING, 0, 0, "" },
	{ "auth with one host", "* smtp://[r.example]:587 auth=r\n", POLICY_MATCH_LABEL,
		0, 0, "" },
	{ "auth with whom an MX record names",
		"* smtps://[r.example], smtps://r.example auth=r\n", POLICY_MATCH_LABEL,
		1, 0, "write smtps://[r.example]" },
};

static void check_reach(void **state)
{
	const struct reach_case *c = *state;
	struct policy_warnings w;
	struct policy_set *set = fixture_routes(c->routes, c->match);
	policy_check(set, &w);
	assert_int_equal(w.total, c->line ? 1 : 0);
	assert_int_equal(w.count, w.total);
	if (w.count) {
		assert_string_equal(w.list[0].path, "/p/routes.txt");
		assert_int_equal(w.list[0].line, c->line);
		assert_int_equal(w.list[0].other_line, c->other_line);
		if (!strstr(w.list[0].text, c->text))
			fail_msg("\"%s\" is not in \"%s\"", c->text, w.list[0].text);
	}
	policy_warnings_clear(&w);
	policy_set_unref(&set);
}

/* What is said to be unreachable is not reached, and what is not is: every pattern
 * over two labels, three lines at a time, with all names of up to three labels. */
static void check_against_lookup(void **state)
{
	static const char *const patterns[] = { "*", "[a.b]", "a.b", ".a.b", "[b]", "b",
		".b", "[192.0.2.1]" };
	static const char *const names[] = { "b", "a.b", "x.b", "x.a.b", "y.x.a.b", "c",
		"[192.0.2.1]", "[192.0.2.2]" };
	enum { PATTERNS = sizeof(patterns) / sizeof(patterns[0]) };
	char routes[128];
	(void)state;
	for (int i = 0; i < PATTERNS * PATTERNS * PATTERNS; i++) {
		bool reached[4] = { false }, said[4] = { false };
		struct policy_warnings w;
		snprintf(routes, sizeof(routes), "%s mx:\n%s mx:\n%s mx:\n",
			patterns[i % PATTERNS], patterns[i / PATTERNS % PATTERNS],
			patterns[i / PATTERNS / PATTERNS]);
		struct policy_set *set = fixture_routes(routes, POLICY_MATCH_LABEL);
		for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
			const struct policy_route *r = policy_set_route(set, names[n]);
			if (r)
				reached[r->line] = true;
		}
		policy_check(set, &w);
		for (size_t n = 0; n < w.count; n++)
			said[w.list[n].line] = true;
		for (int line = 1; line <= 3; line++) {
			if (reached[line] == said[line])
				fail_msg("line %d of:\n%s", line, routes);
		}
		policy_warnings_clear(&w);
		policy_set_unref(&set);
	}
}

/* 100,000 lines that no one reaches, in both ways of matching. */
static void check_long(void **state)
{
	enum { LINES = 100000 };
	char *text = malloc(LINES * 32);
	(void)state;
	assert_non_null(text);
	for (int match = 0; match < 2; match++) {
		size_t len = (size_t)sprintf(text, "example mx:\n");
		for (int i = 1; i < LINES; i++)
			len += (size_t)sprintf(text + len, "d%d.example mx:\n", i);
		struct policy_warnings w;
		struct policy_set *set = fixture_routes(text, (enum policy_match)match);
		policy_check(set, &w);
		assert_int_equal(w.total, LINES - 1);
		assert_int_equal(w.count, 100);
		assert_int_equal(w.list[99].line, 101);
		assert_int_equal(w.list[99].other_line, 1);
		policy_warnings_clear(&w);
		policy_set_unref(&set);
	}
	free(text);
}

static const struct {
	const char *name;
} lookup_case[] = { { "what is said agrees with what is found" } },
  long_case[] = { { "100,000 lines that nothing reaches" } };

int main(void)
{
	const struct table tables[] = {
		TABLE(check_reach, reach),
		TABLE(check_against_lookup, lookup_case),
		TABLE(check_long, long_case),
	};
	return TABLE_RUN_ALL("policy/check", tables);
}
