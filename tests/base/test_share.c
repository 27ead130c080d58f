#include "base/share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { NAMES = 12000, COUNT_MAX = 64 };

/* With two answers a destination would be of two loops, or of none. */
static void a_name_stays_where_it_is(void **state)
{
	(void)state;
	for (unsigned count = 1; count <= COUNT_MAX; count++) {
		unsigned holders = 0;
		for (unsigned i = 0; i < count; i++) {
			struct share share = { i, count };
			bool has = share_has(&share, "example.test");
			assert_int_equal(has, share_of("example.test", count) == i);
			holders += has;
		}
		assert_int_equal(holders, 1);
	}
}

static void the_only_share_has_every_name(void **state)
{
	static const struct share all = { 0 }, one = { 0, 1 };
	(void)state;
	assert_int_equal(share_of("a.test", 0), 0);
	assert_int_equal(share_of("a.test", 1), 0);
	assert_true(share_has(&all, "a.test") && share_has(&one, "a.test"));
	assert_true(share_has(&all, "") && share_has(&one, "[127.0.0.1]"));
}

/* Names in a row, as providers have them. */
static void name_of(unsigned form, unsigned i, char name[64])
{
	int n = form == 0   ? snprintf(name, 64, "d%04u.test", i)
		: form == 1 ? snprintf(name, 64, "mail%u.example.org", i)
		: form == 2 ? snprintf(name, 64, "[192.0.2.%u]", i)
			    : snprintf(name, 64, "x%x", i);
	assert_in_range(n, 1, 63);
}

static void check_sizes(unsigned form, unsigned count)
{
	unsigned sizes[COUNT_MAX] = { 0 }, fair = NAMES / count;
	char name[64];
	for (unsigned i = 0; i < NAMES; i++) {
		name_of(form, i, name);
		sizes[share_of(name, count)]++;
	}
	for (unsigned i = 0; i < count; i++)
		assert_in_range(sizes[i], fair * 3 / 5, fair * 7 / 5);
}

static void shares_are_alike(void **state)
{
	(void)state;
	for (unsigned form = 0; form < 4; form++) {
		for (unsigned count = 2; count <= COUNT_MAX; count++)
			check_sizes(form, count);
	}
}

static const struct divided {
	unsigned limit, count, parts[4];
} divided[] = {
	{ 200, 1, { 200 } },
	{ 200, 2, { 100, 100 } },
	{ 200, 3, { 67, 67, 66 } },
	{ 5, 4, { 2, 1, 1, 1 } },
	{ 2, 4, { 1, 1, 1, 1 } },
	{ 1, 2, { 1, 1 } },
};

static void a_limit_is_divided_without_a_rest(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(divided) / sizeof(divided[0]); i++) {
		const struct divided *d = &divided[i];
		for (unsigned n = 0; n < d->count; n++) {
			struct share share = { n, d->count };
			assert_int_equal(share_divide(&share, d->limit), d->parts[n]);
		}
	}
	assert_int_equal(share_divide(&(struct share){ 0 }, 200), 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_stays_where_it_is),
		cmocka_unit_test(the_only_share_has_every_name),
		cmocka_unit_test(shares_are_alike),
		cmocka_unit_test(a_limit_is_divided_without_a_rest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
