/* Whole attempts: a real queue, a scripted host, and what each of them saw. */
#include "world.h"

#include "base/mem.h"
#include "delivery/chunking_memory.h"

#include <stdlib.h>

#define CHUNKS "PIPELINING,CHUNKING"

/* ---- sequences of attempts: the four modes ---- */

static const struct sequence {
	const char *name, *options;
	unsigned attempts;
	struct server_plan plans[6]; /* one a connection */
	size_t plan_count;
	const char *seen, *log;
} sequences[] = {
	{ "a host that does everything right gets the message over TLS", NULL, 1,
		{ { 0 } }, 1, "EHLO STARTTLS *tls *EHLO *MAIL *RCPT *DATA *. *QUIT",
		"tls delivered - final" },
	{ "no STARTTLS on offer is plaintext in every mode", "fallback = none", 1,
		{ { .offers = "" } }, 1, "EHLO MAIL RCPT DATA . QUIT",
		"plaintext delivered - final" },
	{ "none: a broken handshake never leads to plaintext", "fallback = none", 3,
		{ { .close_at = "handshake" } }, 1,
		"EHLO STARTTLS | EHLO STARTTLS | EHLO STARTTLS",
		"tls deferred tls_handshake tls -> tls; "
		"tls deferred tls_handshake tls -> tls; "
		"tls deferred tls_handshake tls -> tls" },
	{ "none: refused STARTTLS never leads to plaintext", "fallback = none", 2,
		{ { .starttls = "454 not now" } }, 1,
		"EHLO STARTTLS QUIT | EHLO STARTTLS QUIT",
		"tls deferred starttls_refused starttls -> tls; "
		"tls deferred starttls_refused starttls -> tls" },
	{ "plaintext: a broken handshake, then the same address without TLS",
		"fallback = plaintext", 1, { { .close_at = "handshake" }, { 0 } }, 2,
		"EHLO STARTTLS | EHLO MAIL RCPT DATA . QUIT",
		"tls deferred tls_handshake tls; plaintext delivered - final" },
	{ "plaintext: refused STARTTLS goes on in the same session",
		"fallback = plaintext", 1, { { .starttls = "502 no" } }, 1,
		"EHLO STARTTLS MAIL RCPT DATA . QUIT",
		"plaintext delivered starttls_refused final" },
	{ "plaintext: the next attempt begins with TLS again", "fallback = plaintext", 2,
		{ { .close_at = "handshake" }, { .mail = "451 later" }, { 0 } }, 3,
		"EHLO STARTTLS | EHLO MAIL QUIT | "
		"EHLO STARTTLS *tls *EHLO *MAIL *RCPT *DATA *. *QUIT",
		"tls deferred tls_handshake tls; "
		"plaintext deferred smtp_temporary mail -> tls; "
		"tls delivered - final" },
	{ "alternate: TLS, plaintext, TLS, plaintext", "fallback = alternate", 4,
		{ { .close_at = "handshake" }, { .mail = "451 later" },
			{ .close_at = "handshake" }, { 0 } },
		4,
		"EHLO STARTTLS | EHLO MAIL QUIT | EHLO STARTTLS | "
		"EHLO MAIL RCPT DATA . QUIT",
		"tls deferred tls_handshake tls -> plaintext; "
		"plaintext deferred smtp_temporary mail -> tls; "
		"tls deferred tls_handshake tls -> plaintext; "
		"plaintext delivered - final" },
	{ "alternate: refused STARTTLS leads to plaintext next time, not now",
		"fallback = alternate", 2, { { .starttls = "454 not now" }, { 0 } }, 2,
		"EHLO STARTTLS QUIT | EHLO MAIL RCPT DATA . QUIT",
		"tls deferred starttls_refused starttls -> plaintext; "
		"plaintext delivered - final" },
	{ "alternate: a 4xx over TLS stays with TLS", "fallback = alternate", 2,
		{ { .mail = "451 greylisted" }, { 0 } }, 2,
		"EHLO STARTTLS *tls *EHLO *MAIL *QUIT | "
		"EHLO STARTTLS *tls *EHLO *MAIL *RCPT *DATA *. *QUIT",
		"tls deferred smtp_temporary mail -> tls; tls delivered - final" },
	{ "alternate: lost inside TLS stays with TLS", "fallback = alternate", 2,
		{ { .close_at = "RCPT" }, { 0 } }, 2,
		"EHLO STARTTLS *tls *EHLO *MAIL *RCPT | "
		"EHLO STARTTLS *tls *EHLO *MAIL *RCPT *DATA *. *QUIT",
		"tls deferred tls_session rcpt -> tls; tls delivered - final" },
	{ "alternate-any: lost inside TLS leads to plaintext", "fallback = alternate-any",
		2, { { .close_at = "RCPT" }, { 0 } }, 2,
		"EHLO STARTTLS *tls *EHLO *MAIL *RCPT | EHLO MAIL RCPT DATA . QUIT",
		"tls deferred tls_session rcpt -> plaintext; "
		"plaintext delivered - final" },
	{ "alternate-any: in doubt inside TLS flips", "fallback = alternate-any", 2,
		{ { .close_at = "." }, { 0 } }, 2,
		"EHLO STARTTLS *tls *EHLO *MAIL *RCPT *DATA *. | "
		"EHLO MAIL RCPT DATA . QUIT",
		"tls in_doubt in_doubt final -> plaintext; "
		"plaintext delivered - final" },
	{ "alternate: in doubt stays with TLS", "fallback = alternate", 1,
		{ { .close_at = "." } }, 1,
		"EHLO STARTTLS *tls *EHLO *MAIL *RCPT *DATA *.",
		"tls in_doubt in_doubt final -> tls" },
	{ "plaintext stays due over an attempt that spoke to nobody",
		"fallback = alternate", 3,
		{ { .close_at = "handshake" }, { .close_at = "connect" }, { 0 } }, 3,
		"EHLO STARTTLS |  | EHLO MAIL RCPT DATA . QUIT",
		"tls deferred tls_handshake tls -> plaintext; "
		"plaintext deferred connect banner -> plaintext; "
		"plaintext delivered - final" },
	{ "alternate: lost before TLS flips nothing", "fallback = alternate", 1,
		{ { .close_at = "EHLO" } }, 1, "EHLO",
		"tls deferred session ehlo -> tls" },
	{ "required TLS that is not offered", "destination \"*\" { tls = required }", 1,
		{ { .offers = "" } }, 1, "EHLO QUIT",
		"tls deferred policy ready -> tls" },
	{ "required TLS that is refused for good does not bounce",
		"destination \"*\" { tls = required\nfallback = plaintext }", 1,
		{ { .starttls = "502 no" } }, 1, "EHLO STARTTLS QUIT",
		"tls deferred starttls_refused starttls -> tls" },
	{ "a permanent refusal flips nothing and ends it", "fallback = alternate-any", 1,
		{ { .rcpt = { "550 5.1.1 nobody" } } }, 1,
		"EHLO STARTTLS *tls *EHLO *MAIL *RCPT *QUIT",
		"tls bounced smtp_permanent rcpt" },
	{ "CHUNKING is used when DATA has shown that replies are in step", NULL, 1,
		{ { .offers = CHUNKS } }, 1, "EHLO MAIL RCPT DATA . QUIT",
		"plaintext delivered - final" },
	{ "max_attempts ends it", "fallback = none\nmax_attempts = 2", 2,
		{ { .mail = "451 later" } }, 1,
		"EHLO STARTTLS *tls *EHLO *MAIL *QUIT | "
		"EHLO STARTTLS *tls *EHLO *MAIL *QUIT",
		"tls deferred smtp_temporary mail -> tls; "
		"tls bounced smtp_temporary mail" },
};

