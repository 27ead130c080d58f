/* Attempts that follow a route: to relays, or nowhere. */
#include "world.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define DEAD "smtp://[127.0.0.2]:@" /* nobody listens there */
#define HERE "smtp://[127.0.0.1]:@" /* the server */

/* ---- one attempt each ---- */

static const struct relay_case {
	const char *name, *routes, *options;
	struct fake_step answers[4]; /* of DNS; none: it is not asked */
	struct server_plan plans[2];
	const char *seen; /* NULL: one connection, and what is in it is not text */
	const char *log;
	const char *next;   /* where the attempt went on; NULL: nowhere */
	const char *record; /* is in the last record */
	size_t notices, due;
} cases[] = {
	{ .name = "a relay gets the mail, and nobody is asked for MX records",
		.routes = "a.test " HERE "\n",
		.seen = "EHLO STARTTLS *tls *EHLO *MAIL *RCPT *DATA *. *QUIT",
		.log = "tls delivered - final",
		.record = "\"mx\":\"[127.0.0.1]\"" },
	{ .name = "relays are tried in their order",
		.routes = "* " DEAD ", " HERE "\n",
		.seen = "EHLO STARTTLS *tls *EHLO *MAIL *RCPT *DATA *. *QUIT",
		.log = "tls deferred connect connect; tls delivered - final",
		.next = "127.0.0.1:@" },
	{ .name = "and the next one is told by its name, address and port",
		.routes = "* " DEAD ", smtp://[relay.test]:@\n",
		.answers = { { .records = { "ns test 60 SOA 30" } },
			{ .records = { "an @ 300 A 127.0.0.1" } } },
		.plans = { { .offers = "" } },
		.seen = "EHLO MAIL RCPT DATA . QUIT",
		.log = "tls deferred connect connect; plaintext delivered - final",
		.next = "relay.test at 127.0.0.1:@" },
	{ .name = "a relay that has enough is followed by the next one",
		.routes = "* " HERE ", smtp://[IPv6:::ffff:127.0.0.1]:@\n",
		.plans = { { .banner = "421 4.7.0 busy" }, { .offers = "" } },
		.seen = " | EHLO MAIL RCPT DATA . QUIT",
		.log = "tls deferred smtp_temporary banner; plaintext delivered - "
		       "final",
		.next = "127.0.0.1:@" },
	{ .name = "what a relay says for good is final",
		.routes = "* " HERE ", " DEAD "\n",
		.plans = { { .offers = "", .rcpt = { "550 5.1.1 nobody" } } },
		.seen = "EHLO MAIL RCPT QUIT",
		.log = "plaintext bounced smtp_permanent rcpt",
		.notices = 1 },
	{ .name = "no relay that answers: deferred",
		.routes = "* " DEAD ", smtp://[127.0.0.3]:@\n",
		.seen = "",
		.log = "tls deferred connect connect; "
		       "tls deferred connect connect -> tls",
		.next = "127.0.0.3:@",
		.due = 1 },
	{ .name = "TLS that fails with one relay makes plaintext due, whatever comes "
		  "after it",
		.routes = "* " HERE ", smtps://[127.0.0.2]:@\n",
		.plans = { { .starttls = "454 not now" } },
		.seen = "EHLO STARTTLS QUIT",
		.log = "tls deferred starttls_refused starttls; "
		       "tls deferred connect connect -> plaintext",
		.next = "127.0.0.2:@",
		.due = 1 },
	{ .name = "an address that is written down may be on loopback",
		.routes = "* " HERE "\n",
		.options = "prohibited_addresses = {\"127.0.0.0/8\"}\n",
		.plans = { { .offers = "" } },
		.seen = "EHLO MAIL RCPT DATA . QUIT",
		.log = "plaintext delivered - final" },
	{ .name = "and so may a host that is written down",
		.routes = "* smtp://[relay.test]:@\n",
		.options = "prohibited_addresses = {\"127.0.0.0/8\"}\n",
		.answers = { { .records = { "ns test 60 SOA 30" } },
			{ .records = { "an @ 300 A 127.0.0.1" } } },
		.plans = { { .offers = "" } },
		.seen = "EHLO MAIL RCPT DATA . QUIT",
		.log = "plaintext delivered - final",
		.record = "\"mx\":\"relay.test\"" },
	{ .name = "what MX records of a relay say may not, and bounces nothing",
		.routes = "* smtp://relay.test:@\n",
		.options = "prohibited_addresses = {\"127.0.0.0/8\"}\n",
		.answers = { { .records = { "an @ 300 MX 10 mx.test" } },
			{ .records = { "ns test 60 SOA 30" } },
			{ .records = { "an @ 300 A 127.0.0.1" } } },
		.seen = "",
		.log = "tls deferred dns dns -> tls",
		.record = "is among prohibited_addresses",
		.due = 1 },
	{ .name = "the MX hosts of a relay are those of any name",
		.routes = "* smtp://relay.test:@\n",
		.answers = { { .records = { "an @ 300 MX 10 mx.test" } },
			{ .records = { "ns test 60 SOA 30" } },
			{ .records = { "an @ 300 A 127.0.0.1" } } },
		.plans = { { .offers = "" } },
		.seen = "EHLO MAIL RCPT DATA . QUIT",
		.log = "plaintext delivered - final",
		.record = "\"mx\":\"mx.test\"" },
	{ .name = "a relay whose name does not exist bounces nothing",
		.routes = "* smtp://relay.test:@\n",
		.answers = { { .flags = WIRE_NXDOMAIN,
			.records = { "ns test 60 SOA 30" } } },
		.seen = "",
		.log = "tls deferred dns dns -> tls",
		.record = "relay smtp://relay.test:",
		.due = 1 },
	{ .name = "nor does one without a host of that name",
		.routes = "* smtp://[relay.test]:@\n",
		.answers = { { .flags = WIRE_NXDOMAIN,
			.records = { "ns test 60 SOA 30" } } },
		.seen = "",
		.log = "tls deferred dns dns -> tls",
		.record = "of routes.txt:1: host relay.test does not exist",
		.due = 1 },
	{ .name = "nor one that is ourselves by its MX records",
		.routes = "* smtp://relay.test:@\n",
		.answers = { { .records = { "an @ 300 MX 10 client.test" } } },
		.seen = "",
		.log = "tls deferred dns dns -> tls",
		.record = "mail loops back to this host",
		.due = 1 },
	{ .name = "nor one that takes no mail, and the next relay is asked",
		.routes = "* smtp://relay.test:@, " HERE "\n",
		.answers = { { .records = { "an @ 300 MX 0 ." } } },
		.plans = { { .offers = "" } },
		.seen = "EHLO MAIL RCPT DATA . QUIT",
		.log = "tls deferred dns dns; plaintext delivered - final",
		.next = "127.0.0.1:@" },
	{ .name = "the block of a relay's name counts, not that of the destination",
		.routes = "* " HERE "\n",
		.options = "destination \"a.test\" { tls = required }\n"
			   "destination \"[127.0.0.1]\" { starttls = false }\n",
		.seen = "EHLO MAIL RCPT DATA . QUIT",
		.log = "plaintext delivered - final" },
	{ .name = "how often it is tried is the destination's",
		.routes = "* " DEAD "\n",
		.options = "destination \"a.test\" { max_attempts = 1\n"
			   "fallback = none }\n",
		.seen = "",
		.log = "tls bounced connect connect",
		.notices = 1 },
	{ .name = "discard: delivered, without a connection",
		.routes = "* discard\n",
		.seen = "",
		.log = "- delivered - route",
		.record = "\"detail\":\"discarded by routes.txt:1\"" },
	{ .name = "error: refused with its code",
		.routes = "* error:5.7.1 no mail for you\n",
		.seen = "",
		.log = "- bounced - route",
		.record = "\"enhanced\":\"5.7.1\"",
		.notices = 1 },
	{ .name = "error of class 4: deferred",
		.routes = "* error:4.3.2 closed on Sundays\n",
		.seen = "",
		.log = "- deferred - route -> tls",
		.record = "closed on Sundays (routes.txt:1)",
		.due = 1 },
	{ .name = "smtps: TLS before the greeting, and no STARTTLS",
		.routes = "* smtps://[127.0.0.1]:@\n",
		.plans = { { .is_tls = true } },
		.seen = "*tls *EHLO *MAIL *RCPT *DATA *. *QUIT",
		.log = "tls delivered - final" },
	{ .name = "smtps to a port that speaks first: a hint, and never plaintext",
		.routes = "* smtps://[127.0.0.1]:@\n",
		.options = "fallback = plaintext\n",
		.log = "tls deferred tls_handshake tls -> tls",
		.record = "did you mean smtp://?",
		.due = 1 },
	{ .name = "smtp to a port that waits for TLS: a hint",
		.routes = "* " HERE "\n",
		.options = "reply_timeout = 100ms\n",
		.plans = { { .is_tls = true } },
		.seen = "",
		.log = "tls deferred connect banner -> tls",
		.record = "did you mean smtps://?",
		.due = 1 },
	{ .name = "tls=verified: nothing is sent where the certificate is not good",
		.routes = "* " HERE " tls=verified\n",
		.options = "fallback = plaintext\n",
		.seen = "EHLO STARTTLS *tls",
		.log = "tls deferred policy tls -> tls",
		.record = "the certificate has to be good for 127.0.0.1, and is not: ",
		.due = 1 },
	{ .name = "tls=verified with smtps: not even EHLO",
		.routes = "* smtps://[127.0.0.1]:@ tls=verified\n",
		.plans = { { .is_tls = true } },
		.seen = "*tls",
		.log = "tls deferred policy tls -> tls",
		.due = 1 },
	{ .name = "tls=off: STARTTLS is not sent",
		.routes = "* " HERE " tls=off\n",
		.seen = "EHLO MAIL RCPT DATA . QUIT",
		.log = "plaintext delivered - final" },
	{ .name = "a source address that is not of the host's family goes nowhere",
		.routes = "* " HERE " source=2001:db8::1\n",
		.seen = "",
		.log = "tls deferred connect connect -> tls",
		.due = 1 },
	{ .name = "a relay that is this program's own door",
		.routes = "* " HERE "\n",
		.options = "listen = {\"smtp:127.0.0.1:@\"}\n",
		.seen = "",
		.log = "tls deferred dns dns -> tls",
		.record = "mail loops back: this program itself listens at 127.0.0.1:",
		.due = 1 },
	{ .name = "or its own socket",
		.routes = "* lmtp:/run/here\n",
		.options = "listen = {\"smtp:/run/here\"}\n",
		.seen = "",
		.log = "plaintext deferred dns dns -> tls",
		.record = "mail loops back: this program itself listens at /run/here",
		.due = 1 },
	{ .name = "a socket that is not there",
		.routes = "* lmtp:/nonexistent/lmtp\n",
		.seen = "",
		.log = "plaintext deferred connect connect -> tls",
		.record = "\"mx\":\"/nonexistent/lmtp\",\"address\":null,\"port\":null",
		.due = 1 },
	{ .name = "a line for others changes nothing",
		.routes = "b.test discard\na.test " HERE "\n",
		.plans = { { .offers = "" } },
		.seen = "EHLO MAIL RCPT DATA . QUIT",
		.log = "plaintext delivered - final" },
};

