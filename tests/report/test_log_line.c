#include "report/log_line.h"

#include "base/log.h"
#include "base/mem.h"
#include "records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD  "0000000001ABCDEF: to=<bob@example.com>, "
#define RELAY "relay=mx1.example.com[192.0.2.1]:25, "
#define DELAY "delay=1.2, delays=0.1/0/0.53/0.6, "
#define TLS   ", tls=TLS1.3:TLS_AES_256_GCM_SHA384, channel=tls"

struct line_case {
	const char *name;
	struct record_case record;
	const char *line;
};

static const struct line_case line_cases[] = {
	{ "a delivery", { .code = 250, .enhanced = "2.0.0", .text = "Ok: queued as X" },
		HEAD RELAY DELAY
		"dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as X)" TLS },
	{ "an enhanced code that is in the text is there once",
		{ .code = 250, .enhanced = "2.0.0", .text = "2.0.0 Ok" },
		HEAD RELAY DELAY "dsn=2.0.0, status=sent (250 2.0.0 Ok)" TLS },
	{ "a deferral says in reply to what",
		{ .outcome = "deferred",
			.failure = "smtp_temporary",
			.stage = "rcpt",
			.code = 450,
			.enhanced = "4.2.0",
			.text = "greylisted" },
		HEAD RELAY DELAY
		"dsn=4.2.0, status=deferred (host mx1.example.com[192.0.2.1] said: 450 "
		"4.2.0 greylisted (in reply to RCPT TO command))" TLS },
	{ "a bounce",
		{ .outcome = "bounced",
			.failure = "smtp_permanent",
			.stage = "final",
			.code = 554,
			.text = "spam" },
		HEAD RELAY DELAY
		"dsn=5.0.0, status=bounced (host mx1.example.com[192.0.2.1] said: 554 "
		"spam (in reply to end of DATA command))" TLS },
	{ "a banner that refuses",
		{ .outcome = "deferred",
			.failure = "smtp_temporary",
			.stage = "banner",
			.code = 421,
			.text = "busy",
			.without_tls = true },
		HEAD RELAY DELAY
		"dsn=4.0.0, status=deferred (host mx1.example.com[192.0.2.1] refused to "
		"talk to me: 421 busy), tls=none, channel=tls" },
	{ "no connection",
		{ .outcome = "deferred",
			.failure = "connect",
			.stage = "connect",
			.detail = "connection refused",
			.without_tls = true },
		HEAD RELAY DELAY
		"dsn=4.4.1, status=deferred (connect to "
		"mx1.example.com[192.0.2.1]:25: connection refused), tls=none, "
		"channel=tls" },
	{ "a requirement that is not met is no failed connection",
		{ .outcome = "deferred",
			.failure = "policy",
			.stage = "connect",
			.detail = "the host offers no STARTTLS",
			.without_tls = true },
		HEAD RELAY DELAY
		"dsn=4.7.4, status=deferred (mx1.example.com[192.0.2.1]: what is "
		"required of TLS is not met: the host offers no STARTTLS), tls=none, "
		"channel=tls" },
	{ "a verdict of our own has its status",
		{ .outcome = "bounced",
			.failure = "dns",
			.stage = "dns",
			.address = "-",
			.enhanced = "5.4.4",
			.detail = "host mx1.example.com does not exist",
			.without_tls = true },
		HEAD "relay=none, " DELAY
		     "dsn=5.4.4, status=bounced (no host to talk to was found: host "
		     "mx1.example.com does not exist), tls=none, channel=tls" },
	{ "an address literal is its own name",
		{ .mx = "[192.0.2.1]", .code = 250, .text = "Ok" },
		HEAD "relay=192.0.2.1[192.0.2.1]:25, " DELAY
		     "dsn=2.0.0, status=sent (250 Ok)" TLS },
	{ "no address",
		{ .outcome = "deferred",
			.failure = "dns",
			.stage = "dns",
			.mx = "-",
			.address = "-",
			.channel = "-",
			.detail = "server failure",
			.without_tls = true },
		HEAD "relay=none, " DELAY
		     "dsn=4.4.3, status=deferred (no host to talk to was found: server "
		     "failure), tls=none, channel=none" },
	{ "discarded by a route",
		{ .stage = "route",
			.mx = "-",
			.address = "-",
			.channel = "-",
			.enhanced = "2.0.0",
			.detail = "discarded by routes.txt:12",
			.without_tls = true },
		HEAD "relay=none, " DELAY
		     "dsn=2.0.0, status=sent (discarded by routes.txt:12), tls=none, "
		     "channel=none" },
	{ "refused by a route",
		{ .outcome = "bounced",
			.stage = "route",
			.mx = "-",
			.address = "-",
			.channel = "-",
			.enhanced = "5.7.1",
			.detail = "no mail for you (routes.txt:13)",
			.without_tls = true },
		HEAD "relay=none, " DELAY
		     "dsn=5.7.1, status=bounced (no mail for you (routes.txt:13)), "
		     "tls=none, channel=none" },
	{ "a failed handshake",
		{ .outcome = "deferred",
			.failure = "tls_handshake",
			.stage = "tls",
			.detail = "alert 40",
			.without_tls = true },
		HEAD RELAY DELAY
		"dsn=4.7.5, status=deferred (mx1.example.com[192.0.2.1]: the TLS "
		"handshake failed: alert 40), tls=none, channel=tls" },
	{ "doubt is deferred, and says what it is",
		{ .outcome = "in_doubt",
			.failure = "in_doubt",
			.stage = "final",
			.detail = "connection lost" },
		HEAD RELAY DELAY
		"dsn=4.4.2, status=deferred (mx1.example.com[192.0.2.1]: the connection "
		"was lost after the whole message was sent and before the reply: it may "
		"have been delivered: connection lost)" TLS },
	{ "plaintext by a list names the rule",
		{ .channel = "plaintext",
			.rule = "/etc/hikyaku/policy/nomtatsl.txt:3",
			.code = 250,
			.text = "Ok",
			.without_tls = true },
		HEAD RELAY DELAY
		"dsn=2.0.0, status=sent (250 Ok), tls=none, channel=plaintext, "
		"fallback=alternate, rule=/etc/hikyaku/policy/nomtatsl.txt:3" },
	{ "a downgrade is not hidden",
		{ .channel = "plaintext",
			.rule = "/etc/hikyaku/hikyaku.conf:4",
			.downgraded = true,
			.code = 250,
			.text = "Ok",
			.without_tls = true },
		HEAD RELAY DELAY
		"dsn=2.0.0, status=sent (250 Ok), tls=none, channel=plaintext, "
		"fallback=alternate, rule=/etc/hikyaku/hikyaku.conf:4, downgraded=yes" },
	{ "a rule with parentheses cannot lengthen the reason",
		{ .channel = "plaintext",
			.rule = "/etc/a b (old), c:1",
			.code = 250,
			.text = "Ok",
			.without_tls = true },
		HEAD RELAY DELAY
		"dsn=2.0.0, status=sent (250 Ok), tls=none, channel=plaintext, "
		"fallback=alternate, rule=/etc/a_b__old___c:1" },
	{ "a quoted local part cannot forge a line",
		{ .recipient = "\"x>, relay=none, delay=0, status=sent (y\"@example.com",
			.outcome = "bounced",
			.code = 550,
			.text = "no" },
		"0000000001ABCDEF: to=<\"x?, relay=none, delay=0, status=sent "
		"(y\"@example.com>, " RELAY DELAY
		"dsn=5.0.0, status=bounced (host mx1.example.com[192.0.2.1] said: 550 no "
		"(in reply to end of DATA command))" TLS },
};

