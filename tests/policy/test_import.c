#include "table.h"

#include "policy/import.h"

#include <stdio.h>
#include <string.h>

#define XMAIL POLICY_IMPORT_XMAIL
#define PMAIL POLICY_IMPORT_PMAILSERVER

/* One line of a table, and the route that it is, or why it is none. */
static const struct import_case {
	const char *name;
	enum policy_import_from from;
	const char *line, *route;
	const char *why; /* a part of it; NULL: there is a route */
} cases[] = {
	/* from XMail's own documentation */
	{ "several servers, one with NeedTLS=1", XMAIL,
		"\"foo.example.com\"\t\"mail.xmailserver.org:7001;192.168.1.1:6123,"
		"NeedTLS=1;mx.xmailserver.org\"",
		"[foo.example.com] smtp://[mail.xmailserver.org]:7001, "
		"smtp://[192.168.1.1]:6123, smtp://[mx.xmailserver.org]",
		NULL },
	{ "a pattern with a star", XMAIL,
		"\"*.dummy.net\"\t\"mail.xmailserver.org,NeedTLS=1;192.168.1.1;"
		"mx.xmailserver.org:6423\"",
		".dummy.net smtp://[mail.xmailserver.org], smtp://[192.168.1.1], "
		"smtp://[mx.xmailserver.org]:6423",
		NULL },
	{ "random order", XMAIL,
		"\"*.dummy.net\"\t\"#mail.xmailserver.org;192.168.1.1;"
		"mx.xmailserver.org:6423\"",
		".dummy.net smtp://[mail.xmailserver.org], smtp://[192.168.1.1], "
		"smtp://[mx.xmailserver.org]:6423 order=turn",
		NULL },
	{ "a gateway", XMAIL, "\"foo.example.com\"\t\"@xmailserver.org\"",
		"[foo.example.com] mx:xmailserver.org", NULL },
	{ "gateways one behind the other", XMAIL,
		"\"*.dummy.net\"\t\"@relay.xmailserver.org,@mail.nowhere.org\"", "",
		"one behind the other" },
	/* what else it takes */
	{ "NeedTLS=2 and OutBind", XMAIL,
		"\"domain2.jp\"\t\"192.168.1.100,NeedTLS=2,OutBind=192.168.10.1\"",
		"[domain2.jp] smtp://[192.168.1.100] tls=required source=192.168.10.1",
		NULL },
	{ "NeedTLS=1", XMAIL, "\"a.example\"\t\"r.example,NeedTLS=1\"",
		"[a.example] smtp://[r.example] tls=opportunistic", NULL },
	{ "NeedTLS=0", XMAIL, "\"a.example\"\t\"r.example,NeedTLS=0\"",
		"[a.example] smtp://[r.example] tls=off", NULL },
	{ "NeedTLS=3 is 1", XMAIL, "\"a.example\"\t\"r.example,NeedTLS=3\"",
		"[a.example] smtp://[r.example] tls=opportunistic", NULL },
	{ "options in a third field count for all", XMAIL,
		"\"a.example\"\t\"r.example;s.example\"\t\"NeedTLS=2\"",
		"[a.example] smtp://[r.example], smtp://[s.example] tls=required", NULL },
	{ "a server's own options weigh more than the third field", XMAIL,
		"\"a.example\"\t\"r.example,NeedTLS=2\"\t\"NeedTLS=1,OutBind=192.0.2.1\"",
		"[a.example] smtp://[r.example] tls=required source=192.0.2.1", NULL },
	{ "all domains", XMAIL, "\"*.*\"\t\"r.example\"", "* smtp://[r.example]", NULL },
	{ "all domains, with one star", XMAIL, "\"*\"\t\"r.example:587\"",
		"* smtp://[r.example]:587", NULL },
	{ "an empty list drops the mail", XMAIL, "\"trap.example\"\t\"\"",
		"[trap.example] discard", NULL },
	{ "random order of one server is none", XMAIL, "\"a.example\"\t\"#r.example\"",
		"[a.example] smtp://[r.example]", NULL },
	{ "port 465 is smtps", XMAIL, "\"a.example\"\t\"r.example:465,NeedTLS=1\"",
		"[a.example] smtps://[r.example]:465", NULL },
	{ "port 465 and NeedTLS=2", XMAIL, "\"a.example\"\t\"r.example:465,NeedTLS=2\"",
		"[a.example] smtps://[r.example]:465 tls=required", NULL },
	{ "an IPv6 server", XMAIL, "\"a.example\"\t\"[2001:db8::1]:587\"",
		"[a.example] smtp://[2001:db8::1]:587", NULL },
	{ "blanks and empty places in the list", XMAIL,
		"\"a.example\"\t\" r.example ;; s.example;\"",
		"[a.example] smtp://[r.example], smtp://[s.example]", NULL },
	{ "without quotes, with CRLF", XMAIL, "a.example\tr.example\r",
		"[a.example] smtp://[r.example]", NULL },
	{ "a domain in capitals stays as it is", XMAIL, "\"A.Example\"\t\"R.example\"",
		"[A.Example] smtp://[R.example]", NULL },
	/* what cannot be said here */
	{ "a star elsewhere", XMAIL, "\"mail*.example.com\"\t\"r.example\"", "",
		"has its wildcard elsewhere" },
	{ "a star without its dot", XMAIL, "\"*example.com\"\t\"r.example\"", "",
		"has its wildcard elsewhere" },
	{ "a question mark", XMAIL, "\"mx?.example.com\"\t\"r.example\"", "",
		"has its wildcard elsewhere" },
	{ "two stars", XMAIL, "\"*.a*.example\"\t\"r.example\"", "", "wildcard" },
	{ "servers that differ in NeedTLS", XMAIL,
		"\"a.example\"\t\"r.example,NeedTLS=2;s.example\"", "",
		"differ in NeedTLS" },
	{ "servers that differ in OutBind", XMAIL,
		"\"a.example\"\t\"r.example,OutBind=192.0.2.1;s.example\"", "",
		"differ in OutBind" },
	{ "an OutBind that is no address", XMAIL,
		"\"a.example\"\t\"r.example,OutBind=eth0\"", "", "not an address" },
	{ "an OutBind that brings options along", XMAIL,
		"\"a.example\"\t\"r.example,OutBind=192.0.2.1 tls=off\"", "", "a blank" },
	{ "an unknown option", XMAIL, "\"a.example\"\t\"r.example,Fast=1\"", "",
		"\"Fast\" is none that is known" },
	{ "an option without value", XMAIL, "\"a.example\"\t\"r.example,NeedTLS\"", "",
		"has no value" },
	{ "NeedTLS in words", XMAIL, "\"a.example\"\t\"r.example,NeedTLS=yes\"", "",
		"it is 0, 1 or 2" },
	{ "plaintext on port 465", XMAIL, "\"a.example\"\t\"r.example:465,NeedTLS=0\"",
		"", "where TLS begins at once" },
	{ "one field", XMAIL, "\"a.example\"", "", "no second field" },
	{ "blanks in the place of a TAB", XMAIL, "\"a.example\" \"r.example\"", "",
		"no second field" },
	{ "four fields", XMAIL, "\"a\"\t\"b\"\t\"NeedTLS=1\"\t\"d\"", "",
		"more than three" },
	{ "a bad port", XMAIL, "\"a.example\"\t\"r.example:0\"", "",
		"port must be 1 to 65535" },
	{ "a server without a name", XMAIL, "\"a.example\"\t\":25\"", "",
		"names no server" },
	{ "an empty domain", XMAIL, "\"\"\t\"r.example\"", "", "empty name" },
	{ "too many servers", XMAIL, "\"a\"\t\"a;b;c;d;e;f;g;h;i;j;k;l;m;n;o;p;q\"", "",
		"at most 16" },
	{ "a server twice", XMAIL, "\"a.example\"\t\"r.example;R.example\"", "",
		"twice" },
	{ "a control character", XMAIL, "\"a.example\"\t\"r\x01.example\"", "",
		"a control character" },
	{ "Shift_JIS", XMAIL, "\"\x83\x65.example\"\t\"r.example\"", "",
		"invalid UTF-8" },
	/* PMailServer2 */
	{ "a domain and its gateway", PMAIL, "@example.jp\tmail1.example.com",
		"[example.jp] smtp://[mail1.example.com]", NULL },
	{ "a gateway with a port", PMAIL, "@example.jp\t192.0.2.1:587",
		"[example.jp] smtp://[192.0.2.1]:587", NULL },
	{ "port 465", PMAIL, "@example.jp\tmail.example.com:465",
		"[example.jp] smtps://[mail.example.com]:465", NULL },
	{ "everything", PMAIL, "*\tmail2.example.com", "* smtp://[mail2.example.com]",
		NULL },
	{ "an internationalized domain", PMAIL, "@例え.jp\tmail.example.com",
		"[例え.jp] smtp://[mail.example.com]", NULL },
	{ "empty fields behind it", PMAIL, "@example.jp\tmail.example.com\t\t",
		"[example.jp] smtp://[mail.example.com]", NULL },
	{ "an address", PMAIL, "user@example.jp\tmail.example.com", "",
		"only \"@domain\" and \"*\"" },
	{ "a part of an address", PMAIL, "example.jp\tmail.example.com", "",
		"not parts of addresses" },
	{ "a star after the @", PMAIL, "@*.example.jp\tmail.example.com", "",
		"only \"@domain\"" },
	{ "a name and a password", PMAIL, "@example.jp\tmail.example.com\tme\tsecret", "",
		"go into the credentials file" },
	{ "no gateway", PMAIL, "@example.jp", "", "there is no gateway" },
	{ "an empty gateway", PMAIL, "@example.jp\t", "", "names no server" },
};

