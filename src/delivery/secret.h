/*
 * A secret by the name of its entry in the credentials file: the file is read when it is
 * asked for, and where the entry has a command, that is run. Nothing is kept: what
 * was found is there for the call back, and overwritten after it. So a command runs for
 * each connection that needs its entry; one that takes long should keep its token
 * itself.
 */
#ifndef DELIVERY_SECRET_H
#define DELIVERY_SECRET_H

#include "base/err.h"
#include "sasl/credentials.h"

#include <stdint.h>

struct uv_loop_s;

/* Borrowed. */
struct secret {
	const char *user;
	enum credential_kind kind; /* a token, or a password from wherever */
	const char *text;          /* the password or the token */
};

struct secret_request;

/* Once, from the loop. found is NULL where there is none: e tells why, without anything
 * secret in it, and names the entry and the file; e NULL: nothing was asked for. */
typedef void secret_callback(void *arg, const struct secret *found, const struct err *e);

/* name NULL: nothing is asked for. timeout_ms: of a command. The request is gone after
 * its callback. */
struct secret_request *secret_ask(struct uv_loop_s *loop, const char *path,
	const char *name, int64_t timeout_ms, secret_callback *cb, void *arg);
void secret_cancel(struct secret_request **r); /* no callback after it */

#endif
