#include "table.h"

#include "policy/settings.h"
#include "policy/types.h"
#include "policy/util.h"

#include <string.h>

#define ROUND_TRIP(what, enum_name, count)                                  \
	for (int i = 0; i < (count); i++) {                                 \
		enum enum_name back;                                        \
		const char *text = policy_##what##_name((enum enum_name)i); \
		assert_string_not_equal(text, "unknown");                   \
		assert_true(policy_##what##_parse(text, &back));            \
		assert_int_equal(back, i);                                  \
	}

static void check_round_trip(void **state)
{
	(void)state;
	ROUND_TRIP(channel, policy_channel, POLICY_CHANNEL_COUNT)
	ROUND_TRIP(fallback, policy_fallback, POLICY_FALLBACK_COUNT)
	ROUND_TRIP(failure, policy_failure, POLICY_FAILURE_COUNT)
	ROUND_TRIP(tls_level, policy_tls_level, POLICY_TLS_COUNT)
	assert_string_equal(policy_failure_name(POLICY_FAILURE_COUNT), "unknown");
	assert_string_equal(policy_version_name((enum policy_version)3), "unknown");
}

static void check_unknown(void **state)
{
	enum policy_fallback fallback = POLICY_FALLBACK_NONE;
	enum policy_version version = POLICY_TLS1_2;
	(void)state;
	assert_false(policy_fallback_parse("Alternate", &fallback));
	assert_false(policy_fallback_parse("", &fallback));
	assert_int_equal(fallback, POLICY_FALLBACK_NONE);
	assert_false(policy_version_parse("TLS1", &version));
	assert_false(policy_version_parse("TLS1.22", &version));
	assert_int_equal(version, POLICY_TLS1_2);
	assert_true(policy_version_parse("ssl3.0", &version));
	assert_int_equal(version, POLICY_SSL3_0);
}

static void check_versions(void **state)
{
	char text[40];
	(void)state;
	policy_versions_format((1u << POLICY_VERSION_COUNT) - 1, text, sizeof(text));
	assert_string_equal(text, "SSL3.0 TLS1.0 TLS1.1 TLS1.2 TLS1.3");
	policy_versions_format(0, text, sizeof(text));
	assert_string_equal(text, "");
	policy_versions_format(POLICY_TLS1_3, text, sizeof(text));
	assert_string_equal(text, "TLS1.3");
}

/* A cut never leaves half a character. */
static void check_cut(void **state)
{
	char text[16];
	(void)state;
	for (size_t size = 1; size <= 7; size++) {
		size_t len = policy_text(text, size, "%s", "aé例");
		const char *want = size == 1   ? ""
				   : size <= 3 ? "a"
				   : size <= 6 ? "aé"
					       : "aé例";
		assert_string_equal(text, want);
		assert_int_equal(len, strlen(want));
	}
}

static void check_defaults(void **state)
{
	struct policy_settings s;
	(void)state;
	policy_settings_default(&s);
	assert_true(s.starttls);
	assert_int_equal(s.fallback, POLICY_FALLBACK_ALTERNATE);
	assert_int_equal(s.protocols, POLICY_TLS1_2 | POLICY_TLS1_3);
	assert_int_equal(s.greeting_after_starttls, POLICY_GREETING_EHLO);
	assert_string_equal(s.sni_from, "default");
}

static const struct {
	const char *name;
} round_trip[] = { { "every name is read back" } },
  unknown[] = { { "an unknown name leaves the value alone" } },
  versions[] = { { "versions are written oldest first" } },
  cut[] = { { "text is cut between characters" } },
  defaults[] = { { "the defaults are those of the manual" } };

int main(void)
{
	const struct table tables[] = {
		TABLE(check_round_trip, round_trip),
		TABLE(check_unknown, unknown),
		TABLE(check_versions, versions),
		TABLE(check_cut, cut),
		TABLE(check_defaults, defaults),
	};
	return TABLE_RUN_ALL("policy/types", tables);
}
