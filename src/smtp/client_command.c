/* The text of MAIL, RCPT and BDAT: parameters only where the host offers them. */
#include "smtp/client_impl.h"

#include "base/err.h"
#include "smtp/command.h"

#include <stdio.h>
#include <string.h>

enum { COMMAND_MAX = 4096 };

/* A command as it grows: formatted by hand, for there are several a message. */
struct line {
	size_t len;
	char text[COMMAND_MAX];
};

static void put(struct line *line, const char *s)
{
	size_t len = strlen(s);
	ASSERT(len <= sizeof(line->text) - line->len);
	memcpy(line->text + line->len, s, len);
	line->len += len;
}

static void put_number(struct line *line, uint64_t n)
{
	char digits[24], *s = digits + sizeof(digits) - 1;
	*s = '\0';
	do
		*--s = (char)('0' + n % 10);
	while (n /= 10);
	put(line, s);
}

static void add(struct line *line, const char *name, const char *value)
{
	put(line, " ");
	put(line, name);
	put(line, value);
}

/* What is no xtext was not checked at intake and must not become a second
 * parameter, or a second command, here. */
static bool is_sendable(const char *s, size_t max)
{
	return s && *s && strlen(s) <= max && smtp_is_xtext(s);
}

static void add_mail_dsn(struct line *line, const struct mail_envelope *m)
{
	if (m->ret != MAIL_RET_UNSET)
		add(line, "RET=", m->ret == MAIL_RET_FULL ? "FULL" : "HDRS");
	if (is_sendable(m->envid, SMTP_ENVID_MAX))
		add(line, "ENVID=", m->envid);
}

void smtp_command_mail(struct smtp_client *c)
{
	const struct mail_envelope *m = c->mail.message.envelope;
	const struct smtp_offer *offer = &c->offer;
	struct line line;
	line.len = 0;
	put(&line, "MAIL FROM:<");
	put(&line, m->sender);
	put(&line, ">");
	if (offer->size) {
		put(&line, " SIZE=");
		put_number(&line, m->content.size_bytes);
	}
	if (offer->eightbitmime && m->content.is_8bit)
		add(&line, "BODY=", "8BITMIME");
	if (offer->smtputf8 && c->mail.needs_smtputf8)
		add(&line, "SMTPUTF8", "");
	if (offer->dsn)
		add_mail_dsn(&line, m);
	smtp_command_line(c, line.text, line.len);
}

static void add_notify(struct line *line, unsigned notify)
{
	static const struct {
		unsigned bit;
		const char *name;
	} words[] = {
		{ MAIL_NOTIFY_SUCCESS, "SUCCESS" },
		{ MAIL_NOTIFY_FAILURE, "FAILURE" },
		{ MAIL_NOTIFY_DELAY, "DELAY" },
	};
	char list[32] = "";
	size_t len = 0;
	if (notify & MAIL_NOTIFY_NEVER) {
		add(line, "NOTIFY=", "NEVER"); /* and nothing with it: RFC 3461 4.1 */
		return;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (notify & words[i].bit)
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
				len ? "," : "", words[i].name);
	}
	if (len)
		add(line, "NOTIFY=", list);
}

void smtp_command_rcpt(struct smtp_client *c, const struct mail_recipient *r)
{
	struct line line;
	line.len = 0;
	put(&line, "RCPT TO:<");
	put(&line, r->address);
	put(&line, ">");
	if (c->offer.dsn) {
		add_notify(&line, r->notify);
		if (is_sendable(r->orcpt, SMTP_ORCPT_MAX))
			add(&line, "ORCPT=", r->orcpt);
	}
	smtp_command_line(c, line.text, line.len);
}

void smtp_command_bdat(struct smtp_client *c, size_t len, bool is_last)
{
	struct line line;
	line.len = 0;
	put(&line, "BDAT ");
	put_number(&line, len);
	if (is_last)
		put(&line, " LAST");
	smtp_command_line(c, line.text, line.len);
}
