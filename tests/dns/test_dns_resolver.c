#include "dns/dns.h"

#include "base/mem.h"
#include "fixture.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct dialogue {
	const char *name;
	struct fake_step steps[4];
	size_t step_count;
	const char *expected; /* with the server's address after it, if it ends in ' ' */
	size_t queries;
	bool has_time_out;
	bool ends_over_tcp;
};

static const struct dialogue dialogues[] = {
	{ .name = "an answer",
		.steps = { { .records = { "an @ 300 MX 10 mx.test" } } },
		.step_count = 1,
		.expected = OK_TEXT,
		.queries = 1 },
	{ .name = "the AD bit of a loopback server is believed",
		.steps = { { .flags = WIRE_AD,
			.records = { "an @ 300 MX 10 mx.test" } } },
		.step_count = 1,
		.expected = "ok 300 secure: 10 mx.test",
		.queries = 1 },
	{ .name = "no such name",
		.steps = { { .flags = WIRE_NXDOMAIN,
			.records = { "ns test 60 SOA 60" } } },
		.step_count = 1,
		.expected = "no name 60",
		.queries = 1 },
	{ .name = "no data",
		.steps = { { .records = { "ns test 60 SOA 60" } } },
		.step_count = 1,
		.expected = "no data 60",
		.queries = 1 },
	{ .name = "SERVFAIL is not asked again",
		.steps = { { .flags = WIRE_SERVFAIL } },
		.step_count = 1,
		.expected = "temporary: SERVFAIL from ",
		.queries = 1 },
	{ .name = "REFUSED",
		.steps = { { .flags = WIRE_REFUSED } },
		.step_count = 1,
		.expected = "temporary: REFUSED from ",
		.queries = 1 },
	{ .name = "NOTIMP",
		.steps = { { .flags = WIRE_NOTIMP } },
		.step_count = 1,
		.expected = "temporary: NOTIMP from ",
		.queries = 1 },
	{ .name = "BADVERS",
		.steps = { { .records = { "ar . 16777216 OPT" } } },
		.step_count = 1,
		.expected = "temporary: BADVERS from ",
		.queries = 1 },
	{ .name = "FORMERR without EDNS, too",
		.steps = { { .flags = WIRE_FORMERR } },
		.step_count = 1,
		.expected = "temporary: FORMERR from ",
		.queries = 2 },
	{ .name = "FORMERR to EDNS: asked once more without it",
		.steps = { { .flags = WIRE_FORMERR },
			{ .records = { "an @ 300 MX 10 mx.test" } } },
		.step_count = 2,
		.expected = OK_TEXT,
		.queries = 2 },
	{ .name = "an empty MX is no null MX",
		.steps = { { .records = { "an @ 300 #15" } } },
		.step_count = 1,
		.expected = "temporary: malformed answer: the body of a record is "
			    "broken from ",
		.queries = 1 },
	{ .name = "truncated: over TCP",
		.steps = { { .flags = WIRE_TC },
			{ .records = { "an @ 300 MX 10 mx.test" } } },
		.step_count = 2,
		.expected = OK_TEXT,
		.queries = 2,
		.ends_over_tcp = true },
	{ .name = "truncated over TCP, too",
		.steps = { { .flags = WIRE_TC } },
		.step_count = 1,
		.expected = "temporary: malformed answer: it is truncated from ",
		.queries = 2,
		.ends_over_tcp = true },
	{ .name = "a lost query is sent again",
		.steps = { { .act = FAKE_DROP },
			{ .records = { "an @ 300 MX 10 mx.test" } } },
		.step_count = 2,
		.expected = OK_TEXT,
		.queries = 2,
		.has_time_out = true },
	{ .name = "silence",
		.steps = { { .act = FAKE_DROP } },
		.step_count = 1,
		.expected = "temporary: no answer (timed out) from ",
		.queries = 2,
		.has_time_out = true },
	{ .name = "a chain that the server cuts is asked for to its end",
		.steps = { { .records = { "an @ 40 CNAME a.test",
				     "an a.test 300 CNAME b.test" } },
			{ .records = { "an b.test 50 CNAME c.test",
				  "an c.test 300 MX 10 mx.test" } } },
		.step_count = 2,
		.expected = "ok 40: 10 mx.test",
		.queries = 2 },
	{ .name = "a chain that the server cuts at a name without the type",
		.steps = { { .records = { "an @ 40 CNAME a.test" } },
			{ .records = { "ns test 60 SOA 60" } } },
		.step_count = 2,
		.expected = "no data 40",
		.queries = 2 },
	{ .name = "the rest of a cut chain has to be secure, too",
		.steps = { { .records = { "an @ 300 CNAME a.test" } },
			{ .flags = WIRE_AD,
				.records = { "an a.test 300 MX 10 mx.test" } } },
		.step_count = 2,
		.expected = "ok 300: 10 mx.test",
		.queries = 2 },
	{ .name = "a failure in the rest of a cut chain is temporary",
		.steps = { { .records = { "an @ 300 CNAME a.test" } },
			{ .flags = WIRE_SERVFAIL } },
		.step_count = 2,
		.expected = "temporary: SERVFAIL from ",
		.queries = 2 },
	{ .name = "a cut chain that leads to itself",
		.steps = { { .records = { "an @ 300 CNAME a.test" } } },
		.step_count = 1,
		.expected = "temporary: malformed answer: its CNAME chain is a loop or "
			    "too long from ",
		.queries = 2 },
	{ .name = "an answer with another id is ignored",
		.steps = { { FAKE_WRONG_ID, .records = { "an @ 300 MX 10 mx.test" } } },
		.step_count = 1,
		.expected = OK_TEXT,
		.queries = 1 },
	{ .name = "an answer to another question is ignored",
		.steps = { { FAKE_WRONG_QUESTION,
			.records = { "an @ 300 MX 10 mx.test" } } },
		.step_count = 1,
		.expected = OK_TEXT,
		.queries = 1 },
};

