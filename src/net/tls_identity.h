/*
 * Who we are in TLS: a client certificate with its chain, and the private key.
 *
 * A certificate or key is a file, or on a token:
 *
 *	/etc/ssl/client.pem	PEM: the certificate, then those that lead to its root;
 *				the key may be in the same file or in one of its own,
 *				encrypted (PKCS#8, or as OpenSSL does it) or not
 *	/etc/ssl/client.p12	PKCS#12, known by its content: certificate, chain and
 *				key; another file for the key is an error then
 *	pkcs11:...		RFC 7512: an object on a token of one of the modules that
 *				p11-kit knows. pin-value= is refused: a configuration
 *				is no place for a PIN
 *
 * Files are read with one open (no symbolic link), one fstat, one read. One that holds a
 * key must be closed to others and not writable by its group.
 *
 * Loading proves that the key is the certificate's by a signature. It blocks: for the
 * disk, for the password's many rounds, and for a token; so does each handshake in which
 * a server asks for the certificate of a token, while the token signs. Smart cards take
 * a quarter of a second for it, in which this loop does nothing else.
 *
 * An identity never changes once it is loaded. Counted, not for several threads.
 */
#ifndef NET_TLS_IDENTITY_H
#define NET_TLS_IDENTITY_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_identity;

struct tls_identity_spec {
	const char *certificate; /* path or URL */
	const char *key;         /* likewise; NULL: where the certificate is */
	const char *password; /* of the key or the PKCS#12 file, PIN of the token; NULL:
				 none */
};

/* Negative: e tells the file or object (never the password), and what to do. A PIN that
 * the token refuses is not offered a second time, so that the token is not locked. */
int tls_identity_load(
	const struct tls_identity_spec *spec, struct tls_identity **out, struct err *e);
struct tls_identity *tls_identity_hold(struct tls_identity *i);
void tls_identity_free(struct tls_identity **i);

/* Is the certificate expired, or not valid yet, at now_s? Then why says so: "the client
 * certificate /etc/ssl/client.pem expired on 2026-01-02". What follows is the caller's
 * to decide. */
bool tls_identity_expired(const struct tls_identity *i, int64_t now_s, struct err *why);

/*
 * The identities that are in use, so that each is loaded once: by what the spec says, the
 * password included. Once a minute, when one is asked for, its files are looked at
 * (inode, size, times), and what has changed is loaded again: renewed certificates are
 * taken up without a restart. One that has expired is loaded again in any case, which is
 * how a token's new certificate is found. Bounded: what was not asked for longest goes
 * first. Nothing here reads a clock.
 */
struct tls_identities;
enum { TLS_IDENTITIES_MAX = 64 };
struct tls_identities *tls_identities_new(void);
void tls_identities_free(struct tls_identities **c);

/* 0: *out is the caller's, to be freed. Then e->code is 0 too, or e tells why a changed
 * one could not be loaded (once a minute, for the log): *out is what was there before.
 * Negative: there is none, e tells why; that too is known for a minute. */
int tls_identities_get(struct tls_identities *c, const struct tls_identity_spec *spec,
	int64_t now_s, struct tls_identity **out, struct err *e);

#endif
