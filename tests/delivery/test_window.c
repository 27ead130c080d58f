/* How many sessions a destination is given, as its story goes. */
#include "delivery/window.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

/* Rounds in which every session that is allowed delivers, each in took_ms. */
static void rounds(struct window *w, unsigned count, int64_t took_ms)
{
	while (count--) {
		for (unsigned n = w->size; n; n--)
			window_note_delivered(w, w->size, took_ms);
	}
}

static struct window grown(unsigned size, int64_t took_ms)
{
	struct window w;
	window_init(&w, 64);
	while (w.size < size)
		rounds(&w, 1, took_ms);
	assert_int_equal(w.size, size);
	return w;
}

static void the_first_session_is_always_allowed(void **state)
{
	struct window w;
	(void)state;
	window_init(&w, 1);
	assert_true(window_may_open(&w, 0, 1));
	assert_false(window_may_open(&w, 1, 1000));
	for (int i = 0; i < 100; i++)
		window_note_refused(&w);
	assert_true(window_may_open(&w, 0, 1));
}

static void a_further_one_pays_from_a_few_messages_on(void **state)
{
	struct window w = grown(8, 10);
	(void)state;
	assert_false(window_may_open(&w, 1, WINDOW_BACKLOG));
	assert_true(window_may_open(&w, 1, WINDOW_BACKLOG + 1));
	assert_false(window_may_open(&w, 4, 4 * WINDOW_BACKLOG));
	assert_true(window_may_open(&w, 4, 4 * WINDOW_BACKLOG + 1));
	assert_false(window_may_open(&w, 8, 1000));
}

static void it_doubles_each_round_while_the_host_keeps_up(void **state)
{
	struct window w;
	(void)state;
	window_init(&w, 20);
	assert_int_equal(w.size, 1);
	static const unsigned sizes[] = { 2, 4, 8, 16, 20, 20 };
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		rounds(&w, 1, 100);
		assert_int_equal(w.size, sizes[i]);
	}
}

static void it_does_not_grow_beyond_what_is_used(void **state)
{
	struct window w = grown(4, 100);
	(void)state;
	for (int i = 0; i < 100; i++)
		window_note_delivered(&w, 3, 100); /* the fourth is still being opened */
	assert_int_equal(w.size, 4);
}

static void it_stays_where_transactions_become_longer(void **state)
{
	struct window w = grown(4, 100);
	(void)state;
	rounds(&w, 5, 180);
	assert_int_equal(w.size, 4);
	rounds(&w, 1, 110); /* it was somebody else's load */
	assert_int_equal(w.size, 8);
}

static void a_few_ms_are_our_own_and_no_reason(void **state)
{
	struct window w = grown(4, 1);
	(void)state;
	rounds(&w, 1, 20);
	assert_int_equal(w.size, 8);
}

static void it_halves_where_they_become_much_longer(void **state)
{
	struct window w = grown(16, 100);
	(void)state;
	rounds(&w, 1, 1000);
	assert_int_equal(w.size, 8);
	rounds(&w, 1, 1000);
	assert_int_equal(w.size, 4);
}

static void what_lasts_is_what_is_expected(void **state)
{
	struct window w = grown(16, 100);
	(void)state;
	rounds(&w, 200, 1000);
	assert_true(w.best_ms > 700);
	unsigned size = w.size;
	rounds(&w, 32, 1000);
	assert_true(w.size > size);
}

static void it_halves_on_421_and_grows_slowly_then(void **state)
{
	struct window w = grown(16, 100);
	(void)state;
	window_note_refused(&w);
	assert_int_equal(w.size, 8);
	rounds(&w, 15, 100);
	assert_int_equal(w.size, 8);
	rounds(&w, 2, 100);
	assert_int_equal(w.size, 9);
}

static void refusals_of_one_moment_count_once(void **state)
{
	struct window w = grown(16, 100);
	(void)state;
	for (int i = 0; i < 8; i++)
		window_note_refused(&w);
	window_note_delivered(&w, 8, 100);
	assert_int_equal(w.size, 8);
	rounds(&w, 15, 100);
	assert_int_equal(w.size, 8);
}

static void a_host_that_was_gone_begins_anew(void **state)
{
	struct window w = grown(64, 100);
	(void)state;
	for (int i = 0; i < 100; i++)
		window_note_refused(&w);
	assert_int_equal(w.size, 1);
	rounds(&w, 4, 100);
	assert_int_equal(w.size, 16);
}

static void refusing_the_only_session_is_no_matter_of_their_number(void **state)
{
	struct window w;
	(void)state;
	window_init(&w, 64);
	window_note_refused(&w);
	rounds(&w, 4, 100);
	assert_int_equal(w.size, 16);
}

static void messages_that_tell_nothing_of_the_host_do_not_hold_it(void **state)
{
	struct window w = grown(4, 100);
	(void)state;
	rounds(&w, 1, -1);
	assert_int_equal(w.size, 8);
	assert_int_equal(w.best_ms, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_session_is_always_allowed),
		cmocka_unit_test(a_further_one_pays_from_a_few_messages_on),
		cmocka_unit_test(it_doubles_each_round_while_the_host_keeps_up),
		cmocka_unit_test(it_does_not_grow_beyond_what_is_used),
		cmocka_unit_test(it_stays_where_transactions_become_longer),
		cmocka_unit_test(a_few_ms_are_our_own_and_no_reason),
		cmocka_unit_test(it_halves_where_they_become_much_longer),
		cmocka_unit_test(what_lasts_is_what_is_expected),
		cmocka_unit_test(it_halves_on_421_and_grows_slowly_then),
		cmocka_unit_test(refusals_of_one_moment_count_once),
		cmocka_unit_test(a_host_that_was_gone_begins_anew),
		cmocka_unit_test(refusing_the_only_session_is_no_matter_of_their_number),
		cmocka_unit_test(messages_that_tell_nothing_of_the_host_do_not_hold_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
