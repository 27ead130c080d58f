/*
 * The inside of an authentication, shared by sasl*.c and nobody else.
 *
 * sasl.c		the table of mechanisms in the order of preference, the choice
 * sasl_password.c	those of libgsasl
 * sasl_token.c		those with a token, put together here
 */
#ifndef SASL_SASL_IMPL_H
#define SASL_SASL_IMPL_H

#include "sasl/sasl.h"

#include "base/buf.h"
#include "base/text.h"

struct sasl_mechanism {
	const char *name;
	enum sasl_kind kind;
	bool host_is_first; /* no initial response */
	/* Both fill s->out and set s->is_complete. */
	int (*begin)(struct sasl *s, struct err *e);
	int (*answer)(struct sasl *s, const char *challenge, size_t len, struct err *e);
};

struct sasl {
	char *user, *secret, *host;
	uint16_t port;
	enum sasl_kind kind;
	const struct sasl_mechanism *mechanism;
	struct buf out; /* the response; a secret */
	bool is_complete;
	unsigned answers;        /* of this mechanism */
	void *library, *session; /* sasl_password.c */
	char refusal[TEXT_REMOTE_MAX + 1];
};

int sasl_password_begin(struct sasl *s, struct err *e);
int sasl_password_answer(
	struct sasl *s, const char *challenge, size_t len, struct err *e);
int sasl_scram_answer(struct sasl *s, const char *challenge, size_t len, struct err *e);
void sasl_password_end(struct sasl *s); /* nothing is left of the exchange */

int sasl_oauthbearer_begin(struct sasl *s, struct err *e);
int sasl_xoauth2_begin(struct sasl *s, struct err *e);
int sasl_oauthbearer_answer(
	struct sasl *s, const char *challenge, size_t len, struct err *e);
int sasl_xoauth2_answer(struct sasl *s, const char *challenge, size_t len, struct err *e);

#endif
