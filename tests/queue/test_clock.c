/* The clock is set while mail waits: what is due in a minute is due in a minute. */
#include "fixture.h"

#include "base/timefmt.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

static const int64_t day_ms = INT64_C(86400000), minute_ms = 60000;
static int64_t set_by_ms; /* the clock, for the queue */

int64_t __real_clock_wall_ms(void);
int64_t __real_clock_offset_ms(void);
int64_t __wrap_clock_wall_ms(void);
int64_t __wrap_clock_offset_ms(void);

int64_t __wrap_clock_wall_ms(void)
{
	return __real_clock_wall_ms() + set_by_ms;
}

int64_t __wrap_clock_offset_ms(void)
{
	return __real_clock_offset_ms() + set_by_ms;
}

static int setup(void **state)
{
	set_by_ms = 0;
	return fixture_setup(state);
}

/* A minute from now by the clock, give or take what the test takes. */
static void assert_soon(int64_t ms)
{
	int64_t in_ms = ms - clock_wall_ms();
	assert_true(in_ms > 0 && in_ms <= minute_ms);
}

/* One message whose next attempt is in a minute. */
static int64_t defer_one(struct fixture *f)
{
	struct claimed c;
	int64_t id = put(f, "x", "a@one.test", NULL);
	claim(f, 1, &c);
	assert_int_equal(c.count, 1);
	assert_int_equal(finish_all(f, c.items[0], QUEUE_OUTCOME_DEFERRED), 0);
	claimed_clear(&c);
	return id;
}

static void claim_in_a_minute(struct fixture *f, struct claimed *c)
{
	struct queue_claim in_a_minute = { .now_ms = clock_wall_ms() + minute_ms,
		.max_items = 10 };
	claim_with(f, &in_a_minute, c);
}

static void what_is_due_is_due_as_soon_as_before(void **state)
{
	static const int64_t steps[] = { 1, -1, 3650, -3650 };
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct fixture *f = *state;
		struct claimed c;
		defer_one(f);
		set_by_ms += steps[i] * day_ms;
		claim(f, 10, &c);
		assert_int_equal(c.count, 0);
		assert_soon(c.next_due_ms);
		claim_in_a_minute(f, &c);
		assert_int_equal(c.count, 1);
		int64_t age_ms = clock_wall_ms() - c.items[0]->envelope.arrival_ms;
		assert_true(age_ms >= 0 && age_ms < minute_ms);
		assert_int_equal(finish_all(f, c.items[0], QUEUE_OUTCOME_DELIVERED), 0);
		claimed_clear(&c);
	}
}

static void what_is_claimed_has_its_age_too(void **state)
{
	struct fixture *f = *state;
	struct claimed c;
	put(f, "x", "a@one.test", NULL);
	claim(f, 1, &c);
	set_by_ms = day_ms;
	int64_t age_ms = clock_wall_ms() - queue_item_arrival_ms(c.items[0]);
	assert_true(age_ms >= 0 && age_ms < minute_ms);
	assert_int_equal(finish_all(f, c.items[0], QUEUE_OUTCOME_DEFERRED), 0);
	claimed_clear(&c);
	claim(f, 10, &c);
	assert_int_equal(c.count, 0);
	assert_soon(c.next_due_ms);
}

static void seconds_are_no_step(void **state)
{
	struct fixture *f = *state;
	struct claimed c;
	defer_one(f);
	long long due_ms = sql(f, "SELECT due_ms FROM item");
	set_by_ms = 20000;
	claim(f, 10, &c);
	assert_int_equal(c.next_due_ms, due_ms);
}

/* Each process sees the step; the times move once. */
static void several_processes_move_the_times_once(void **state)
{
	struct fixture *f = *state, other = { .options = f->options, .path = f->path };
	struct claimed c;
	fixture_open(&other);
	defer_one(f);
	claim(&other, 10, &c);
	assert_int_equal(c.count, 0);
	set_by_ms = -day_ms;
	claim(&other, 10, &c);
	assert_soon(c.next_due_ms);
	claim(f, 10, &c);
	assert_soon(c.next_due_ms);
	fixture_close(&other);
}

/* Only what lies ahead of the clock was stored while that was wrong. */
static void a_clock_that_is_behind_the_queue_after_a_boot_moves_what_lies_ahead(
	void **state)
{
	struct fixture *f = *state;
	struct claimed c;
	put(f, "x", "early@one.test", NULL);
	long long early_ms = sql(f, "SELECT arrival_ms FROM message");
	fixture_close(f);
	sql(f, "UPDATE note SET value = 'another-boot 1' WHERE name = 'clock'");
	set_by_ms = day_ms; /* nobody can know: it may have been off for a day */
	fixture_open(f);
	defer_one(f); /* the one that was there */
	assert_int_equal(sql(f, "SELECT min(arrival_ms) FROM message"), early_ms);
	fixture_close(f);
	sql(f, "UPDATE note SET value = 'another-boot 1' WHERE name = 'clock'");
	set_by_ms = 0;
	fixture_open(f);
	put(f, "x", "a@two.test", NULL);
	assert_int_equal(sql(f, "SELECT min(arrival_ms) FROM message"), early_ms);
	assert_true(sql(f, "SELECT max(arrival_ms) FROM message") <= clock_wall_ms());
	claim_in_a_minute(f, &c);
	assert_int_equal(c.count, 3);
	claimed_clear(&c);
}

/* They are removed by their age: those of before must not be kept for a day. */
static void marks_of_commits_move_too(void **state)
{
	struct fixture *f = *state;
	put(f, "x", "a@one.test", NULL);
	set_by_ms = -day_ms;
	put(f, "x", "a@one.test", NULL);
	assert_true(sql(f, "SELECT max(time_ms) FROM mark") <= clock_wall_ms());
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		CASE(what_is_due_is_due_as_soon_as_before),
		CASE(what_is_claimed_has_its_age_too),
		CASE(seconds_are_no_step),
		CASE(several_processes_move_the_times_once),
		CASE(a_clock_that_is_behind_the_queue_after_a_boot_moves_what_lies_ahead),
		CASE(marks_of_commits_move_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
