/* What is claimed and begun when, and how it ends. */
#include "world.h"

#include "base/mem.h"
#include "delivery/scheduler.h"

#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN  "starttls = false\n"
#define ABSENT "[127.0.0.2]"             /* nobody listens there */
#define OTHER  "[IPv6:::ffff:127.0.0.1]" /* the server, by another name */

struct play {
	struct world w;
	struct scheduler *scheduler;
	bool is_finished;
};

static void on_finished(void *arg)
{
	((struct play *)arg)->is_finished = true;
}

static bool is_over(struct world *w, void *arg)
{
	(void)w;
	return ((struct play *)arg)->is_finished;
}

static bool has_records(struct world *w, void *arg)
{
	return w->records >= *(size_t *)arg;
}

static void begin(struct play *p, const struct server_plan *plan, const char *options)
{
	memset(p, 0, sizeof(*p));
	world_init(&p->w, NULL);
	world_serve(&p->w, plan, 1);
	world_configure(&p->w, options);
}

static void schedule(struct play *p, bool once)
{
	p->scheduler = scheduler_new(&p->w.env, once, on_finished, p);
	scheduler_wake(p->scheduler);
}

static void put(struct play *p, const char *recipient, size_t count)
{
	while (count--)
		world_put(&p->w, recipient, 100);
}

static void wait_for_records(struct play *p, size_t records)
{
	world_run(&p->w, has_records, &records);
}

static void stop(struct play *p, int64_t grace_ms)
{
	scheduler_stop(p->scheduler, grace_ms);
	world_run(&p->w, is_over, p);
}

static void end(struct play *p)
{
	smtp_server_release_all(&p->w.server);
	scheduler_free(&p->scheduler);
	world_run(&p->w, world_all_ended, NULL);
	world_clear(&p->w);
}

/* ---- once ---- */

static void once(void **state)
{
	static const struct server_plan plan = { 0 };
	struct play p;
	(void)state;
	begin(&p, &plan, PLAIN);
	put(&p, "a@" LITERAL, 30);
	put(&p, "a@" ABSENT, 3);
	schedule(&p, true);
	world_run(&p.w, is_over, &p);
	assert_int_equal(p.w.records, 33);
	assert_true(smtp_server_connections(&p.w.server) <= 20);
	end(&p);
}

static void once_with_nothing(void **state)
{
	static const struct server_plan plan = { 0 };
	struct play p;
	(void)state;
	begin(&p, &plan, PLAIN);
	schedule(&p, true);
	world_run(&p.w, is_over, &p);
	end(&p);
}

/* The host hangs up on the second message: in doubt only if all of it was sent. */
static void one_flight_after_another(void **state)
{
	static const struct server_plan plan = { .offers = "PIPELINING,CHUNKING",
		.close_at = "MAIL2" };
	struct play p;
	(void)state;
	begin(&p, &plan, PLAIN "max_sessions_per_destination = 1");
	put(&p, "a@" LITERAL, 2);
	schedule(&p, true);
	world_run(&p.w, is_over, &p);
	assert_non_null(strstr(buf_text(&p.w.log), "delivered - final"));
	assert_non_null(strstr(buf_text(&p.w.log), "in_doubt in_doubt mail"));
	end(&p);
}

/* A host that says more than it was asked for is not trusted with flights, though
 * what it said came after its verdict. */
static void out_of_turn(void **state)
{
	static const struct server_plan plan = { .offers = "PIPELINING,CHUNKING",
		.final = "250 2.0.0 stored\r\n500 5.5.1 what" };
	struct play p;
	(void)state;
	begin(&p, &plan, PLAIN "max_sessions_per_destination = 1");
	put(&p, "a@" LITERAL, 2);
	schedule(&p, true);
	world_run(&p.w, is_over, &p);
	assert_seen(&p.w, "EHLO MAIL RCPT DATA . | EHLO MAIL RCPT DATA .");
	end(&p);
}

/* ---- limits ---- */

static const struct limit_case {
	const char *name, *options;
	size_t sessions; /* begun, and no more */
} limits[] = {
	{ "one session at first", PLAIN, 1 },
	{ "max_sessions", PLAIN "max_sessions = 1", 1 },
	{ "max_sessions_per_destination", PLAIN "max_sessions_per_destination = 1", 1 },
};

