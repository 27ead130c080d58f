#include "base/addr.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* text with default port 53 -> with port, or NULL: refused */
static const struct {
	const char *text, *expected;
} with_port[] = {
	{ "192.0.2.1", "192.0.2.1:53" },
	{ "192.0.2.1:5353", "192.0.2.1:5353" },
	{ "192.0.2.1:1", "192.0.2.1:1" },
	{ "192.0.2.1:65535", "192.0.2.1:65535" },
	{ "2001:DB8::1", "[2001:db8::1]:53" },
	{ "[2001:db8::1]", "[2001:db8::1]:53" },
	{ "[2001:db8::1]:25", "[2001:db8::1]:25" },
	{ "::ffff:192.0.2.1", "[::ffff:192.0.2.1]:53" },
	{ "", NULL },
	{ "192.0.2.1:", NULL },
	{ "192.0.2.1:0", NULL },
	{ "192.0.2.1:65536", NULL },
	{ "192.0.2.1:99999999999999999999", NULL },
	{ "192.0.2.1:-1", NULL },
	{ "192.0.2.1: 5", NULL },
	{ "192.0.2.1:5x", NULL },
	{ "192.0.2", NULL },
	{ "192.0.2.256", NULL },
	{ "192.0.2.1 ", NULL },
	{ "[2001:db8::1", NULL },
	{ "[2001:db8::1]25", NULL },
	{ "[2001:db8::1]:", NULL },
	{ "2001:db8::1]:25", NULL },
	{ "[]", NULL },
	{ "localhost", NULL },
	{ "00000000000000000000000000000000000000000000000000000000000000000000", NULL },
};

static void addresses_with_a_port_are_read_and_written(void **state)
{
	(void)state;
	char out[ADDR_TEXT_MAX];
	struct addr a;
	struct err e;
	for (size_t i = 0; i < ARRAY_SIZE(with_port); i++) {
		int result = addr_parse_with_port(with_port[i].text, 53, &a, &e);
		if (!with_port[i].expected) {
			if (result != ERR_INVALID)
				fail_msg("\"%s\" is taken", with_port[i].text);
			continue;
		}
		if (result != 0)
			fail_msg("\"%s\" is refused", with_port[i].text);
		addr_format_with_port(&a, out);
		assert_string_equal(out, with_port[i].expected);
	}
}

static void addresses_look_as_the_library_writes_them(void **state)
{
	(void)state;
	for (int i = 0; i < 4 * 256; i++) {
		unsigned char octets[4] = { 192, 0, 2, 10 };
		char expected[ADDR_TEXT_MAX], out[ADDR_TEXT_MAX];
		struct addr a;
		octets[i / 256] = (unsigned char)(i % 256);
		addr_from_v4(&a, octets, 25);
		assert_non_null(inet_ntop(AF_INET, octets, expected, sizeof(expected)));
		addr_format(&a, out);
		assert_string_equal(out, expected);
	}
}

static void the_longest_address_fits(void **state)
{
	(void)state;
	const char *longest = "[1111:2222:3333:4444:5555:6666:7777:8888]:65535";
	char out[ADDR_TEXT_MAX];
	struct addr a;
	assert_int_equal(addr_parse_with_port(longest, 53, &a, NULL), 0);
	addr_format_with_port(&a, out);
	assert_string_equal(out, longest);
}

static void family_length_and_port_belong_together(void **state)
{
	(void)state;
	struct addr v4, v6, copy;
	assert_true(addr_parse("192.0.2.1", 25, &v4));
	assert_true(addr_parse("2001:db8::1", 25, &v6));
	assert_int_equal(addr_family(&v4), AF_INET);
	assert_int_equal(addr_family(&v6), AF_INET6);
	assert_int_equal(addr_len(&v4), sizeof(struct sockaddr_in));
	assert_int_equal(addr_len(&v6), sizeof(struct sockaddr_in6));
	assert_int_equal(addr_port(&v4), 25);
	addr_set_port(&v4, 465);
	addr_set_port(&v6, 587);
	assert_int_equal(addr_port(&v4), 465);
	assert_int_equal(addr_port(&v6), 587);
	assert_true(addr_from_sockaddr(&copy, &v6.sa));
	assert_true(addr_equal(&copy, &v6));
	struct sockaddr other = { .sa_family = AF_UNIX };
	assert_false(addr_from_sockaddr(&copy, &other));
}

static const struct {
	const char *mapped, *plain;
} unmapped[] = {
	{ "::ffff:192.0.2.1", "192.0.2.1" },
	{ "::ffff:0.0.0.0", "0.0.0.0" },
	{ "192.0.2.1", "192.0.2.1" },
	{ "2001:db8::1", "2001:db8::1" },
	{ "::", "::" },
	{ "::192.0.2.1", "::192.0.2.1" },
};

