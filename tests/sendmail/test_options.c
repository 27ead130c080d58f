/* The command line of sendmail: what is taken, ignored and refused. */
#include "sendmail/options.h"

#include "base/buf.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WORDS_MAX = 24 };

static const char *const mode_names[] = {
	[SENDMAIL_SUBMIT] = "submit",
	[SENDMAIL_SMTP] = "smtp",
	[SENDMAIL_LIST] = "list",
	[SENDMAIL_RUN] = "run",
	[SENDMAIL_NOTHING] = "nothing",
	[SENDMAIL_HELP] = "help",
	[SENDMAIL_VERSION] = "version",
};

/* All that is not as it is without options, in words. */
static void describe(const struct sendmail_options *o, struct buf *out)
{
	const struct {
		const char *name, *text;
	} texts[] = {
		{ "C", o->config_path },
		{ "f", o->sender },
		{ "F", o->full_name },
		{ "V", o->envid },
		{ "id", o->selection.id },
		{ "recipient", o->selection.recipient },
		{ "sender", o->selection.sender },
	};
	buf_addstr(out, mode_names[o->mode]);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (texts[i].text)
			buf_addf(out, " %s=%s", texts[i].name, texts[i].text);
	}
	buf_addstr(out, o->takes_recipients ? " t" : "");
	buf_addstr(out, o->keeps_dots ? " i" : "");
	buf_addstr(out, o->is_gateway ? " G" : "");
	buf_addstr(out, o->is_verbose ? " v" : "");
	buf_addstr(out, o->selects ? " selects" : "");
	if (o->notify)
		buf_addf(out, " N=%u", o->notify);
	if (o->ret != MAIL_RET_UNSET)
		buf_addstr(out, o->ret == MAIL_RET_FULL ? " R=full" : " R=hdrs");
	for (size_t i = 0; i < o->recipient_count; i++)
		buf_addf(out, " <%s>", o->recipients[i]);
}

/* Words of a command line: apart by one blank, "''" for the empty one. */
static int parse(const char *line, struct sendmail_options *out, struct err *e)
{
	static char copy[1024];
	char *words[WORDS_MAX] = { NULL };
	int count = 0;
	assert_true(strlen(line) < sizeof(copy));
	strcpy(copy, line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
		assert_true(count + 1 < WORDS_MAX);
		words[count++] = strcmp(word, "''") == 0 ? word + 2 : word;
	}
	static char *kept[WORDS_MAX];
	memcpy(kept, words, sizeof(words));
	return sendmail_options_parse(count, kept, out, e);
}

