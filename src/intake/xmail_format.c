#include "intake/xmail_format.h"

#include "base/text.h"

#include <string.h>

static const char mail_from[] = "MAIL FROM:";
static const char rcpt_to[] = "RCPT TO:";
static const char data_start[] = "<<MAIL-DATA>>";

static int refuse(const struct xmail_envelope *x, const char *why, struct err *e)
{
	return err_set(e, ERR_INVALID, "line %u: %s", x->line, why);
}

/* The lines that the spool form has in front: information, which has semicolons, a
 * domain, and XMail's id of the message. */
static unsigned lines_in_front(const struct xmail_envelope *x)
{
	return x->has_info ? 3 : 2;
}

static int take_front(struct xmail_envelope *x, const char *line, struct err *e)
{
	if (x->line == 1)
		x->has_info = strchr(line, ';') != NULL;
	if (x->line <= lines_in_front(x))
		return 0;
	return refuse(x,
		"neither a local drop, which begins with \"mail from:<...>\", nor a "
		"spool file of XMail",
		e);
}

static int take_sender(
	struct xmail_envelope *x, const char *text, struct xmail_line *out, struct err *e)
{
	x->is_local = x->line == 1;
	if (!x->is_local && x->line != lines_in_front(x) + 1)
		return refuse(x,
			"MAIL FROM comes too early for a spool file of XMail: a line is "
			"missing before it",
			e);
	if (smtp_parse_mail(text, &out->path, &out->path_len, &out->mail, e) != 0)
		return refuse(x, e->text, e);
	out->kind = XMAIL_LINE_SENDER;
	x->state = XMAIL_RECIPIENTS;
	return 0;
}

static int take_before_sender(
	struct xmail_envelope *x, const char *line, struct xmail_line *out, struct err *e)
{
	if (text_has_prefix(line, strlen(line), mail_from))
		return take_sender(x, line + strlen(mail_from), out, e);
	return take_front(x, line, e);
}

static int take_end(struct xmail_envelope *x, struct xmail_line *out, struct err *e)
{
	if (!x->recipient_count)
		return refuse(x, "the message begins, and no RCPT TO came before it", e);
	out->kind = XMAIL_LINE_END;
	x->state = XMAIL_CONTENT;
	return 0;
}

static int take_recipient(
	struct xmail_envelope *x, const char *line, struct xmail_line *out, struct err *e)
{
	if (strcmp(line, x->is_local ? "" : data_start) == 0)
		return take_end(x, out, e);
	if (!text_has_prefix(line, strlen(line), rcpt_to))
		return refuse(x,
			x->is_local ? "neither \"rcpt to:<...>\" nor the empty line that "
				      "ends the envelope"
				    : "neither \"RCPT TO:<...>\" nor \"<<MAIL-DATA>>\"",
			e);
	const char *text = line + strlen(rcpt_to);
	if (smtp_parse_rcpt(text, &out->path, &out->path_len, &out->rcpt, e) != 0)
		return refuse(x, e->text, e);
	out->kind = XMAIL_LINE_RECIPIENT;
	x->recipient_count++;
	return 0;
}

int xmail_envelope_line(
	struct xmail_envelope *x, const char *line, struct xmail_line *out, struct err *e)
{
	ASSERT(x->state != XMAIL_CONTENT);
	x->line++;
	out->kind = XMAIL_LINE_OTHER;
	if (x->state == XMAIL_BEFORE_SENDER)
		return take_before_sender(x, line, out, e);
	return take_recipient(x, line, out, e);
}
