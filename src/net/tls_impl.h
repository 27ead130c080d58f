/*
 * What the parts of the TLS layer share; for src/net only.
 */
#ifndef NET_TLS_IMPL_H
#define NET_TLS_IMPL_H

#include "net/tls.h"

#include <gnutls/gnutls.h>

/* tls_credentials.c: counted, so that a session that is still being closed
 * keeps what it was made with. Not for several threads. */
struct tls_credentials *tls_credentials_hold(struct tls_credentials *c);
gnutls_certificate_credentials_t tls_credentials_handle(const struct tls_credentials *c);
/* Made once for each mask of versions; *out is borrowed and lives as long as c. */
int tls_credentials_priority(struct tls_credentials *c, unsigned versions,
	gnutls_priority_t *out, struct err *e);

/* tls_versions.c: the priorities for a mask of versions, checked to hold each of
 * them. The caller frees *out with gnutls_priority_deinit; not set on failure. */
int tls_priority_new(unsigned versions, gnutls_priority_t *out, struct err *e);

/* tls_session.c: a session that offers what params ask for; its transport is
 * the caller's to set. The credentials outlive it. */
int tls_session_new(
	const struct tls_params *params, gnutls_session_t *session_out, struct err *e);
/* The latest ticket; false: none has come. The caller frees out->data with gnutls_free.
 */
bool tls_session_ticket(gnutls_session_t session, gnutls_datum_t *out);

/* tls_facts.c: what the session can tell, after success or failure. */
void tls_facts_read(
	gnutls_session_t session, const char *verify_name, struct tls_facts *facts);

/* tls_error.c: what went wrong, for people. first: the first octets that the
 * peer sent (first_len of them, up to TLS_FIRST_MAX), for a peer that does not speak TLS.
 */
enum { TLS_FIRST_MAX = 48 };
void tls_error_handshake(struct err *e, gnutls_session_t session, int result,
	const char *first, size_t first_len);
void tls_error_session(struct err *e, gnutls_session_t session, int result);

#endif
