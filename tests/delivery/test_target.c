/* What a destination holds, and how much of it is claimed. */
#include "delivery/target.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

static int setup(void **state)
{
	*state = target_new("a.test", 20, NULL);
	return 0;
}

static void push(struct target *t, size_t count, size_t body_len)
{
	while (count--) {
		struct queue_item *item = xcalloc(1, sizeof(*item));
		item->id = (int64_t)t->waiting;
		item->body_len = body_len;
		target_push(t, item);
	}
}

static void pop(struct target *t, size_t count)
{
	while (count--) {
		struct queue_item *item = target_pop(t);
		assert_non_null(item);
		queue_item_free(&item);
	}
}

static int teardown(void **state)
{
	struct target *t = *state;
	t->running = 0;
	pop(t, t->waiting);
	assert_int_equal(t->waiting_bytes, 0);
	target_free(t);
	return 0;
}

static void items_come_out_as_they_went_in(void **state)
{
	struct target *t = *state;
	int64_t next = 0;
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 11; i++) {
			struct queue_item *item = xcalloc(1, sizeof(*item));
			item->id = round * 11 + i;
			target_push(t, item);
		}
		for (int i = 0; i < 7; i++) {
			struct queue_item *item = target_pop(t);
			assert_int_equal(item->id, next++);
			queue_item_free(&item);
		}
	}
	assert_int_equal(t->waiting, 20);
	pop(t, 20);
	assert_null(target_pop(t));
}

static void it_is_hungry_before_it_runs_dry(void **state)
{
	struct target *t = *state;
	t->running = 3;
	push(t, 3 * TARGET_LOW_PER_SESSION + 1, 4096);
	t->more_due = true;
	assert_false(target_is_hungry(t, false));
	pop(t, 1);
	assert_true(target_is_hungry(t, false));
	t->more_due = false;
	assert_false(target_is_hungry(t, false));
}

static void each_session_has_its_share(void **state)
{
	static const size_t sessions[] = { 0, 1, 2, 20 };
	struct target *t = *state;
	for (size_t i = 0; i < ARRAY_SIZE(sessions); i++) {
		t->running = sessions[i];
		size_t share = sessions[i] ? sessions[i] : 1;
		assert_int_equal(
			target_appetite(t, false), share * TARGET_WAITING_PER_SESSION);
	}
	push(t, 200, 0);
	assert_int_equal(target_appetite(t, false), 0);
}

static void where_there_is_room_those_that_deliver_hold_more(void **state)
{
	struct target *t = *state;
	t->running = 2;
	t->more_due = true;
	assert_int_equal(target_appetite(t, true), 2 * TARGET_WAITING_PER_SESSION);
	t->delivers = true;
	assert_int_equal(target_appetite(t, true), 2 * TARGET_WAITING_WITH_ROOM);
	push(t, 2 * TARGET_LOW_WITH_ROOM, 4096);
	assert_true(target_is_hungry(t, true));
	assert_false(target_is_hungry(t, false));
	assert_int_equal(target_appetite(t, false), 0);
	push(t, 1, 4096);
	assert_false(target_is_hungry(t, true));
}

static void large_bodies_come_in_small_numbers(void **state)
{
	struct target *t = *state;
	t->running = 1;
	t->more_due = true;
	push(t, 2, TARGET_BYTES_PER_SESSION / 2);
	pop(t, 1);
	assert_true(target_appetite(t, false) < TARGET_WAITING_PER_SESSION);
	push(t, 1, TARGET_BYTES_PER_SESSION / 2);
	assert_int_equal(target_appetite(t, false), 0);
	assert_false(target_is_hungry(t, false));
	pop(t, 2);
	assert_true(target_is_hungry(t, false)); /* one at a time at the least */
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(items_come_out_as_they_went_in),
		CASE(it_is_hungry_before_it_runs_dry),
		CASE(each_session_has_its_share),
		CASE(where_there_is_room_those_that_deliver_hold_more),
		CASE(large_bodies_come_in_small_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