static void run_dialogue(const struct dialogue *d)
{
	struct fixture f;
	char expected[256], server[ADDR_TEXT_MAX];
	fixture_init(&f);
	fixture_add_server(&f, 0, d->steps, d->step_count);
	fixture_open(&f, 1, d->has_time_out ? SOON_MS : PATIENT_MS, 2);
	struct caller c = { .f = &f };
	caller_ask(&c, "example.test");
	assert_int_equal(c.calls, 0);
	fixture_run(&f);

	size_t len = strlen(d->expected);
	addr_format_with_port(&f.servers[0].addr, server);
	snprintf(expected, sizeof(expected), "%s%s", d->expected,
		d->expected[len - 1] == ' ' ? server : "");
	if (c.calls != 1 || strcmp(buf_text(&c.text), expected) != 0)
		fail_msg("%s: %d calls, got \"%s\"", d->name, c.calls, buf_text(&c.text));
	if (f.servers[0].query_count != d->queries)
		fail_msg("%s: %zu queries", d->name, f.servers[0].query_count);
	if (f.servers[0].queries[d->queries - 1].is_tcp != d->ends_over_tcp)
		fail_msg("%s: the other transport", d->name);
	buf_clear(&c.text);
	fixture_clear(&f);
}

static void dialogues_end_as_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(dialogues); i++)
		run_dialogue(&dialogues[i]);
}

static void a_malformed_datagram_is_a_temporary_failure(void **state)
{
	(void)state;
	static const struct fake_step cut[] = { { FAKE_CUT,
		.records = { "an @ 300 MX 10 mx.test" } } };
	struct fixture f;
	fixture_init(&f);
	fixture_add_server(&f, 0, cut, 1);
	fixture_open(&f, 1, SOON_MS, 1);
	struct caller c = { .f = &f };
	caller_ask(&c, "example.test");
	fixture_run(&f);
	assert_int_equal(c.calls, 1);
	/* Some versions of c-ares drop it, others hand it on. */
	assert_memory_equal(buf_text(&c.text), "temporary: ", 11);
	buf_clear(&c.text);
	fixture_clear(&f);
}