static void check_import(void **state)
{
	const struct import_case *c = *state;
	struct policy_import_line l;
	char text[1024];
	/* Exactly as long as it is: an octet too many is seen. */
	size_t len = (size_t)snprintf(text, sizeof(text), "\n# note\n%s\n", c->line);
	char *exact = malloc(len);
	assert_non_null(exact);
	memcpy(exact, text, len);
	struct policy_import *import = policy_import_new(c->from, exact, len);
	assert_true(policy_import_next(import, &l));
	assert_int_equal(l.number, 3);
	if (!c->why)
		assert_string_equal(l.why, "");
	else if (!strstr(l.why, c->why))
		fail_msg("\"%s\" is not in \"%s\"", c->why, l.why);
	assert_string_equal(l.route, c->route);
	assert_false(policy_import_next(import, &l));
	policy_import_free(&import);
	free(exact);
}

static void check_order(void **state)
{
	static const char text[] = "\xff\xfe@\0b\0\t\0r\0\r\0\n\0"
				   "*\0\t\0s\0\r\0\n\0";
	struct policy_import_line l;
	struct policy_import *import = policy_import_new(PMAIL, text, sizeof(text) - 1);
	(void)state;
	assert_true(policy_import_next(import, &l));
	assert_int_equal(l.number, 1);
	assert_string_equal(l.route, "[b] smtp://[r]");
	assert_true(policy_import_next(import, &l));
	assert_int_equal(l.number, 2);
	assert_string_equal(l.route, "* smtp://[s]");
	assert_false(policy_import_next(import, &l));
	policy_import_free(&import);
	assert_null(import);
}

