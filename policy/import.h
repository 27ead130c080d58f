/*
 * Routes from the tables of other mail servers, a line at a time: XMail's smtpfwd.tab
 * and smtpgw.tab, and PMailServer2's list of "@domain TAB gateway". In all of them the
 * first line that matches counts, as here, so the order stays.
 *
 *	"domain" TAB "host[:port][,NeedTLS=n][,OutBind=address];host2..." [TAB "options"]
 *	"domain" TAB "@host"
 *	@domain TAB host[:port]
 *
 * What a line means that cannot be said here is not guessed at: it is told.
 */
#ifndef POLICY_IMPORT_H
#define POLICY_IMPORT_H

#include "policy/types.h"

enum policy_import_from { POLICY_IMPORT_XMAIL, POLICY_IMPORT_PMAILSERVER };

enum { POLICY_IMPORT_ROUTE_MAX = 4096 };

struct policy_import_line {
	unsigned number;
	const char *
		source; /* as it stands there, without what may be a password; borrowed */
	size_t source_len;
	char route[POLICY_IMPORT_ROUTE_MAX]; /* a line of routes.txt; "": there is none */
	char why[POLICY_TEXT_MAX];           /* why there is none; "": there is one */
};

struct policy_import;

/* bytes are borrowed: UTF-8, or UTF-16 after its byte order mark. */
struct policy_import *policy_import_new(
	enum policy_import_from from, const char *bytes, size_t len);
/* The next line that is neither empty nor a comment; false: there is none. */
bool policy_import_next(struct policy_import *import, struct policy_import_line *out);
void policy_import_free(struct policy_import **import);

#endif
