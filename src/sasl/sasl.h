/*
 * One authentication as a client: chooses a mechanism among those that a host lists,
 * makes the initial response, and answers challenges. RFC 4422; the mechanisms are
 * libgsasl's but for the two with a token, which it does not have.
 *
 * With a password: SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, PLAIN, LOGIN, in this order. The
 * host of the first two proves that it knows the password (or what it keeps of it), and
 * none of the first three hands it over. CRAM-MD5 goes before PLAIN for the
 * latter reason alone: inside TLS nobody else hears either. LOGIN is PLAIN in more
 * round trips. With a token: OAUTHBEARER (RFC 7628), XOAUTH2.
 *
 * No I/O, no clock. The owner sees to it that all of this happens inside TLS; that is
 * the protocol machine's part (smtp/client.h), which decides on is_complete too.
 * What is kept here of the secret is wiped by sasl_free. No security layer, no channel
 * binding, no authorization identity other than the user's.
 */
#ifndef SASL_SASL_H
#define SASL_SASL_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The computing that a host may ask of SCRAM: it happens on the loop. */
enum { SASL_ITERATIONS_MAX = 100000 };

enum sasl_kind { SASL_PASSWORD, SASL_TOKEN };

/* Copied. */
struct sasl_identity {
	const char *user;
	enum sasl_kind kind;
	const char *secret;
	const char *host; /* connected to; OAUTHBEARER tells it */
	uint16_t port;
};

/* Octets to send, valid until the next call for the same object; not base64. */
struct sasl_response {
	const char *bytes; /* NULL, from sasl_begin only: the host speaks first */
	size_t len;
	bool is_complete; /* the host may now report success, and not before */
};

struct sasl;

struct sasl *sasl_new(const struct sasl_identity *identity);
void sasl_free(struct sasl **s);

/* Chooses from the list (separated by blanks) and begins; again, with fewer of
 * them, when the host did not take the last one. Returns 0; ERR_UNSUPPORTED: none of
 * them will do; ERR_INVALID: the user or the secret cannot be used so. */
int sasl_begin(
	struct sasl *s, const char *list, struct sasl_response *out, struct err *e);
const char *sasl_mechanism(const struct sasl *s); /* that was chosen; NULL: none yet */

/* Returns 0; ERR_INVALID: the challenge is none of this mechanism, or does not prove
 * what it must; ERR_LIMIT: it asks for more than SASL_ITERATIONS_MAX. The text names
 * the mechanism. */
int sasl_answer(struct sasl *s, const char *challenge, size_t len,
	struct sasl_response *out, struct err *e);

/* What the host said in a challenge of why it refuses a token, cleaned; NULL: nothing.
 * Its reply follows, and says less. */
const char *sasl_refusal(const struct sasl *s);

/* libgsasl's version: of the library that runs, and of the headers built with. */
const char *sasl_library_version(void);
const char *sasl_library_built(void);

#endif
