/* What is said of a trouble, as its story goes. */
#include "delivery/trouble.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

/* It fails each second for so long; how often that is said. */
static unsigned fails(struct trouble *t, enum err_code code, int64_t from_s, int64_t to_s)
{
	unsigned said = 0;
	for (int64_t s = from_s; s < to_s; s++)
		said += trouble_begins(t, code, s * 1000);
	return said;
}

static void it_is_said_once_that_it_begins_and_once_that_it_ends(void **state)
{
	struct trouble t = { 0 };
	(void)state;
	assert_false(trouble_ends(&t, 0));
	assert_int_equal(fails(&t, ERR_NO_SPACE, 1, 500), 1);
	assert_true(trouble_ends(&t, 500 * 1000));
	assert_false(trouble_ends(&t, 501 * 1000));
}

static void what_lasts_is_said_again(void **state)
{
	struct trouble t = { 0 };
	(void)state;
	assert_int_equal(fails(&t, ERR_IO, 0, 6 * 600), 6);
}

static void another_error_is_said_too_but_not_in_turns(void **state)
{
	struct trouble t = { 0 };
	unsigned said = 0;
	(void)state;
	for (int64_t s = 0; s < 300; s++) {
		said += trouble_begins(&t, ERR_IO, s * 1000);
		said += trouble_begins(&t, ERR_PERMISSION, s * 1000);
	}
	assert_int_equal(said, 2);
}

static void what_comes_and_goes_is_said_once_a_minute(void **state)
{
	struct trouble t = { 0 };
	unsigned begins = 0, ends = 0;
	(void)state;
	for (int64_t s = 0; s < 300; s += 2) {
		begins += trouble_begins(&t, ERR_BUSY, s * 1000);
		ends += trouble_ends(&t, (s + 1) * 1000);
	}
	assert_int_equal(begins, 5);
	assert_int_equal(ends, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_said_once_that_it_begins_and_once_that_it_ends),
		cmocka_unit_test(what_lasts_is_said_again),
		cmocka_unit_test(another_error_is_said_too_but_not_in_turns),
		cmocka_unit_test(what_comes_and_goes_is_said_once_a_minute),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
