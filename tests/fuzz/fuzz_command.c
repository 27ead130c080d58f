/*
 * MAIL and RCPT with their parameters (smtp/command.h): a text for each. What is handed
 * out lies within the text, and can be sent on as it is.
 */
#include "fuzz.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "smtp/command.h"

#include <string.h>

static void check_path(const char *text, const char *path, size_t len)
{
	ASSERT(path >= text && path + len <= text + strlen(text));
	ASSERT(len >= 2 && path[0] == '<' && path[len - 1] == '>');
}

static void check_error(int rc, const struct err *e)
{
	ASSERT(rc == ERR_INVALID || rc == ERR_UNSUPPORTED);
	ASSERT(fuzz_is_clean(e->text, ""));
}

static void read_mail(const char *text)
{
	struct smtp_mail_parameters p = { 0 };
	struct err e = { 0 };
	const char *path;
	size_t len;
	int rc = smtp_parse_mail(text, &path, &len, &p, &e);
	if (rc) {
		check_error(rc, &e);
		return;
	}
	check_path(text, path, len);
	ASSERT(strlen(p.envid) <= SMTP_ENVID_MAX);
	ASSERT(!*p.envid || smtp_is_xtext(p.envid));
}

static void read_rcpt(const char *text)
{
	struct smtp_rcpt_parameters p = { 0 };
	struct err e = { 0 };
	const char *path;
	size_t len;
	int rc = smtp_parse_rcpt(text, &path, &len, &p, &e);
	if (rc) {
		check_error(rc, &e);
		return;
	}
	check_path(text, path, len);
	const char *orcpt = p.orcpt;
	ASSERT(strlen(orcpt) <= SMTP_ORCPT_MAX && text_is_ascii(orcpt, strlen(orcpt)));
	ASSERT(fuzz_is_clean(orcpt, "") && !strchr(orcpt, ' '));
	ASSERT(!*orcpt || strchr(orcpt, ';'));
	ASSERT(!(p.notify & MAIL_NOTIFY_NEVER) || p.notify == MAIL_NOTIFY_NEVER);
}

void fuzz_command(const uint8_t *data, size_t len)
{
	struct fuzz_input in = fuzz_input(data, len);
	OWN(mem_free) char *mail = fuzz_string(&in);
	OWN(mem_free) char *rcpt = fuzz_string(&in);
	read_mail(mail);
	read_rcpt(rcpt);
	read_mail(rcpt);
	read_rcpt(mail);
}
