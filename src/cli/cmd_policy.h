/*
 * What the policy commands share: making and printing JSON objects, where text is
 * cleaned on the way in, so that nothing but a lack of memory can fail; what they say
 * of routes and warnings.
 */
#ifndef CLI_CMD_POLICY_H
#define CLI_CMD_POLICY_H

#include "config/config.h"
#include "policy/policy.h"

#include <jansson.h>

json_t *policy_json_text(const char *s); /* NULL becomes null */
json_t *policy_json_versions(unsigned versions);
void policy_json_set(json_t *object, const char *key, json_t *value); /* takes value */
void policy_json_append(json_t *array, json_t *value);                /* takes value */

/* Prints it on one line of standard output and drops it. Returns an exit status. */
int policy_json_print(json_t *object);

/* A route, or null: "rule" and what policy_json_add_route adds: "kind", "targets",
 * "options", and of error: "status" and "text". */
json_t *policy_json_route(const struct policy_route *route);
void policy_json_add_route(json_t *object, const struct policy_route *route);

struct policy_options policy_options_of(const struct config *config);

/* "file:line: warning: text" on standard error. */
void policy_print_warnings(const struct policy_warnings *warnings);

#endif
