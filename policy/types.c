#include "policy/types.h"

#include "policy/util.h"

#include <string.h>

static const char *const channel_names[POLICY_CHANNEL_COUNT] = {
	[POLICY_CHANNEL_TLS] = "tls",
	[POLICY_CHANNEL_PLAINTEXT] = "plaintext",
};

static const char *const fallback_names[POLICY_FALLBACK_COUNT] = {
	[POLICY_FALLBACK_NONE] = "none",
	[POLICY_FALLBACK_PLAINTEXT] = "plaintext",
	[POLICY_FALLBACK_ALTERNATE] = "alternate",
	[POLICY_FALLBACK_ALTERNATE_ANY] = "alternate-any",
};

static const char *const failure_names[POLICY_FAILURE_COUNT] = {
	[POLICY_FAILURE_NONE] = "none",
	[POLICY_FAILURE_NO_STARTTLS] = "no_starttls",
	[POLICY_FAILURE_STARTTLS_REFUSED] = "starttls_refused",
	[POLICY_FAILURE_TLS_INIT] = "tls_init",
	[POLICY_FAILURE_TLS_HANDSHAKE] = "tls_handshake",
	[POLICY_FAILURE_TLS_SESSION] = "tls_session",
	[POLICY_FAILURE_IN_DOUBT] = "in_doubt",
	[POLICY_FAILURE_POLICY] = "policy",
	[POLICY_FAILURE_SMTP_TEMPORARY] = "smtp_temporary",
	[POLICY_FAILURE_SMTP_PERMANENT] = "smtp_permanent",
	[POLICY_FAILURE_CONNECT] = "connect",
	[POLICY_FAILURE_DNS] = "dns",
	[POLICY_FAILURE_SESSION] = "session",
};

static const char *const tls_level_names[POLICY_TLS_COUNT] = {
	[POLICY_TLS_OPPORTUNISTIC] = "opportunistic",
	[POLICY_TLS_OFF] = "off",
	[POLICY_TLS_REQUIRED] = "required",
	[POLICY_TLS_VERIFIED] = "verified",
};

/* By bit, oldest first. */
static const char *const version_names[POLICY_VERSION_COUNT] = {
	"SSL3.0",
	"TLS1.0",
	"TLS1.1",
	"TLS1.2",
	"TLS1.3",
};

static const char *name_at(const char *const *names, size_t count, size_t index)
{
	return index < count ? names[index] : "unknown";
}

static int find_name(const char *const *names, size_t count, const char *s)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], s) == 0)
			return (int)i;
	}
	return -1;
}

/* The same two functions for each of the plain enums. */
#define NAMES(what, names)                                                     \
	const char *policy_##what##_name(enum policy_##what what)              \
	{                                                                      \
		return name_at(names, POLICY_ARRAY_SIZE(names), (size_t)what); \
	}                                                                      \
	bool policy_##what##_parse(const char *s, enum policy_##what *out)     \
	{                                                                      \
		int found = find_name(names, POLICY_ARRAY_SIZE(names), s);     \
		if (found >= 0)                                                \
			*out = (enum policy_##what)found;                      \
		return found >= 0;                                             \
	}

NAMES(channel, channel_names)
NAMES(fallback, fallback_names)
NAMES(failure, failure_names)
NAMES(tls_level, tls_level_names)

const char *policy_version_name(enum policy_version version)
{
	for (unsigned i = 0; i < POLICY_VERSION_COUNT; i++) {
		if (1u << i == (unsigned)version)
			return version_names[i];
	}
	return "unknown";
}

/* Versions are typed by people in any case: policy files say so. */
bool policy_version_parse(const char *s, enum policy_version *out)
{
	for (unsigned i = 0; i < POLICY_VERSION_COUNT; i++) {
		size_t len = strlen(version_names[i]);
		if (strlen(s) == len && policy_equal_nocase(version_names[i], s, len)) {
			*out = (enum policy_version)(1u << i);
			return true;
		}
	}
	return false;
}

void policy_versions_format(unsigned versions, char *out, size_t out_size)
{
	size_t len = 0;
	out[0] = '\0';
	for (unsigned i = 0; i < POLICY_VERSION_COUNT; i++) {
		if (versions & 1u << i)
			len += policy_text(out + len, out_size - len, "%s%s",
				len ? " " : "", version_names[i]);
	}
}
