/* Completions reach the thread that owns the port, whenever they come. */
#include "fixture.h"

#include "base/mem.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

struct seen {
	struct fixture *f;
	struct queue_port *port;
	atomic_int wakes;
	int done, late;
};

static void count_wake(void *arg)
{
	struct seen *s = arg;
	atomic_fetch_add(&s->wakes, 1);
}

static void on_done(void *arg, const struct err *e)
{
	struct seen *s = arg;
	assert_null(e);
	s->done++;
}

static void on_late(void *arg, const struct err *e)
{
	struct seen *s = arg;
	assert_null(e);
	s->late++;
}

/* The store takes requests in their order: when one of another port is done,
 * so are those before it. */
static void let_the_store_catch_up(struct seen *s)
{
	struct seen other = { 0 };
	queue_prune(s->f->port, 0, on_done, &other);
	queue_wait(s->f->port);
	assert_int_equal(other.done, 1);
}

static void on_first(void *arg, const struct err *e)
{
	struct seen *s = arg;
	on_done(arg, e);
	queue_pause(s->f->queue, false);
	let_the_store_catch_up(s);
}

static void what_completes_during_a_dispatch_wakes_again(void **state)
{
	struct seen s = { .f = *state };
	s.port = queue_port_new(s.f->queue, count_wake, &s);
	queue_prune(s.port, 0, on_first, &s);
	queue_prune(s.port, 0, on_done, &s);
	let_the_store_catch_up(&s);
	queue_pause(s.f->queue, true);
	queue_prune(s.port, 0, on_late, &s);
	int before = atomic_load(&s.wakes);
	size_t dispatched = queue_dispatch(s.port);
	int after = atomic_load(&s.wakes);
	size_t rest = queue_dispatch(s.port);
	queue_port_close(&s.port);
	assert_int_equal(dispatched, 2);
	assert_int_equal(s.done, 2);
	assert_true(after > before);
	assert_int_equal(rest, 1);
	assert_int_equal(s.late, 1);
}

static void on_done_again(void *arg, const struct err *e)
{
	struct seen *s = arg;
	on_done(arg, e);
	queue_prune(s->port, 0, on_late, s);
}

/* What call backs ask for goes to the store when all of them have run. */
static void what_call_backs_submit_is_carried_out_and_wakes_once(void **state)
{
	struct seen s = { .f = *state };
	s.port = queue_port_new(s.f->queue, count_wake, &s);
	for (int i = 0; i < 50; i++)
		queue_prune(s.port, 0, on_done_again, &s);
	let_the_store_catch_up(&s);
	int before = atomic_load(&s.wakes); /* the dispatch hands over what wakes again */
	assert_int_equal(queue_dispatch(s.port), 50);
	assert_int_equal(queue_port_pending(s.port), 50);
	let_the_store_catch_up(&s);
	assert_int_equal(atomic_load(&s.wakes), before + 1);
	assert_int_equal(queue_dispatch(s.port), 50);
	assert_int_equal(s.late, 50);
	assert_int_equal(queue_port_pending(s.port), 0);
	queue_port_close(&s.port);
}

static void on_done_close(void *arg, const struct err *e)
{
	struct seen *s = arg;
	on_done(arg, e);
	queue_set_note(s->port, "closed", "yes");
	queue_port_close(&s->port);
}

static void a_call_back_may_close_its_port_and_what_it_asked_for_is_done(void **state)
{
	struct seen s = { .f = *state };
	s.port = queue_port_new(s.f->queue, count_wake, &s);
	for (int i = 0; i < 3; i++)
		queue_prune(s.port, 0, on_done_close, &s);
	let_the_store_catch_up(&s);
	assert_int_equal(queue_dispatch(s.port), 1);
	assert_int_equal(s.done, 1);
	assert_null(s.port);
	let_the_store_catch_up(&s);
	assert_int_equal(sql(s.f, "SELECT count(*) FROM note WHERE name = 'closed'"), 1);
}

static void post_wake(void *arg)
{
	sem_post(arg);
}

/* The store lets results wait for each other, but not for ever. */
static void results_alone_are_committed_too(void **state)
{
	struct fixture *f = *state;
	struct seen s = { .f = f };
	sem_t woken;
	struct claimed c;
	for (int i = 0; i < 3; i++)
		put(f, "x", "a@one.test", NULL);
	claim(f, 3, &c);
	assert_int_equal(c.count, 3);
	sem_init(&woken, 0, 0);
	s.port = queue_port_new(f->queue, post_wake, &woken);
	for (size_t i = 0; i < c.count; i++)
		queue_give_back(s.port, &c.items[i]->id, 1, on_done, &s);
	while (queue_port_pending(s.port)) {
		while (sem_wait(&woken) != 0)
			;
		queue_dispatch(s.port);
	}
	assert_int_equal(s.done, 3);
	assert_int_equal(state_of(f, c.items[0]->id), ITEM_DUE);
	queue_port_close(&s.port);
	sem_destroy(&woken);
	claimed_clear(&c);
}

static void what_cannot_wait_takes_results_along(void **state)
{
	struct fixture *f = *state;
	struct seen s = { .f = f };
	put(f, "x", "a@one.test", NULL);
	OWN(queue_item_free) struct queue_item *item = claim_one(f);
	s.port = queue_port_new(f->queue, count_wake, &s);
	queue_pause(f->queue, true);
	uint64_t before = queue_commits(f->queue);
	queue_give_back(s.port, &item->id, 1, on_done, &s);
	queue_set_note(s.port, "name", "value");
	queue_pause(f->queue, false);
	let_the_store_catch_up(&s);
	assert_int_equal(queue_commits(f->queue), before + 1);
	assert_int_equal(queue_dispatch(s.port), 2);
	assert_int_equal(s.done, 1);
	queue_port_close(&s.port);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(what_completes_during_a_dispatch_wakes_again),
		T(what_call_backs_submit_is_carried_out_and_wakes_once),
		T(results_alone_are_committed_too),
		T(what_cannot_wait_takes_results_along),
		T(a_call_back_may_close_its_port_and_what_it_asked_for_is_done),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