/* '@' is the port, here too. */
static void configure(struct world *w, const char *options)
{
	struct buf text = BUF_INIT;
	world_fill_in(w, options ? options : "", &text);
	world_configure(w, buf_text(&text));
	buf_clear(&text);
}

static size_t count_answers(const struct relay_case *c)
{
	size_t n = 0;
	while (n < ARRAY_SIZE(c->answers) && c->answers[n].records[0])
		n++;
	return n;
}

static void run_case(void **state)
{
	const struct relay_case *c = *state;
	struct world w;
	struct buf next = BUF_INIT;
	world_init(&w, NULL);
	world_serve(&w, c->plans, ARRAY_SIZE(c->plans));
	configure(&w, c->options);
	if (count_answers(c))
		world_answer(&w, c->answers, count_answers(c));
	world_routes(&w, c->routes);
	world_put(&w, "x@a.test", 200);
	world_deliver(&w);
	assert_log(&w, c->log);
	world_fill_in(&w, c->next ? c->next : "", &next);
	assert_string_equal(buf_text(&w.thens), buf_text(&next));
	buf_clear(&next);
	if (c->record && !strstr(w.last_record, c->record))
		fail_msg("%s is not in %s", c->record, w.last_record);
	assert_int_equal(w.notice_count, c->notices);
	assert_int_equal(world_due(&w), c->due);
	if (c->seen)
		assert_seen(&w, c->seen);
	else
		assert_int_equal(smtp_server_connections(&w.server), 1);
	world_clear(&w);
}

