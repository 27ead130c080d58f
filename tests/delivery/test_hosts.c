/* The order in which addresses are dialled, and those that never are. */
#include "delivery/hosts.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct addr parsed(const char *text)
{
	struct addr a;
	assert_true(addr_parse(text, 0, &a));
	return a;
}

static void families_take_turns_ipv6_first(void **state)
{
	static const char *const expected[] = { "2001:db8::1", "192.0.2.1", "2001:db8::2",
		"192.0.2.2", "192.0.2.3" };
	struct addr v6[] = { parsed("2001:db8::1"), parsed("2001:db8::2") };
	struct addr v4[] = { parsed("192.0.2.1"), parsed("192.0.2.2"),
		parsed("192.0.2.3") };
	struct host_addrs found = { 0 };
	char text[ADDR_TEXT_MAX];
	(void)state;
	host_addrs_merge(v6, 2, v4, 3, 25, &found);
	assert_int_equal(found.count, ARRAY_SIZE(expected));
	for (size_t i = 0; i < found.count; i++) {
		addr_format(&found.addrs[i], text);
		assert_string_equal(text, expected[i]);
		assert_int_equal(addr_port(&found.addrs[i]), 25);
	}
}

static void an_address_is_dialled_once_and_at_most_ten_are_kept(void **state)
{
	struct addr v4[16], v6[] = { parsed("::ffff:192.0.2.1") };
	struct host_addrs found = { 0 };
	(void)state;
	for (int i = 0; i < 16; i++) {
		unsigned char octets[4] = { 192, 0, 2, (unsigned char)(i + 1) };
		addr_from_v4(&v4[i], octets, 0);
	}
	host_addrs_merge(v6, 1, v4, 2, 25, &found);
	assert_int_equal(found.count, 2);
	host_addrs_merge(v6, 1, v4, 16, 25, &found);
	assert_int_equal(found.count, HOSTS_ADDRS_MAX);
}

static void prohibited_ranges_hold_for_mapped_addresses_too(void **state)
{
	static const struct {
		const char *address;
		bool prohibited;
	} cases[] = { { "127.0.0.1", true }, { "127.255.0.9", true },
		{ "::ffff:127.0.0.1", true }, { "::1", true }, { "fe80::1", true },
		{ "192.0.2.1", false }, { "2001:db8::1", false } };
	struct addr_range ranges[3];
	(void)state;
	assert_int_equal(addr_range_parse("127.0.0.0/8", &ranges[0], NULL), 0);
	assert_int_equal(addr_range_parse("::1", &ranges[1], NULL), 0);
	assert_int_equal(addr_range_parse("fe80::/10", &ranges[2], NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct addr a = parsed(cases[i].address);
		assert_int_equal(
			host_addr_is_prohibited(&a, ranges, 3), cases[i].prohibited);
	}
}

static void one_s_own_doors_are_known_by_address_and_port(void **state)
{
	static const struct {
		const char *address;
		uint16_t port;
		bool is_own;
	} cases[] = { { "127.0.0.1", 25, true }, { "::ffff:127.0.0.1", 25, true },
		{ "127.0.0.1", 587, false }, { "192.0.2.1", 25, false },
		{ "127.0.0.9", 10025, true }, { "::1", 10025, true },
		{ "192.0.2.1", 10025, false } };
	struct config_listen listen[3] = { { .path = "/run/lmtp" } };
	(void)state;
	assert_true(addr_parse("127.0.0.1", 25, &listen[1].addr));
	assert_true(addr_parse("::", 10025, &listen[2].addr));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct addr a = parsed(cases[i].address);
		addr_set_port(&a, cases[i].port);
		assert_int_equal(host_addr_is_own(&a, listen, 3), cases[i].is_own);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(families_take_turns_ipv6_first),
		cmocka_unit_test(an_address_is_dialled_once_and_at_most_ten_are_kept),
		cmocka_unit_test(prohibited_ranges_hold_for_mapped_addresses_too),
		cmocka_unit_test(one_s_own_doors_are_known_by_address_and_port),
	};
	return cmocka_run_group_tests_name("hosts", tests, NULL, NULL);
}
