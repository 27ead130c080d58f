/*
 * Names and patterns (policy/name.h, policy/pattern.h). The form in which names are
 * compared is one that does not change when it is made again; so is that of a pattern.
 */
#include "fuzz.h"

#include "base/err.h"
#include "base/text.h"
#include "policy/name.h"
#include "policy/pattern.h"

#include <string.h>

static void check_why(const char *why)
{
	ASSERT(*why && strlen(why) < POLICY_TEXT_MAX);
}

static void read_destination(const struct fuzz_input *in)
{
	char name[POLICY_NAME_MAX + 1], again[POLICY_NAME_MAX + 1], why[POLICY_TEXT_MAX];
	if (!policy_destination_normalize(in->s, in->len, name, why)) {
		check_why(why);
		return;
	}
	size_t len = strlen(name);
	ASSERT(len && text_is_ascii(name, len) && fuzz_is_clean(name, ""));
	ASSERT(!strpbrk(name, " @<>,") && name[len - 1] != '.');
	ASSERT(policy_destination_normalize(name, len, again, why));
	ASSERT(strcmp(name, again) == 0);
}

static void read_pattern(const struct fuzz_input *in)
{
	static const char *const names[] = { "example.com", "a.example.com",
		"[192.0.2.1]" };
	struct policy_pattern p, again;
	char text[POLICY_NAME_MAX + 8], why[POLICY_TEXT_MAX];
	if (!policy_pattern_parse(in->s, in->len, &p, why)) {
		check_why(why);
		return;
	}
	policy_pattern_format(&p, text, sizeof(text));
	ASSERT(policy_pattern_parse(text, strlen(text), &again, why));
	ASSERT(policy_pattern_equal(&p, &again));
	ASSERT(policy_pattern_rank(&p) == policy_pattern_rank(&again));
	policy_pattern_describe(&p, POLICY_MATCH_LABEL, why, sizeof(why));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (policy_pattern_matches(&p, names[i], POLICY_MATCH_LABEL))
			ASSERT(policy_pattern_matches(
				&p, names[i], POLICY_MATCH_SUBSTRING));
	}
}

void fuzz_name(const uint8_t *data, size_t len)
{
	struct fuzz_input in = fuzz_input(data, len);
	read_destination(&in);
	read_pattern(&in);
}
