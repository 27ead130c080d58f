/* The envelope of XMail's files: what is one, and what is said of what is none. */
#include "base/buf.h"
#include "base/mem.h"
#include "intake/xmail_format.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lines end with '|'. */
static const struct {
	const char *name, *lines, *outcome;
} files[] = {
	{ "a local drop", "mail from:<a@x.test>|rcpt to:<b@y.test>||",
		"from <a@x.test> to <b@y.test> local" },
	{ "words in capitals", "MAIL FROM:<a@x.test>|RCPT TO:<b@y.test>||",
		"from <a@x.test> to <b@y.test> local" },
	{ "blanks where people put them", "Mail From: <a@x.test> |Rcpt To:\t<b@y.test>||",
		"from <a@x.test> to <b@y.test> local" },
	{ "several recipients and no sender",
		"mail from:<>|rcpt to:<b@y.test>|rcpt to:<c@z.test>||",
		"from <> to <b@y.test> to <c@z.test> local" },
	{ "a > within quotes", "mail from:<\"a>b\"@x.test>|rcpt to:<b@y.test>||",
		"from <\"a>b\"@x.test> to <b@y.test> local" },
	{ "parameters",
		"mail from:<a@x.test> SIZE=10 RET=HDRS ENVID=e1|"
		"rcpt to:<b@y.test> NOTIFY=NEVER ORCPT=rfc822;o@y.test||",
		"from <a@x.test> ret 2 envid e1 to <b@y.test> notify 1 orcpt "
		"rfc822;o@y.test local" },
	{ "a spool file",
		"[192.0.2.1]:4711;[192.0.2.9]:25;Sat, 21 Nov 2026 12:00:00 +0000|"
		"mail.x.test|S1A2B|MAIL FROM:<a@x.test>|RCPT TO:<b@y.test>|"
		"<<MAIL-DATA>>|",
		"from <a@x.test> to <b@y.test> spool" },
	{ "a spool file with the long information of the versions between",
		"c.test;192.0.2.1;4711;s.test;192.0.2.9;25;Sat, 21 Nov 2026;XMail|"
		"mail.x.test|S1A2B|MAIL FROM:<a@x.test>|RCPT TO:<b@y.test>|"
		"<<MAIL-DATA>>|",
		"from <a@x.test> to <b@y.test> spool" },
	{ "a spool file of an old version",
		"mail.x.test|S1A2B|MAIL FROM:<a@x.test>|RCPT TO:<b@y.test>|"
		"<<MAIL-DATA>>|",
		"from <a@x.test> to <b@y.test> spool" },
	{ "an empty domain", "|S1A2B|MAIL FROM:<>|RCPT TO:<b@y.test>|<<MAIL-DATA>>|",
		"from <> to <b@y.test> spool" },

	{ "nothing of the kind", "Subject: x|From: y|To: z|",
		"line 3: neither a local drop, which begins with \"mail from:<...>\", "
		"nor a "
		"spool file of XMail" },
	{ "nothing of the kind, after what looks like information", "a;b|c|d|e|",
		"line 4: neither a local drop, which begins with \"mail from:<...>\", "
		"nor a "
		"spool file of XMail" },
	{ "one line before the sender", "mail.x.test|MAIL FROM:<a@x.test>|",
		"line 2: MAIL FROM comes too early for a spool file of XMail: a line is "
		"missing before it" },
	{ "information, and two lines before the sender",
		"[192.0.2.1]:1;[192.0.2.9]:25;x|mail.x.test|MAIL FROM:<a@x.test>|",
		"line 3: MAIL FROM comes too early for a spool file of XMail: a line is "
		"missing before it" },
	{ "a sender without <>", "mail from:a@x.test|", "line 1: address is not in <>" },
	{ "a sender without its end", "mail from:<a@x.test|",
		"line 1: address has no closing >" },
	{ "a sender that goes on", "mail from:<a@x.test>b|",
		"line 1: address goes on after its closing >" },
	{ "a parameter that nobody knows", "mail from:<a@x.test> FOO=1|",
		"line 1: MAIL has no parameter FOO" },
	{ "a parameter with a bad value", "mail from:<a@x.test> SIZE=x|",
		"line 1: SIZE=x is not valid" },
	{ "no recipient in a local drop", "mail from:<a@x.test>||",
		"from <a@x.test> line 2: the message begins, and no RCPT TO came before "
		"it" },
	{ "no recipient in a spool file", "x.test|S1|MAIL FROM:<a@x.test>|<<MAIL-DATA>>|",
		"from <a@x.test> line 4: the message begins, and no RCPT TO came before "
		"it" },
	{ "a recipient without <>", "mail from:<>|rcpt to:b@y.test|",
		"from <> line 2: address is not in <>" },
	{ "a recipient's parameter that nobody knows",
		"mail from:<>|rcpt to:<b@y.test> SIZE=1|",
		"from <> line 2: RCPT has no parameter SIZE" },
	{ "two senders", "mail from:<>|mail from:<>|",
		"from <> line 2: neither \"rcpt to:<...>\" nor the empty line that ends "
		"the "
		"envelope" },
	{ "a header that follows at once", "mail from:<>|rcpt to:<b@y.test>|Subject: x|",
		"from <> to <b@y.test> line 3: neither \"rcpt to:<...>\" nor the empty "
		"line that ends the envelope" },
	{ "the end of the other form in a local drop",
		"mail from:<>|rcpt to:<b@y.test>|<<MAIL-DATA>>|",
		"from <> to <b@y.test> line 3: neither \"rcpt to:<...>\" nor the empty "
		"line that ends the envelope" },
	{ "the end of the other form in a spool file",
		"x.test|S1|MAIL FROM:<>|RCPT TO:<b@y.test>||",
		"from <> to <b@y.test> line 5: neither \"RCPT TO:<...>\" nor "
		"\"<<MAIL-DATA>>\"" },
	{ "an end that goes on",
		"x.test|S1|MAIL FROM:<>|RCPT TO:<b@y.test>|<<MAIL-DATA>>x|",
		"from <> to <b@y.test> line 5: neither \"RCPT TO:<...>\" nor "
		"\"<<MAIL-DATA>>\"" },
};

