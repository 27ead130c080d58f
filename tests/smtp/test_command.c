#include "smtp/command.h"

#include "base/mem.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define A10  "aaaaaaaaaa"
#define A100 A10 A10 A10 A10 A10 A10 A10 A10 A10 A10

static const struct {
	const char *text;
	int code;
	const char *shown; /* the path and what was found, or what is said */
} mails[] = {
	{ "<a@b>", 0, "<a@b>" },
	{ "<>", 0, "<>" },
	{ " \t<a@b> ", 0, "<a@b>" },
	{ "<\"a>b\"@c>", 0, "<\"a>b\"@c>" },
	{ "<\"a\\\"> x\"@c> RET=FULL", 0, "<\"a\\\"> x\"@c> full" },
	{ "<@r,@s:a@b>", 0, "<@r,@s:a@b>" },
	{ "<a@b> SIZE=0", 0, "<a@b> size=0" },
	{ "<a@b>  size=12345678901", 0, "<a@b> size=12345678901" },
	{ "<a@b> SIZE=18446744073709551615", 0, "<a@b> size=18446744073709551615" },
	{ "<a@b> BODY=7bit", 0, "<a@b>" },
	{ "<a@b> BODY=8BITMIME SMTPUTF8", 0, "<a@b> 8bit utf8" },
	{ "<a@b> RET=hdrs\tENVID=x+2By", 0, "<a@b> hdrs envid=x+2By" },
	{ "<a@b> ENVID=" A100, 0, "<a@b> envid=" A100 },
	{ "", ERR_INVALID, "address is not in <>" },
	{ "a@b", ERR_INVALID, "address is not in <>" },
	{ "<a@b", ERR_INVALID, "address has no closing >" },
	{ "<\"a@b>", ERR_INVALID, "address has no closing >" },
	{ "<\"a@b\\", ERR_INVALID, "address has no closing >" },
	{ "<a@b>SIZE=1", ERR_INVALID, "address goes on after its closing >" },
	{ "<a@b>>", ERR_INVALID, "address goes on after its closing >" },
	{ "<a@b> SIZE", ERR_INVALID, "SIZE is not valid" },
	{ "<a@b> SIZE=", ERR_INVALID, "SIZE= is not valid" },
	{ "<a@b> SIZE=-1", ERR_INVALID, "SIZE=-1 is not valid" },
	{ "<a@b> SIZE=+1", ERR_INVALID, "SIZE=+1 is not valid" },
	{ "<a@b> SIZE=1x", ERR_INVALID, "SIZE=1x is not valid" },
	{ "<a@b> SIZE=18446744073709551616", ERR_INVALID,
		"SIZE=18446744073709551616 is not valid" },
	{ "<a@b> SIZE=1 SIZE=1", ERR_INVALID, "SIZE is given twice" },
	{ "<a@b> SMTPUTF8 BODY=7BIT smtputf8", ERR_INVALID, "SMTPUTF8 is given twice" },
	{ "<a@b> BODY=9BIT", ERR_INVALID, "BODY=9BIT is not valid" },
	{ "<a@b> BODY", ERR_INVALID, "BODY is not valid" },
	{ "<a@b> BODY=BINARYMIME", ERR_UNSUPPORTED, "BODY=BINARYMIME is not supported" },
	{ "<a@b> SMTPUTF8=", ERR_INVALID, "SMTPUTF8= is not valid" },
	{ "<a@b> RET=", ERR_INVALID, "RET= is not valid" },
	{ "<a@b> RET=FULLY", ERR_INVALID, "RET=FULLY is not valid" },
	{ "<a@b> ENVID=", ERR_INVALID, "ENVID= is not valid" },
	{ "<a@b> ENVID=a=b", ERR_INVALID, "ENVID=a=b is not valid" },
	{ "<a@b> ENVID=a+2", ERR_INVALID, "ENVID=a+2 is not valid" },
	{ "<a@b> ENVID=a+2b", ERR_INVALID, "ENVID=a+2b is not valid" },
	{ "<a@b> ENVID=a" A100, ERR_INVALID, "ENVID=a" A100 " is not valid" },
	{ "<a@b> AUTH=<>", ERR_UNSUPPORTED, "MAIL has no parameter AUTH" },
	{ "<a@b> NOTIFY=NEVER", ERR_UNSUPPORTED, "MAIL has no parameter NOTIFY" },
	{ "<a@b> =x", ERR_UNSUPPORTED, "MAIL has no parameter " },
	{ "<a@b> \x1b[2J", ERR_UNSUPPORTED, "MAIL has no parameter ?[2J" },
};

