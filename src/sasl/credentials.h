/*
 * The credentials file: who we are at relays that want to know. One entry a line,
 *
 *	NAME USER KIND SECRET-TO-THE-END-OF-THE-LINE
 *
 *	password		SECRET is the password
 *	password-command	a command whose output is the password
 *	token-command		a command whose output is an OAuth 2.0 access token
 *
 * Words are separated by blanks and tabs; the secret is all that follows them, blanks in
 * it included. Lines that begin with '#' are comments. A NAME stands there once. Where
 * only a secret is wanted (of a key), USER is there all the same: "-" will do.
 *
 * The file is read with one open (no symbolic link), one fstat, one read, for each
 * look-up: what was checked is what is used, and a new password counts for the next
 * session. It must belong to root or to who runs this, be closed to others, and not be
 * writable by its group. Commands are only given back here, as text; nobody here runs
 * them.
 */
#ifndef SASL_CREDENTIALS_H
#define SASL_CREDENTIALS_H

#include "base/err.h"

#include <stddef.h>

enum { CREDENTIALS_MAX = 1000, CREDENTIALS_NAME_MAX = 64 };

enum credential_kind {
	CREDENTIAL_PASSWORD,
	CREDENTIAL_PASSWORD_COMMAND,
	CREDENTIAL_TOKEN_COMMAND,
	CREDENTIAL_KIND_COUNT
};
const char *credential_kind_name(enum credential_kind kind); /* "password-command" */

/* Owned by whoever has it. */
struct credential {
	char *user;
	enum credential_kind kind;
	char *secret;  /* the password, or the command */
	unsigned line; /* in the file */
};
void credential_clear(struct credential *c); /* wipes */

/* The entry of that name. Returns 0; ERR_NOT_FOUND: no such file, or no such entry in
 * it; ERR_PERMISSION: its owner or mode, or it cannot be opened; ERR_INVALID: "FILE:LINE:
 * text", for any line of the file; ERR_IO. The text says what to do; no secret is in it.
 */
int credentials_find(
	const char *path, const char *name, struct credential *out, struct err *e);

/* The same checks of the whole file; count_out: entries. */
int credentials_check(const char *path, size_t *count_out, struct err *e);

#endif