/* ---- sessions that are kept ---- */

static void begin(struct world *w, const char *routes)
{
	static const struct server_plan plan = { .offers = "" };
	world_init(w, NULL);
	world_serve(w, &plan, 1);
	world_configure(w, NULL);
	world_routes(w, routes);
}

static void deliver(struct world *w, const char *recipient)
{
	world_put(w, recipient, 200);
	world_deliver(w);
}

static void a_session_carries_the_mail_of_all_that_share_the_relay(void **state)
{
	struct world w;
	(void)state;
	begin(&w, "* " HERE "\n");
	deliver(&w, "x@a.test");
	deliver(&w, "x@b.test");
	assert_seen(&w, "EHLO MAIL RCPT DATA . MAIL RCPT DATA . QUIT");
	world_clear(&w);
}

/* A connection costs as much as ten messages: so many, and another relay is drawn. */
static void a_session_ends_with_its_turn(void **state)
{
	struct world w;
	(void)state;
	begin(&w, "* " HERE ", smtp://[IPv6:::ffff:127.0.0.1]:@ order=turn\n");
	for (int i = 0; i < 11; i++)
		deliver(&w, "x@a.test");
	session_quit(&w.kept);
	world_run(&w, world_all_ended, NULL);
	assert_int_equal(smtp_server_connections(&w.server), 2);
	world_clear(&w);
}