/* ---- with a host that is trusted with CHUNKING ---- */

static const struct sequence flights[] = {
	{ "CHUNKING: content and envelope in one flight", NULL, 1,
		{ { .offers = CHUNKS } }, 1, "EHLO MAIL RCPT BDAT . QUIT",
		"plaintext delivered - bdat" },
	{ "chunking = false is DATA", "destination \"*\" { chunking = false }", 1,
		{ { .offers = CHUNKS } }, 1, "EHLO MAIL RCPT DATA . QUIT",
		"plaintext delivered - final" },
	{ "a host that hangs up on a flight leaves doubt once, and gets DATA",
		"fallback = none", 3,
		{ { .offers = CHUNKS, .close_at = "MAIL" },
			{ .offers = CHUNKS, .close_at = "RCPT" }, { .offers = CHUNKS } },
		3, "EHLO MAIL | EHLO MAIL RCPT | EHLO MAIL RCPT DATA . QUIT",
		"plaintext in_doubt in_doubt mail -> tls; "
		"plaintext deferred session rcpt -> tls; "
		"plaintext delivered - final" },
	{ "a flight lost after the verdict on MAIL is in doubt", "fallback = none", 1,
		{ { .offers = CHUNKS, .close_at = "RCPT" } }, 1, "EHLO MAIL RCPT",
		"plaintext in_doubt in_doubt rcpt -> tls" },
	{ "a flight to nobody, lost, is not in doubt", "fallback = none", 1,
		{ { .offers = CHUNKS,
			.rcpt = { "550 5.1.1 nobody" },
			.close_at = "BDAT" } },
		1, "EHLO MAIL RCPT BDAT", "plaintext bounced session bdat" },
	{ "a host that does not know BDAT gets DATA at once", "fallback = none", 1,
		{ { .offers = CHUNKS, .final = "502 5.5.1 what" }, { .offers = CHUNKS } },
		2, "EHLO MAIL RCPT BDAT . QUIT | EHLO MAIL RCPT DATA . QUIT",
		"plaintext deferred smtp_temporary bdat; plaintext delivered - final" },
	{ "a host that knows neither is not asked for ever", "fallback = none", 1,
		{ { .offers = CHUNKS,
			.data = "502 5.5.1 what",
			.final = "500 5.5.1 what" } },
		1, "EHLO MAIL RCPT BDAT . QUIT | EHLO MAIL RCPT DATA QUIT",
		"plaintext deferred smtp_temporary bdat; "
		"plaintext bounced smtp_permanent data" },
};

