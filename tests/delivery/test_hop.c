/* What a hop holds, how much of it is claimed, and whose turn it is. */
#include "delivery/target.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* One with a destination of its own, and one that two share. */
struct hops {
	struct hop *own, *shared;
	struct target *sole, *a, *b;
};

static int setup(void **state)
{
	struct hops *p = xcalloc(1, sizeof(*p));
	p->own = hop_new(NULL, 20, NULL);
	p->sole = target_new("sole.test", p->own, NULL);
	p->shared = hop_new("smtp://[relay.test]", 20, NULL);
	p->a = target_new("a.test", p->shared, NULL);
	p->b = target_new("b.test", p->shared, NULL);
	*state = p;
	return 0;
}

static void push(struct target *t, size_t count, size_t body_len)
{
	while (count--) {
		struct queue_item *item = xcalloc(1, sizeof(*item));
		item->id = (int64_t)target_waiting(t);
		item->domain = xstrdup(t->domain);
		item->body_len = body_len;
		target_push(t, item);
	}
}

static void pop(struct target *t, size_t count)
{
	while (count--) {
		struct queue_item *item = batch_pop(&t->batches[BATCH_MAIL]);
		assert_non_null(item);
		queue_item_free(&item);
	}
}

static int teardown(void **state)
{
	struct hops *p = *state;
	struct target *targets[] = { p->sole, p->a, p->b };
	p->own->running = p->shared->running = 0;
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		pop(targets[i], targets[i]->batches[BATCH_MAIL].waiting);
		target_free(targets[i]);
	}
	assert_int_equal(p->own->waiting_bytes + p->shared->waiting_bytes, 0);
	hop_free(p->own);
	hop_free(p->shared);
	free(p);
	return 0;
}

static void it_is_hungry_before_it_runs_dry(void **state)
{
	struct hops *p = *state;
	p->own->running = 3;
	push(p->sole, 3 * HOP_LOW_PER_SESSION + 1, 4096);
	target_set_more_due(p->sole, true);
	assert_false(hop_is_hungry(p->own, false));
	pop(p->sole, 1);
	assert_true(hop_is_hungry(p->own, false));
	target_set_more_due(p->sole, false);
	assert_false(hop_is_hungry(p->own, false));
}

static void each_session_has_its_share(void **state)
{
	static const size_t sessions[] = { 0, 1, 2, 20 };
	struct hops *p = *state;
	for (size_t i = 0; i < ARRAY_SIZE(sessions); i++) {
		p->own->running = sessions[i];
		size_t share = sessions[i] ? sessions[i] : 1;
		assert_int_equal(
			hop_appetite(p->own, false), share * HOP_WAITING_PER_SESSION);
	}
	push(p->sole, 200, 0);
	assert_int_equal(hop_appetite(p->own, false), 0);
}

static void where_there_is_room_those_that_deliver_hold_more(void **state)
{
	struct hops *p = *state;
	struct hop *h = p->own;
	h->running = 2;
	target_set_more_due(p->sole, true);
	assert_int_equal(hop_appetite(h, true), 2 * HOP_WAITING_PER_SESSION);
	h->delivers = true;
	assert_int_equal(hop_appetite(h, true), 2 * HOP_WAITING_WITH_ROOM);
	push(p->sole, 2 * HOP_LOW_WITH_ROOM, 4096);
	assert_true(hop_is_hungry(h, true));
	assert_false(hop_is_hungry(h, false));
	assert_int_equal(hop_appetite(h, false), 0);
	push(p->sole, 1, 4096);
	assert_false(hop_is_hungry(h, true));
}

static void large_bodies_come_in_small_numbers(void **state)
{
	struct hops *p = *state;
	struct hop *h = p->own;
	h->running = 1;
	target_set_more_due(p->sole, true);
	push(p->sole, 2, HOP_BYTES_PER_SESSION / 2);
	pop(p->sole, 1);
	assert_true(hop_appetite(h, false) < HOP_WAITING_PER_SESSION);
	push(p->sole, 1, HOP_BYTES_PER_SESSION / 2);
	assert_int_equal(hop_appetite(h, false), 0);
	assert_false(hop_is_hungry(h, false));
	pop(p->sole, 2);
	assert_true(hop_is_hungry(h, false)); /* one at a time at the least */
}

/* ---- several destinations ---- */

