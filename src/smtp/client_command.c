/* The text of MAIL and RCPT: parameters only where the host offers them. */
#include "smtp/client_impl.h"

#include "base/err.h"

#include <stdio.h>
#include <string.h>

enum { ENVID_MAX = 100, ORCPT_MAX = 500 }; /* RFC 3461 4.4, 4.2 */
enum { PARAMETERS_MAX = 1024 };

struct parameters {
	char text[PARAMETERS_MAX];
	size_t len;
};

static void add(struct parameters *p, const char *name, const char *value)
{
	int n = snprintf(
		p->text + p->len, sizeof(p->text) - p->len, " %s%s", name, value);
	ASSERT(n > 0 && (size_t)n < sizeof(p->text) - p->len);
	p->len += (size_t)n;
}

/* An esmtp-value of RFC 5321 4.1.2; what is none was not checked at intake and
 * must not become a second parameter, or a second command, here. */
static bool is_value(const char *s, size_t max)
{
	size_t i;
	for (i = 0; s && s[i]; i++) {
		if (s[i] <= ' ' || s[i] >= 0x7f || s[i] == '=' || i >= max)
			return false;
	}
	return s && i > 0;
}

static void add_mail_dsn(struct parameters *p, const struct mail_envelope *m)
{
	if (m->ret != MAIL_RET_UNSET)
		add(p, "RET=", m->ret == MAIL_RET_FULL ? "FULL" : "HDRS");
	if (is_value(m->envid, ENVID_MAX))
		add(p, "ENVID=", m->envid);
}

void smtp_command_mail(struct smtp_client *c)
{
	const struct mail_envelope *m = c->mail.message.envelope;
	const struct smtp_offer *offer = &c->offer;
	struct parameters p = { "", 0 };
	char number[24];
	snprintf(number, sizeof(number), "%llu",
		(unsigned long long)m->content.size_bytes);
	if (offer->size)
		add(&p, "SIZE=", number);
	if (offer->eightbitmime && m->content.is_8bit)
		add(&p, "BODY=", "8BITMIME");
	if (offer->smtputf8 && c->mail.needs_smtputf8)
		add(&p, "SMTPUTF8", "");
	if (offer->dsn)
		add_mail_dsn(&p, m);
	smtp_command(c, "MAIL FROM:<%s>%s", m->sender, p.text);
}

static void add_notify(struct parameters *p, unsigned notify)
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
		add(p, "NOTIFY=", "NEVER"); /* and nothing with it: RFC 3461 4.1 */
		return;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (notify & words[i].bit)
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
				len ? "," : "", words[i].name);
	}
	if (len)
		add(p, "NOTIFY=", list);
}

void smtp_command_rcpt(struct smtp_client *c, const struct mail_recipient *r)
{
	struct parameters p = { "", 0 };
	if (c->offer.dsn) {
		add_notify(&p, r->notify);
		if (is_value(r->orcpt, ORCPT_MAX))
			add(&p, "ORCPT=", r->orcpt);
	}
	smtp_command(c, "RCPT TO:<%s>%s", r->address, p.text);
}
