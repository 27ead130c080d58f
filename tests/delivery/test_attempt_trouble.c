/* Attempts whose sessions, store or DNS go away under them. */
#include "steps.h"

#include "queue/reader.h"

#include <sqlite3.h>
#include <string.h>

#define CHUNKS "PIPELINING,CHUNKING"

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
	world_wait_held(&w, 1);
	assert_int_equal(queue_reader_open(w.queue_path, 1000, &r, NULL), 0);
	assert_int_equal(queue_reader_counts(r, &counts, NULL), 0);
	assert_int_equal(counts.in_doubt, 1);
	assert_int_equal(counts.claimed, 0);
	smtp_server_release(&w.server);
	world_run(&w, world_let_go, NULL);
	queue_pause(w.queue, false);
	world_wait_finished(&w, 1);
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
	world_wait_held(&w, 1);
	queue_pause(w.queue, true);
	smtp_server_release(&w.server);
	world_wait_held(&w, 2);
	queue_pause(w.queue, false);
	world_run(&w, world_is_stored, NULL);
	smtp_server_release(&w.server);
	world_wait_finished(&w, 1);
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
	world_wait_held(&w, 1);
	queue_give_back(w.env.queue, &w.item_id, 1, on_given_back, NULL);
	world_run(&w, world_is_stored, NULL);
	smtp_server_release(&w.server);
	world_wait_finished(&w, 1);
	assert_int_equal(w.store_error, ERR_NOT_FOUND);
	assert_seen(&w, "EHLO MAIL RCPT DATA");
	world_clear(&w);
}

/* A store that fails for a while loses nothing of what happened. */
static void store_fails_for_a_while(void **state)
{
	struct world w;
	static const struct server_plan plan = { .hold_at = "." };
	(void)state;
	world_attempt_held(&w, &plan);
	sqlite3 *other = world_release_locked(&w);
	while (queue_port_pending(w.env.queue)) /* refused once */
		queue_wait(w.env.queue);
	sqlite3_close(other);
	world_wait_finished(&w, 1);
	assert_int_equal(w.store_error, 0);
	assert_log(&w, "plaintext delivered - final");
	assert_int_equal(world_due(&w), 0);
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

/* More than go into a transaction: those of the next one were not spoken of. */
static void in_doubt_are_those_of_the_transaction(void **state)
{
	struct world w;
	struct buf recipients = BUF_INIT;
	size_t in_doubt = 0;
	(void)state;
	SERVE(&w, { .close_at = "." });
	world_configure(&w, NULL);
	for (unsigned i = 1; i <= 101; i++)
		buf_addf(&recipients, "%su%u@" LITERAL, i > 1 ? " " : "", i);
	world_put(&w, buf_text(&recipients), 200);
	world_deliver(&w);
	for (const char *s = w.last_record; (s = strstr(s, "\"outcome\":\"in_doubt\""));)
		in_doubt += s++ != NULL;
	assert_int_equal(in_doubt, 100 + 1); /* and that of the visit */
	assert_null(strstr(w.last_record, "u101@"));
	buf_clear(&recipients);
	world_clear(&w);
}

/* What the host says then does not hide why it was spoken to in plaintext. */
static void tls_cannot_begin_and_refused(void **state)
{
	struct world w;
	(void)state;
	SERVE(&w, { .mail = "451 later" });
	world_configure(&w, "fallback = plaintext");
	world_put(&w, "a@" LITERAL, 200);
	fails_tls_check = true;
	world_deliver(&w);
	fails_tls_check = false;
	assert_log(&w, "plaintext deferred smtp_temporary mail -> tls");
	assert_non_null(strstr(w.last_record, "\"downgraded\":true"));
	assert_null(strstr(w.last_record, "offers no STARTTLS"));
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
		NAMED("in doubt are those of the transaction",
			in_doubt_are_those_of_the_transaction),
		NAMED("nor is that downgrade hidden by what comes after it",
			tls_cannot_begin_and_refused),
		NAMED("a host that took the message for one did not fail in TLS",
			taken_for_one),
		NAMED("other messages start on the channel that is due",
			memory_of_a_destination),
		NAMED("what a store refuses is stored later", store_fails_for_a_while),
	};
	enum { SINGLE = ARRAY_SIZE(single), KEPT = ARRAY_SIZE(kept_cases) };
	struct CMUnitTest tests[SINGLE + KEPT];
	memcpy(tests, single, sizeof(single));
	for (size_t i = 0; i < KEPT; i++)
		tests[SINGLE + i] = (struct CMUnitTest){ .name = kept_cases[i].name,
			.test_func = run_kept,
			.initial_state = (void *)&kept_cases[i] };
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	int failed = cmocka_run_group_tests_name("attempt_trouble", tests, NULL, NULL);
	smtp_server_forget_certificate();
	return failed;
}