static void run_limit(void **state)
{
	static const struct server_plan plan = { .hold_at = "MAIL" };
	const struct limit_case *c = *state;
	struct play p;
	begin(&p, &plan, c->options);
	put(&p, "a@" LITERAL, 12);
	schedule(&p, false);
	world_wait_held(&p.w, c->sessions);
	world_run(&p.w, world_is_stored, NULL);
	assert_int_equal(p.w.env.sessions, c->sessions);
	stop(&p, 0);
	assert_int_equal(smtp_server_connections(&p.w.server), c->sessions);
	assert_int_equal(p.w.records, 0); /* given back, and nothing told of it */
	assert_int_equal(world_due(&p.w), 1);
	end(&p);
}

/* ---- as many sessions as help ---- */

enum { UNTIMED = 70000 }; /* octets: the time of such a message says nothing */

static void put_large(struct play *p, size_t count)
{
	while (count--)
		world_put(&p->w, "a@" LITERAL, UNTIMED);
}

static void growth(void **state)
{
	static const struct server_plan plan = { .hold_at = "MAIL" };
	/* One, two and four sessions; those that stay are held once more. */
	static const size_t connections[] = { 1, 2, 4 }, held[] = { 1, 3, 7 };
	struct play p;
	(void)state;
	begin(&p, &plan, PLAIN);
	put_large(&p, 40);
	schedule(&p, false);
	for (size_t i = 0; i < ARRAY_SIZE(held); i++) {
		world_wait_held(&p.w, held[i]);
		world_run(&p.w, world_is_stored, NULL);
		assert_int_equal(smtp_server_connections(&p.w.server), connections[i]);
		for (size_t n = 0; n < connections[i]; n++)
			smtp_server_release(&p.w.server);
	}
	stop(&p, 0);
	end(&p);
}

static void too_many(void **state)
{
	static const struct server_plan plans[] = { { 0 },
		{ .banner = "421 4.7.0 too many connections" } };
	struct play p;
	(void)state;
	memset(&p, 0, sizeof(p));
	world_init(&p.w, NULL);
	world_serve(&p.w, plans, ARRAY_SIZE(plans));
	world_configure(&p.w, PLAIN);
	put_large(&p, 12);
	schedule(&p, true);
	world_run(&p.w, is_over, &p);
	assert_int_equal(p.w.records, 12);
	assert_int_equal(smtp_server_connections(&p.w.server), 2);
	end(&p);
}

/* ---- everybody gets a turn ---- */

/* Where one destination could use the one session for ever. */
static void long_queue(void **state)
{
	static const struct server_plan plan = { 0 };
	struct play p;
	(void)state;
	begin(&p, &plan, PLAIN "max_sessions = 1");
	put(&p, "a@" LITERAL, 40);
	put(&p, "a@" ABSENT, 1);
	schedule(&p, true);
	world_run(&p.w, is_over, &p);
	assert_int_equal(p.w.records, 41);
	const char *other = strstr(buf_text(&p.w.log), "deferred connect");
	assert_non_null(other);
	assert_non_null(strstr(other, "delivered")); /* it was not the last */
	end(&p);
}

/* And each turn is worth its connection. */
static void long_queues(void **state)
{
	static const struct server_plan plan = { 0 };
	struct play p;
	(void)state;
	begin(&p, &plan, PLAIN "max_sessions = 1");
	put(&p, "a@" LITERAL, 20);
	put(&p, "a@" OTHER, 20);
	schedule(&p, true);
	world_run(&p.w, is_over, &p);
	assert_int_equal(p.w.records, 40);
	assert_null(strstr(buf_text(&p.w.log), "deferred"));
	/* Ten messages a turn, or the four of a claim where the next one is late. */
	assert_in_range(smtp_server_connections(&p.w.server), 3, 10);
	end(&p);
}