static void describe_sender(const struct xmail_line *line, struct buf *out)
{
	buf_addf(out, "from %.*s ", (int)line->path_len, line->path);
	if (line->mail.ret != MAIL_RET_UNSET)
		buf_addf(out, "ret %d ", (int)line->mail.ret);
	if (*line->mail.envid)
		buf_addf(out, "envid %s ", line->mail.envid);
}

static void describe_recipient(const struct xmail_line *line, struct buf *out)
{
	buf_addf(out, "to %.*s ", (int)line->path_len, line->path);
	if (line->rcpt.notify)
		buf_addf(out, "notify %u ", line->rcpt.notify);
	if (*line->rcpt.orcpt)
		buf_addf(out, "orcpt %s ", line->rcpt.orcpt);
}

/* What comes of the lines, up to the content or an error. */
static void read_lines(const char *lines, struct buf *out)
{
	struct xmail_envelope x = { 0 };
	while (*lines) {
		size_t len = strcspn(lines, "|");
		OWN(mem_free) char *text = xstrndup(lines, len);
		struct xmail_line line;
		struct err e = { 0 };
		lines += len + 1;
		if (xmail_envelope_line(&x, text, &line, &e) != 0) {
			assert_int_equal(e.code, ERR_INVALID);
			buf_addstr(out, e.text);
			assert_int_equal(*lines, '\0');
			return;
		}
		if (line.kind == XMAIL_LINE_SENDER)
			describe_sender(&line, out);
		else if (line.kind == XMAIL_LINE_RECIPIENT)
			describe_recipient(&line, out);
	}
	assert_int_equal(x.state, XMAIL_CONTENT);
	buf_addstr(out, x.is_local ? "local" : "spool");
}

static void an_envelope_is_what_xmail_writes_and_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct buf out = BUF_INIT;
		read_lines(files[i].lines, &out);
		if (strcmp(buf_text(&out), files[i].outcome) != 0)
			fail_msg("%s: %s", files[i].name, buf_text(&out));
		buf_clear(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_envelope_is_what_xmail_writes_and_nothing_else),
	};
	return cmocka_run_group_tests_name("intake/xmail_format", tests, NULL, NULL);
}