static void those_that_share_it_hold_no_more_together(void **state)
{
	struct hops *p = *state;
	p->shared->running = 2;
	push(p->a, 5, 0);
	push(p->b, 4, 0);
	assert_int_equal(p->shared->waiting, 9);
	assert_int_equal(hop_appetite(p->shared, false), 2 * HOP_WAITING_PER_SESSION - 9);
	push(p->b, 3, 0);
	target_set_more_due(p->a, true);
	target_set_more_due(p->b, true);
	assert_int_equal(hop_appetite(p->shared, false), 0);
	assert_false(hop_is_hungry(p->shared, false));
	pop(p->b, 7);
	pop(p->a, 1);
	assert_true(hop_is_hungry(p->shared, false));
}

/* One with a long queue does not keep the others waiting. */
static void they_take_turns_message_by_message(void **state)
{
	static const char *const expected[] = { "a.test", "b.test", "a.test", "b.test",
		"a.test", "a.test" };
	struct hops *p = *state;
	push(p->a, 4, 0);
	push(p->b, 2, 0);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		struct queue_item *item = batch_pop(p->shared->ready);
		assert_string_equal(item->domain, expected[i]);
		queue_item_free(&item);
	}
	assert_null(p->shared->ready);
}

static void its_own_destination_stays_while_a_session_is_kept(void **state)
{
	struct hops *p = *state;
	struct idle_session *any = (struct idle_session *)p;
	assert_true(target_is_empty(p->sole));
	p->own->idle = p->shared->idle = any;
	assert_false(target_is_empty(p->sole));
	assert_true(target_is_empty(p->a)); /* by its key the hop is found again */
	assert_false(hop_is_empty(p->shared));
	p->own->idle = p->shared->idle = NULL;
}

/* The route of a destination has changed. */
static void a_destination_moves_with_all_that_waits(void **state)
{
	struct hops *p = *state;
	struct hop *to = hop_new("smtp://[other.test]", 20, NULL);
	push(p->a, 3, 100);
	push(p->b, 2, 10);
	target_set_more_due(p->a, true);
	target_move(p->a, to, NULL);
	assert_int_equal(to->waiting, 3);
	assert_int_equal(to->waiting_bytes, 300);
	assert_int_equal(to->due_count, 1);
	assert_ptr_equal(to->ready->target, p->a);
	assert_int_equal(p->shared->waiting, 2);
	assert_int_equal(p->shared->waiting_bytes, 20);
	assert_int_equal(p->shared->due_count, 0);
	assert_ptr_equal(p->shared->ready->target, p->b);
	target_move(p->a, p->shared, NULL);
	assert_true(hop_is_empty(to));
	hop_free(to);
}

static struct queue_item *new_notice(void)
{
	struct queue_item *item = xcalloc(1, sizeof(*item));
	item->envelope.is_notice = true;
	item->body_len = 7;
	return item;
}

/* bounce_route: the same destination, another way. */
static void notices_wait_at_a_hop_of_their_own(void **state)
{
	struct hops *p = *state;
	struct hop *mail = hop_new(NULL, 20, NULL);
	struct target *t = target_new("c.test", mail, p->shared);
	target_set_more_due(t, true);
	push(t, 2, 100);
	assert_ptr_equal(target_push(t, new_notice())->hop, p->shared);
	assert_int_equal(mail->waiting, 2);
	assert_int_equal(p->shared->waiting, 1);
	assert_int_equal(target_waiting(t), 3);
	/* What more of it is due is more of what came last. */
	assert_int_equal(mail->due_count, 0);
	assert_ptr_equal(p->shared->due, t);
	push(t, 1, 100);
	assert_ptr_equal(mail->due, t);
	target_move(t, mail, NULL);
	assert_int_equal(mail->waiting, 4);
	assert_int_equal(mail->waiting_bytes, 307);
	assert_int_equal(p->shared->waiting, 0);
	pop(t, 3);
	struct queue_item *item = batch_pop(&t->batches[BATCH_NOTICES]);
	assert_true(item->envelope.is_notice);
	queue_item_free(&item);
	target_free(t);
	hop_free(mail);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(it_is_hungry_before_it_runs_dry),
		CASE(each_session_has_its_share),
		CASE(where_there_is_room_those_that_deliver_hold_more),
		CASE(large_bodies_come_in_small_numbers),
		CASE(those_that_share_it_hold_no_more_together),
		CASE(they_take_turns_message_by_message),
		CASE(its_own_destination_stays_while_a_session_is_kept),
		CASE(a_destination_moves_with_all_that_waits),
		CASE(notices_wait_at_a_hop_of_their_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
