/* Lanes: their shares, and what reaches them in their threads. */
#include "world.h"

#include "base/mem.h"
#include "base/timefmt.h"
#include "delivery/lane.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN  "starttls = false\n"
#define ABSENT "[127.0.0.2]" /* nobody listens there */

enum { DEADLINE_MS = 20000 };

/* What the lanes did, told from their threads. */
struct play {
	struct world w;
	struct server_plan plan;
	struct event_hub hub;
	struct event_sink sink;
	struct lane_options options;
	atomic_size_t records, delivered, finished;
	atomic_ullong generation; /* of the last record */
};

static void on_record(void *arg, const struct event_attempt *e)
{
	struct play *p = arg;
	atomic_store(&p->generation, e->policy_generation);
	p->delivered += strcmp(e->outcome, "delivered") == 0;
	p->records++;
}

static void on_finished(void *arg)
{
	((struct play *)arg)->finished++;
}

static void begin(struct play *p, const char *options, const char *hold_at)
{
	memset(p, 0, sizeof(*p));
	p->plan.hold_at = hold_at;
	world_init(&p->w, NULL);
	world_serve(&p->w, &p->plan, 1);
	world_configure(&p->w, options);
	p->sink = (struct event_sink){ .attempt = on_record, .arg = p };
	event_hub_add(&p->hub, &p->sink);
	p->options = (struct lane_options){ .queue = p->w.queue,
		.config = p->w.env.config,
		.hub = &p->hub,
		.notices = p->w.env.notices,
		.on_finished = on_finished,
		.arg = p };
}

static struct lane *new_lane(struct play *p, unsigned index, unsigned count, bool once)
{
	struct lane *l = NULL;
	struct err e = { 0 };
	p->options.share = (struct share){ index, count };
	p->options.once = once;
	if (lane_new(&p->options, &l, &e) != 0)
		fail_msg("%s", e.text);
	lane_set_policy(l, p->w.env.policy);
	return l;
}

static void start(struct lane *l)
{
	struct err e = { 0 };
	if (lane_start(l, &e) != 0)
		fail_msg("%s", e.text);
}

static void wait_for(atomic_size_t *count, size_t value)
{
	int64_t deadline_ms = clock_monotonic_ms() + DEADLINE_MS;
	while (atomic_load(count) < value) {
		if (clock_monotonic_ms() > deadline_ms)
			fail_msg("waited in vain for %zu, it is %zu", value,
				atomic_load(count));
		sched_yield();
	}
}

static void end(struct play *p)
{
	world_run(&p->w, world_all_ended, NULL);
	world_clear(&p->w);
}

/* As many lanes as tell the two destinations apart. */
static unsigned count_that_parts(void)
{
	unsigned count = 2;
	while (share_of(LITERAL, count) == share_of(ABSENT, count))
		count++;
	return count;
}

static void lanes_attempt_what_is_theirs(void **state)
{
	struct play p;
	unsigned count = count_that_parts(), mine = share_of(LITERAL, count);
	(void)state;
	begin(&p, PLAIN, NULL);
	for (int i = 0; i < 5; i++) {
		world_put(&p.w, "a@" LITERAL, 100);
		world_put(&p.w, "a@" ABSENT, 100);
	}
	struct lane *l = new_lane(&p, mine, count, true);
	start(l);
	lane_free(&l); /* joins */
	assert_int_equal(p.finished, 1);
	assert_int_equal(p.records, 5);
	assert_int_equal(p.delivered, 5);
	assert_int_equal(world_due(&p.w), 1); /* the others' are left */
	l = new_lane(&p, share_of(ABSENT, count), count, true);
	start(l);
	lane_free(&l);
	assert_int_equal(p.finished, 2);
	assert_int_equal(p.records, 10);
	assert_int_equal(p.delivered, 5);
	end(&p);
}

static void lanes_divide_the_sessions(void **state)
{
	struct play p;
	size_t all = 0;
	(void)state;
	begin(&p, PLAIN "max_sessions = 200", NULL);
	for (unsigned i = 0; i < 3; i++) {
		struct lane *l = new_lane(&p, i, 3, true);
		all += delivery_max_sessions(lane_env(l));
		world_configure(&p.w, PLAIN "max_sessions = 2");
		lane_configure(l, p.w.env.config);
		assert_int_equal(delivery_max_sessions(lane_env(l)), 1);
		world_configure(&p.w, PLAIN "max_sessions = 200");
		p.options.config = p.w.env.config;
		lane_free(&l);
	}
	assert_int_equal(all, 200);
	end(&p);
}

/* The last reference may be the lane's, or that of what is in its mailbox. */
static void a_running_lane_gets_all_that_it_is_told(void **state)
{
	struct play p;
	(void)state;
	begin(&p, PLAIN, NULL);
	struct lane *l = new_lane(&p, 0, 1, false);
	start(l);
	world_put(&p.w, "a@" LITERAL, 100);
	lane_wake(l);
	wait_for(&p.records, 1);
	assert_int_equal(p.generation, 1);
	for (int i = 0; i < 20; i++) {
		world_configure(&p.w, PLAIN);
		lane_configure(l, p.w.env.config);
		world_policy(&p.w, NULL, NULL, NULL);
		lane_set_policy(l, p.w.env.policy);
	}
	world_put(&p.w, "a@" LITERAL, 100);
	lane_wake(l);
	wait_for(&p.records, 2);
	assert_int_equal(p.generation, 21);
	assert_int_equal(p.finished, 0);
	lane_stop(l, 0);
	lane_free(&l);
	assert_int_equal(p.finished, 1);
	end(&p);
}

static void a_lane_that_has_ended_is_told_in_vain(void **state)
{
	struct play p;
	(void)state;
	begin(&p, PLAIN, NULL);
	struct lane *l = new_lane(&p, 0, 1, true);
	start(l);
	wait_for(&p.finished, 1);
	for (int i = 0; i < 100; i++) { /* while it goes away, and afterwards */
		lane_configure(l, p.w.env.config);
		lane_set_policy(l, p.w.env.policy);
		lane_wake(l);
		lane_stop(l, 0);
		sched_yield();
	}
	lane_free(&l);
	assert_int_equal(p.finished, 1);
	end(&p);
}

static void a_stop_ends_all_lanes(void **state)
{
	struct play p;
	struct lane *lanes[3];
	(void)state;
	begin(&p, PLAIN, "MAIL");
	world_put(&p.w, "a@" LITERAL, 100);
	for (unsigned i = 0; i < 3; i++) {
		lanes[i] = new_lane(&p, i, 3, false);
		start(lanes[i]);
	}
	world_wait_held(&p.w, 1);
	for (unsigned i = 0; i < 3; i++)
		lane_stop(lanes[i], 0);
	for (unsigned i = 0; i < 3; i++)
		lane_free(&lanes[i]);
	assert_int_equal(p.finished, 3);
	assert_int_equal(p.records, 0);
	assert_int_equal(world_due(&p.w), 1);
	smtp_server_release_all(&p.w.server);
	end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lanes_attempt_what_is_theirs),
		cmocka_unit_test(lanes_divide_the_sessions),
		cmocka_unit_test(a_running_lane_gets_all_that_it_is_told),
		cmocka_unit_test(a_lane_that_has_ended_is_told_in_vain),
		cmocka_unit_test(a_stop_ends_all_lanes),
	};
	int failed = cmocka_run_group_tests_name("lane", tests, NULL, NULL);
	smtp_server_forget_certificate();
	return failed;
}