static void queries_carry_ad_rd_and_edns_and_fresh_ids_and_ports(void **state)
{
	(void)state;
	enum { QUERIES = 8 };
	struct fixture f;
	char name[32];
	int same = 0, same_port = 0;
	fixture_init(&f);
	fixture_add_server(&f, 0, fixture_good, 1);
	fixture_open(&f, 1, PATIENT_MS, 1);
	struct caller c = { .f = &f };
	for (int i = 0; i < QUERIES; i++) {
		snprintf(name, sizeof(name), "host%d.test", i);
		caller_ask(&c, name);
		fixture_run(&f);
	}
	const struct fake_query *q = f.servers[0].queries;
	for (int i = 0; i < QUERIES; i++) {
		assert_int_equal(q[i].flags, 0x0120);
		assert_int_equal(q[i].edns_octets, 1232);
		same += i > 0 && q[i].id == q[0].id;
		same_port += i > 0 && q[i].port == q[0].port;
	}
	assert_int_not_equal(same, QUERIES - 1);
	assert_int_not_equal(same_port, QUERIES - 1);
	buf_clear(&c.text);
	fixture_clear(&f);
}

static void one_formerr_does_not_switch_edns_off_for_others(void **state)
{
	(void)state;
	static const struct fake_step steps[] = { { .flags = WIRE_FORMERR },
		{ .records = { "an @ 300 MX 10 mx.test" } } };
	struct fixture f;
	fixture_init(&f);
	fixture_add_server(&f, 0, steps, 2);
	fixture_open(&f, 1, PATIENT_MS, 1);
	struct caller c = { .f = &f };
	caller_ask(&c, "example.test");
	fixture_run(&f);
	caller_ask(&c, "other.test");
	fixture_run(&f);
	assert_int_equal(f.servers[0].query_count, 3);
	assert_int_equal(f.servers[0].queries[1].edns_octets, 0);
	assert_int_equal(f.servers[0].queries[2].edns_octets, 1232);
	buf_clear(&c.text);
	fixture_clear(&f);
}

static void addresses_are_asked_for_by_family(void **state)
{
	(void)state;
	static const struct fake_step steps[] = {
		{ .records = { "an @ 300 A 192.0.2.1", "an @ 300 A 192.0.2.2" } },
		{ .records = { "an @ 200 AAAA 2001:db8::1" } }
	};
	struct fixture f;
	fixture_init(&f);
	fixture_add_server(&f, 0, steps, 2);
	fixture_open(&f, 1, PATIENT_MS, 1);
	struct caller v4 = { .f = &f }, v6 = { .f = &f };
	caller_ask_address(&v4, "host.test", AF_INET);
	fixture_run(&f);
	caller_ask_address(&v6, "host.test", AF_INET6);
	fixture_run(&f);
	assert_int_equal(f.servers[0].queries[0].type, 1);
	assert_int_equal(f.servers[0].queries[1].type, 28);
	assert_string_equal(buf_text(&v4.text), "ok 300: 192.0.2.1, 192.0.2.2");
	assert_string_equal(buf_text(&v6.text), "ok 200: 2001:db8::1");
	buf_clear(&v4.text);
	buf_clear(&v6.text);
	fixture_clear(&f);
}

static void the_second_server_answers_where_the_first_fails(void **state)
{
	(void)state;
	static const struct fake_step firsts[][1] = { { { .act = FAKE_DROP } },
		{ { .flags = WIRE_SERVFAIL } }, { { .flags = WIRE_REFUSED } },
		{ { .records = { "an @ 300 #15" } } } };
	for (size_t i = 0; i < ARRAY_SIZE(firsts); i++) {
		struct fixture f;
		fixture_init(&f);
		fixture_add_server(&f, 0, firsts[i], 1);
		fixture_add_server(&f, 1, fixture_good, 1);
		fixture_open(&f, 2, i == 0 ? SOON_MS : PATIENT_MS, 2);
		struct caller c = { .f = &f };
		caller_ask(&c, "example.test");
		fixture_run(&f);
		assert_string_equal(buf_text(&c.text), OK_TEXT);
		assert_int_equal(f.servers[0].query_count, 1);
		assert_int_equal(f.servers[1].query_count, 1);
		buf_clear(&c.text);
		fixture_clear(&f);
	}
}

static void a_closed_port_is_a_temporary_failure(void **state)
{
	(void)state;
	struct fixture f;
	fixture_init(&f);
	fixture_add_server(&f, 0, fixture_good, 1);
	fixture_open(&f, 1, SOON_MS, 1);
	fixture_stop_server(&f, 0);
	struct caller c = { .f = &f };
	caller_ask(&c, "example.test");
	fixture_run(&f);
	assert_int_equal(c.calls, 1);
	assert_memory_equal(buf_text(&c.text), "temporary: no answer (", 22);
	buf_clear(&c.text);
	fixture_clear(&f);
}