static void two_lines_with_the_same_relay_share_a_session(void **state)
{
	struct world w;
	(void)state;
	begin(&w, "a.test " HERE "\nb.test " DEAD ", " HERE "\n");
	deliver(&w, "x@a.test");
	deliver(&w, "x@b.test");
	assert_seen(&w, "EHLO MAIL RCPT DATA . MAIL RCPT DATA . QUIT");
	world_clear(&w);
}

static const struct {
	const char *name, *before, *after, *seen;
} edits[] = {
	{ "another line", "* " HERE "\n", "# moved\n* " HERE "\n",
		"EHLO MAIL RCPT DATA . MAIL RCPT DATA . QUIT" },
	{ "a further relay", "* " HERE "\n", "* " HERE ", " DEAD "\n",
		"EHLO MAIL RCPT DATA . MAIL RCPT DATA . QUIT" },
	{ "another option", "* " HERE "\n", "* " HERE " ehlo=other.test\n",
		"EHLO MAIL RCPT DATA . QUIT | EHLO MAIL RCPT DATA . QUIT" },
	{ "another relay", "* " HERE "\n", "* smtp://[IPv6:::ffff:127.0.0.1]:@\n",
		"EHLO MAIL RCPT DATA . QUIT | EHLO MAIL RCPT DATA . QUIT" },
	{ "no relay any more", "* " HERE "\n", "* discard\n",
		"EHLO MAIL RCPT DATA . QUIT" },
	{ "a relay where there was none", "b.test " HERE "\n", "* " HERE "\n",
		"EHLO MAIL RCPT DATA . QUIT | EHLO MAIL RCPT DATA . QUIT" },
};

