/* Hosts that hold sessions which others wait for. */
#include "world.h"

#include "base/mem.h"
#include "base/timefmt.h"
#include "delivery/scheduler.h"

#include <string.h>

#define PLAIN   "starttls = false\n"
#define SILENT  LITERAL                   /* the first connection that is made */
#define HEALTHY "[IPv6:::ffff:127.0.0.1]" /* all others */

static void note_end(void *arg)
{
	*(bool *)arg = true;
}

static bool is_true(struct world *w, void *arg)
{
	(void)w;
	return *(bool *)arg;
}

static bool has_records(struct world *w, void *arg)
{
	return w->records >= *(size_t *)arg;
}

static const struct crowd_case {
	const char *name, *options;
	bool once, is_given_up;
	size_t content_len; /* of what is for the silent host */
} cases[] = {
	{ "the only session is given up for others",
		PLAIN "max_sessions = 1\ncrowded_timeout = 100ms\n", false, true, 100 },
	{ "in a single round too", PLAIN "max_sessions = 1\ncrowded_timeout = 100ms\n",
		true, true, 100 },
	{ "a large message gets no more time where none of it is sent",
		PLAIN "max_sessions = 1\ncrowded_timeout = 100ms\n", false, true,
		100 * 1024 },
	{ "where there is room nobody gives up",
		PLAIN "max_sessions = 4\ncrowded_timeout = 100ms\n", false, false, 100 },
};

static void run(void **state)
{
	static const struct server_plan plans[] = { { .hold_at = "connect" }, { 0 } };
	const struct crowd_case *c = *state;
	struct world w;
	bool is_over = false;
	size_t records = c->is_given_up ? 6 : 3;
	world_init(&w, NULL);
	world_serve(&w, plans, ARRAY_SIZE(plans));
	world_configure(&w, c->options);
	for (int i = 0; i < 3; i++)
		world_put(&w, "a@" SILENT, c->content_len);
	struct scheduler *s = scheduler_new(&w.env, c->once, note_end, &is_over);
	scheduler_wake(s);
	world_wait_held(&w, 1);
	for (int i = 0; i < 3; i++)
		world_put(&w, "a@" HEALTHY, 100);
	scheduler_wake(s);
	world_run(&w, has_records, &records);
	const char *first = c->is_given_up ? "plaintext deferred connect banner"
					   : "plaintext delivered - final";
	assert_ptr_equal(strstr(buf_text(&w.log), first), buf_text(&w.log));
	scheduler_stop(s, 0);
	world_run(&w, is_true, &is_over);
	smtp_server_release_all(&w.server);
	scheduler_free(&s);
	world_run(&w, world_all_ended, NULL);
	world_clear(&w);
}

/* ---- name servers that say nothing: no session is held, but the place of one ---- */

static const struct silence {
	const char *name;
	struct fake_step answers[3];
	size_t queries; /* until nothing comes any more */
} silences[] = {
	{ "who waits for MX records gives way", { { .act = FAKE_DROP } }, 1 },
	{ "who waits for addresses gives way",
		{ { .records = { "an @ 300 MX 10 mx.test" } }, { .act = FAKE_DROP },
			{ .act = FAKE_DROP } },
		3 },
};

static void run_silence(void **state)
{
	static const struct server_plan healthy = { 0 };
	const struct silence *c = *state;
	struct world w;
	bool is_over = false;
	size_t queries = c->queries, records = 2;
	world_init(&w, NULL);
	world_answer(&w, c->answers, ARRAY_SIZE(c->answers));
	world_serve(&w, &healthy, 1);
	world_configure(&w, PLAIN "max_sessions = 1\ncrowded_timeout = 100ms\n");
	world_put(&w, "a@slow.test", 100);
	struct scheduler *s = scheduler_new(&w.env, false, note_end, &is_over);
	scheduler_wake(s);
	world_run(&w, world_is_asked, &queries);
	world_put(&w, "a@" HEALTHY, 100);
	scheduler_wake(s);
	world_run(&w, has_records, &records);
	assert_log(&w,
		"plaintext deferred dns dns -> plaintext; plaintext delivered - final");
	assert_non_null(strstr(w.last_record, "delivered"));
	scheduler_stop(s, 0);
	world_run(&w, is_true, &is_over);
	scheduler_free(&s);
	world_run(&w, world_all_ended, NULL);
	world_clear(&w);
}

/* ---- a host that refuses ---- */

static void a_host_that_is_not_there_is_not_flooded(void **state)
{
	static const struct server_plan healthy = { 0 };
	enum { MANY = 70 };
	struct world w;
	bool is_over = false;
	(void)state;
	world_init(&w, NULL);
	world_serve(&w, &healthy, 1);
	world_configure(&w, PLAIN);
	for (int i = 0; i < MANY; i++)
		world_put(&w, "a@[127.0.0.2]", 100); /* nobody listens there */
	world_put(&w, "a@" HEALTHY, 100);
	struct scheduler *s = scheduler_new(&w.env, true, note_end, &is_over);
	int64_t begun_ms = clock_monotonic_ms();
	scheduler_wake(s);
	world_run(&w, is_true, &is_over);
	assert_int_equal(w.records, MANY + 1);
	/* Twenty, and again, and again: two pauses at least are whole ones. */
	assert_true(clock_monotonic_ms() - begun_ms >= 2 * 100);
	assert_non_null(strstr(buf_text(&w.log), "delivered"));
	scheduler_free(&s);
	world_run(&w, world_all_ended, NULL);
	world_clear(&w);
}

int main(void)
{
	enum { HOSTS = ARRAY_SIZE(cases), SILENCES = ARRAY_SIZE(silences) };
	struct CMUnitTest tests[HOSTS + SILENCES + 1];
	for (size_t i = 0; i < HOSTS; i++)
		tests[i] = (struct CMUnitTest){ .name = cases[i].name,
			.test_func = run,
			.initial_state = (void *)&cases[i] };
	for (size_t i = 0; i < SILENCES; i++)
		tests[HOSTS + i] = (struct CMUnitTest){ .name = silences[i].name,
			.test_func = run_silence,
			.initial_state = (void *)&silences[i] };
	tests[HOSTS + SILENCES] = (struct CMUnitTest)cmocka_unit_test(
		a_host_that_is_not_there_is_not_flooded);
	return cmocka_run_group_tests_name("crowd", tests, NULL, NULL);
}