static void show_mail(const char *path, size_t len, const struct smtp_mail_parameters *p,
	char *out, size_t out_size)
{
	char size[40] = "";
	if (p->has_size)
		snprintf(size, sizeof(size), " size=%llu",
			(unsigned long long)p->size_bytes);
	snprintf(out, out_size, "%.*s%s%s%s%s%s%s", (int)len, path, size,
		p->is_8bit ? " 8bit" : "", p->smtputf8 ? " utf8" : "",
		p->ret == MAIL_RET_FULL   ? " full"
		: p->ret == MAIL_RET_HDRS ? " hdrs"
					  : "",
		*p->envid ? " envid=" : "", p->envid);
}

static void parameters_of_mail(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mails); i++) {
		struct smtp_mail_parameters p;
		struct err e = { 0 };
		char shown[400];
		const char *path;
		size_t len;
		int rc = smtp_parse_mail(mails[i].text, &path, &len, &p, &e);
		if (rc == 0)
			show_mail(path, len, &p, shown, sizeof(shown));
		if (rc != mails[i].code || strcmp(rc ? e.text : shown, mails[i].shown))
			fail_msg("%s: %d, %s", mails[i].text, rc, rc ? e.text : shown);
	}
}

static const struct {
	const char *text;
	int code;
	unsigned notify;
	const char *shown; /* ORCPT, or what is said */
} rcpts[] = {
	{ "<a@b>", 0, 0, "" },
	{ "<a@b> NOTIFY=NEVER", 0, MAIL_NOTIFY_NEVER, "" },
	{ "<a@b> notify=success,Delay", 0, MAIL_NOTIFY_SUCCESS | MAIL_NOTIFY_DELAY, "" },
	{ "<a@b> NOTIFY=FAILURE,FAILURE", 0, MAIL_NOTIFY_FAILURE, "" },
	{ "<a@b> ORCPT=rfc822;x+2By@z", 0, 0, "rfc822;x+2By@z" },
	{ "<a@b> ORCPT=utf-8;\\x{3042}@z NOTIFY=FAILURE", 0, MAIL_NOTIFY_FAILURE,
		"utf-8;\\x{3042}@z" },
	{ "<a@b> ORCPT=rfc822;" A100 A100 A100 A100 A10 A10 A10 A10 A10 A10 A10 A10 A10
	  "aaa",
		0, 0,
		"rfc822;" A100 A100 A100 A100 A10 A10 A10 A10 A10 A10 A10 A10 A10 "aaa" },
	{ "<a@b> ORCPT=UTF-8;a\xc3\xa9\xe3\x81\x82\xf0\x9f\x98\x80@z", 0, 0,
		"UTF-8;a\\x{E9}\\x{3042}\\x{1F600}@z" },
	{ "<a@b> ORCPT=utf-8;\xc3@z", ERR_INVALID, 0, "ORCPT=utf-8;?@z is not valid" },
	{ "<a@b> ORCPT=utf-8;\xc3\xa9=@z", ERR_INVALID, 0,
		"ORCPT=utf-8;\xc3\xa9=@z is not valid" },
	{ "<a@b> ORCPT=rfc822;\xc3\xa9@z", ERR_INVALID, 0,
		"ORCPT=rfc822;\xc3\xa9@z is not valid" },
	{ "<a@b> NOTIFY", ERR_INVALID, 0, "NOTIFY is not valid" },
	{ "<a@b> NOTIFY=", ERR_INVALID, 0, "NOTIFY= is not valid" },
	{ "<a@b> NOTIFY=DELAY,", ERR_INVALID, 0, "NOTIFY=DELAY, is not valid" },
	{ "<a@b> NOTIFY=,DELAY", ERR_INVALID, 0, "NOTIFY=,DELAY is not valid" },
	{ "<a@b> NOTIFY=DELAYED", ERR_INVALID, 0, "NOTIFY=DELAYED is not valid" },
	{ "<a@b> NOTIFY=NEVER,DELAY", ERR_INVALID, 0, "NOTIFY=NEVER,DELAY is not valid" },
	{ "<a@b> NOTIFY=DELAY NOTIFY=DELAY", ERR_INVALID, 0, "NOTIFY is given twice" },
	{ "<a@b> ORCPT=", ERR_INVALID, 0, "ORCPT= is not valid" },
	{ "<a@b> ORCPT=none", ERR_INVALID, 0, "ORCPT=none is not valid" },
	{ "<a@b> ORCPT=;a@b", ERR_INVALID, 0, "ORCPT=;a@b is not valid" },
	{ "<a@b> ORCPT=rfc822;a+zz", ERR_INVALID, 0, "ORCPT=rfc822;a+zz is not valid" },
	{ "<a@b> ORCPT=rfc822;a=b", ERR_INVALID, 0, "ORCPT=rfc822;a=b is not valid" },
	{ "<a@b> ORCPT=rfc822;\x80", ERR_INVALID, 0, "ORCPT=rfc822;? is not valid" },
	{ "<a@b> SIZE=1", ERR_UNSUPPORTED, 0, "RCPT has no parameter SIZE" },
	{ "a@b", ERR_INVALID, 0, "address is not in <>" },
};

