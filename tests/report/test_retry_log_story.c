/* What the retry log says of one attempt: who, where, why, and what to do next. */
#include "report/retry_log.h"

#include "base/mem.h"
#include "records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD      "Message 0000000001ABCDEF from <alice@example.org>\n"
#define TIME      "2026-11-22 05:43:00 +0900  "
#define HOST_TLS  "    Host: mx1.example.com [192.0.2.1]:25, with TLS\n"
#define HOST_NONE "    Host: mx1.example.com [192.0.2.1]:25, TLS was not reached\n"
#define HOST_BARE "    Host: mx1.example.com [192.0.2.1]:25, in plaintext\n"
#define WHY       "    Why: STARTTLS is used where it is offered\n"
#define TLS                                                              \
	"    TLS: TLS1.3, TLS_AES_256_GCM_SHA384, SNI mx1.example.com, " \
	"certificate CN=mx1.example.com, not verified\n"
#define NEXT                                                                   \
	"    Next: another attempt with TLS at 2026-11-22 05:44:00 +0900, 1m " \
	"after this one\n"

struct story_case {
	const char *name;
	struct record_case record;
	const char *story;
};

static const struct story_case story_cases[] = {
	{ "a delivery says with whom it spoke TLS",
		{ .code = 250, .enhanced = "2.0.0", .text = "Ok" },
		HEAD TIME
		"attempt 2 to example.com: delivered\n" HOST_TLS WHY
		"    TLS: TLS1.3, TLS_AES_256_GCM_SHA384, SNI mx1.example.com, "
		"certificate CN=mx1.example.com, not verified\n"
		"    Delivered: <bob@example.com>: the host said \"250 2.0.0 Ok\"\n" },
	{ "a failed handshake says what comes next and what to type",
		{ .outcome = "deferred",
			.failure = "tls_handshake",
			.stage = "tls",
			.detail = "connection closed",
			.without_tls = true,
			.next_channel = "plaintext",
			.next_reason = "plaintext has its turn",
			.next_in_s = 60 },
		HEAD TIME
		"attempt 2 to example.com: deferred\n" HOST_NONE WHY
		"    Deferred: <bob@example.com>: the TLS handshake failed: connection "
		"closed\n"
		"    Next: another attempt in plaintext at 2026-11-22 05:44:00 +0900, 1m "
		"after this one; plaintext has its turn\n"
		"    Hint: to deliver to this domain without TLS from now on:\n"
		"        hikyaku policy exclude add example.com\n" },
	{ "with an allow list the hint is about that list",
		{ .outcome = "deferred",
			.failure = "tls_handshake",
			.stage = "tls",
			.rule = "/p/mtatsl.txt:7",
			.rule_text = "the allow list has \"*\" (every destination): "
				     "STARTTLS is used",
			.without_tls = true },
		HEAD TIME
		"attempt 2 to example.com: deferred\n" HOST_NONE
		"    Why: the allow list has \"*\" (every destination): STARTTLS is "
		"used (/p/mtatsl.txt:7)\n"
		"    Deferred: <bob@example.com>: the TLS handshake failed\n"
		"    Next: nothing: it was given up\n"
		"    Hint: to deliver to this domain without TLS from now on, take its "
		"entry (/p/mtatsl.txt:7) out of the allow list:\n"
		"        hikyaku policy allow remove '*'\n" },
	{ "who is not let in learns which entry to put right",
		{ .outcome = "deferred",
			.failure = "smtp_temporary",
			.stage = "auth",
			.to_session = true,
			.code = 535,
			.enhanced = "5.7.8",
			.text = "no",
			.detail = "the host does not take entry main of /c by PLAIN",
			.next_channel = "tls",
			.next_in_s = 60 },
		HEAD TIME
		"attempt 2 to example.com: deferred\n" HOST_TLS WHY TLS
		"    Deferred: <bob@example.com>: the host said \"535 5.7.8 no\" to our "
		"AUTH command: the host does not take entry main of /c by PLAIN\n" NEXT
		"    Hint: look at auth= of the route and at its entry in the "
		"credentials file; once they are in order:\n"
		"        hikyaku queue retry --domain example.com\n" },
	{ "a host that cannot judge a password now needs no help of ours",
		{ .outcome = "deferred",
			.failure = "smtp_temporary",
			.stage = "auth",
			.to_session = true,
			.code = 454,
			.enhanced = "4.7.0",
			.text = "later",
			.detail = "the host could not judge entry main of /c",
			.next_channel = "tls",
			.next_in_s = 60 },
		HEAD TIME
		"attempt 2 to example.com: deferred\n" HOST_TLS WHY TLS
		"    Deferred: <bob@example.com>: the host said \"454 4.7.0 later\" to "
		"our AUTH command: the host could not judge entry main of /c\n" NEXT },
	{ "an entry that is missing is not called a matter of TLS",
		{ .outcome = "deferred",
			.failure = "policy",
			.stage = "auth_choice",
			.detail = "/c has no entry main",
			.next_channel = "tls",
			.next_in_s = 60 },
		HEAD TIME
		"attempt 2 to example.com: deferred\n" HOST_TLS WHY TLS
		"    Deferred: <bob@example.com>: we could not log in: /c has no entry "
		"main\n" NEXT
		"    Hint: look at auth= of the route and at its entry in the "
		"credentials file; once they are in order:\n"
		"        hikyaku queue retry --domain example.com\n" },
	{ "a certificate of ours that will not do keeps us from connecting",
		{ .outcome = "deferred",
			.failure = "policy",
			.stage = "prepare",
			.address = "-",
			.detail = "the client certificate /c.pem expired on 2026-11-01",
			.without_tls = true,
			.next_channel = "tls",
			.next_in_s = 60 },
		HEAD TIME
		"attempt 2 to example.com: deferred\n    Host: mx1.example.com\n" WHY
		"    Deferred: <bob@example.com>: no connection was made: the client "
		"certificate /c.pem expired on 2026-11-01\n" NEXT
		"    Hint: the route names the certificate, its key and the entry with "
		"their password; once they are in order:\n"
		"        hikyaku queue retry --domain example.com\n" },
	{ "what the reply says is not said again",
		{ .outcome = "deferred",
			.failure = "smtp_temporary",
			.stage = "ehlo_tls",
			.to_session = true,
			.code = 421,
			.text = "no certificate",
			.detail = "host replied 421 in state ehlo_tls",
			.next_channel = "tls",
			.next_in_s = 60 },
		HEAD TIME
		"attempt 2 to example.com: deferred\n" HOST_TLS WHY TLS
		"    Deferred: <bob@example.com>: the host said \"421 no certificate\" "
		"to our EHLO command\n" NEXT },
	{ "where TLS is required the hint is no list",
		{ .outcome = "deferred",
			.failure = "tls_handshake",
			.stage = "tls",
			.rule = "/c:7",
			.rule_text = "tls = required: the channel is always TLS",
			.without_tls = true,
			.next_channel = "tls" },
		HEAD TIME
		"attempt 2 to example.com: deferred\n" HOST_NONE
		"    Why: tls = required: the channel is always TLS (/c:7)\n"
		"    Deferred: <bob@example.com>: the TLS handshake failed\n"
		"    Next: another attempt with TLS\n"
		"    Hint: TLS is required for this domain, so its mail waits, whatever "
		"the lists say; by which rule:\n"
		"        hikyaku policy explain example.com\n" },
	{ "where a route requires TLS the hint is no list",
		{ .outcome = "deferred",
			.failure = "tls_handshake",
			.stage = "tls",
			.rule = "/p/routes.txt:7",
			.rule_text = "smtps: TLS from the first byte, and no failure "
				     "leads to plaintext",
			.without_tls = true,
			.next_channel = "tls" },
		HEAD TIME
		"attempt 2 to example.com: deferred\n" HOST_NONE
		"    Why: smtps: TLS from the first byte, and no failure leads to "
		"plaintext (/p/routes.txt:7)\n"
		"    Deferred: <bob@example.com>: the TLS handshake failed\n"
		"    Next: another attempt with TLS\n"
		"    Hint: TLS is required for this domain, so its mail waits, whatever "
		"the lists say; by which rule:\n"
		"        hikyaku policy explain example.com\n" },
	{ "a refused STARTTLS is told by the host's words",
		{ .outcome = "deferred",
			.failure = "starttls_refused",
			.stage = "starttls",
			.detail = "host refused STARTTLS",
			.code = 454,
			.text = "not now",
			.without_tls = true,
			.next_channel = "tls" },
		HEAD TIME
		"attempt 2 to example.com: deferred\n" HOST_NONE WHY
		"    Deferred: <bob@example.com>: the host said \"454 not now\" to our "
		"STARTTLS command\n"
		"    Next: another attempt with TLS\n"
		"    Hint: to deliver to this domain without TLS from now on:\n"
		"        hikyaku policy exclude add example.com\n" },
	{ "what we know beside the host's words is told too",
		{ .outcome = "bounced",
			.failure = "smtp_temporary",
			.stage = "mail",
			.detail = "the host takes mail over TLS only; given up after 5d",
			.code = 450,
			.text = "later",
			.without_tls = true },
		HEAD TIME
		"attempt 2 to example.com: bounced\n" HOST_NONE WHY
		"    Bounced: <bob@example.com>: the host said \"450 later\" to our "
		"MAIL FROM command: the host takes mail over TLS only; given up after "
		"5d\n" },
	{ "what has left the queue cannot be retried",
		{ .outcome = "bounced",
			.failure = "dns",
			.stage = "dns",
			.address = "-",
			.detail = "host mx1.example.com does not exist",
			.without_tls = true },
		HEAD TIME
		"attempt 2 to example.com: bounced\n"
		"    Host: mx1.example.com\n" WHY
		"    Bounced: <bob@example.com>: no host to talk to was found: host "
		"mx1.example.com does not exist\n" },
	{ "a downgrade is said first",
		{ .channel = "plaintext",
			.rule = "/etc/hikyaku.conf:4",
			.rule_text = "the attempt over TLS failed in TLS",
			.downgraded = true,
			.without_tls = true,
			.code = 250,
			.text = "Ok" },
		HEAD TIME
		"attempt 2 to example.com: delivered\n"
		"    DOWNGRADED: sent without TLS because the attempt over TLS "
		"failed in TLS; fallback = alternate "
		"(/etc/hikyaku.conf:4)\n" HOST_BARE
		"    Delivered: <bob@example.com>: the host said \"250 Ok\"\n" },
	{ "a downgrade by the policy's own words names the option once",
		{ .channel = "plaintext",
			.rule = "fallback",
			.rule_text = "fallback = alternate (default): plaintext is due",
			.without_tls = true,
			.outcome = "deferred",
			.failure = "smtp_temporary",
			.stage = "rcpt",
			.code = 450,
			.text = "later",
			.next_channel = "tls" },
		HEAD TIME
		"attempt 2 to example.com: deferred\n"
		"    DOWNGRADED: tried without TLS because fallback = alternate "
		"(default): plaintext is due\n" HOST_BARE
		"    Deferred: <bob@example.com>: the host said \"450 later\" "
		"to our RCPT TO command\n"
		"    Next: another attempt with TLS\n" },
	{ "a downgrade after a refused STARTTLS says so",
		{ .channel = "plaintext",
			.failure = "starttls_refused",
			.rule = "fallback",
			.rule_text = "the host refused STARTTLS, and fallback = "
				     "plaintext goes on",
			.without_tls = true,
			.code = 250,
			.text = "Ok" },
		HEAD TIME
		"attempt 2 to example.com: delivered\n"
		"    DOWNGRADED: sent without TLS because the host refused "
		"STARTTLS, and fallback = plaintext goes on\n" HOST_BARE
		"    Delivered: <bob@example.com>: the host said \"250 Ok\"\n" },
	{ "a downgrade because our side cannot says what is wrong here",
		{ .channel = "plaintext",
			.failure = "tls_init",
			.rule = "fallback",
			.rule_text = "TLS cannot be begun, and fallback = plaintext",
			.detail = "no version is there",
			.downgraded = true,
			.without_tls = true,
			.code = 250,
			.text = "Ok" },
		HEAD TIME
		"attempt 2 to example.com: delivered\n"
		"    DOWNGRADED: sent without TLS because TLS cannot be begun, and "
		"fallback = plaintext: no version is there\n" HOST_BARE
		"    Delivered: <bob@example.com>: the host said \"250 Ok\"\n" },
	{ "a host without STARTTLS is no downgrade, but is said",
		{ .channel = "plaintext",
			.failure = "no_starttls",
			.without_tls = true,
			.code = 250,
			.text = "Ok" },
		HEAD TIME
		"attempt 2 to example.com: delivered\n"
		"    Host: mx1.example.com [192.0.2.1]:25, in plaintext: the "
		"host offers no STARTTLS\n" WHY
		"    Delivered: <bob@example.com>: the host said \"250 Ok\"\n" },
	{ "doubt explains that there may be two",
		{ .outcome = "in_doubt",
			.failure = "in_doubt",
			.detail = "connection reset",
			.without_tls = true,
			.next_channel = "tls",
			.next_in_s = 900 },
		HEAD TIME
		"attempt 2 to example.com: in doubt\n" HOST_NONE WHY
		"    In doubt: <bob@example.com>: the connection was lost after the "
		"whole "
		"message was sent and before the reply: it may have been delivered: "
		"connection reset\n"
		"    Next: another attempt with TLS at 2026-11-22 05:58:00 +0900, 15m "
		"after this one\n"
		"    Hint: the host may have the message already. It will be sent again, "
		"and the recipients may then have it twice; to prevent that, hold it and "
		"ask the other side:\n"
		"        hikyaku queue hold 0000000001ABCDEF\n" },
	{ "a bounce is the other side's word",
		{ .outcome = "bounced",
			.failure = "smtp_permanent",
			.stage = "rcpt",
			.without_tls = true,
			.code = 550,
			.enhanced = "5.1.1",
			.text = "no such user" },
		HEAD TIME
		"attempt 2 to example.com: bounced\n" HOST_NONE WHY
		"    Bounced: <bob@example.com>: the host said \"550 5.1.1 no such "
		"user\" "
		"to our RCPT TO command\n"
		"    Hint: this is the other side's verdict; it is final, and the sender "
		"is told\n" },
	{ "an address literal is named once",
		{ .domain = "[192.0.2.1]", .mx = "[192.0.2.1]" },
		HEAD TIME "attempt 2 to [192.0.2.1]: delivered\n"
			  "    Host: [192.0.2.1]:25, with TLS\n" WHY
			  "    TLS: TLS1.3, TLS_AES_256_GCM_SHA384, SNI mx1.example.com, "
			  "certificate CN=mx1.example.com, not verified\n"
			  "    Delivered: <bob@example.com>: the host took it\n" },
	{ "no host at all",
		{ .outcome = "deferred",
			.failure = "dns",
			.stage = "dns",
			.mx = "-",
			.address = "-",
			.channel = "-",
			.rule = "-",
			.rule_text = "-",
			.detail = "server failure",
			.without_tls = true,
			.next_channel = "tls",
			.next_in_s = 60 },
		HEAD TIME
		"attempt 2 to example.com: deferred\n"
		"    Host: none was found\n"
		"    Deferred: <bob@example.com>: no host to talk to was found: server "
		"failure\n"
		"    Next: another attempt with TLS at 2026-11-22 05:44:00 +0900, 1m "
		"after "
		"this one\n"
		"    Hint: does a name server know the MX hosts of example.com? To try "
		"again at once:\n"
		"        hikyaku queue retry --domain example.com\n" },
	{ "a relay that cannot be found is a matter of the route",
		{ .outcome = "deferred",
			.failure = "dns",
			.stage = "dns",
			.mx = "-",
			.address = "-",
			.channel = "-",
			.rule = "-",
			.rule_text = "-",
			.detail = "relay mx:r.test of routes.txt:3: no such domain: "
				  "r.test",
			.without_tls = true,
			.next_channel = "tls",
			.next_in_s = 60 },
		HEAD TIME
		"attempt 2 to example.com: deferred\n"
		"    Host: none was found\n"
		"    Deferred: <bob@example.com>: no host to talk to was found: relay "
		"mx:r.test of routes.txt:3: no such domain: r.test\n"
		"    Next: another attempt with TLS at 2026-11-22 05:44:00 +0900, 1m "
		"after this one\n"
		"    Hint: the route names the relay; once its line is right, which "
		"counts at once:\n"
		"        hikyaku queue retry --domain example.com\n" },
	{ "a socket has no port that a network could block",
		{ .outcome = "deferred",
			.failure = "connect",
			.stage = "connect",
			.mx = "/run/lmtp",
			.address = "-",
			.channel = "-",
			.rule = "-",
			.rule_text = "-",
			.detail = "no such file or directory",
			.without_tls = true,
			.next_channel = "tls",
			.next_in_s = 60 },
		HEAD TIME
		"attempt 2 to example.com: deferred\n"
		"    Host: /run/lmtp\n"
		"    Deferred: <bob@example.com>: no connection: no such file or "
		"directory\n"
		"    Next: another attempt with TLS at 2026-11-22 05:44:00 +0900, 1m "
		"after this one\n"
		"    Hint: does a server listen at that socket, and may the user of "
		"hikyaku connect to it? To try again at once:\n"
		"        hikyaku queue retry --domain example.com\n" },
	{ "what a route drops has no host and no channel",
		{ .stage = "route",
			.mx = "-",
			.address = "-",
			.channel = "-",
			.rule = "/p/routes.txt:12",
			.rule_text = "discard: dropped",
			.detail = "discarded by routes.txt:12",
			.without_tls = true },
		HEAD TIME "attempt 2 to example.com: delivered\n"
			  "    Host: none, by the route\n"
			  "    Why: discard: dropped (/p/routes.txt:12)\n"
			  "    Delivered: <bob@example.com>: discarded by "
			  "routes.txt:12\n" },
	{ "a host in vain has no hint: the next host may do",
		{ .outcome = "deferred",
			.failure = "connect",
			.stage = "connect",
			.detail = "connection refused",
			.then = "next_host",
			.without_tls = true },
		HEAD TIME
		"attempt 2 to example.com: deferred\n" HOST_NONE WHY
		"    Deferred: <bob@example.com>: no connection: connection refused\n"
		"    Then: next host, within this attempt\n" },
	{ "recipients with the same verdict share a line",
		{ .second = "carol@example.com", .without_tls = true },
		HEAD TIME "attempt 2 to example.com: delivered\n" HOST_NONE WHY
			  "    Delivered: <bob@example.com>, <carol@example.com>: the "
			  "host took it\n" },
	{ "recipients with different verdicts have each a line",
		{ .second = "carol@example.com",
			.second_outcome = "bounced",
			.without_tls = true },
		HEAD TIME "attempt 2 to example.com: delivered\n" HOST_NONE WHY
			  "    Delivered: <bob@example.com>: the host took it\n"
			  "    Bounced: <carol@example.com>: no reason known\n" },
	{ "a literal is quoted for the shell, an escape is not printed",
		{ .domain = "[192.0.2.1]",
			.outcome = "deferred",
			.failure = "tls_handshake",
			.stage = "tls",
			.detail = "\033]0;x\007",
			.without_tls = true,
			.next_channel = "tls" },
		HEAD TIME
		"attempt 2 to [192.0.2.1]: deferred\n" HOST_NONE WHY
		"    Deferred: <bob@example.com>: the TLS handshake failed: ?]0;x?\n"
		"    Next: another attempt with TLS\n"
		"    Hint: to deliver to this domain without TLS from now on:\n"
		"        hikyaku policy exclude add '[192.0.2.1]'\n" },
};

static void an_attempt_reads_like_a_story(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(story_cases); i++) {
		const struct story_case *c = &story_cases[i];
		const struct retry_log_style style = { 0 };
		struct retry_log log;
		struct event_attempt a;
		struct buf out = BUF_INIT;
		record_fill(&c->record, &a);
		retry_log_init(&log, &style);
		retry_log_tell(&log, &a, &out);
		if (strcmp(buf_text(&out), c->story) != 0)
			fail_msg("%s:\n%s\nexpected:\n%s", c->name, buf_text(&out),
				c->story);
		buf_clear(&out);
		event_attempt_clear(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_attempt_reads_like_a_story),
	};
	setenv("TZ", "JST-9", 1);
	return cmocka_run_group_tests_name("retry_log_story", tests, NULL, NULL);
}
