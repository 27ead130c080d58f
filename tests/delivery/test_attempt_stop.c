/* Attempts that are stopped: the worker ends, or others wait for the session. */
#include "steps.h"

#include <sqlite3.h>
#include <string.h>

/* ---- the end of the worker ---- */

static void abort_between_hosts(void **state)
{
	struct world w;
	(void)state;
	SERVE(&w, { .offers = "SIZE 100" });
	ANSWER(&w,
		{ .records = { "an @ 300 MX 10 a.test", "an @ 300 MX 20 b.test",
			  "an @ 300 MX 30 c.test" } },
		NO_AAAA, AT_1, NO_AAAA, AT_1, SILENCE);
	world_configure(&w, PLAIN);
	world_put(&w, "a@example.test", 200);
	struct attempt *a = world_attempt(&w, NULL);
	size_t queries = 7;
	world_run(&w, world_is_asked, &queries);
	attempt_abort(a, "the end");
	world_wait_finished(&w, 1);
	assert_int_equal(w.notice_count, 0);
	assert_int_equal(world_due(&w), 1); /* c.test was not asked: no bounce */
	world_clear(&w);
}

static void abort_after_a_failed_host(void **state)
{
	struct world w;
	(void)state;
	SERVE(&w, { .close_at = "handshake" });
	ANSWER(&w, MX_A_B, NO_AAAA, AT_1, SILENCE);
	world_configure(&w, "fallback = alternate");
	world_put(&w, "a@example.test", 200);
	struct attempt *a = world_attempt(&w, NULL);
	size_t queries = 5;
	world_run(&w, world_is_asked, &queries);
	attempt_abort(a, "the end");
	world_wait_finished(&w, 1);
	assert_log(&w, "tls deferred tls_handshake tls -> plaintext");
	world_clear(&w);
}

static void abort_while_dialling_in_plaintext(void **state)
{
	struct world w;
	(void)state;
	SERVE(&w, { .close_at = "handshake" }, { .hold_at = "connect" });
	ANSWER(&w, MX_A_B, NO_AAAA, AT_1, NO_AAAA, AT_2, MX_A_B, NO_AAAA, AT_2, NO_AAAA,
		AT_1);
	world_configure(&w, "fallback = alternate");
	world_put(&w, "a@example.test", 200);
	world_deliver(&w);
	struct attempt *a = world_attempt(&w, NULL);
	world_wait_held(&w, 1);
	attempt_abort(a, "the end");
	world_wait_finished(&w, 2);
	smtp_server_release(&w.server);
	assert_log(&w, "tls deferred tls_handshake tls; "
		       "tls deferred connect connect -> plaintext; "
		       "plaintext deferred connect connect; "
		       "plaintext deferred connect banner -> plaintext");
	world_clear(&w);
}

/* Where the worker stops, and what is left of the attempt. */
static const struct abort_case {
	const char *name, *hold_at, *log;
} abort_cases[] = {
	{ "an attempt stopped before the banner was never begun", "connect", "" },
	{ "an attempt stopped at MAIL was never begun", "MAIL", "" },
	{ "an attempt stopped after DATA was never begun", "DATA", "" },
	{ "an attempt stopped after the final dot is in doubt", ".",
		"plaintext in_doubt in_doubt final -> plaintext" },
};

static void run_abort(void **state)
{
	const struct abort_case *c = *state;
	const struct server_plan plan = { .hold_at = c->hold_at };
	struct world w;
	struct attempt *a = world_attempt_held(&w, &plan);
	attempt_abort(a, "the end");
	world_wait_finished(&w, 1);
	smtp_server_release(&w.server);
	assert_log(&w, c->log);
	assert_int_equal(world_due(&w), 1);
	world_run(&w, world_all_ended, NULL);
	world_clear(&w);
}

