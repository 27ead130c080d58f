/*
 * What the parts of a client certificate's loading share; for src/net only.
 */
#ifndef NET_TLS_IDENTITY_IMPL_H
#define NET_TLS_IDENTITY_IMPL_H

#include "net/tls_identity.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

enum { IDENTITY_CHAIN_MAX = 16 }; /* certificates that a file may hold */

/* What a token is told when it asks, for as long as the key is used. */
struct identity_pin {
	char *text;        /* owned; NULL: there is none */
	const char *doubt; /* why it was not given, or not taken; NULL: all is well */
	bool is_refused;   /* the token knows another one */
};

/* What has been read so far. */
struct identity_parts {
	gnutls_x509_crt_t *certs; /* the first one is ours; freed with gnutls_free */
	unsigned count;
	gnutls_privkey_t key;    /* NULL: not yet */
	struct identity_pin pin; /* stays where it is: the key points to it */
};

struct tls_identity {
	unsigned references;
	struct identity_parts parts;
	gnutls_pcert_st *certs; /* as many; what a session is given */
	char *name;             /* of the certificate, for texts */
	int64_t not_before_s, not_after_s;
};

/* tls_identity_file.c: the certificates of spec->certificate, and the key if it is
 * in the same file; then the key of spec->key. */
int identity_read_file(
	const struct tls_identity_spec *spec, struct identity_parts *p, struct err *e);
int identity_read_key_file(
	const struct tls_identity_spec *spec, struct identity_parts *p, struct err *e);

/* tls_identity_token.c: the same for objects on a token. */
bool identity_is_url(const char *name);
int identity_read_token(const char *url, struct identity_parts *p, struct err *e);
int identity_read_token_key(const char *url, struct identity_parts *p, struct err *e);

/* As tls_identity_load. is_pin_refused_out: it must not be tried again with this PIN. */
int identity_load(const struct tls_identity_spec *spec, struct tls_identity **out,
	bool *is_pin_refused_out, struct err *e);

#endif
