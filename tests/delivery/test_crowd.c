/* Hosts that hold sessions which others wait for. */
#include "world.h"

#include "base/mem.h"
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
} cases[] = {
	{ "the only session is given up for others",
		PLAIN "max_sessions = 1\ncrowded_timeout = 100ms\n", false, true },
	{ "in a single round too", PLAIN "max_sessions = 1\ncrowded_timeout = 100ms\n",
		true, true },
	{ "where there is room nobody gives up",
		PLAIN "max_sessions = 4\ncrowded_timeout = 100ms\n", false, false },
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
		world_put(&w, "a@" SILENT, 100);
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

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(cases)];
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		tests[i] = (struct CMUnitTest){ .name = cases[i].name,
			.test_func = run,
			.initial_state = (void *)&cases[i] };
	return cmocka_run_group_tests_name("crowd", tests, NULL, NULL);
}