static void abort_while_the_store_fails(void **state)
{
	struct world w;
	static const struct server_plan plan = { .hold_at = "." };
	(void)state;
	struct attempt *a = world_attempt_held(&w, &plan);
	sqlite3 *other = world_release_locked(&w);
	attempt_abort(a, "the end");
	world_wait_finished(&w, 1);
	assert_int_not_equal(w.store_error, 0);
	sqlite3_close(other);
	world_clear(&w);
}

/* ---- others wait ---- */

/* Where others are let have the session, and what is told of it. */
static const struct way_case {
	const char *name, *hold_at, *log;
	bool gives_way;
} way_cases[] = {
	{ "a host without a banner gives way", "connect",
		"plaintext deferred connect banner -> plaintext", true },
	{ "a host that does not answer EHLO gives way", "EHLO",
		"plaintext deferred session ehlo -> tls", true },
	{ "a host that does not answer MAIL gives way", "MAIL",
		"plaintext deferred session mail -> tls", true },
	{ "a host that does not answer DATA gives way", "DATA",
		"plaintext deferred session data -> tls", true },
	{ "a host that has the message does not", ".", "plaintext delivered - final",
		false },
};

static void run_way(void **state)
{
	const struct way_case *c = *state;
	const struct server_plan plan = { .hold_at = c->hold_at };
	struct world w;
	struct attempt *a = world_attempt_held(&w, &plan);
	assert_int_equal(attempt_give_way(a, "others wait"), c->gives_way);
	smtp_server_release(&w.server);
	world_wait_finished(&w, 1);
	assert_log(&w, c->log);
	if (c->gives_way)
		assert_non_null(strstr(w.last_record, "others wait"));
	session_close(&w.kept);
	world_run(&w, world_all_ended, NULL);
	world_clear(&w);
}

/* It has the place of a session. When all is over there is nothing to give. */
static void give_way_in_dns(void **state)
{
	struct world w;
	(void)state;
	SERVE(&w, { .offers = "" });
	ANSWER(&w, SILENCE);
	world_configure(&w, PLAIN);
	world_put(&w, "a@example.test", 200);
	struct attempt *a = world_attempt(&w, NULL);
	size_t queries = 1;
	world_run(&w, world_is_asked, &queries);
	assert_true(attempt_give_way(a, "others wait"));
	assert_false(attempt_give_way(a, "others wait"));
	world_wait_finished(&w, 1);
	assert_log(&w, "plaintext deferred dns dns -> plaintext");
	assert_non_null(strstr(w.last_record, "others wait"));
	world_clear(&w);
}

/* With a name as its argument: that test only. */
int main(int argc, char **argv)
{
	static const struct CMUnitTest single[] = {
		NAMED("a shutdown between hosts does not bounce", abort_between_hosts),
		NAMED("a shutdown keeps what failed before it",
			abort_after_a_failed_host),
		NAMED("a shutdown while dialling says nothing about the channel",
			abort_while_dialling_in_plaintext),
		NAMED("a shutdown does not wait for a store that fails",
			abort_while_the_store_fails),
		NAMED("who waits for DNS gives way, once", give_way_in_dns),
	};
	enum {
		SINGLE = ARRAY_SIZE(single),
		ABORT = ARRAY_SIZE(abort_cases),
		WAY = ARRAY_SIZE(way_cases)
	};
	struct CMUnitTest tests[SINGLE + ABORT + WAY];
	memcpy(tests, single, sizeof(single));
	for (size_t i = 0; i < ABORT; i++)
		tests[SINGLE + i] = (struct CMUnitTest){ .name = abort_cases[i].name,
			.test_func = run_abort,
			.initial_state = (void *)&abort_cases[i] };
	for (size_t i = 0; i < WAY; i++)
		tests[SINGLE + ABORT + i] =
			(struct CMUnitTest){ .name = way_cases[i].name,
				.test_func = run_way,
				.initial_state = (void *)&way_cases[i] };
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	int failed = cmocka_run_group_tests_name("attempt_stop", tests, NULL, NULL);
	smtp_server_forget_certificate();
	return failed;
}
