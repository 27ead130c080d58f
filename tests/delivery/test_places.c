/* How places are divided, as a table. */
#include "delivery/places.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct place_case {
	const char *name;
	struct places p; /* the limit; of new, good and slow: taken, waiting */
	size_t left_new, left_slow, wanted, owed;
} cases[] = {
	{ "nobody", { 200, { 0, 0, 0 }, { 0, 0, 0 } }, 150, 50, 0, 0 },
	{ "a quarter is kept for those that take mail",
		{ 200, { 150, 0, 0 }, { 30, 0, 0 } }, 0, 0, 0, 0 },
	{ "who get it", { 200, { 150, 0, 0 }, { 30, 7, 0 } }, 0, 0, 7, 0 },
	{ "and may have more than that", { 200, { 50, 150, 0 }, { 30, 0, 0 } }, 100, 50,
		30, 0 },
	{ "those that are slow have a quarter", { 200, { 0, 0, 50 }, { 0, 0, 9 } }, 100,
		0, 0, 0 },
	{ "or what is left of it", { 200, { 0, 0, 45 }, { 0, 0, 9 } }, 105, 5, 5, 0 },
	{ "or of what the new ones leave", { 200, { 140, 0, 8 }, { 0, 0, 9 } }, 2, 2, 2,
		0 },
	{ "those that wait do not count twice", { 200, { 140, 0, 8 }, { 9, 0, 9 } }, 2, 2,
		2, 0 },
	{ "what they have beyond it they owe to those that wait",
		{ 200, { 70, 50, 80 }, { 9, 0, 0 } }, 0, 0, 0, 9 },
	{ "no more than that", { 200, { 70, 50, 80 }, { 90, 9, 0 } }, 0, 0, 9, 30 },
	{ "not to each other", { 200, { 70, 50, 80 }, { 0, 0, 90 } }, 0, 0, 0, 0 },
	{ "of four one is kept", { 4, { 0, 0, 0 }, { 0, 0, 0 } }, 3, 1, 0, 0 },
	{ "of three none", { 3, { 0, 0, 0 }, { 0, 0, 0 } }, 3, 1, 0, 0 },
	{ "the only one is for everybody", { 1, { 0, 0, 0 }, { 0, 0, 1 } }, 1, 1, 1, 0 },
	{ "and owed to whoever is not slow", { 1, { 0, 0, 1 }, { 1, 1, 0 } }, 0, 0, 1,
		1 },
	{ "a limit that was lowered", { 8, { 40, 40, 40 }, { 1, 1, 1 } }, 0, 0, 1, 2 },
};

static void run(void **state)
{
	const struct place_case *c = *state;
	assert_int_equal(places_left(&c->p, HEALTH_NEW), c->left_new);
	assert_int_equal(places_left(&c->p, HEALTH_SLOW), c->left_slow);
	assert_int_equal(places_left(&c->p, HEALTH_GOOD), c->p.limit);
	assert_int_equal(places_wanted(&c->p), c->wanted);
	assert_int_equal(places_owed(&c->p), c->owed);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(cases)];
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		tests[i] = (struct CMUnitTest){ .name = cases[i].name,
			.test_func = run,
			.initial_state = (void *)&cases[i] };
	return cmocka_run_group_tests_name("places", tests, NULL, NULL);
}
