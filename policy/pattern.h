/*
 * Patterns over destinations (and, in pins, host names).
 *
 *	[example.com]	that name alone
 *	.example.com	everything below it; *.example.com is the same
 *	example.com	the name and everything below it
 *	*		everything
 *	[192.0.2.1]	that address literal
 *
 * Specificity, for "the most specific match wins": exact above the longest
 * suffix, "*" last.
 */
#ifndef POLICY_PATTERN_H
#define POLICY_PATTERN_H

#include "policy/types.h"

enum policy_pattern_kind {
	POLICY_PATTERN_EXACT,
	POLICY_PATTERN_BELOW,
	POLICY_PATTERN_TREE, /* the name and everything below it */
	POLICY_PATTERN_ANY,
	POLICY_PATTERN_LITERAL
};

struct policy_pattern {
	enum policy_pattern_kind kind;
	char name[POLICY_NAME_MAX + 1]; /* normalized, without dot, star, brackets */
};

/* false: why (POLICY_TEXT_MAX octets) says what is wrong with it. */
bool policy_pattern_parse(
	const char *s, size_t len, struct policy_pattern *out, char why[POLICY_TEXT_MAX]);

/* destination is normalized. With POLICY_MATCH_SUBSTRING a TREE pattern
 * matches wherever its text occurs in the name; the other kinds are as ever. */
bool policy_pattern_matches(
	const struct policy_pattern *p, const char *destination, enum policy_match match);

/* Larger is more specific. */
unsigned policy_pattern_rank(const struct policy_pattern *p);
bool policy_pattern_equal(const struct policy_pattern *a, const struct policy_pattern *b);

/* The canonical text: "[example.com]", ".example.com", "example.com", "*". */
void policy_pattern_format(const struct policy_pattern *p, char *out, size_t out_size);

/* In words, for reasons: "exactly example.com", "names below example.com". */
void policy_pattern_describe(const struct policy_pattern *p, enum policy_match match,
	char *out, size_t out_size);

#endif
