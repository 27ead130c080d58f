/*
 * JSON objects of the policy commands. Text is cleaned on the way in, so that nothing
 * but a lack of memory can fail.
 */
#ifndef CLI_POLICY_JSON_H
#define CLI_POLICY_JSON_H

#include <jansson.h>

json_t *policy_json_text(const char *s); /* NULL becomes null */
json_t *policy_json_versions(unsigned versions);
void policy_json_set(json_t *object, const char *key, json_t *value); /* takes value */
void policy_json_append(json_t *array, json_t *value);                /* takes value */

/* Prints it on one line of standard output and drops it. Returns an exit status. */
int policy_json_print(json_t *object);

#endif