/* The sleep is the case, not a way to wait: something else kept the loop busy
 * for longer than the time-out, with the answer already in the socket. */
static void an_answer_that_came_while_the_loop_stood_still_counts(void **state)
{
	(void)state;
	struct fixture f;
	fixture_init(&f);
	fixture_add_server(&f, 0, fixture_held, 1);
	fixture_open(&f, 1, SOON_MS, 1);
	struct caller c = { .f = &f };
	caller_ask(&c, "example.test");
	fixture_run_until_asked(&f, 1);
	fake_dns_release(&f.servers[0]);
	uv_sleep(SOON_MS + 50);
	fixture_run(&f);
	assert_string_equal(buf_text(&c.text), OK_TEXT);
	buf_clear(&c.text);
	fixture_clear(&f);
}

static void a_known_answer_comes_later_and_without_a_query(void **state)
{
	(void)state;
	struct fixture f;
	fixture_init(&f);
	fixture_add_server(&f, 0, fixture_good, 1);
	fixture_open(&f, 1, PATIENT_MS, 1);
	struct caller c = { .f = &f };
	caller_ask(&c, "example.test");
	fixture_run(&f);
	caller_ask(&c, "EXAMPLE.test");
	assert_int_equal(c.calls, 1);
	fixture_run(&f);
	assert_int_equal(c.calls, 2);
	assert_memory_equal(buf_text(&c.text), "ok ", 3);
	assert_int_equal(f.servers[0].query_count, 1);
	buf_clear(&c.text);
	fixture_clear(&f);
}

static void a_temporary_failure_is_asked_for_again(void **state)
{
	(void)state;
	static const struct fake_step steps[] = { { .flags = WIRE_SERVFAIL },
		{ .records = { "an @ 300 MX 10 mx.test" } } };
	struct fixture f;
	fixture_init(&f);
	fixture_add_server(&f, 0, steps, 2);
	fixture_open(&f, 1, PATIENT_MS, 1);
	struct caller c = { .f = &f };
	caller_ask(&c, "example.test");
	fixture_run(&f);
	caller_ask(&c, "example.test");
	fixture_run(&f);
	assert_string_equal(buf_text(&c.text), OK_TEXT);
	buf_clear(&c.text);
	fixture_clear(&f);
}

static void the_same_question_twice_is_one_query(void **state)
{
	(void)state;
	struct fixture f;
	fixture_init(&f);
	fixture_add_server(&f, 0, fixture_held, 1);
	fixture_open(&f, 1, PATIENT_MS, 1);
	struct caller a = { .f = &f }, b = { .f = &f }, gone = { .f = &f };
	caller_ask(&a, "example.test");
	caller_ask(&gone, "example.test");
	fixture_run_until_asked(&f, 1);
	caller_ask(&b, "Example.TEST");
	dns_query_cancel(&gone.query);
	fake_dns_release(&f.servers[0]);
	fixture_run(&f);
	assert_int_equal(f.servers[0].query_count, 1);
	assert_string_equal(buf_text(&a.text), OK_TEXT);
	assert_string_equal(buf_text(&b.text), OK_TEXT);
	assert_int_equal(a.calls + b.calls, 2);
	assert_int_equal(gone.calls, 0);
	buf_clear(&a.text);
	buf_clear(&b.text);
	fixture_clear(&f);
}

static void a_name_that_cannot_be_asked_does_not_exist(void **state)
{
	(void)state;
	static const char *const names[] = { "", "a..b", "a b.test", "example.test." };
	struct fixture f;
	fixture_init(&f);
	fixture_add_server(&f, 0, fixture_good, 1);
	fixture_open(&f, 1, PATIENT_MS, 1);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct caller c = { .f = &f };
		caller_ask(&c, names[i]);
		assert_int_equal(c.calls, 0);
		fixture_run(&f);
		assert_string_equal(buf_text(&c.text), "no name 0");
		buf_clear(&c.text);
	}
	assert_int_equal(f.servers[0].query_count, 0);
	fixture_clear(&f);
}

