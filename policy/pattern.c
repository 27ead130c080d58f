#include "policy/pattern.h"

#include "policy/name.h"
#include "policy/util.h"

#include <arpa/inet.h>
#include <string.h>

static bool fail(char why[POLICY_TEXT_MAX], const char *text)
{
	policy_text(why, POLICY_TEXT_MAX, "%s", text);
	return false;
}

static bool parse_bracketed(
	const char *s, size_t len, struct policy_pattern *out, char *why)
{
	char literal[POLICY_NAME_MAX + 1];
	if (s[len - 1] != ']')
		return fail(why, "unbalanced bracket: \"[\" without \"]\" at the end");
	if (policy_name_is_literal(s, len, literal)) {
		size_t n = strlen(literal) - 2;
		out->kind = POLICY_PATTERN_LITERAL;
		memcpy(out->name, literal + 1, n);
		out->name[n] = '\0';
		return true;
	}
	out->kind = POLICY_PATTERN_EXACT;
	if (memchr(s, ':', len))
		return fail(why, "not an address literal: they are written [192.0.2.1] "
				 "and [IPv6:2001:db8::1]");
	if (!policy_name_normalize(s + 1, len - 2, out->name, why))
		return false;
	return !policy_name_ends_in_number(out->name) ||
	       fail(why, "neither a domain name nor an IPv4 address in the brackets");
}

static bool parse_tree(const char *s, size_t len, struct policy_pattern *out, char *why)
{
	unsigned char address[16];
	out->kind = POLICY_PATTERN_TREE;
	if (!policy_name_normalize(s, len, out->name, why))
		return false;
	if (inet_pton(AF_INET, out->name, address) == 1) {
		policy_text(why, POLICY_TEXT_MAX, "an address stands in brackets: [%s]",
			out->name);
		return false;
	}
	return true;
}

bool policy_pattern_parse(
	const char *s, size_t len, struct policy_pattern *out, char why[POLICY_TEXT_MAX])
{
	if (len == 0)
		return fail(why, "empty name");
	if (len == 1 && s[0] == '*') {
		*out = (struct policy_pattern){ .kind = POLICY_PATTERN_ANY };
		return true;
	}
	if (s[0] == '[')
		return parse_bracketed(s, len, out, why);
	size_t prefix = s[0] == '.' ? 1 : len > 1 && s[0] == '*' && s[1] == '.' ? 2 : 0;
	if (prefix == 0)
		return parse_tree(s, len, out, why);
	out->kind = POLICY_PATTERN_BELOW;
	return policy_name_normalize(s + prefix, len - prefix, out->name, why);
}

/* Is name below suffix, at a label boundary? */
static bool is_below(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);
	return n > m + 1 && name[n - m - 1] == '.' && strcmp(name + n - m, suffix) == 0;
}

static bool matches_literal(const char *literal, const char *destination)
{
	size_t n = strlen(literal);
	return strlen(destination) == n + 2 && memcmp(destination + 1, literal, n) == 0;
}

bool policy_pattern_matches(
	const struct policy_pattern *p, const char *destination, enum policy_match match)
{
	if (p->kind == POLICY_PATTERN_ANY)
		return true;
	if (destination[0] == '[')
		return p->kind == POLICY_PATTERN_LITERAL &&
		       matches_literal(p->name, destination);
	switch (p->kind) {
	case POLICY_PATTERN_EXACT:
		return strcmp(destination, p->name) == 0;
	case POLICY_PATTERN_BELOW:
		return is_below(destination, p->name);
	case POLICY_PATTERN_TREE:
		if (match == POLICY_MATCH_SUBSTRING)
			return strstr(destination, p->name) != NULL;
		return strcmp(destination, p->name) == 0 ||
		       is_below(destination, p->name);
	case POLICY_PATTERN_ANY:
	case POLICY_PATTERN_LITERAL:
		break;
	}
	return false;
}

/* The lowest bit tells "below" from "the name and below" of one suffix. */
unsigned policy_pattern_rank(const struct policy_pattern *p)
{
	switch (p->kind) {
	case POLICY_PATTERN_EXACT:
	case POLICY_PATTERN_LITERAL:
		return 2 * (POLICY_NAME_MAX + 2);
	case POLICY_PATTERN_BELOW:
	case POLICY_PATTERN_TREE:
		return 2 * ((unsigned)strlen(p->name) + 1) +
		       (p->kind == POLICY_PATTERN_BELOW);
	case POLICY_PATTERN_ANY:
		break;
	}
	return 0;
}

bool policy_pattern_equal(const struct policy_pattern *a, const struct policy_pattern *b)
{
	return a->kind == b->kind &&
	       (a->kind == POLICY_PATTERN_ANY || strcmp(a->name, b->name) == 0);
}

void policy_pattern_format(const struct policy_pattern *p, char *out, size_t out_size)
{
	static const struct {
		const char *before, *after;
	} forms[] = {
		[POLICY_PATTERN_EXACT] = { "[", "]" },
		[POLICY_PATTERN_BELOW] = { ".", "" },
		[POLICY_PATTERN_TREE] = { "", "" },
		[POLICY_PATTERN_ANY] = { "*", "" },
		[POLICY_PATTERN_LITERAL] = { "[", "]" },
	};
	policy_text(out, out_size, "%s%s%s", forms[p->kind].before,
		p->kind == POLICY_PATTERN_ANY ? "" : p->name, forms[p->kind].after);
}

void policy_pattern_describe(const struct policy_pattern *p, enum policy_match match,
	char *out, size_t out_size)
{
	switch (p->kind) {
	case POLICY_PATTERN_EXACT:
		policy_text(out, out_size, "exactly %s", p->name);
		return;
	case POLICY_PATTERN_BELOW:
		policy_text(out, out_size, "names below %s", p->name);
		return;
	case POLICY_PATTERN_TREE:
		if (match == POLICY_MATCH_SUBSTRING)
			policy_text(out, out_size, "names with \"%s\" anywhere in them",
				p->name);
		else
			policy_text(out, out_size, "%s and everything below it", p->name);
		return;
	case POLICY_PATTERN_ANY:
		policy_text(out, out_size, "every destination");
		return;
	case POLICY_PATTERN_LITERAL:
		policy_text(out, out_size, "the address literal [%s]", p->name);
		return;
	}
	policy_text(out, out_size, "nothing");
}