static const struct {
	const char *line, *means;
} good[] = {
	{ "sendmail", "submit" },
	{ "sendmail a@b c@d", "submit <a@b> <c@d>" },
	{ "sendmail -t", "submit t" },
	{ "sendmail -t -i", "submit t i" },
	{ "sendmail -ti", "submit t i" },
	{ "sendmail -oi a@b", "submit i <a@b>" },
	{ "sendmail -o i a@b", "submit i <a@b>" },
	{ "sendmail -oitrue -oem -odb -o db a@b", "submit i <a@b>" },
	{ "sendmail -f a@b c@d", "submit f=a@b <c@d>" },
	{ "sendmail -fa@b -fc@d", "submit f=c@d" },
	{ "sendmail -ra@b", "submit f=a@b" },
	{ "sendmail -tif a@b", "submit f=a@b t i" },
	{ "sendmail -f '' a@b", "submit f= <a@b>" },
	{ "sendmail -f <> a@b", "submit f=<> <a@b>" },
	{ "sendmail -f -x a@b", "submit f=-x <a@b>" },
	{ "sendmail -- -f a@b", "submit <-f> <a@b>" },
	{ "sendmail -i -- a@b", "submit i <a@b>" },
	{ "sendmail a@b -c@d", "submit <a@b> <-c@d>" },
	{ "sendmail -F Joe a@b", "submit F=Joe <a@b>" },
	{ "sendmail -F '' a@b", "submit F= <a@b>" },
	/* cron, mail, PHP, git, mutt */
	{ "/usr/sbin/sendmail -FCronDaemon -i -B8BITMIME -oem root",
		"submit F=CronDaemon i <root>" },
	{ "send-mail -i a@b c@d", "submit i <a@b> <c@d>" },
	{ "/usr/lib/sendmail -t -i -fwww@b", "submit f=www@b t i" },
	{ "sendmail -f a@b -i c@d", "submit f=a@b i <c@d>" },
	{ "sendmail -oem -oi -f a@b -B8BITMIME -N failure,delay -R hdrs -- c@d",
		"submit f=a@b i N=12 R=hdrs <c@d>" },
	/* DSN */
	{ "sendmail -N never", "submit N=1" },
	{ "sendmail -N NEVER -R FULL", "submit N=1 R=full" },
	{ "sendmail -Nsuccess", "submit N=2" },
	{ "sendmail -N Delay,success,failure", "submit N=14" },
	{ "sendmail -V a+2Bb", "submit V=a+2Bb" },
	/* modes */
	{ "sendmail -bm a@b", "submit <a@b>" },
	{ "sendmail -bs", "smtp" },
	{ "sendmail -b s", "smtp" },
	{ "sendmail -bp", "list" },
	{ "sendmail -bi", "nothing" },
	{ "sendmail -I", "nothing" },
	{ "sendmail -bh", "nothing" },
	{ "sendmail -bp -bm a@b", "submit <a@b>" },
	{ "mailq", "list" },
	{ "/usr/bin/mailq -v", "list v" },
	{ "mailq -Ac", "list" },
	{ "newaliases -v", "nothing v" },
	{ "newaliases -bp", "list" },
	{ "sendmail -q", "run" },
	{ "sendmail -q -v", "run v" },
	{ "sendmail -q0", "run" },
	{ "sendmail -qf", "run" },
	{ "sendmail -qIABC", "run id=ABC selects" },
	{ "sendmail -qRa@b -qSc@d", "run recipient=a@b sender=c@d selects" },
	{ "mailq -qRa@b", "list recipient=a@b selects" },
	{ "sendmail --help", "help" },
	{ "sendmail -t --version", "version t" },
	{ "sendmail -C c.conf -G -v a@b", "submit C=c.conf G v <a@b>" },
	{ "sendmail -Cc.conf -bp", "list C=c.conf" },
	/* known elsewhere */
	{ "sendmail -Am -Ac -A c -B 7bit -D log -L tag -Ltag -M sx -MsA -O a=b -T -U "
	  "-X log a@b",
		"submit <a@b>" },
	{ "sendmail -c -d -d0.1 -e m -em -h 3 -h3 -m -n -p esmtp:x -s -x a@b",
		"submit <a@b>" },
	{ "sendmail -cmnsx -d99 a@b", "submit <a@b>" },
	{ "sendmail -XVfoo a@b", "submit <a@b>" },
};

