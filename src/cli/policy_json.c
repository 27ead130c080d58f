#include "cli/policy_json.h"

#include "cli/cli.h"

#include "base/err.h"
#include "base/text.h"
#include "policy/policy.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

json_t *policy_json_text(const char *s)
{
	char clean[2 * POLICY_TEXT_MAX];
	if (!s)
		return json_null();
	size_t len = text_clean(s, strlen(s), clean, sizeof(clean));
	return json_stringn(clean, len);
}

void policy_json_set(json_t *object, const char *key, json_t *value)
{
	ASSERT(json_object_set_new(object, key, value) == 0);
}

void policy_json_append(json_t *array, json_t *value)
{
	ASSERT(json_array_append_new(array, value) == 0);
}

json_t *policy_json_versions(unsigned versions)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < POLICY_VERSION_COUNT; i++) {
		enum policy_version version = (enum policy_version)(1u << i);
		if (versions & version)
			policy_json_append(
				list, json_string(policy_version_name(version)));
	}
	return list;
}

int policy_json_print(json_t *object)
{
	int status = EX_OK;
	if (json_dumpf(object, stdout, JSON_COMPACT) != 0 || putchar('\n') == EOF)
		status = cli_fail(EX_IOERR, "standard output cannot be written");
	json_decref(object);
	return status;
}
