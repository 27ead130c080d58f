/* Which hosts take a destination's mail: RFC 5321 5.1, RFC 7505. */
#include "delivery/route.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Always the last: a shuffle with this one changes nothing. */
static uint32_t keep_order(uint32_t bound)
{
	return bound - 1;
}

static uint32_t take_first(uint32_t bound)
{
	(void)bound;
	return 0;
}

struct route_case {
	const char *name;
	enum dns_status status;
	struct dns_mx mx[4];
	size_t mx_count;
	enum route_status expected;
	const char *enhanced;
	const char *hosts; /* in order, "a b c" */
};

static const struct route_case cases[] = {
	{ "the lowest preference comes first", DNS_OK,
		{ { 20, "b.test" }, { 10, "a.test" } }, 2, ROUTE_OK, "",
		"a.test b.test" },
	{ "no MX record means the name itself", DNS_NO_DATA, { { 0, "" } }, 0, ROUTE_OK,
		"", "example.test" },
	{ "a name that does not exist is final", DNS_NO_NAME, { { 0, "" } }, 0,
		ROUTE_PERMANENT, "5.1.2", "" },
	{ "a failed lookup is never an implicit MX", DNS_TEMPORARY, { { 0, "" } }, 0,
		ROUTE_TEMPORARY, "4.4.3", "" },
	{ "a null MX takes no mail", DNS_OK, { { 0, "" } }, 1, ROUTE_PERMANENT, "5.1.10",
		"" },
	{ "a root with another preference is no null MX", DNS_OK, { { 10, "" } }, 1,
		ROUTE_TEMPORARY, "4.4.4", "" },
	{ "a root among other hosts is skipped", DNS_OK, { { 0, "" }, { 5, "a.test" } },
		2, ROUTE_OK, "", "a.test" },
	{ "oneself and worse hosts are dropped", DNS_OK,
		{ { 30, "c.test" }, { 20, "self.test" }, { 10, "a.test" } }, 3, ROUTE_OK,
		"", "a.test" },
	{ "hosts as good as oneself are dropped", DNS_OK,
		{ { 20, "b.test" }, { 20, "SELF.test" }, { 10, "a.test" } }, 3, ROUTE_OK,
		"", "a.test" },
	{ "oneself as the best host is a loop", DNS_OK,
		{ { 10, "self.test" }, { 20, "b.test" } }, 2, ROUTE_PERMANENT, "5.4.6",
		"" },
};

static void run_case(void **state)
{
	const struct route_case *c = *state;
	struct dns_answer answer = { .status = c->status,
		.mx = c->mx,
		.mx_count = c->mx_count,
		.text = "SERVFAIL" };
	struct route *r = xcalloc(1, sizeof(*r));
	char hosts[512] = "";
	route_from_mx(&answer, "example.test", "self.test", keep_order, r);
	for (size_t i = 0; i < r->host_count; i++) {
		strcat(hosts, i ? " " : "");
		strcat(hosts, r->hosts[i].name);
	}
	assert_int_equal(r->status, c->expected);
	assert_string_equal(r->enhanced, c->enhanced);
	assert_string_equal(hosts, c->hosts);
	assert_true(c->expected == ROUTE_OK || strstr(r->text, "example.test"));
	mem_free(&r);
}

static void equal_preferences_are_shuffled_among_themselves(void **state)
{
	struct dns_mx mx[] = { { 10, "a" }, { 10, "b" }, { 10, "c" }, { 20, "d" } };
	struct dns_answer answer = { .status = DNS_OK, .mx = mx, .mx_count = 4 };
	struct route *r = xcalloc(1, sizeof(*r));
	(void)state;
	route_from_mx(&answer, "example.test", "self.test", take_first, r);
	assert_string_equal(r->hosts[0].name, "b");
	assert_string_equal(r->hosts[1].name, "c");
	assert_string_equal(r->hosts[2].name, "a");
	assert_string_equal(r->hosts[3].name, "d");
	mem_free(&r);
}

static void a_host_can_be_preferred_to_better_ones(void **state)
{
	struct dns_mx mx[] = { { 10, "a" }, { 10, "b" }, { 20, "c" } };
	struct dns_answer answer = { .status = DNS_OK, .mx = mx, .mx_count = 3 };
	struct route *r = xcalloc(1, sizeof(*r));
	(void)state;
	route_from_mx(&answer, "example.test", "self.test", keep_order, r);
	route_prefer(r, "c");
	assert_string_equal(r->hosts[0].name, "c");
	assert_string_equal(r->hosts[1].name, "a");
	assert_string_equal(r->hosts[2].name, "b");
	route_prefer(r, "gone");
	assert_string_equal(r->hosts[0].name, "c");
	assert_int_equal(r->host_count, 3);
	answer.status = DNS_TEMPORARY;
	route_from_mx(&answer, "example.test", "self.test", keep_order, r);
	route_prefer(r, "a");
	assert_int_equal(r->host_count, 0);
	mem_free(&r);
}

static void a_name_that_is_ours_without_mx_is_a_loop(void **state)
{
	struct dns_answer answer = { .status = DNS_NO_DATA };
	struct route *r = xcalloc(1, sizeof(*r));
	(void)state;
	route_from_mx(&answer, "self.test", "self.test", keep_order, r);
	assert_int_equal(r->status, ROUTE_PERMANENT);
	assert_string_equal(r->enhanced, "5.4.6");
	mem_free(&r);
}

static void literals_are_hosts_of_their_own(void **state)
{
	static const struct {
		const char *text;
		bool is_literal;
		enum route_status status;
		int family;
	} literals[] = {
		{ "[192.0.2.1]", true, ROUTE_OK, AF_INET },
		{ "[IPv6:2001:db8::1]", true, ROUTE_OK, AF_INET6 },
		{ "[ipv6:2001:db8::1]", true, ROUTE_OK, AF_INET6 },
		{ "[nonsense]", true, ROUTE_PERMANENT, 0 },
		{ "example.test", false, ROUTE_OK, 0 },
	};
	struct route *r = xcalloc(1, sizeof(*r));
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(literals); i++) {
		assert_int_equal(
			route_from_literal(literals[i].text, r), literals[i].is_literal);
		if (!literals[i].is_literal)
			continue;
		assert_int_equal(r->status, literals[i].status);
		if (r->status == ROUTE_OK)
			assert_int_equal(
				addr_family(&r->hosts[0].literal), literals[i].family);
	}
	mem_free(&r);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(cases) + 4];
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		tests[i] = (struct CMUnitTest){ .name = cases[i].name,
			.test_func = run_case,
			.initial_state = (void *)&cases[i] };
	tests[ARRAY_SIZE(cases)] = (struct CMUnitTest)cmocka_unit_test(
		equal_preferences_are_shuffled_among_themselves);
	tests[ARRAY_SIZE(cases) + 1] = (struct CMUnitTest)cmocka_unit_test(
		a_name_that_is_ours_without_mx_is_a_loop);
	tests[ARRAY_SIZE(cases) + 2] =
		(struct CMUnitTest)cmocka_unit_test(literals_are_hosts_of_their_own);
	tests[ARRAY_SIZE(cases) + 3] = (struct CMUnitTest)cmocka_unit_test(
		a_host_can_be_preferred_to_better_ones);
	return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
