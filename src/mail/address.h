/*
 * Mailbox addresses of the envelope, RFC 5321 4.1.2 and RFC 6531 3.3.
 *
 * Parsing is strict where laxness would be dangerous (control characters, CR,
 * LF, NUL: command injection) and says what is wrong in words. Lax in two
 * places, because only the receiving host can judge: dots may stand anywhere in
 * an unquoted local part (a..b@, a.@: old addresses of Japanese mobile carriers
 * have them), and a domain may have underscores.
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { ADDRESS_LOCAL_MAX = 64, ADDRESS_DOMAIN_MAX = 255, ADDRESS_MAX = 320 };

struct address {
	char text[ADDRESS_MAX +
		  1]; /* local@domain as given, without <>; "" is the null sender */
	size_t at;    /* offset of the '@' that parts local and domain */
	bool needs_smtputf8; /* octets over 0x7f in the local part or the domain */
};

/* Parses len octets: "a@b", with or without <>. A sender may be empty ("" or
 * "<>"), a recipient may be "postmaster" without a domain only if the caller
 * qualifies it first. Source routes are refused. Returns 0 or ERR_INVALID. */
int address_parse_recipient(
	const char *s, size_t len, struct address *out, struct err *e);
int address_parse_sender(const char *s, size_t len, struct address *out, struct err *e);

/* Right of the '@'; "" for the null sender. Points into a. */
const char *address_domain(const struct address *a);

#endif