static void check_secret(void **state)
{
	static const char text[] = "@a.example\tr.example\tme\tsecret";
	struct policy_import_line l;
	struct policy_import *import = policy_import_new(PMAIL, text, sizeof(text) - 1);
	(void)state;
	assert_true(policy_import_next(import, &l));
	assert_int_equal(l.source_len, strlen("@a.example\tr.example"));
	assert_memory_equal(l.source, text, l.source_len);
	policy_import_free(&import);
}

/* Tables cut and joined at random: an answer for each line, and the sanitizers see
 * nothing. */
static void check_random(void **state)
{
	enum { CASES = sizeof(cases) / sizeof(cases[0]) };
	uint32_t random = 99;
	char text[512];
	(void)state;
	for (int round = 0; round < 20000; round++) {
		random = random * 1664525 + 1013904223;
		const char *head = cases[(random >> 8) % CASES].line;
		random = random * 1664525 + 1013904223;
		const char *tail = cases[(random >> 8) % CASES].line;
		size_t cut = (random >> 4) % (strlen(head) + 1);
		size_t from = (random >> 12) % (strlen(tail) + 1);
		size_t len = (size_t)snprintf(
			text, sizeof(text), "%.*s%s", (int)cut, head, tail + from);
		char *exact = malloc(len ? len : 1);
		assert_non_null(exact);
		memcpy(exact, text, len);
		struct policy_import_line l;
		struct policy_import *import =
			policy_import_new(round % 2 ? XMAIL : PMAIL, exact, len);
		while (policy_import_next(import, &l))
			assert_true((l.route[0] == '\0') == (l.why[0] != '\0'));
		policy_import_free(&import);
		free(exact);
	}
}

static const struct {
	const char *name;
} order_case[] = { { "UTF-16, and the order stays" } },
  secret_case[] = { { "a password is not part of what is shown" } },
  random_case[] = { { "tables mixed at random" } };

int main(void)
{
	const struct table tables[] = {
		TABLE(check_import, cases),
		TABLE(check_order, order_case),
		TABLE(check_secret, secret_case),
		TABLE(check_random, random_case),
	};
	return TABLE_RUN_ALL("policy/import", tables);
}