static void lines_follow_the_grammar_of_postfix(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(line_cases); i++) {
		const struct line_case *c = &line_cases[i];
		struct event_attempt a;
		struct buf line = BUF_INIT;
		record_fill(&c->record, &a);
		log_line_format(&a, 0, &line);
		if (strcmp(buf_text(&line), c->line) != 0)
			fail_msg("%s:\n%s\n%s", c->name, buf_text(&line), c->line);
		buf_clear(&line);
		event_attempt_clear(&a);
	}
}

static const struct {
	int64_t ms;
	const char *text;
} delay_cases[] = {
	{ -5, "0" },
	{ 0, "0" },
	{ 4, "0" },
	{ 5, "0.01" },
	{ 64, "0.06" },
	{ 99, "0.1" },
	{ 534, "0.53" },
	{ 1234, "1.2" },
	{ 9949, "9.9" },
	{ 9950, "10" },
	{ 123456, "123" },
	{ 432000000, "432000" },
};

static void delays_are_rounded_as_printf_does(void **state)
{
	(void)state;
	struct buf text = BUF_INIT;
	for (int ms = 5; ms < 12000; ms++) {
		char expected[32];
		int shown = ms < 100 ? (ms + 5) / 10 * 10 : ms;
		if (ms < 9950)
			snprintf(expected, sizeof(expected), "%.2g", shown / 1000.0);
		else
			snprintf(expected, sizeof(expected), "%d", (ms + 500) / 1000);
		buf_reset(&text);
		log_line_delay(ms, &text);
		assert_string_equal(buf_text(&text), expected);
	}
	buf_clear(&text);
}

