/*
 * What stands behind the verbs of SMTP: paths and parameters of MAIL and RCPT, as
 * whoever takes mail reads them: the server machine and batched SMTP (RFC 2442).
 * RFC 5321 4.1.1, 4.1.2, RFC 1870, 6152, 6531, 3461.
 *
 * Pure text. Addresses are only cut out here; mail/address.h judges them, and refuses
 * source routes (RFC 5321 C), which nobody has sent for decades.
 */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include "base/err.h"
#include "mail/envelope.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SMTP_ENVID_MAX = 100, SMTP_ORCPT_MAX = 500 }; /* RFC 3461 4.4, 4.2 */

struct smtp_mail_parameters {
	bool has_size;
	uint64_t size_bytes;
	bool is_8bit;  /* BODY=8BITMIME */
	bool smtputf8; /* SMTPUTF8 */
	enum mail_ret ret;
	char envid[SMTP_ENVID_MAX + 1]; /* xtext; "" none */
};

struct smtp_rcpt_parameters {
	unsigned notify; /* enum mail_notify; 0: not given */
	/* "type;xtext", "" none; UTF-8 in a "utf-8;" one is written as \x{...} */
	char orcpt[SMTP_ORCPT_MAX + 1];
};

/* text: what follows "FROM:" or "TO:", NUL-terminated. path_out points into it, with
 * its <>; parameters are checked, each once. Returns 0; ERR_INVALID: syntax (501);
 * ERR_UNSUPPORTED: a parameter that is not known here (555); e says in words. */
int smtp_parse_mail(const char *text, const char **path_out, size_t *len_out,
	struct smtp_mail_parameters *out, struct err *e);
int smtp_parse_rcpt(const char *text, const char **path_out, size_t *len_out,
	struct smtp_rcpt_parameters *out, struct err *e);

/* RFC 3461 4: printable ASCII but '+' and '=', and +XX for the rest. */
bool smtp_is_xtext(const char *s);

#endif
