/*
 * Routes: where the mail for a destination goes, where that is not simply its MX
 * hosts. One line of routes.txt is
 *
 *	PATTERN  TARGET[, TARGET]...  [OPTION=VALUE]...
 *
 * with the patterns of pattern.h. The first line that matches counts, top to
 * bottom; without one the target is "mx:".
 *
 *	mx:                       the MX hosts of the destination
 *	mx:example.net            the MX hosts of another domain
 *	smtp://relay.example:587  the MX hosts of relay.example, or itself
 *	smtp://[relay.example]    that host: no MX lookup
 *	smtp://[192.0.2.1]:2525   an address; [IPv6:2001:db8::1] too
 *	smtps://[relay.example]   port 465: TLS from the first byte, never plaintext
 *	lmtp:/run/dovecot/lmtp    a unix socket
 *	discard                   taken, and dropped
 *	error:TEXT                refused: "error:5.7.1 no mail for you"; after a
 *	                          code of class 4 the message is deferred
 *
 * Several targets are relays, tried in the order of the line or, with order=turn,
 * in an order that is drawn for each attempt. Options count for all targets of the
 * line:
 *
 *	order=listed|turn
 *	tls=opportunistic|required|verified|off
 *	source=ADDRESS[;ADDRESS]  source address: one IPv4, one IPv6
 *	ehlo=NAME                 own name in EHLO
 *	auth=NAME                 entry of the credentials file; means tls=verified
 *	                          where no tls= stands beside it, never plaintext
 *	certificate=FILE|pkcs11:URL
 *	                          client certificate: PEM, or PKCS#12 by its content
 *	key=FILE|pkcs11:URL       its key, where it is not in the same file
 *	secret=NAME               entry of the credentials file with the password or
 *	                          PIN of the key
 *
 * A route does not say whether TLS is used: decide.h does, and reads what stands
 * here. It resolves nothing and reads no credentials.
 */
#ifndef POLICY_ROUTE_H
#define POLICY_ROUTE_H

#include "policy/pattern.h"
#include "policy/relay.h"
#include "policy/types.h"

enum { POLICY_RELAYS_MAX = 16 };

enum policy_route_kind {
	POLICY_ROUTE_RELAYS, /* mx: included, see policy_relay.is_destination */
	POLICY_ROUTE_DISCARD,
	POLICY_ROUTE_ERROR
};

/* Part of a policy set, and lives as long; or owned, see policy_route_parse. */
struct policy_route {
	enum policy_route_kind kind;
	enum policy_pattern_kind pattern_kind;
	const char *pattern_name; /* as in struct policy_pattern; NULL: no pattern */
	const char *path; /* of the file; NULL in an owned one until its owner sets it */
	unsigned line;    /* likewise 0 */
	const char *text; /* the entry as written */

	const struct policy_relay *relays;
	size_t relay_count; /* at least 1 with RELAYS, at most POLICY_RELAYS_MAX */
	bool takes_turns;
	bool has_tls; /* tls= is written; else tls says OPPORTUNISTIC */
	enum policy_tls_level tls;
	const char *source_v4, *source_v6; /* as inet_ntop writes them */
	const char *ehlo;                  /* normalized; a literal with its brackets */
	const char *auth, *certificate, *key, *secret; /* these are NULL where not set */

	char status[12];        /* ERROR: "5.7.1"; its class says bounced or deferred */
	const char *error_text; /* ERROR */
};

/* One line without its comment and blanks. Returns an owned route, or NULL: why
 * (POLICY_TEXT_MAX octets) says what is wrong. */
struct policy_route *policy_route_parse(
	const char *s, size_t len, char why[POLICY_TEXT_MAX]);
/* The same without a pattern: targets and options (the option bounce_route). */
struct policy_route *policy_route_parse_targets(
	const char *s, size_t len, char why[POLICY_TEXT_MAX]);
void policy_route_free(struct policy_route **route); /* owned ones only */

void policy_route_pattern(const struct policy_route *route, struct policy_pattern *out);

#endif
