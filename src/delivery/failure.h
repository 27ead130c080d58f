/*
 * From what a session met to the failure classes of the policy. One table of
 * causes, so that a class is found in one place.
 */
#ifndef DELIVERY_FAILURE_H
#define DELIVERY_FAILURE_H

#include "delivery/session.h"
#include "policy/types.h"

enum policy_failure failure_classify(const struct session_failure *f);

/* The stage as logs show it: "connect", "tls", or the machine's state. */
const char *failure_stage(const struct session_failure *f);

/* Its text is about our credentials or certificates and may name files of this machine:
 * for our log, not for the sender. */
bool failure_is_private(const struct session_failure *f);

#endif
