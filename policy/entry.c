#include "policy/entry.h"

#include "policy/route_read.h"
#include "policy/util.h"

#include <string.h>

enum { VERSION_TEXT_MAX = 16, VERSIONS_TEXT_MAX = 40 };

static bool is_separator(char c)
{
	return c == ' ' || c == '\t' || c == ',';
}

static bool is_printable(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] < 0x21 || s[i] > 0x7e)
			return false;
	}
	return true;
}

static bool fail_unknown(const char *word, size_t len, char *why)
{
	char known[VERSIONS_TEXT_MAX];
	policy_versions_format((1u << POLICY_VERSION_COUNT) - 1, known, sizeof(known));
	if (len > VERSION_TEXT_MAX || !is_printable(word, len))
		policy_text(why, POLICY_TEXT_MAX,
			"what follows the pattern is no TLS version; known are: %s",
			known);
	else
		policy_text(why, POLICY_TEXT_MAX,
			"\"%.*s\" is no TLS version; known are: %s", (int)len, word,
			known);
	return false;
}

static bool parse_version(const char *word, size_t len,
	const struct policy_options *options, unsigned *versions, char *why)
{
	char text[VERSION_TEXT_MAX + 1], available[VERSIONS_TEXT_MAX];
	enum policy_version version;
	if (len > VERSION_TEXT_MAX || memchr(word, '\0', len))
		return fail_unknown(word, len, why);
	memcpy(text, word, len);
	text[len] = '\0';
	if (!policy_version_parse(text, &version))
		return fail_unknown(word, len, why);
	if (!(options->versions_available & version)) {
		policy_versions_format(
			options->versions_available, available, sizeof(available));
		policy_text(why, POLICY_TEXT_MAX,
			"%s cannot be pinned: the TLS library in use does not have it; "
			"it has: %s",
			policy_version_name(version), available);
		return false;
	}
	*versions |= version;
	return true;
}

static bool parse_versions(const char *s, size_t len,
	const struct policy_options *options, unsigned *versions, char *why)
{
	size_t at = 0;
	*versions = 0;
	while (at < len) {
		size_t n = 0;
		while (at + n < len && !is_separator(s[at + n]))
			n++;
		if (n && !parse_version(s + at, n, options, versions, why))
			return false;
		at += n + 1;
	}
	if (*versions)
		return true;
	policy_text(why, POLICY_TEXT_MAX,
		"a pin needs TLS versions after the pattern, as in "
		"\"example.com TLS1.2 TLS1.3\"");
	return false;
}

bool policy_entry_parse_pattern(enum policy_file file, const char *text, size_t len,
	struct policy_parsed *out, char why[POLICY_TEXT_MAX])
{
	static const char prefix[] = "mx:";
	const size_t prefix_len = sizeof(prefix) - 1;
	*out = (struct policy_parsed){ .pattern_len = len, .kept_len = len };
	out->is_host = file == POLICY_FILE_PINS && len >= prefix_len &&
		       policy_equal_nocase(text, prefix, prefix_len);
	if (out->is_host) {
		text += prefix_len;
		len -= prefix_len;
	}
	if (!policy_pattern_parse(text, len, &out->pattern, why))
		return false;
	if (!out->is_host || out->pattern.kind != POLICY_PATTERN_LITERAL)
		return true;
	policy_text(why, POLICY_TEXT_MAX,
		"\"mx:\" takes the name of a host, never an address; for recipients at "
		"an address literal leave the \"mx:\" out");
	return false;
}

size_t policy_entry_pattern_len(enum policy_file file, const char *text, size_t len)
{
	size_t n = 0;
	if (file != POLICY_FILE_PINS && file != POLICY_FILE_ROUTES)
		return len;
	while (n < len && !is_separator(text[n]))
		n++;
	return n;
}

/* What a route says is read again with the set that it becomes part of. */
static bool parse_route(const char *text, size_t len, size_t pattern_len,
	struct policy_parsed *out, char why[POLICY_TEXT_MAX])
{
	struct policy_arena arena = { 0 };
	struct policy_route route;
	*out = (struct policy_parsed){ .pattern_len = pattern_len, .kept_len = len };
	bool ok = policy_route_read(&arena, text, len, &out->pattern, &route, why);
	policy_arena_clear(&arena);
	return ok;
}

bool policy_entry_parse(enum policy_file file, const char *text, size_t len,
	const struct policy_options *options, struct policy_parsed *out,
	char why[POLICY_TEXT_MAX])
{
	size_t pattern_len = policy_entry_pattern_len(file, text, len);
	size_t from = pattern_len;
	if (file == POLICY_FILE_ROUTES)
		return parse_route(text, len, pattern_len, out, why);
	if (file != POLICY_FILE_PINS)
		return policy_entry_parse_pattern(file, text, len, out, why);
	while (from < len && is_separator(text[from]))
		from++;
	if (!policy_entry_parse_pattern(file, text, pattern_len, out, why))
		return false;
	out->pattern_len = out->kept_len = pattern_len;
	out->versions_from = from;
	return parse_versions(text + from, len - from, options, &out->versions, why);
}
