/* Attempts whose sessions, store, DNS or worker go away under them. */
#include "world.h"

#include "base/mem.h"
#include "queue/reader.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNKS "PIPELINING,CHUNKING"
#define PLAIN  "starttls = false"

#define SERVE(w, ...)                                              \
	static const struct server_plan plans[] = { __VA_ARGS__ }; \
	world_init(w, NULL);                                       \
	world_serve(w, plans, ARRAY_SIZE(plans))

#define ANSWER(w, ...)                                           \
	static const struct fake_step steps[] = { __VA_ARGS__ }; \
	world_answer(w, steps, ARRAY_SIZE(steps))

/* What is answered about example.test and its hosts a.test and b.test. */
#define MX_A_B                                                                  \
	{                                                                       \
		.records = { "an @ 300 MX 10 a.test", "an @ 300 MX 20 b.test" } \
	}
#define NO_AAAA                                    \
	{                                          \
		.records = { "ns test 60 SOA 30" } \
	}
#define AT_1                                          \
	{                                             \
		.records = { "an @ 300 A 127.0.0.1" } \
	}
#define AT_2                                          \
	{                                             \
		.records = { "an @ 300 A 127.0.0.2" } \
	}
#define SERVFAIL                       \
	{                              \
		.flags = WIRE_SERVFAIL \
	}
#define SILENCE                  \
	{                        \
		.act = FAKE_DROP \
	}

static void wait_until_held(struct world *w, size_t connections)
{
	world_run(w, world_is_held, &connections);
}

static void wait_until_finished(struct world *w, size_t attempts)
{
	world_run(w, world_has_finished, &attempts);
}

/* ---- the store, and what it is asked in a session ---- */

/* The final dot waits for no commit: the store stands still. */
static void mark_without_the_store(void **state)
{
	struct world w;
	struct queue_reader *r;
	struct queue_counts counts;
	(void)state;
	SERVE(&w, { .hold_at = "." });
	world_configure(&w, PLAIN);
	world_put(&w, "a@" LITERAL, 200);
	world_attempt(&w, NULL);
	queue_pause(w.queue, true);
	wait_until_held(&w, 1);
	assert_int_equal(queue_reader_open(w.queue_path, 1000, &r, NULL), 0);
	assert_int_equal(queue_reader_counts(r, &counts, NULL), 0);
	assert_int_equal(counts.in_doubt, 1);
	assert_int_equal(counts.claimed, 0);
	smtp_server_release(&w.server);
	world_run(&w, world_let_go, NULL);
	queue_pause(w.queue, false);
	wait_until_finished(&w, 1);
	assert_seen(&w, "EHLO MAIL RCPT DATA . QUIT");
	assert_log(&w, "plaintext delivered - final");
	assert_int_equal(queue_reader_counts(r, &counts, NULL), 0);
	assert_int_equal(counts.in_doubt, 0);
	queue_reader_close(&r);
	world_clear(&w);
}

static void late_piece(void **state)
{
	struct world w;
	(void)state;
	SERVE(&w, { .hold_at = "DATA", .close_at = "354" }, { .hold_at = "connect" });
	ANSWER(&w, MX_A_B, NO_AAAA, AT_1, NO_AAAA, AT_1);
	world_configure(&w, PLAIN);
	world_put(&w, "a@example.test", 300000);
	world_attempt(&w, NULL);
	wait_until_held(&w, 1);
	queue_pause(w.queue, true);
	smtp_server_release(&w.server);
	wait_until_held(&w, 2);
	queue_pause(w.queue, false);
	world_run(&w, world_is_stored, NULL);
	smtp_server_release(&w.server);
	wait_until_finished(&w, 1);
	assert_seen(&w, "EHLO MAIL RCPT DATA | EHLO MAIL RCPT DATA . QUIT");
	assert_log(&w, "plaintext deferred session body; plaintext delivered - final");
	assert_int_equal(smtp_server_content_len(&w.server, 1), 300032);
	world_clear(&w);
}

