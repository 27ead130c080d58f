/* Sessions that are kept. Those here are none: what the pool asks of a session is
 * answered by this file. */
#include "delivery/idle.h"
#include "delivery/target.h"

#include "base/mem.h"
#include "net/loop.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

struct session {
	int quits, closes;
	struct session_events events;
};

void session_quit(struct session **s)
{
	(*s)->quits++;
	*s = NULL;
}

void session_close(struct session **s)
{
	(*s)->closes++;
	*s = NULL;
}

void session_set_events(struct session *s, const struct session_events *events)
{
	s->events = *events;
}

struct pool {
	struct uv_loop_s *loop;
	struct idle_pool idle;
	struct hop *a, *b;
	struct session sessions[4];
};

static struct hop *gone;

static void on_gone(struct hop *h)
{
	gone = h;
}

static int setup(void **state)
{
	struct pool *p = xcalloc(1, sizeof(*p));
	p->loop = loop_new();
	idle_init(&p->idle, p->loop, on_gone);
	p->a = hop_new("a", 20, NULL);
	p->b = hop_new("b", 20, NULL);
	*state = p;
	gone = NULL;
	return 0;
}

static int teardown(void **state)
{
	struct pool *p = *state;
	idle_quit_all(&p->idle);
	idle_clear(&p->idle);
	loop_free(&p->loop);
	hop_free(p->a);
	hop_free(p->b);
	free(p);
	return 0;
}

static void the_one_kept_last_is_taken_first(void **state)
{
	struct pool *p = *state;
	idle_keep(&p->idle, p->a, &p->sessions[0]);
	idle_keep(&p->idle, p->b, &p->sessions[1]);
	idle_keep(&p->idle, p->a, &p->sessions[2]);
	assert_int_equal(p->a->idle_count, 2);
	assert_ptr_equal(idle_take(p->a), &p->sessions[2]);
	assert_ptr_equal(idle_take(p->a), &p->sessions[0]);
	assert_null(idle_take(p->a));
	assert_int_equal(p->idle.count, 1);
}

static void only_the_one_kept_longest_makes_room(void **state)
{
	struct pool *p = *state;
	idle_keep(&p->idle, p->a, &p->sessions[0]);
	idle_keep(&p->idle, p->b, &p->sessions[1]);
	idle_keep(&p->idle, p->a, &p->sessions[2]);
	assert_true(idle_quit_oldest(&p->idle, false));
	assert_int_equal(p->sessions[0].quits, 1);
	assert_int_equal(p->sessions[1].quits + p->sessions[2].quits, 0);
	assert_ptr_equal(gone, p->a);
	assert_ptr_equal(idle_take(p->a), &p->sessions[2]);
}

static void who_is_about_to_get_mail_keeps_its_session(void **state)
{
	struct pool *p = *state;
	idle_keep(&p->idle, p->a, &p->sessions[0]);
	idle_keep(&p->idle, p->b, &p->sessions[1]);
	struct target *t = target_new("a.test", p->a, NULL);
	target_set_more_due(t, true);
	p->b->asked = 1;
	assert_false(idle_quit_oldest(&p->idle, false));
	assert_true(idle_quit_oldest(&p->idle, true));
	assert_false(idle_quit_oldest(&p->idle, true));
	assert_int_equal(p->sessions[0].quits, 1);
	assert_int_equal(p->sessions[1].quits, 0);
	target_free(t);
}

static void those_of_a_hop_that_is_left_go_together(void **state)
{
	struct pool *p = *state;
	idle_keep(&p->idle, p->a, &p->sessions[0]);
	idle_keep(&p->idle, p->b, &p->sessions[1]);
	idle_keep(&p->idle, p->a, &p->sessions[2]);
	idle_quit_hop(p->a);
	assert_int_equal(p->sessions[0].quits + p->sessions[2].quits, 2);
	assert_int_equal(p->sessions[1].quits, 0);
	assert_null(idle_take(p->a));
}

static void one_that_is_lost_is_forgotten(void **state)
{
	struct pool *p = *state;
	struct session_failure failure = { 0 };
	idle_keep(&p->idle, p->a, &p->sessions[0]);
	idle_keep(&p->idle, p->a, &p->sessions[1]);
	idle_keep(&p->idle, p->a, &p->sessions[2]);
	p->sessions[1].events.on_failed(p->sessions[1].events.arg, &failure);
	assert_int_equal(p->sessions[1].closes, 1);
	assert_int_equal(p->idle.count, 2);
	assert_ptr_equal(idle_take(p->a), &p->sessions[2]);
	assert_ptr_equal(idle_take(p->a), &p->sessions[0]);
}

static void those_that_wait_in_vain_are_let_go(void **state)
{
	struct pool *p = *state;
	idle_keep(&p->idle, p->a, &p->sessions[0]);
	idle_keep(&p->idle, p->b, &p->sessions[1]);
	loop_run(p->loop); /* returns: no timer is left */
	assert_int_equal(p->sessions[0].quits + p->sessions[1].quits, 2);
	assert_int_equal(p->idle.count, 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(the_one_kept_last_is_taken_first),
		CASE(only_the_one_kept_longest_makes_room),
		CASE(who_is_about_to_get_mail_keeps_its_session),
		CASE(those_of_a_hop_that_is_left_go_together),
		CASE(one_that_is_lost_is_forgotten),
		CASE(those_that_wait_in_vain_are_let_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
