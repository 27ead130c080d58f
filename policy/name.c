#include "policy/name.h"

#include "policy/util.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <stdlib.h>
#include <string.h>

/* Room for any name worth converting: what is longer in UTF-8 is longer than
 * 253 octets in A-labels too. */
enum { INPUT_MAX = 2048, LABEL_MAX = 63 };

#define TOO_LONG "too long: a domain name has at most 253 octets"

static bool fail(char why[POLICY_TEXT_MAX], const char *text)
{
	policy_text(why, POLICY_TEXT_MAX, "%s", text);
	return false;
}

/* The octets as they were given: UTF-8 without anything that can hide. */
static bool check_text(const char *s, size_t len, bool *ascii_out, char *why)
{
	*ascii_out = true;
	for (size_t i = 0, n; i < len; i += n) {
		unsigned char c = (unsigned char)s[i];
		n = policy_utf8_len(s + i, len - i);
		if (n == 0)
			return fail(why, "invalid UTF-8");
		if (c == ' ' || c == '\t')
			return fail(why, "a blank inside the name");
		if (c < 0x20 || c == 0x7f)
			return fail(why, "a control character inside the name");
		if (c == 0xc2 && (unsigned char)s[i + 1] < 0xa0)
			return fail(why, "a control character inside the name");
		if (n > 1)
			*ascii_out = false;
	}
	return true;
}

/* A character that no domain name has: said in words that tell what to do. */
static bool fail_character(char c, char *why)
{
	switch (c) {
	case ' ':
		return fail(why, "a blank inside the name");
	case '@':
		return fail(why, "an \"@\" inside: give the domain alone, which is what "
				 "stands right of the \"@\"");
	case '[':
	case ']':
		return fail(why, "unbalanced bracket: an exact name is written "
				 "[example.com]");
	case '*':
		return fail(why, "a \"*\" stands alone or begins \"*.example.com\"");
	}
	policy_text(why, POLICY_TEXT_MAX,
		"\"%c\" inside the name: no domain name has that character", c);
	return false;
}

/* Lower case, and every label as RFC 1035 2.3.4 wants it. Underscores are in
 * use in the DNS; a hyphen may be anywhere, because somebody has such a name. */
static bool check_labels(char *name, char *why)
{
	size_t label = 0;
	for (char *p = name; *p; p++) {
		char c = *p;
		if (c >= 'A' && c <= 'Z')
			*p = c = (char)(c - 'A' + 'a');
		if (c == '.') {
			if (label == 0)
				return fail(why, "an empty label: two dots in a row, or "
						 "a dot at the start");
			label = 0;
			continue;
		}
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' &&
			c != '_')
			return fail_character(c, why);
		if (++label > LABEL_MAX)
			return fail(why, "a label is too long: at most 63 octets stand "
					 "between two dots");
	}
	return label > 0 || fail(why, "empty name");
}

/* U-labels to A-labels. IDN2_USE_STD3_ASCII_RULES would drop underscores, so
 * what mapping can make of a character ('/', '@', a blank) is checked after. */
static bool to_ascii(const char *s, char out[INPUT_MAX + 1], char *why)
{
	uint8_t *converted = NULL;
	int rc = idn2_lookup_u8(
		(const uint8_t *)s, &converted, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (rc == IDN2_TOO_BIG_LABEL)
		return fail(why, "a label is too long: at most 63 octets stand between "
				 "two dots, counted in A-label form");
	if (rc == IDN2_TOO_BIG_DOMAIN)
		return fail(why, TOO_LONG);
	if (rc != IDN2_OK) {
		policy_text(why, POLICY_TEXT_MAX,
			"not a valid internationalized name (IDNA2008): %s",
			idn2_strerror(rc));
		return false;
	}
	size_t size = strlen((char *)converted) + 1;
	bool fits = size <= INPUT_MAX + 1;
	if (fits)
		memcpy(out, converted, size);
	idn2_free(converted);
	return fits || fail(why, TOO_LONG);
}

bool policy_name_normalize(const char *s, size_t len, char out[POLICY_NAME_MAX + 1],
	char why[POLICY_TEXT_MAX])
{
	char given[INPUT_MAX + 1], name[INPUT_MAX + 1];
	bool is_ascii;
	if (len == 0)
		return fail(why, "empty name");
	if (!check_text(s, len, &is_ascii, why))
		return false;
	if (len > INPUT_MAX)
		return fail(why, TOO_LONG);
	memcpy(given, s, len);
	given[len] = '\0';
	/* ASCII names do not go through IDNA, which would refuse names that exist
	 * ("r3---sn.example"): there is nothing to convert in them. */
	if (is_ascii)
		memcpy(name, given, len + 1);
	else if (!to_ascii(given, name, why))
		return false;
	size_t n = strlen(name);
	if (n > 1 && name[n - 1] == '.' && name[n - 2] != '.')
		name[--n] = '\0';
	if (strcmp(name, ".") == 0)
		return fail(why, "empty name");
	if (n > 0 && name[n - 1] == '.')
		return fail(why, "an empty label: two dots in a row");
	if (!check_labels(name, why))
		return false;
	if (n > POLICY_NAME_MAX)
		return fail(why, TOO_LONG);
	memcpy(out, name, n + 1);
	return true;
}

bool policy_name_is_literal(const char *s, size_t len, char out[POLICY_NAME_MAX + 1])
{
	static const char tag[] = "IPv6:";
	const size_t tag_len = sizeof(tag) - 1;
	char inner[INET6_ADDRSTRLEN + sizeof(tag)], text[INET6_ADDRSTRLEN];
	unsigned char address[16];
	if (len < 3 || s[0] != '[' || s[len - 1] != ']' || len - 2 >= sizeof(inner))
		return false;
	if (memchr(s, '\0', len))
		return false;
	memcpy(inner, s + 1, len - 2);
	inner[len - 2] = '\0';
	if (strlen(inner) > tag_len && policy_equal_nocase(inner, tag, tag_len)) {
		if (inet_pton(AF_INET6, inner + tag_len, address) != 1 ||
			!inet_ntop(AF_INET6, address, text, sizeof(text)))
			return false;
		policy_text(out, POLICY_NAME_MAX + 1, "[%s%s]", tag, text);
		return true;
	}
	if (inet_pton(AF_INET, inner, address) != 1 ||
		!inet_ntop(AF_INET, address, text, sizeof(text)))
		return false;
	policy_text(out, POLICY_NAME_MAX + 1, "[%s]", text);
	return true;
}

bool policy_name_ends_in_number(const char *name)
{
	const char *last = strrchr(name, '.');
	last = last ? last + 1 : name;
	return *last && !last[strspn(last, "0123456789")];
}

bool policy_destination_normalize(const char *s, size_t len,
	char out[POLICY_NAME_MAX + 1], char why[POLICY_TEXT_MAX])
{
	if (len == 0 || s[0] != '[')
		return policy_name_normalize(s, len, out, why);
	if (policy_name_is_literal(s, len, out))
		return true;
	return fail(why, "not an address literal: they are written [192.0.2.1] and "
			 "[IPv6:2001:db8::1]");
}

const char *policy_library_version(void)
{
	return idn2_check_version(NULL);
}

const char *policy_library_built(void)
{
	return IDN2_VERSION;
}
