#include "table.h"

#include "fixture.h"

#define BYTES(s) s, sizeof(s) - 1

/* Which line of routes.txt counts for a destination. */
static const struct match_case {
	const char *name, *routes, *destination;
	enum policy_match match;
	unsigned line; /* 0: none */
} matches[] = {
	{ "no route", "b.example mx:\n", "a.example", POLICY_MATCH_LABEL, 0 },
	{ "an empty file", "# nothing\n", "a.example", POLICY_MATCH_LABEL, 0 },
	{ "the first line, though a later one is more specific",
		"example mx:\n[a.example] discard\n", "a.example", POLICY_MATCH_LABEL,
		1 },
	{ "the star first takes all", "* mx:\n[a.example] discard\n", "a.example",
		POLICY_MATCH_LABEL, 1 },
	{ "the star last takes the rest", "[a.example] discard\n* mx:\n", "b.example",
		POLICY_MATCH_LABEL, 2 },
	{ "the order of lines, not of kinds",
		"b mx:\n.a.example mx:\n[x.a.example] mx:\nexample mx:\n", "x.a.example",
		POLICY_MATCH_LABEL, 2 },
	{ "one pattern twice is no error, and the first counts",
		"b mx:\na.example mx:\na.example discard\n", "a.example",
		POLICY_MATCH_LABEL, 2 },
	{ "below does not take the name", ".a.example mx:\na.example discard\n",
		"a.example", POLICY_MATCH_LABEL, 2 },
	{ "a literal", "example mx:\n[192.0.2.1] discard\n", "[192.0.2.1]",
		POLICY_MATCH_LABEL, 2 },
	{ "the star takes literals", "* mx:\n", "[IPv6:2001:db8::1]", POLICY_MATCH_LABEL,
		1 },
	{ "a bare pattern anywhere in the name", "b mx:\nampl mx:\n", "a.example",
		POLICY_MATCH_SUBSTRING, 2 },
	{ "the first of those", "xampl mx:\nampl mx:\n", "a.example",
		POLICY_MATCH_SUBSTRING, 1 },
	{ "an earlier line of another kind before those", "* mx:\nampl mx:\n",
		"a.example", POLICY_MATCH_SUBSTRING, 1 },
};

static void check_match(void **state)
{
	const struct match_case *c = *state;
	struct policy_set *set = fixture_routes(c->routes, c->match);
	const struct policy_route *r = policy_set_route(set, c->destination);
	assert_int_equal(r ? r->line : 0, c->line);
	if (r)
		assert_string_equal(r->path, "/p/routes.txt");
	policy_set_unref(&set);
}

static const struct read_case {
	const char *name, *bytes;
	size_t len;
} reads[] = {
	{ "UTF-8 with comments and blanks",
		BYTES("# where mail goes\r\n\r\n"
		      " 例え.jp \t smtps://[例え.jp]:465  ehlo=out.example # 2026\r\n") },
	{ "UTF-8 after its byte order mark",
		BYTES("\xef\xbb\xbf\n\n例え.jp smtps://[例え.jp]:465 "
		      "ehlo=out.example\n") },
	{ "UTF-16, without an end of the line",
		BYTES("\xff\xfe\n\0\n\0\x8b\x4f\x48\x30.\0j\0p\0\t\0"
		      "s\0m\0t\0p\0s\0:\0/\0/\0[\0\x8b\x4f\x48\x30.\0j\0p\0]\0:\0"
		      "4\0"
		      "6\0"
		      "5\0 \0"
		      "e\0h\0l\0o\0=\0o\0u\0t\0.\0e\0x\0"
		      "a\0m\0p\0l\0e\0") },
};