/* An address of this machine that is not a loopback address. */
static bool find_own_address(char *out)
{
	struct ifaddrs *all, *i;
	struct addr a;
	bool found = false;
	if (getifaddrs(&all) != 0)
		return false;
	for (i = all; i && !found; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET)
			continue;
		addr_from_sockaddr(&a, i->ifa_addr);
		found = ntohl(a.v4.sin_addr.s_addr) >> 24 != 127;
		addr_format(&a, out);
	}
	freeifaddrs(all);
	return found;
}

static void the_ad_bit_of_a_server_elsewhere_is_not_believed(void **state)
{
	(void)state;
	static const struct fake_step steps[] = { { .flags = WIRE_AD,
		.records = { "an @ 300 MX 10 mx.test" } } };
	char ip[ADDR_TEXT_MAX];
	struct fixture f;
	if (!find_own_address(ip))
		skip();
	fixture_init(&f);
	fake_dns_start(&f.servers[0], &f.loop, ip, steps, 1);
	fixture_open(&f, 1, PATIENT_MS, 1);
	struct caller c = { .f = &f };
	caller_ask(&c, "example.test");
	fixture_run(&f);
	assert_string_equal(buf_text(&c.text), OK_TEXT);
	buf_clear(&c.text);
	fixture_clear(&f);
}

static bool has_ipv6_loopback(void)
{
	struct addr a;
	assert_true(addr_parse("::1", 0, &a));
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	if (fd < 0)
		return false;
	bool has = bind(fd, &a.sa, addr_len(&a)) == 0;
	close(fd);
	return has;
}

static void a_server_may_have_an_ipv6_address(void **state)
{
	(void)state;
	static const struct fake_step steps[] = { { .flags = WIRE_TC },
		{ .flags = WIRE_AD, .records = { "an @ 300 MX 10 mx.test" } } };
	struct fixture f;
	if (!has_ipv6_loopback())
		skip();
	fixture_init(&f);
	fake_dns_start(&f.servers[0], &f.loop, "::1", steps, 2);
	fixture_open(&f, 1, PATIENT_MS, 1);
	struct caller c = { .f = &f };
	caller_ask(&c, "example.test");
	fixture_run(&f);
	assert_string_equal(buf_text(&c.text), "ok 300 secure: 10 mx.test");
	buf_clear(&c.text);
	fixture_clear(&f);
}

static void without_servers_the_system_is_asked_which(void **state)
{
	(void)state;
	struct dns_options o = { .cache_max = 1 };
	struct fixture f;
	struct err e;
	fixture_init(&f);
	/* Whatever this machine has: it opens or says why not, and closes. */
	if (dns_resolver_new(&f.loop, &o, &f.resolver, &e) != 0)
		assert_true(*e.text != '\0');
	fixture_clear(&f);
}

static void too_many_servers_are_an_error(void **state)
{
	(void)state;
	struct addr addrs[9] = { 0 };
	struct dns_options o = { .servers = addrs, .server_count = ARRAY_SIZE(addrs) };
	struct fixture f;
	struct err e;
	fixture_init(&f);
	assert_int_equal(dns_resolver_new(&f.loop, &o, &f.resolver, &e), ERR_LIMIT);
	fixture_clear(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dialogues_end_as_the_table_says),
		cmocka_unit_test(a_malformed_datagram_is_a_temporary_failure),
		cmocka_unit_test(queries_carry_ad_rd_and_edns_and_fresh_ids_and_ports),
		cmocka_unit_test(one_formerr_does_not_switch_edns_off_for_others),
		cmocka_unit_test(addresses_are_asked_for_by_family),
		cmocka_unit_test(the_second_server_answers_where_the_first_fails),
		cmocka_unit_test(a_closed_port_is_a_temporary_failure),
		cmocka_unit_test(an_answer_that_came_while_the_loop_stood_still_counts),
		cmocka_unit_test(a_known_answer_comes_later_and_without_a_query),
		cmocka_unit_test(a_temporary_failure_is_asked_for_again),
		cmocka_unit_test(the_same_question_twice_is_one_query),
		cmocka_unit_test(a_name_that_cannot_be_asked_does_not_exist),
		cmocka_unit_test(the_ad_bit_of_a_server_elsewhere_is_not_believed),
		cmocka_unit_test(a_server_may_have_an_ipv6_address),
		cmocka_unit_test(without_servers_the_system_is_asked_which),
		cmocka_unit_test(too_many_servers_are_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
