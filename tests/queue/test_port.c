/* Completions reach the thread that owns the port, whenever they come. */
#include "fixture.h"

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
	queue_prune(s->port, 0, on_late, s);
	let_the_store_catch_up(s);
}

static void what_completes_during_a_dispatch_wakes_again(void **state)
{
	struct seen s = { .f = *state };
	s.port = queue_port_new(s.f->queue, count_wake, &s);
	queue_prune(s.port, 0, on_first, &s);
	queue_prune(s.port, 0, on_done, &s);
	let_the_store_catch_up(&s);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_completes_during_a_dispatch_wakes_again, fixture_setup,
			fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
