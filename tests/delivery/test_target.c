/* What waits of a destination. */
#include "delivery/target.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

static void pop(struct target *t, int64_t expected)
{
	struct queue_item *item = batch_pop(&t->batches[BATCH_MAIL]);
	assert_int_equal(item->id, expected);
	queue_item_free(&item);
}

static void items_come_out_as_they_went_in(void **state)
{
	struct hop *h = hop_new(NULL, 20, NULL);
	struct target *t = target_new("a.test", h, NULL);
	int64_t next = 0;
	(void)state;
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 11; i++) {
			struct queue_item *item = xcalloc(1, sizeof(*item));
			item->id = round * 11 + i;
			target_push(t, item);
		}
		for (int i = 0; i < 7; i++)
			pop(t, next++);
	}
	assert_int_equal(target_waiting(t), 20);
	while (target_waiting(t))
		pop(t, next++);
	assert_null(batch_pop(&t->batches[BATCH_MAIL]));
	target_free(t);
	hop_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_come_out_as_they_went_in),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
