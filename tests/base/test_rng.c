#include "base/rng.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

static void below_stays_below_and_reaches_everything(void **state)
{
	(void)state;
	enum { BOUND = 6 };
	bool seen[BOUND] = { false };
	for (int i = 0; i < 2000; i++) {
		uint32_t n = rng_below(BOUND);
		assert_true(n < BOUND);
		seen[n] = true;
	}
	/* Each is missed with a chance of (5/6)^2000, about 10^-158. */
	for (int i = 0; i < BOUND; i++)
		assert_true(seen[i]);
}

static void bounds_at_the_edges(void **state)
{
	(void)state;
	static const uint32_t bounds[] = { 1, 2, 0x80000000u, 0x80000001u, UINT32_MAX };
	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
		for (int n = 0; n < 50; n++)
			assert_true(rng_below(bounds[i]) < bounds[i]);
	}
}

static void all_octets_are_filled_and_differ(void **state)
{
	(void)state;
	unsigned char a[300], b[300];
	memset(a, 0, sizeof(a));
	memset(b, 0, sizeof(b));
	rng_bytes(a, sizeof(a));
	rng_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	/* More than getrandom gives at once must reach the end, too. */
	assert_memory_not_equal(a + 268, b + 268, 32);
	rng_bytes(a, 0);
	assert_true(rng_u64() != rng_u64());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(below_stays_below_and_reaches_everything),
		cmocka_unit_test(bounds_at_the_edges),
		cmocka_unit_test(all_octets_are_filled_and_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