static const struct {
	const char *line, *reason;
} bad[] = {
	{ "sendmail -y", "-y in \"-y\" is not known" },
	{ "sendmail -tyi", "-y in \"-tyi\" is not known" },
	{ "sendmail --frob", "-- in \"--frob\" is not known" },
	{ "sendmail -\xff", "-? in \"-?\" is not known" },
	{ "sendmail -f", "-f in \"-f\" lacks its argument" },
	{ "sendmail -tb", "-b in \"-tb\" lacks its argument" },
	{ "sendmail -", "\"-\" stands behind the first recipient" },
	{ "sendmail a@b -f c@d", "\"-f\" stands behind the first recipient" },
	{ "sendmail -B BINARYMIME", "7BIT or 8BITMIME" },
	{ "sendmail -N success,maybe", "\"success,maybe\"" },
	{ "sendmail -N never,success", "-N takes" },
	{ "sendmail -N ''", "-N takes" },
	{ "sendmail -N ,success", "-N takes" },
	{ "sendmail -R 1000", "-R takes full or hdrs" },
	{ "sendmail -V a=b", "-V takes" },
	{ "sendmail -V ''", "-V takes" },
	{ "sendmail -Q", "`hikyaku queue hold`" },
	{ "sendmail -Qspam", "`hikyaku queue hold`" },
	{ "sendmail -XV", "VERP" },
	{ "sendmail -XV+=", "VERP" },
	{ "sendmail -bd", "`hikyaku run`" },
	{ "sendmail -bD -q15m", "`hikyaku run`" },
	{ "sendmail -bv a@b", "`hikyaku policy explain ADDRESS`" },
	{ "sendmail -bt", "`hikyaku policy explain ADDRESS`" },
	{ "sendmail -bz", "no mode -bz" },
	{ "sendmail -q30m", "`hikyaku run`" },
	{ "sendmail -qp1h", "`hikyaku run`" },
	{ "sendmail -qR", "-qR takes a part" },
	{ "sendmail -qRa -qRb", "-qR takes a part" },
	{ "sendmail -q!Ra", "no -q!Ra" },
	{ "sendmail -qGgroup", "no -qGgroup" },
	{ "sendmail -bp a@b", "\"a@b\" is a recipient" },
	{ "sendmail -q a@b", "\"a@b\" is a recipient" },
	{ "mailq a@b", "\"a@b\" is a recipient" },
	{ "sendmail -bs -t", "-t is for" },
	{ "sendmail -t -q", "-t is for" },
	{ "sendmail -bs -qRa", "-qI, -qR and -qS" },
};

static void options_mean_what_callers_think(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct sendmail_options o;
		struct buf out = BUF_INIT;
		struct err e = { 0 };
		if (parse(good[i].line, &o, &e) != 0)
			fail_msg("%s: %s", good[i].line, e.text);
		describe(&o, &out);
		if (strcmp(buf_text(&out), good[i].means) != 0)
			fail_msg("%s: %s", good[i].line, buf_text(&out));
		buf_clear(&out);
	}
}

static void what_is_refused_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct sendmail_options o;
		struct err e = { 0 };
		int rc = parse(bad[i].line, &o, &e);
		if (rc != ERR_INVALID || !strstr(e.text, bad[i].reason))
			fail_msg("%s: %d, %s", bad[i].line, rc, e.text);
	}
}

static void no_words_at_all_are_survived(void **state)
{
	char *none[] = { NULL };
	struct sendmail_options o;
	(void)state;
	assert_int_equal(sendmail_options_parse(0, none, &o, NULL), 0);
	assert_int_equal(o.recipient_count, 0);
}

/* getopt(3) strings of the two programs that callers were written for. */
static void all_letters_of_sendmail_and_postfix_are_known(void **state)
{
	static const char *const theirs[] = {
		"A:B:b:C:cD:de:F:f:Gh:IiL:M:mN:nO:o:p:Q:q:R:r:sTtUV:vX:",
		"A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:r:q:tvx",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(theirs); i++) {
		for (const char *at = theirs[i]; *at; at += 1 + (at[1] == ':')) {
			struct sendmail_options o;
			struct err e = { 0 };
			OWN(mem_free)
			char *line =
				xasprintf("sendmail -%c%s", *at, at[1] == ':' ? "?" : "");
			if (parse(line, &o, &e) != 0 &&
				(strstr(e.text, "not known") ||
					strstr(e.text, "lacks its argument")))
				fail_msg("%s: %s", line, e.text);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_mean_what_callers_think),
		cmocka_unit_test(what_is_refused_is_named),
		cmocka_unit_test(no_words_at_all_are_survived),
		cmocka_unit_test(all_letters_of_sendmail_and_postfix_are_known),
	};
	return cmocka_run_group_tests_name("sendmail_options", tests, NULL, NULL);
}