static void mapped_addresses_become_what_they_carry(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(unmapped); i++) {
		char out[ADDR_TEXT_MAX];
		struct addr a, before;
		assert_true(addr_parse(unmapped[i].mapped, 25, &a));
		before = a;
		addr_unmap(&a, &a); /* in place */
		addr_format(&a, out);
		assert_string_equal(out, unmapped[i].plain);
		assert_int_equal(addr_port(&a), 25);
		assert_true(addr_equal(&a, &before));
	}
}

static void equal_means_address_and_port(void **state)
{
	(void)state;
	struct addr a, b;
	addr_parse("192.0.2.1", 25, &a);
	addr_parse("192.0.2.1", 26, &b);
	assert_false(addr_equal(&a, &b));
	addr_parse("192.0.2.2", 25, &b);
	assert_false(addr_equal(&a, &b));
	addr_parse("2001:db8::1", 25, &b);
	assert_false(addr_equal(&a, &b));
}

static const struct {
	const char *range, *address;
	bool is_in;
} ranges[] = {
	{ "127.0.0.0/8", "127.0.0.1", true },
	{ "127.0.0.0/8", "127.255.255.255", true },
	{ "127.0.0.0/8", "128.0.0.0", false },
	{ "127.0.0.0/8", "::ffff:127.0.0.1", true },
	{ "127.0.0.0/8", "::7f00:1", false },
	{ "192.0.2.128/25", "192.0.2.128", true },
	{ "192.0.2.128/25", "192.0.2.127", false },
	{ "192.0.2.1", "192.0.2.1", true },
	{ "192.0.2.1", "192.0.2.0", false },
	{ "0.0.0.0/0", "203.0.113.9", true },
	{ "0.0.0.0/0", "2001:db8::1", false },
	{ "::/0", "2001:db8::1", true },
	{ "::/0", "192.0.2.1", false },
	{ "::1", "::1", true },
	{ "::1", "::2", false },
	{ "fe80::/10", "febf::1", true },
	{ "fe80::/10", "fec0::1", false },
	{ "::ffff:192.0.2.0/120", "192.0.2.77", true },
	{ "::ffff:192.0.2.0/120", "192.0.3.77", false },
	{ "::ffff:0:0/96", "203.0.113.9", true },
	/* The bits behind the prefix do not count. */
	{ "10.1.2.3/8", "10.200.0.1", true },
};

static void ranges_hold_what_they_should(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		struct addr_range r;
		struct addr a;
		assert_int_equal(addr_range_parse(ranges[i].range, &r, NULL), 0);
		assert_true(addr_parse(ranges[i].address, 25, &a));
		if (addr_in_range(&a, &r) != ranges[i].is_in)
			fail_msg("%s in %s", ranges[i].address, ranges[i].range);
	}
}

static void what_is_no_range_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "/", "/8", "10.0.0.0/", "10.0.0.0/33",
		"10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.0/ 8", "::/129", "10.0.0/8",
		"::ffff:192.0.2.0/95", "10.0.0.0/99999999999999999999" };
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct addr_range r;
		struct err e;
		if (addr_range_parse(bad[i], &r, &e) != ERR_INVALID)
			fail_msg("\"%s\" is taken", bad[i]);
		assert_non_null(strstr(e.text, bad[i]));
	}
}

static const struct {
	const char *text;
	bool is_any, is_loopback;
} special[] = {
	{ "0.0.0.0", true, false },
	{ "::", true, false },
	{ "127.0.0.1", false, true },
	{ "127.255.0.9", false, true },
	{ "::1", false, true },
	{ "::ffff:127.0.0.1", false, true },
	{ "192.0.2.127", false, false },
	{ "::2", false, false },
};

static void this_machine_is_known_by_its_addresses(void **state)
{
	struct addr a;
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(special); i++) {
		assert_true(addr_parse(special[i].text, 25, &a));
		assert_int_equal(addr_is_any(&a), special[i].is_any);
		assert_int_equal(addr_is_loopback(&a), special[i].is_loopback);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_with_a_port_are_read_and_written),
		cmocka_unit_test(addresses_look_as_the_library_writes_them),
		cmocka_unit_test(the_longest_address_fits),
		cmocka_unit_test(family_length_and_port_belong_together),
		cmocka_unit_test(mapped_addresses_become_what_they_carry),
		cmocka_unit_test(equal_means_address_and_port),
		cmocka_unit_test(ranges_hold_what_they_should),
		cmocka_unit_test(what_is_no_range_is_refused),
		cmocka_unit_test(this_machine_is_known_by_its_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
