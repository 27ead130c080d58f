/* What the policy commands share: what they say of routes and warnings. */
#ifndef CLI_CMD_POLICY_H
#define CLI_CMD_POLICY_H

#include "cli/policy_json.h"

#include "config/config.h"
#include "policy/policy.h"

/* A route, or null: "rule" and what policy_json_add_route adds: "kind", "targets",
 * "options", and of error: "status" and "text". */
json_t *policy_json_route(const struct policy_route *route);
void policy_json_add_route(json_t *object, const struct policy_route *route);

struct policy_options policy_options_of(const struct config *config);

/* "file:line: warning: text" on standard error. */
void policy_print_warnings(const struct policy_warnings *warnings);

#endif
