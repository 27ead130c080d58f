/*
 * The client certificates that routes name, on one loop: loaded once, taken up again
 * when they are renewed (net/tls_identity.h), and not shown when they have expired.
 */
#ifndef DELIVERY_CERTIFICATES_H
#define DELIVERY_CERTIFICATES_H

#include "base/err.h"
#include "net/tls_identity.h"
#include "policy/policy.h"

#include <stdbool.h>
#include <stdint.h>

struct certificates;
struct certificates *certificates_new(void);
void certificates_free(struct certificates **c);

/* The one of a route, which must have one. password: of its key, or NULL. 0: *out is the
 * caller's, or NULL where it has expired and is left out, which the log says once until
 * there is a good one. Negative: it cannot be used, or has expired and is refused; e
 * says why. May block, see net/tls_identity.h. */
int certificates_get(struct certificates *c, const struct policy_route *route,
	const char *password, bool refuses_expired, int64_t now_s,
	struct tls_identity **out, struct err *e);

#endif
