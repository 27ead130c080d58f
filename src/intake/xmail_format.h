/*
 * The envelope at the top of XMail's message files, a line at a time. Pure: no file, no
 * message.
 *
 *	local drop		spool
 *				[192.0.2.1]:4711;[192.0.2.9]:25;Sat, 21 Nov 2026 ...
 *				xmail.example.com
 *				S1A2B3
 *	mail from:<a@b>		MAIL FROM:<a@b>
 *	rcpt to:<c@d>		RCPT TO:<c@d>
 *	(an empty line)		<<MAIL-DATA>>
 *	content			content
 *
 * What a program drops into spool/local, XMail's sendmail among them, and what XMail
 * keeps in spool/N/M/mess. Words in any case, one or more recipients; the first line of
 * the spool form, with client, server and time, is not there in files of old versions.
 * XMail puts nothing but paths into these lines; parameters of SMTP (RET, ENVID, NOTIFY
 * ...) may follow them here. A source route is refused where addresses are checked:
 * mail/address.h.
 */
#ifndef INTAKE_XMAIL_FORMAT_H
#define INTAKE_XMAIL_FORMAT_H

#include "base/err.h"
#include "smtp/command.h"

#include <stdbool.h>
#include <stddef.h>

enum { XMAIL_LINE_MAX = 2048 }; /* octets without the line end; XMail's own: 1536 */

/* Begin with one of zeroes. */
struct xmail_envelope {
	enum { XMAIL_BEFORE_SENDER, XMAIL_RECIPIENTS, XMAIL_CONTENT } state;
	unsigned line; /* the last one, from 1 */
	bool has_info; /* on the first line */
	bool is_local; /* no spool file */
	unsigned recipient_count;
};

struct xmail_line {
	enum {
		XMAIL_LINE_OTHER,
		XMAIL_LINE_SENDER,
		XMAIL_LINE_RECIPIENT,
		XMAIL_LINE_END /* what follows is the message */
	} kind;
	const char *path; /* within the line, with its <> */
	size_t path_len;
	struct smtp_mail_parameters mail; /* of a sender */
	struct smtp_rcpt_parameters rcpt; /* of a recipient */
};

/* The next line, without its end, NUL-terminated; not after XMAIL_LINE_END. Returns 0, or
 * ERR_INVALID with what is wrong, and on which line. e: not NULL. */
int xmail_envelope_line(struct xmail_envelope *x, const char *line,
	struct xmail_line *out, struct err *e);

#endif