/* The host that got the final dot is the one that is remembered. */
static void mark_of_second_host(void **state)
{
	struct world w;
	(void)state;
	SERVE(&w, { .rcpt = { NULL, "451 4.2.1 later" } }, { .close_at = "." });
	ANSWER(&w, MX_A_B, NO_AAAA, AT_1, NO_AAAA, AT_1);
	world_configure(&w, PLAIN);
	world_put(&w, "a@example.test b@example.test", 200);
	world_deliver(&w);
	assert_seen(&w, "EHLO MAIL RCPT RCPT DATA . QUIT | EHLO MAIL RCPT DATA .");
	struct queue_item *item = world_claim(&w);
	assert_true(item->was_in_doubt);
	assert_int_equal(item->recipient_count, 1);
	assert_string_equal(item->last_host, "b.test");
	queue_item_free(&item);
	world_clear(&w);
}

static void on_given_back(void *arg, const struct err *e)
{
	(void)arg;
	assert_null(e);
}

/* Somebody else has the item: the final dot must not be sent, to no host. */
static void mark_refused(void **state)
{
	struct world w;
	(void)state;
	SERVE(&w, { .hold_at = "DATA" });
	ANSWER(&w, MX_A_B, NO_AAAA, AT_1, NO_AAAA, AT_1);
	world_configure(&w, PLAIN);
	world_put(&w, "a@example.test", 200);
	world_attempt(&w, NULL);
	wait_until_held(&w, 1);
	queue_give_back(w.env.queue, &w.item_id, 1, on_given_back, NULL);
	world_run(&w, world_is_stored, NULL);
	smtp_server_release(&w.server);
	wait_until_finished(&w, 1);
	assert_int_equal(w.store_error, ERR_NOT_FOUND);
	assert_seen(&w, "EHLO MAIL RCPT DATA");
	world_clear(&w);
}

/* ---- kept sessions ---- */

static void delivered_stays_delivered(void **state)
{
	struct world w;
	(void)state;
	SERVE(&w, { .rcpt = { NULL, NULL, "451 4.2.1 later" } });
	ANSWER(&w, MX_A_B, NO_AAAA, AT_1, SERVFAIL);
	world_configure(&w, PLAIN);
	world_put(&w, "a@example.test", 200);
	world_deliver(&w);
	world_put(&w, "b@example.test c@example.test", 200);
	world_deliver(&w); /* b is taken, c is not, and then DNS fails */
	assert_seen(&w, "EHLO MAIL RCPT DATA . MAIL RCPT RCPT DATA . QUIT");
	struct queue_item *item = world_claim(&w);
	assert_int_equal(item->recipient_count, 1);
	assert_string_equal(item->recipients[0].address, "c@example.test");
	queue_item_free(&item);
	world_clear(&w);
}

/* The connection that message after message is sent over: how it fares. */
static const struct kept_case {
	const char *name, *options;
	struct server_plan plans[3];
	const char *exclude; /* nomtatsl.txt, from the second message on */
	const char *seen, *log;
} kept_cases[] = {
	{ "the next message goes over the same connection", NULL, { { 0 } }, NULL,
		"EHLO STARTTLS *tls *EHLO *MAIL *RCPT *DATA *. "
		"*MAIL *RCPT *DATA *. *QUIT",
		"tls delivered - final; tls delivered - final" },
	{ "a kept connection is not used against a changed policy", NULL,
		{ { 0 }, { 0 } }, "*\n",
		"EHLO STARTTLS *tls *EHLO *MAIL *RCPT *DATA *. *QUIT | "
		"EHLO MAIL RCPT DATA . QUIT",
		"tls delivered - final; plaintext delivered - final" },
	{ "a connection that offered no STARTTLS is kept too", NULL, { { .offers = "" } },
		NULL, "EHLO MAIL RCPT DATA . MAIL RCPT DATA . QUIT",
		"plaintext delivered - final; plaintext delivered - final" },
	{ "a refused STARTTLS is asked for again", "fallback = plaintext",
		{ { .starttls = "454 not now" }, { 0 } }, NULL,
		"EHLO STARTTLS MAIL RCPT DATA . QUIT | "
		"EHLO STARTTLS *tls *EHLO *MAIL *RCPT *DATA *. *QUIT",
		"plaintext delivered starttls_refused final; tls delivered - final" },
	{ "a connection given up while it was kept leaves no trace", PLAIN,
		{ { .mail2 = "421 4.4.2 idle for too long" }, { 0 } }, NULL,
		"EHLO MAIL RCPT DATA . MAIL | EHLO MAIL RCPT DATA . QUIT",
		"plaintext delivered - final; plaintext delivered - final" },
	{ "nor one that is lost at RSET", PLAIN,
		{ { .rcpt = { "550 5.1.1 nobody" }, .close_at = "RSET" }, { 0 } }, NULL,
		"EHLO MAIL RCPT RSET | EHLO MAIL RCPT DATA . QUIT",
		"plaintext bounced smtp_permanent rcpt; plaintext delivered - final" },
	{ "what was idle gets two flights, and its loss leaves no doubt", PLAIN,
		{ { .offers = CHUNKS, .close_at = "MAIL2" }, { .offers = CHUNKS } }, NULL,
		"EHLO MAIL RCPT DATA . MAIL | EHLO MAIL RCPT BDAT . QUIT",
		"plaintext delivered - final; plaintext delivered - bdat" },
	{ "one that is lost later is a failure", PLAIN,
		{ { .rcpt = { NULL, "421 bye" } } }, NULL,
		"EHLO MAIL RCPT DATA . MAIL RCPT",
		"plaintext delivered - final; "
		"plaintext deferred smtp_temporary rcpt -> tls" },
};

