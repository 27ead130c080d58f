/*
 * What the parts of the TLS layer share; for src/net only.
 */
#ifndef NET_TLS_IMPL_H
#define NET_TLS_IMPL_H

#include "net/tls.h"
#include "net/tls_store.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

struct buf;

/* tls_credentials.c: counted, so that a session that is still being closed
 * keeps what it was made with. Not for several threads. */
struct tls_credentials *tls_credentials_hold(struct tls_credentials *c);
gnutls_certificate_credentials_t tls_credentials_handle(const struct tls_credentials *c);
/* Made once for each mask of versions; *out is borrowed and lives as long as c. */
int tls_credentials_priority(struct tls_credentials *c, unsigned versions,
	gnutls_priority_t *out, struct err *e);

/* What is known of certificates that were judged by these anchors (tls_verdict.c). */
struct tls_store *tls_credentials_verdicts(const struct tls_credentials *c);
/* Tickets of sessions that began with them (tls_tickets.c). */
struct tls_store *tls_credentials_tickets(const struct tls_credentials *c);

/* tls_versions.c: the priorities for a mask of versions, checked to hold each of
 * them. The caller frees *out with gnutls_priority_deinit; not set on failure. */
int tls_priority_new(unsigned versions, gnutls_priority_t *out, struct err *e);

/* tls_session.c: a session that offers what params ask for; its transport is
 * the caller's to set. The credentials outlive it. */
int tls_session_new(
	const struct tls_params *params, gnutls_session_t *session_out, struct err *e);

/* tls_identity.c: what makes it another than others, as parts of a key; and the
 * certificate that is sent when a server asks: that of the identity that the session's
 * pointer leads to (NULL: none). */
void tls_identity_add_key(const struct tls_identity *i, struct buf *parts);
gnutls_certificate_retrieve_function3 tls_identity_retrieve;

/* tls_tickets.c: what one session takes from the store of tickets, and leaves. */
struct tls_tickets {
	struct tls_key key;
	bool is_used;     /* else nothing is taken nor left */
	bool has_left;    /* one a session is enough */
	int64_t until_ms; /* of the ticket that was taken */
};
/* peer: NULL where the address is not known: then no tickets are used. true: a
 * ticket is offered. Before the handshake. */
bool tls_tickets_take(struct tls_tickets *t, const struct tls_params *params,
	const struct addr *peer, gnutls_session_t session);
/* Once data has come: then a ticket has, if it was sent after the handshake. */
void tls_tickets_leave(struct tls_tickets *t, const struct tls_params *params,
	gnutls_session_t session, int64_t good_until_ms);
void tls_tickets_distrust(struct tls_tickets *t, const struct tls_params *params);

/* tls_facts.c: what the session can tell, after success (facts->completed) or
 * failure. good_until_ms_out: until when (wall clock) a later session may be taken
 * to have the same certificate with the same verdict; 0: it may not. */
void tls_facts_read(gnutls_session_t session, const struct tls_params *params,
	struct tls_facts *facts, int64_t *good_until_ms_out);

/* tls_verdict.c: the part of it that is about the certificate. */
void tls_verdict_read(gnutls_session_t session, const struct tls_params *params,
	struct tls_facts *facts, int64_t *good_until_ms_out);

/* tls_key.c: parts are added, then their digest is made; false: the library has
 * none to give, and nothing is to be kept or looked for. */
void tls_key_add(struct buf *parts, const void *bytes, size_t len);
void tls_key_add_text(struct buf *parts, const char *text); /* NULL is not "" */
bool tls_key_make(const struct buf *parts, struct tls_key *out);

/* tls_error.c: what went wrong, for people. first: the first octets that the
 * peer sent (first_len of them, up to TLS_FIRST_MAX), for a peer that does not speak TLS.
 */
enum { TLS_FIRST_MAX = 48 };
void tls_error_handshake(struct err *e, gnutls_session_t session, int result,
	const char *first, size_t first_len);
void tls_error_session(struct err *e, gnutls_session_t session, int result);

#endif