static void play_sequence(const struct sequence *s, bool is_trusted)
{
	struct world w;
	world_init(&w, NULL);
	world_serve(&w, s->plans, s->plan_count);
	world_configure(&w, s->options);
	if (is_trusted)
		chunking_memory_trust(w.env.chunking, LITERAL);
	world_put(&w, "a@" LITERAL, 200);
	for (unsigned i = 0; i < s->attempts; i++) {
		world_deliver(&w);
		session_quit(&w.kept);
	}
	assert_seen(&w, s->seen);
	assert_log(&w, s->log);
	world_clear(&w);
}

static void run_sequence(void **state)
{
	play_sequence(*state, false);
}

static void run_flight(void **state)
{
	play_sequence(*state, true);
}

int main(void)
{
	enum { SEQUENCES = ARRAY_SIZE(sequences), FLIGHTS = ARRAY_SIZE(flights) };
	struct CMUnitTest tests[SEQUENCES + FLIGHTS];
	for (size_t i = 0; i < FLIGHTS; i++)
		tests[SEQUENCES + i] = (struct CMUnitTest){ .name = flights[i].name,
			.test_func = run_flight,
			.initial_state = (void *)&flights[i] };
	for (size_t i = 0; i < SEQUENCES; i++)
		tests[i] = (struct CMUnitTest){ .name = sequences[i].name,
			.test_func = run_sequence,
			.initial_state = (void *)&sequences[i] };
	int failed = cmocka_run_group_tests_name("attempt", tests, NULL, NULL);
	smtp_server_forget_certificate();
	return failed;
}