/* Destinations that answer nothing hold what they have, and no more. */
static void tarpit(void **state)
{
	static const struct server_plan plan = { .hold_at = "connect" };
	struct play p;
	(void)state;
	begin(&p, &plan, PLAIN "max_sessions = 4");
	put(&p, "a@" LITERAL, 40);
	schedule(&p, false);
	world_wait_held(&p.w, 1);
	world_run(&p.w, world_is_stored, NULL);
	put(&p, "a@" ABSENT, 1);
	scheduler_wake(p.scheduler);
	wait_for_records(&p, 1);
	stop(&p, 0);
	end(&p);
}

/* A message for a destination that has enough to do for now. */
static void late_message(void **state)
{
	static const struct server_plan plan = { .hold_at = "MAIL" };
	struct play p;
	(void)state;
	begin(&p, &plan, PLAIN "max_sessions_per_destination = 1");
	put(&p, "a@" LITERAL, 8);
	schedule(&p, false);
	world_wait_held(&p.w, 1);
	world_run(&p.w, world_is_stored, NULL);
	put(&p, "a@" LITERAL, 1);
	scheduler_wake(p.scheduler);
	world_run(&p.w, world_is_stored, NULL);
	for (int i = 0; i < 64; i++)
		smtp_server_release(&p.w.server);
	wait_for_records(&p, 9);
	stop(&p, 0);
	end(&p);
}

/* ---- one relay for many destinations ---- */

#define RELAY "smtp://[127.0.0.1]:@"

/* count messages to each of so many destinations. */
static void put_each(struct play *p, size_t domains, size_t count)
{
	for (size_t i = 0; i < domains * count; i++) {
		OWN(mem_free) char *to = xasprintf("x@d%zu.test", i % domains);
		world_put(&p->w, to, UNTIMED);
	}
}

static void relay_limit(void **state)
{
	static const struct server_plan plan = { .offers = "" };
	struct play p;
	(void)state;
	begin(&p, &plan, "max_sessions_per_destination = 2");
	world_routes(&p.w, "* " RELAY "\n");
	put_each(&p, 30, 2);
	schedule(&p, true);
	world_run(&p.w, is_over, &p);
	assert_int_equal(p.w.records, 60);
	assert_null(strstr(buf_text(&p.w.log), "deferred"));
	assert_in_range(smtp_server_connections(&p.w.server), 1, 2);
	end(&p);
}

/* The block of the relay's name, of which one loop of three has its part. */
static void relay_limit_of_a_lane(void **state)
{
	static const struct server_plan plan = { .offers = "" };
	struct play p;
	(void)state;
	begin(&p, &plan,
		"destination \"[127.0.0.1]\" {\n"
		"max_sessions_per_destination = 3 }\n");
	world_routes(&p.w, "* " RELAY "\n");
	put_each(&p, 30, 2);
	p.w.env.share = (struct share){ 1, 3 };
	schedule(&p, true);
	world_run(&p.w, is_over, &p);
	assert_in_range(p.w.records, 2, 58); /* those of its share */
	assert_int_equal(smtp_server_connections(&p.w.server), 1);
	end(&p);
}

/* A long queue for one destination does not keep the others waiting. */
static void relay_turns(void **state)
{
	static const struct server_plan plan = { .offers = "", .hold_at = "MAIL" };
	struct play p;
	(void)state;
	begin(&p, &plan, "max_sessions_per_destination = 1");
	world_routes(&p.w, "* " RELAY "\n");
	put(&p, "x@long.test", 40);
	schedule(&p, false);
	world_wait_held(&p.w, 1);
	world_run(&p.w, world_is_stored, NULL);
	put(&p, "x@short.test", 1);
	scheduler_wake(p.scheduler);
	world_run(&p.w, world_is_stored, NULL);
	for (size_t n = 1; n <= 3; n++) {
		smtp_server_release(&p.w.server);
		wait_for_records(&p, n);
	}
	stop(&p, 0);
	assert_non_null(strstr(buf_text(&p.w.domains), "long.test short.test "));
	end(&p);
}