static void parameters_of_rcpt(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rcpts); i++) {
		struct smtp_rcpt_parameters p;
		struct err e = { 0 };
		const char *path;
		size_t len;
		int rc = smtp_parse_rcpt(rcpts[i].text, &path, &len, &p, &e);
		if (rc != rcpts[i].code || strcmp(rc ? e.text : p.orcpt, rcpts[i].shown))
			fail_msg("%s: %d, %s", rcpts[i].text, rc, rc ? e.text : p.orcpt);
		if (rc == 0)
			assert_int_equal(p.notify, rcpts[i].notify);
	}
}

static void an_orcpt_over_500_octets_is_refused(void **state)
{
	struct smtp_rcpt_parameters p;
	struct err e = { 0 };
	const char *path;
	size_t len;
	(void)state;
	assert_int_equal(
		smtp_parse_rcpt("<a@b> ORCPT=rfc822;" A100 A100 A100 A100 A100 "aaaa",
			&path, &len, &p, &e),
		ERR_INVALID);
}

static void xtext_is_what_rfc_3461_says(void **state)
{
	(void)state;
	assert_true(smtp_is_xtext(""));
	assert_true(smtp_is_xtext("!~+00+FF+2B"));
	assert_false(smtp_is_xtext("+"));
	assert_false(smtp_is_xtext("a+2"));
	assert_false(smtp_is_xtext("a+2b"));
	assert_false(smtp_is_xtext("a b"));
	assert_false(smtp_is_xtext("a=b"));
	assert_false(smtp_is_xtext("a\x7f"));
	assert_false(smtp_is_xtext("\xc3\xa9"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_of_mail),
		cmocka_unit_test(parameters_of_rcpt),
		cmocka_unit_test(an_orcpt_over_500_octets_is_refused),
		cmocka_unit_test(xtext_is_what_rfc_3461_says),
	};
	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