static bool is_later(struct world *w, void *arg)
{
	return loop_now_ms(w->loop) > *(int64_t *)arg;
}

static void run_kept(void **state)
{
	const struct kept_case *c = *state;
	struct world w;
	size_t plans = 1;
	while (plans < ARRAY_SIZE(c->plans) && strchr(c->seen, '|'))
		plans++;
	world_init(&w, NULL);
	world_serve(&w, c->plans, plans);
	world_configure(&w, c->options);
	world_put(&w, "a@" LITERAL, 200);
	world_deliver(&w);
	assert_non_null(w.kept);
	int64_t now_ms = loop_now_ms(w.loop);
	world_run(&w, is_later, &now_ms); /* it is idle for a while */
	world_policy(&w, NULL, c->exclude, NULL);
	world_put(&w, "b@" LITERAL, 200);
	world_deliver(&w);
	assert_seen(&w, c->seen);
	assert_log(&w, c->log);
	world_clear(&w);
}

/* ---- next address, next host ---- */

static void refused_reconnect(void **state)
{
	struct world w;
	(void)state;
	static const struct server_plan plan = { .close_at = "handshake" };
	world_init(&w, NULL);
	world_serve_once(&w, &plan);
	ANSWER(&w, { .records = { "an @ 300 MX 10 a.test" } }, NO_AAAA,
		{ .records = { "an @ 300 A 127.0.0.1", "an @ 300 A 127.0.0.2" } });
	world_configure(&w, "fallback = plaintext");
	world_put(&w, "a@example.test", 200);
	world_deliver(&w);
	assert_log(&w, "tls deferred tls_handshake tls; "
		       "plaintext deferred connect connect; "
		       "tls deferred connect connect -> tls");
	world_clear(&w);
}

static bool fails_tls_check;
int __real_tls_check(struct tls_credentials *c, unsigned versions, struct err *e);
int __wrap_tls_check(struct tls_credentials *c, unsigned versions, struct err *e);
int __wrap_tls_check(struct tls_credentials *c, unsigned versions, struct err *e)
{
	if (fails_tls_check)
		return err_set(e, ERR_UNSUPPORTED, "no such version here");
	return __real_tls_check(c, versions, e);
}

static void tls_cannot_begin(void **state)
{
	struct world w;
	(void)state;
	SERVE(&w, { 0 });
	world_configure(&w, "fallback = alternate");
	world_put(&w, "a@" LITERAL, 200);
	fails_tls_check = true;
	world_deliver(&w);
	world_deliver(&w);
	fails_tls_check = false;
	assert_log(&w, "tls deferred tls_init tls -> plaintext; "
		       "plaintext delivered - final");
	world_clear(&w);
}