/* Notices for many senders share the relay that they go to. */
static void notice_limit(void **state)
{
	static const struct server_plan plan = { .offers = "" };
	struct play p;
	(void)state;
	begin(&p, &plan, NULL);
	OWN(mem_free)
	char *options = xasprintf("max_sessions_per_destination = 2\n"
				  "bounce_route = \"smtp://[127.0.0.1]:%u\"\n",
		addr_port(&p.w.server.addr));
	world_configure(&p.w, options);
	world_routes(&p.w, "* discard\n");
	p.w.puts_notices = true;
	put_each(&p, 15, 2);
	p.w.puts_notices = false;
	put_each(&p, 5, 1);
	schedule(&p, true);
	world_run(&p.w, is_over, &p);
	assert_int_equal(p.w.records, 35);
	assert_null(strstr(buf_text(&p.w.log), "deferred"));
	assert_in_range(smtp_server_connections(&p.w.server), 1, 2);
	end(&p);
}

/* A relay that answers nothing holds what its sessions can hold, however many
 * destinations wait for it; and they are not forgotten. */
static void relay_tarpit(void **state)
{
	static const struct server_plan plan = { .offers = "", .hold_at = "connect" };
	struct play p;
	(void)state;
	begin(&p, &plan, "max_sessions = 4\nmax_sessions_per_destination = 2");
	world_routes(&p.w, "[127.0.0.2] mx:\n* " RELAY "\n");
	put_each(&p, 60, 1);
	put(&p, "a@" ABSENT, 1);
	schedule(&p, false);
	world_wait_held(&p.w, 1);
	wait_for_records(&p, 1);
	assert_non_null(strstr(buf_text(&p.w.log), "deferred connect"));
	smtp_server_release_all(&p.w.server);
	wait_for_records(&p, 61);
	stop(&p, 0);
	end(&p);
}

static void notice_tarpit(void **state)
{
	static const struct server_plan plan = { .offers = "", .hold_at = "connect" };
	struct play p;
	(void)state;
	begin(&p, &plan, NULL);
	OWN(mem_free)
	char *options = xasprintf("max_sessions = 4\nmax_sessions_per_destination = 2\n"
				  "bounce_route = \"smtp://[127.0.0.1]:%u\"\n",
		addr_port(&p.w.server.addr));
	world_configure(&p.w, options);
	world_routes(&p.w, "* discard\n");
	p.w.puts_notices = true;
	put_each(&p, 60, 1);
	p.w.puts_notices = false;
	put_each(&p, 1, 1);
	schedule(&p, false);
	world_wait_held(&p.w, 1);
	wait_for_records(&p, 1);
	assert_log(&p.w, "- delivered - route");
	smtp_server_release_all(&p.w.server);
	wait_for_records(&p, 61);
	stop(&p, 0);
	end(&p);
}

/* What waits goes the new way at once; what runs ends where it began. */
static void relay_replaced(void **state)
{
	static const struct server_plan plan = { .offers = "", .hold_at = "MAIL" };
	struct play p;
	(void)state;
	begin(&p, &plan, "max_sessions_per_destination = 1");
	world_routes(&p.w, "* " RELAY "\n");
	put_each(&p, 3, 4);
	schedule(&p, false);
	world_wait_held(&p.w, 1);
	world_run(&p.w, world_is_stored, NULL);
	world_routes(&p.w, "* discard\n");
	scheduler_routes_changed(p.scheduler);
	wait_for_records(&p, 11);
	assert_null(strstr(buf_text(&p.w.log), "final"));
	smtp_server_release(&p.w.server);
	wait_for_records(&p, 12);
	assert_non_null(strstr(buf_text(&p.w.log), "plaintext delivered - final"));
	stop(&p, 0);
	assert_int_equal(smtp_server_connections(&p.w.server), 1);
	end(&p);
}

/* ---- a store that fails ---- */

static bool has_next_claim(struct world *w, void *arg)
{
	(void)arg;
	return w->env.sessions > 0 && queue_port_pending(w->env.queue) > 0;
}

static void claim_fails(void **state)
{
	static const struct server_plan plan = { 0 };
	struct play p;
	(void)state;
	begin(&p, &plan, PLAIN);
	put(&p, "a@" LITERAL, 30);
	uint64_t commits = queue_commits(p.w.queue);
	schedule(&p, false);
	while (queue_commits(p.w.queue) == commits) /* the general claim is carried out */
		sched_yield();
	queue_pause(p.w.queue, true);
	world_run(&p.w, has_next_claim, &p); /* the one for the destination waits */
	sqlite3 *other = world_lock_queue(&p.w);
	queue_pause(p.w.queue, false);
	world_run(&p.w, world_is_stored, NULL); /* asked once, not again and again */
	sqlite3_close(other);
	wait_for_records(&p, 30);
	stop(&p, 0);
	end(&p);
}

