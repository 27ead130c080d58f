/*
 * What routes refer to outside of the policy files: entries of the credentials file and
 * client certificates. Missing or broken they defer mail, but do not keep a policy from
 * being in force: so it is the checks that look for them.
 *
 * What this user may not read, what comes from a command and what is on a token is not
 * looked at, and standard error says so: the check is often not run by the user that
 * sends the mail, and must do nothing but look.
 */
#ifndef CLI_CHECK_ROUTES_H
#define CLI_CHECK_ROUTES_H

#include "config/config.h"
#include "policy/policy.h"

/* Adds to both; may be asked for several routes. An expired certificate is a warning. */
void check_route(const struct config *config, const struct policy_route *route,
	struct policy_errors *errors, struct policy_warnings *warnings);
/* Of all routes of the set. */
void check_routes(const struct config *config, const struct policy_set *set,
	struct policy_errors *errors, struct policy_warnings *warnings);

/* Can this user read it, or does it not exist? Else standard error says that it is not
 * checked. */
bool check_may_read(const char *path);

#endif