static void tls_cannot_begin_plaintext(void **state)
{
	struct world w;
	(void)state;
	SERVE(&w, { 0 });
	world_configure(&w, "fallback = plaintext");
	world_put(&w, "a@" LITERAL, 200);
	fails_tls_check = true;
	world_deliver(&w);
	fails_tls_check = false;
	assert_seen(&w, "EHLO MAIL RCPT DATA . QUIT");
	assert_log(&w, "plaintext delivered tls_init final");
	world_clear(&w);
}

/* A host took the message for one: TLS is not what failed for the other. */
static void taken_for_one(void **state)
{
	struct world w;
	(void)state;
	SERVE(&w, { .close_at = "handshake" }, { .rcpt = { NULL, "451 later" } });
	ANSWER(&w, MX_A_B, NO_AAAA, AT_1, NO_AAAA, AT_1);
	world_configure(&w, "fallback = alternate");
	world_put(&w, "a@example.test b@example.test", 200);
	world_deliver(&w);
	assert_log(&w, "tls deferred tls_handshake tls; "
		       "tls deferred smtp_temporary rcpt -> tls");
	world_clear(&w);
}

static void memory_of_a_destination(void **state)
{
	struct world w;
	(void)state;
	SERVE(&w, { .close_at = "handshake" }, { 0 });
	world_configure(&w, "fallback = alternate\nfallback_memory = destination\n"
			    "fallback_memory_ttl = 7d\n"
			    "retry_schedule = \"2d\"");
	world_put(&w, "a@" LITERAL, 200);
	world_deliver(&w);
	world_put(&w, "b@" LITERAL, 200);
	world_deliver(&w);
	assert_log(&w, "tls deferred tls_handshake tls -> plaintext; "
		       "plaintext delivered - final");
	world_clear(&w);
}

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
	wait_until_finished(&w, 1);
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
	wait_until_finished(&w, 1);
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
	wait_until_held(&w, 1);
	attempt_abort(a, "the end");
	wait_until_finished(&w, 2);
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

/* An attempt that its host holds where the plan says. */
static struct attempt *start_held(struct world *w, const struct server_plan *plan)
{
	world_init(w, NULL);
	world_serve(w, plan, 1);
	world_configure(w, PLAIN);
	world_put(w, "a@" LITERAL, 200);
	struct attempt *a = world_attempt(w, NULL);
	wait_until_held(w, 1);
	return a;
}

static void run_abort(void **state)
{
	const struct abort_case *c = *state;
	const struct server_plan plan = { .hold_at = c->hold_at };
	struct world w;
	struct attempt *a = start_held(&w, &plan);
	attempt_abort(a, "the end");
	wait_until_finished(&w, 1);
	smtp_server_release(&w.server);
	assert_log(&w, c->log);
	assert_int_equal(world_due(&w), 1);
	world_run(&w, world_all_ended, NULL);
	world_clear(&w);
}

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
	struct attempt *a = start_held(&w, &plan);
	assert_int_equal(attempt_give_way(a, "others wait"), c->gives_way);
	smtp_server_release(&w.server);
	wait_until_finished(&w, 1);
	assert_log(&w, c->log);
	if (c->gives_way)
		assert_non_null(strstr(w.last_record, "others wait"));
	session_close(&w.kept);
	world_run(&w, world_all_ended, NULL);
	world_clear(&w);
}

/* Before there is a session, and when all is over, there is nothing to give. */
static void nothing_to_give(void **state)
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
	assert_false(attempt_give_way(a, "others wait"));
	attempt_abort(a, "the end");
	assert_false(attempt_give_way(a, "others wait"));
	wait_until_finished(&w, 1);
	world_clear(&w);
}