/* One that the new route would open in the same way is as good as a new one. */
static void an_edit_counts_for_the_next_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
		struct world w;
		begin(&w, edits[i].before);
		deliver(&w, "x@" LITERAL);
		world_routes(&w, edits[i].after);
		deliver(&w, "x@" LITERAL);
		session_quit(&w.kept);
		world_run(&w, world_all_ended, NULL);
		OWN(mem_free) char *seen = smtp_server_seen(&w.server);
		if (strcmp(seen, edits[i].seen) != 0)
			fail_msg("%s: \"%s\"", edits[i].name, seen);
		world_clear(&w);
	}
}

/* bounce_route: notices go there, whatever the routes say, and other mail does not. */
static void notices_go_their_own_way(void **state)
{
	static const struct server_plan plan = { .offers = "" };
	struct world w;
	(void)state;
	world_init(&w, NULL);
	world_serve(&w, &plan, 1);
	configure(&w, "bounce_route = \"smtp://[127.0.0.1]:@ ehlo=bounces.test\"\n");
	world_routes(&w, "* discard\n");
	w.puts_notices = true;
	deliver(&w, "x@a.test");
	w.puts_notices = false;
	deliver(&w, "x@a.test");
	assert_log(&w, "plaintext delivered - final; - delivered - route");
	assert_seen(&w, "EHLO MAIL RCPT DATA . QUIT");
	world_clear(&w);
}

static void notices_can_be_dropped(void **state)
{
	static const struct server_plan plan = { .offers = "" };
	struct world w;
	(void)state;
	world_init(&w, NULL);
	world_serve(&w, &plan, 1);
	world_configure(&w, "bounce_route = discard\n");
	w.puts_notices = true;
	deliver(&w, "x@a.test");
	assert_log(&w, "- delivered - route");
	assert_non_null(strstr(w.last_record, "discarded by hikyaku.conf:"));
	world_clear(&w);
}

/* While the first relay still thinks about it. */
static void an_edit_counts_for_the_next_relay(void **state)
{
	static const struct server_plan plan = { .banner = "421 4.7.0 busy",
		.hold_at = "connect" };
	struct world w;
	(void)state;
	world_init(&w, NULL);
	world_serve(&w, &plan, 1);
	world_configure(&w, NULL);
	world_routes(&w, "* " HERE ", " DEAD "\n");
	world_put(&w, "x@a.test", 200);
	world_attempt(&w, NULL);
	world_wait_held(&w, 1);
	world_routes(&w, "* discard\n");
	smtp_server_release(&w.server);
	world_wait_finished(&w, 1);
	assert_log(&w, "tls deferred smtp_temporary banner; - delivered - route");
	world_clear(&w);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest single[] = {
		cmocka_unit_test(a_session_carries_the_mail_of_all_that_share_the_relay),
		cmocka_unit_test(two_lines_with_the_same_relay_share_a_session),
		cmocka_unit_test(a_session_ends_with_its_turn),
		cmocka_unit_test(an_edit_counts_for_the_next_message),
		cmocka_unit_test(an_edit_counts_for_the_next_relay),
		cmocka_unit_test(notices_go_their_own_way),
		cmocka_unit_test(notices_can_be_dropped),
	};
	enum { SINGLE = ARRAY_SIZE(single), CASES = ARRAY_SIZE(cases) };
	struct CMUnitTest tests[SINGLE + CASES];
	memcpy(tests, single, sizeof(single));
	for (size_t i = 0; i < CASES; i++)
		tests[SINGLE + i] = (struct CMUnitTest){ .name = cases[i].name,
			.test_func = run_case,
			.initial_state = (void *)&cases[i] };
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	int failed = cmocka_run_group_tests_name("relays", tests, NULL, NULL);
	smtp_server_forget_certificate();
	return failed;
}
