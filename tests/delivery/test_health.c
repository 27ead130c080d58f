/* Which destinations take mail, and for how many that is known. */
#include "delivery/health.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void nobody_is_known_at_first(void **state)
{
	(void)state;
	OWN(health_memory_free) struct health_memory *m = health_memory_new();
	assert_int_equal(health_memory_of(m, "a.test", 0), HEALTH_NEW);
	assert_null(health_memory_next(m, HEALTH_GOOD));
	health_memory_note(m, "a.test", HEALTH_NEW, 0);
	assert_int_equal(health_memory_count(m, HEALTH_NEW), 0);
}

static void the_last_word_counts(void **state)
{
	static const enum health words[] = { HEALTH_GOOD, HEALTH_SLOW, HEALTH_GOOD,
		HEALTH_NEW, HEALTH_SLOW };
	(void)state;
	OWN(health_memory_free) struct health_memory *m = health_memory_new();
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		health_memory_note(m, "a.test", words[i], 0);
		assert_int_equal(health_memory_of(m, "a.test", 1), words[i]);
		for (int h = HEALTH_GOOD; h < HEALTH_COUNT; h++)
			assert_int_equal(health_memory_count(m, (enum health)h),
				(enum health)h == words[i]);
	}
}

static void it_is_forgotten_after_an_hour(void **state)
{
	(void)state;
	OWN(health_memory_free) struct health_memory *m = health_memory_new();
	health_memory_note(m, "a.test", HEALTH_SLOW, 1000);
	assert_int_equal(
		health_memory_of(m, "a.test", 1000 + HEALTH_MS - 1), HEALTH_SLOW);
	assert_int_equal(health_memory_of(m, "a.test", 1000 + HEALTH_MS), HEALTH_NEW);
	health_memory_note(m, "a.test", HEALTH_SLOW, 1000 + HEALTH_MS);
	assert_int_equal(
		health_memory_of(m, "a.test", 1000 + HEALTH_MS + 1), HEALTH_SLOW);
}

static void the_first_one_makes_room(void **state)
{
	char domain[32];
	(void)state;
	OWN(health_memory_free) struct health_memory *m = health_memory_new();
	health_memory_note(m, "other.test", HEALTH_GOOD, 0);
	for (int i = 0; i <= HEALTH_NAMES_MAX; i++) {
		snprintf(domain, sizeof(domain), "d%d.test", i);
		health_memory_note(m, domain, HEALTH_SLOW, i);
	}
	assert_int_equal(health_memory_count(m, HEALTH_SLOW), HEALTH_NAMES_MAX);
	assert_int_equal(health_memory_of(m, "d0.test", 0), HEALTH_NEW);
	assert_int_equal(health_memory_of(m, "d1.test", 0), HEALTH_SLOW);
	assert_int_equal(health_memory_of(m, "other.test", 0), HEALTH_GOOD);
}

static void all_have_their_turn(void **state)
{
	static const char *const turns[] = { "a.test", "b.test", "c.test" };
	const char *listed[3];
	(void)state;
	OWN(health_memory_free) struct health_memory *m = health_memory_new();
	for (size_t i = 0; i < ARRAY_SIZE(turns); i++)
		health_memory_note(m, turns[i], HEALTH_GOOD, 0);
	for (size_t i = 0; i < 10; i++)
		assert_string_equal(
			health_memory_next(m, HEALTH_GOOD), turns[i % ARRAY_SIZE(turns)]);
	health_memory_list(m, HEALTH_GOOD, listed);
	for (size_t i = 0; i < ARRAY_SIZE(turns); i++)
		assert_string_equal(listed[i], turns[i]);
	health_memory_note(m, "b.test", HEALTH_NEW, 0);
	assert_string_equal(health_memory_next(m, HEALTH_GOOD), "c.test");
	assert_string_equal(health_memory_next(m, HEALTH_GOOD), "a.test");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_known_at_first),
		cmocka_unit_test(the_last_word_counts),
		cmocka_unit_test(it_is_forgotten_after_an_hour),
		cmocka_unit_test(the_first_one_makes_room),
		cmocka_unit_test(all_have_their_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