static void abort_while_the_store_fails(void **state)
{
	struct world w;
	sqlite3 *other;
	(void)state;
	SERVE(&w, { .hold_at = "." });
	world_configure(&w, PLAIN);
	world_put(&w, "a@" LITERAL, 200);
	struct attempt *a = world_attempt(&w, NULL);
	wait_until_held(&w, 1);
	world_run(&w, world_is_stored, NULL);
	assert_int_equal(sqlite3_open(w.queue_path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", 0, 0, 0), SQLITE_OK);
	smtp_server_release(&w.server);
	world_run(&w, world_let_go, NULL);
	attempt_abort(a, "the end");
	wait_until_finished(&w, 1);
	assert_int_not_equal(w.store_error, 0);
	sqlite3_close(other);
	world_clear(&w);
}

/* A store that fails for a while loses nothing of what happened. */
static void store_fails_for_a_while(void **state)
{
	struct world w;
	sqlite3 *other;
	(void)state;
	SERVE(&w, { .hold_at = "." });
	world_configure(&w, PLAIN);
	world_put(&w, "a@" LITERAL, 200);
	world_attempt(&w, NULL);
	wait_until_held(&w, 1);
	world_run(&w, world_is_stored, NULL);
	assert_int_equal(sqlite3_open(w.queue_path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", 0, 0, 0), SQLITE_OK);
	smtp_server_release(&w.server);
	world_run(&w, world_let_go, NULL);
	while (queue_port_pending(w.env.queue)) /* refused once */
		queue_wait(w.env.queue);
	sqlite3_close(other);
	wait_until_finished(&w, 1);
	assert_int_equal(w.store_error, 0);
	assert_log(&w, "plaintext delivered - final");
	assert_int_equal(world_due(&w), 0);
	world_clear(&w);
}

#define NAMED(n, f)                           \
	{                                     \
		.name = (n), .test_func = (f) \
	}

/* With a name as its argument: that test only. */
int main(int argc, char **argv)
{
	static const struct CMUnitTest single[] = {
		NAMED("the mark waits for no commit", mark_without_the_store),
		NAMED("a piece read for a host that is gone is not sent", late_piece),
		NAMED("the mark names the host that has the message",
			mark_of_second_host),
		NAMED("without its mark a message is not sent", mark_refused),
		NAMED("who has the message has it, whatever fails then",
			delivered_stays_delivered),
		NAMED("a refused reconnection leaves the other addresses",
			refused_reconnect),
		NAMED("TLS that cannot begin here counts once a host", tls_cannot_begin),
		NAMED("TLS that cannot begin here, mode plaintext",
			tls_cannot_begin_plaintext),
		NAMED("a host that took the message for one did not fail in TLS",
			taken_for_one),
		NAMED("other messages start on the channel that is due",
			memory_of_a_destination),
		NAMED("a shutdown between hosts does not bounce", abort_between_hosts),
		NAMED("a shutdown keeps what failed before it",
			abort_after_a_failed_host),
		NAMED("a shutdown while dialling says nothing about the channel",
			abort_while_dialling_in_plaintext),
		NAMED("a shutdown does not wait for a store that fails",
			abort_while_the_store_fails),
		NAMED("without a session there is nothing to give", nothing_to_give),
		NAMED("what a store refuses is stored later", store_fails_for_a_while),
	};
	enum {
		SINGLE = ARRAY_SIZE(single),
		KEPT = ARRAY_SIZE(kept_cases),
		ABORT = ARRAY_SIZE(abort_cases),
		WAY = ARRAY_SIZE(way_cases)
	};
	struct CMUnitTest tests[SINGLE + KEPT + ABORT + WAY];
	memcpy(tests, single, sizeof(single));
	for (size_t i = 0; i < KEPT; i++)
		tests[SINGLE + i] = (struct CMUnitTest){ .name = kept_cases[i].name,
			.test_func = run_kept,
			.initial_state = (void *)&kept_cases[i] };
	for (size_t i = 0; i < ABORT; i++)
		tests[SINGLE + KEPT + i] =
			(struct CMUnitTest){ .name = abort_cases[i].name,
				.test_func = run_abort,
				.initial_state = (void *)&abort_cases[i] };
	for (size_t i = 0; i < WAY; i++)
		tests[SINGLE + KEPT + ABORT + i] =
			(struct CMUnitTest){ .name = way_cases[i].name,
				.test_func = run_way,
				.initial_state = (void *)&way_cases[i] };
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	int failed = cmocka_run_group_tests_name("attempt_trouble", tests, NULL, NULL);
	smtp_server_forget_certificate();
	return failed;
}