/* ---- the end ---- */

static void grace(void **state)
{
	static const struct server_plan plan = { .hold_at = "MAIL" };
	struct play p;
	(void)state;
	begin(&p, &plan, PLAIN "max_sessions_per_destination = 1");
	put(&p, "a@" LITERAL, 3);
	schedule(&p, false);
	world_wait_held(&p.w, 1);
	scheduler_stop(p.scheduler, 20000);
	assert_false(p.is_finished);
	smtp_server_release(&p.w.server);
	world_run(&p.w, is_over, &p);
	assert_log(&p.w, "plaintext delivered - final");
	assert_int_equal(world_due(&p.w), 1);
	end(&p);
}

static void silent_quit(void **state)
{
	static const struct server_plan plan = { .hold_at = "QUIT" };
	struct play p;
	(void)state;
	begin(&p, &plan, PLAIN);
	put(&p, "a@" LITERAL, 1);
	schedule(&p, false);
	wait_for_records(&p, 1);
	stop(&p, 0);
	assert_int_equal(p.w.env.sessions, 0);
	end(&p);
}

/* The host hangs up on a session while it is kept. */
static void idle_lost(void **state)
{
	static const struct server_plan plan = { .close_at = "idle" };
	struct play p;
	size_t none = 0;
	(void)state;
	begin(&p, &plan, PLAIN);
	put(&p, "a@" LITERAL, 1);
	schedule(&p, false);
	wait_for_records(&p, 1);
	world_run(&p.w, world_all_ended, &none);
	put(&p, "a@" LITERAL, 1);
	scheduler_wake(p.scheduler);
	wait_for_records(&p, 2);
	stop(&p, 0);
	end(&p);
}

/* With a name as its argument: that test only. */
int main(int argc, char **argv)
{
	static const struct CMUnitTest single[] = {
		NAMED("once: all that is due has its attempt", once),
		NAMED("once, and nothing is due", once_with_nothing),
		NAMED("sessions double while deliveries succeed", growth),
		NAMED("a host that says 421 is not asked for more", too_many),
		NAMED("a session that goes on at once takes the next message in one "
		      "flight",
			one_flight_after_another),
		NAMED("a host that talks out of turn gets no flight", out_of_turn),
		NAMED("a long queue lets others have the only session", long_queue),
		NAMED("two long queues take turns over the only session", long_queues),
		NAMED("destinations that answer nothing leave room", tarpit),
		NAMED("a message for a busy destination is not forgotten", late_message),
		NAMED("a relay's limit is for all its destinations together",
			relay_limit),
		NAMED("of a relay's limit each loop has its part", relay_limit_of_a_lane),
		NAMED("destinations of one relay take turns", relay_turns),
		NAMED("notices share the sessions of bounce_route", notice_limit),
		NAMED("a relay that answers nothing leaves room", relay_tarpit),
		NAMED("nor do notices take it that nobody takes", notice_tarpit),
		NAMED("what waits follows a change of the routes", relay_replaced),
		NAMED("a claim that failed is not repeated at once", claim_fails),
		NAMED("a stop lets what is under way end well", grace),
		NAMED("a stop does not wait for the answer to QUIT", silent_quit),
		NAMED("a kept session that is lost is forgotten", idle_lost),
	};
	enum { SINGLE = ARRAY_SIZE(single), LIMITS = ARRAY_SIZE(limits) };
	struct CMUnitTest tests[SINGLE + LIMITS];
	memcpy(tests, single, sizeof(single));
	for (size_t i = 0; i < LIMITS; i++)
		tests[SINGLE + i] = (struct CMUnitTest){ .name = limits[i].name,
			.test_func = run_limit,
			.initial_state = (void *)&limits[i] };
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	int failed = cmocka_run_group_tests_name("scheduler", tests, NULL, NULL);
	smtp_server_forget_certificate();
	return failed;
}