static void check_read(void **state)
{
	const struct read_case *c = *state;
	struct policy_source sources[POLICY_FILE_COUNT] = {
		[POLICY_FILE_ROUTES] = { NULL, c->bytes, c->len },
	};
	struct policy_errors errors;
	struct policy_set *set = policy_set_parse(sources, &fixture_label, 1, &errors);
	assert_non_null(set);
	assert_int_equal(policy_set_count(set, POLICY_FILE_ROUTES), 1);
	const struct policy_route *r = policy_set_route(set, "a.xn--r8jz45g.jp");
	assert_non_null(r);
	assert_ptr_equal(r, policy_set_route_at(set, 0));
	assert_null(policy_set_route_at(set, 1));
	assert_int_equal(r->line, 3);
	assert_string_equal(r->path, "routes.txt");
	assert_int_equal(r->relay_count, 1);
	assert_int_equal(r->relays[0].transport, POLICY_TRANSPORT_SMTPS);
	assert_string_equal(r->relays[0].host, "xn--r8jz45g.jp");
	assert_string_equal(r->ehlo, "out.example");
	policy_set_unref(&set);
}

static void check_errors(void **state)
{
	struct fixture_files files = {
		.exclude = "ok.example\n",
		.routes = "a mx:\nb smtp://relay.example:0\nc discard\nd relay.example\n",
	};
	struct policy_errors errors;
	(void)state;
	assert_null(fixture_set_of(&files, &fixture_label, &errors));
	assert_int_equal(errors.total, 2);
	assert_string_equal(errors.list[0].file, "/p/routes.txt");
	assert_int_equal(errors.list[0].line, 2);
	assert_string_equal(
		errors.list[0].text, "smtp://relay.example:0: port must be 1 to 65535");
	assert_int_equal(errors.list[1].line, 4);
	policy_errors_clear(&errors);
}

static void check_digest(void **state)
{
	static const char *const routes[] = { "a mx:\n", "a mx: # same\n", "a  mx:\n",
		"b mx:\n", "a mx: tls=off\n", "\na mx:\n", NULL };
	uint64_t first = 0;
	(void)state;
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		struct policy_set *set = fixture_routes(routes[i], POLICY_MATCH_LABEL);
		uint64_t digest = policy_set_digest(set);
		if (i == 0)
			first = digest;
		if ((digest == first) != (i < 2))
			fail_msg("routes %zu", i);
		policy_set_unref(&set);
	}
}

/* Every destination of 100,000 lines, in either way of matching. Were each line
 * looked at for each of them, this would take hours. */
static void check_long(void **state)
{
	enum { LINES = 100000 };
	char *text = malloc(LINES * 64), name[64];
	(void)state;
	assert_non_null(text);
	for (int match = 0; match < 2; match++) {
		size_t len = 0;
		for (int i = 0; i < LINES; i++)
			len += (size_t)sprintf(text + len,
				"d%06d.example smtp://[r%d.example]:587 auth=r%d\n", i,
				i % 7, i % 3);
		struct policy_set *set = fixture_routes(text, (enum policy_match)match);
		for (int i = 0; i < LINES; i += match ? 37 : 1) {
			snprintf(name, sizeof(name), "mx.d%06d.example", i);
			const struct policy_route *r = policy_set_route(set, name);
			if (!r || r->line != (unsigned)i + 1 || r->auth[1] != '0' + i % 3)
				fail_msg("%s has line %u", name, r ? r->line : 0);
			name[3] = 'e';
			assert_null(policy_set_route(set, name));
		}
		policy_set_unref(&set);
	}
	free(text);
}

static const struct {
	const char *name;
} errors_case[] = { { "errors name file, line and reason" } },
  digest_case[] = { { "the digest changes with the routes" } },
  long_case[] = { { "100,000 routes: each is found, nothing else is" } };

int main(void)
{
	const struct table tables[] = {
		TABLE(check_match, matches),
		TABLE(check_read, reads),
		TABLE(check_errors, errors_case),
		TABLE(check_digest, digest_case),
		TABLE(check_long, long_case),
	};
	return TABLE_RUN_ALL("policy/set_routes", tables);
}
