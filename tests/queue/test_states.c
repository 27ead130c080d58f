/* Every step from every state: the legal ones happen, the others are refused
 * and leave the item as it was. */
#include "fixture.h"

#include "base/mem.h"

#include <stdio.h>

#include <setjmp.h>
#include <cmocka.h>

/* Takes a new item to a state. */
static int64_t bring_to(struct fixture *f, enum item_state state, int64_t *message,
	struct queue_item **item)
{
	*message = put(f, "Subject: x\r\n\r\n", "a@one.test", NULL);
	*item = claim_one(f);
	int64_t id = (*item)->id;
	if (state == ITEM_IN_DOUBT)
		assert_int_equal(mark(f, id, "mx"), 0);
	if (state == ITEM_DUE || state == ITEM_HELD)
		assert_int_equal(give_back(f, id), 0);
	if (state == ITEM_HELD)
		assert_int_equal(
			operate_on(f, QUEUE_HOLD, *message, NULL, NULL, NULL), 0);
	assert_int_equal(state_of(f, id), state);
	return id;
}

static int step_claim(struct fixture *f, int64_t message, struct queue_item *item)
{
	struct claimed c;
	(void)message;
	(void)item;
	claim_later(f, 1, &c);
	int rc = c.count ? 0 : ERR_NOT_FOUND;
	claimed_clear(&c);
	return rc;
}

static int step_mark(struct fixture *f, int64_t message, struct queue_item *item)
{
	(void)message;
	return mark(f, item->id, "mx2");
}

static int step_finish(struct fixture *f, int64_t message, struct queue_item *item)
{
	(void)message;
	return finish_all(f, item, QUEUE_OUTCOME_DELIVERED);
}

static int step_give_back(struct fixture *f, int64_t message, struct queue_item *item)
{
	(void)message;
	return give_back(f, item->id);
}

static int by_operator(struct fixture *f, enum queue_verb verb, int64_t message)
{
	size_t affected, busy;
	int rc = operate_on(f, verb, message, NULL, &affected, &busy);
	return rc ? rc : affected ? 0 : ERR_NOT_FOUND;
}

static int step_retry(struct fixture *f, int64_t message, struct queue_item *item)
{
	(void)item;
	return by_operator(f, QUEUE_RETRY, message);
}

static int step_hold(struct fixture *f, int64_t message, struct queue_item *item)
{
	(void)item;
	return by_operator(f, QUEUE_HOLD, message);
}

static int step_release(struct fixture *f, int64_t message, struct queue_item *item)
{
	(void)item;
	return by_operator(f, QUEUE_RELEASE, message);
}

static int step_remove(struct fixture *f, int64_t message, struct queue_item *item)
{
	(void)item;
	return by_operator(f, QUEUE_REMOVE, message);
}

enum { NO = -2, GONE = -1 };

static const struct step_case {
	const char *name;
	int (*run)(struct fixture *f, int64_t message, struct queue_item *item);
	int to[ITEM_STATE_COUNT]; /* from due, claimed, in doubt, held */
} steps[] = {
	{ "claim", step_claim, { ITEM_CLAIMED, NO, NO, NO } },
	{ "mark", step_mark, { NO, ITEM_IN_DOUBT, ITEM_IN_DOUBT, NO } },
	{ "finish", step_finish, { NO, GONE, GONE, NO } },
	{ "give back", step_give_back, { NO, ITEM_DUE, NO, NO } },
	{ "retry", step_retry, { ITEM_DUE, NO, NO, NO } },
	{ "hold", step_hold, { ITEM_HELD, NO, NO, NO } },
	{ "release", step_release, { NO, NO, NO, ITEM_DUE } },
	{ "remove", step_remove, { GONE, NO, NO, GONE } },
};

static void check_step(struct fixture *f, const struct step_case *c, enum item_state from)
{
	int64_t message;
	struct queue_item *item = NULL;
	int64_t id = bring_to(f, from, &message, &item);
	int rc = c->run(f, message, item);
	int to = c->to[from] == NO ? (int)from : c->to[from];
	if ((rc == 0) != (c->to[from] != NO))
		fail_msg("%s from %s: %d", c->name, item_state_name(from), rc);
	if (state_of(f, id) != to)
		fail_msg("%s from %s ends in %d", c->name, item_state_name(from),
			state_of(f, id));
	queue_item_free(&item);
}

static void every_step_from_every_state(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		for (int from = 0; from < ITEM_STATE_COUNT; from++) {
			struct fixture *f = *state;
			check_step(f, &steps[i], (enum item_state)from);
			fixture_teardown(state);
			fixture_setup(state);
		}
	}
}

static void another_worker_cannot_finish_our_item(void **state)
{
	struct fixture *f = *state, other = *f;
	fixture_open(&other);
	put(f, "x\r\n", "a@one.test", NULL);
	struct queue_item *item = claim_one(f);
	assert_int_equal(mark(&other, item->id, "mx"), ERR_NOT_FOUND);
	assert_int_equal(
		finish_all(&other, item, QUEUE_OUTCOME_DELIVERED), ERR_NOT_FOUND);
	assert_int_equal(give_back(&other, item->id), ERR_NOT_FOUND);
	assert_int_equal(finish_all(f, item, QUEUE_OUTCOME_DELIVERED), 0);
	queue_item_free(&item);
	fixture_close(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			every_step_from_every_state, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(another_worker_cannot_finish_our_item,
			fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