static void delays_have_two_digits_that_count(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(delay_cases); i++) {
		struct buf text = BUF_INIT;
		log_line_delay(delay_cases[i].ms, &text);
		assert_string_equal(buf_text(&text), delay_cases[i].text);
		buf_clear(&text);
	}
}

/* The lines that the sink writes for one record. */
static void log_to_text(const struct record_case *c, char *out, size_t out_size)
{
	char path[] = "/tmp/hikyaku-test-XXXXXX";
	struct event_attempt a;
	struct err e = { 0 };
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(log_open(path, "hikyaku", &e), 0);
	record_fill(c, &a);
	log_line_sink.attempt(log_line_sink.arg, &a);
	log_close();
	ssize_t n = read(fd, out, out_size - 1);
	assert_true(n >= 0);
	out[n] = '\0';
	close(fd);
	unlink(path);
	event_attempt_clear(&a);
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;
	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

static void each_recipient_has_a_line(void **state)
{
	(void)state;
	char text[4096];
	log_to_text(&(struct record_case){ .code = 250,
			    .text = "Ok",
			    .second = "carol@example.com",
			    .second_outcome = "bounced" },
		text, sizeof(text));
	assert_int_equal(count(text, "\n"), 2);
	assert_int_equal(count(text, "hikyaku/smtp["), 2);
	assert_int_equal(count(text, "to=<bob@example.com>"), 1);
	assert_int_equal(count(text, "status=sent"), 1);
	assert_int_equal(count(text, "to=<carol@example.com>"), 1);
	assert_int_equal(count(text, "status=bounced"), 1);
}

static void a_host_in_vain_counts_for_nobody(void **state)
{
	(void)state;
	char text[4096];
	log_to_text(&(struct record_case){ .outcome = "deferred",
			    .failure = "connect",
			    .stage = "connect",
			    .detail = "connection refused",
			    .then = "next_host",
			    .second = "carol@example.com",
			    .without_tls = true },
		text, sizeof(text));
	assert_int_equal(count(text, "\n"), 1);
	assert_int_equal(count(text, "status="), 0);
	assert_non_null(strstr(text, "0000000001ABCDEF: connect to "
				     "mx1.example.com[192.0.2.1]:25: connection refused; "
				     "trying next host, tls=none, channel=tls\n"));
}

static void a_verdict_counts_even_if_the_attempt_goes_on(void **state)
{
	(void)state;
	char text[4096];
	log_to_text(&(struct record_case){ .outcome = "deferred",
			    .failure = "session",
			    .detail = "connection lost",
			    .then = "next_host",
			    .second = "carol@example.com",
			    .second_outcome = "bounced" },
		text, sizeof(text));
	assert_int_equal(count(text, "\n"), 2);
	assert_int_equal(count(text, "status=deferred"), 0);
	assert_int_equal(count(text, "status=bounced"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_follow_the_grammar_of_postfix),
		cmocka_unit_test(delays_are_rounded_as_printf_does),
		cmocka_unit_test(delays_have_two_digits_that_count),
		cmocka_unit_test(each_recipient_has_a_line),
		cmocka_unit_test(a_host_in_vain_counts_for_nobody),
		cmocka_unit_test(a_verdict_counts_even_if_the_attempt_goes_on),
	};
	return cmocka_run_group_tests_name("log_line", tests, NULL, NULL);
}
