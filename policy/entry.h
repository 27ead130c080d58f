/*
 * One entry of a policy file, from its text. Not for users outside of policy/.
 */
#ifndef POLICY_ENTRY_H
#define POLICY_ENTRY_H

#include "policy/set.h"

struct policy_parsed {
	struct policy_pattern pattern;
	bool is_host;         /* pins: "mx:" */
	unsigned versions;    /* pins: mask */
	size_t pattern_len;   /* octets of the pattern in the text, "mx:" included */
	size_t kept_len;      /* octets that an edit writes as they are: in routes all */
	size_t versions_from; /* pins: offset of the first version */
};

/* text is an entry without comment and blanks around it. */
bool policy_entry_parse(enum policy_file file, const char *text, size_t len,
	const struct policy_options *options, struct policy_parsed *out,
	char why[POLICY_TEXT_MAX]);

/* Octets of the pattern at the start of an entry: all of it but in pins. */
size_t policy_entry_pattern_len(enum policy_file file, const char *text, size_t len);

/* The pattern alone; for pins with its "mx:". */
bool policy_entry_parse_pattern(enum policy_file file, const char *text, size_t len,
	struct policy_parsed *out, char why[POLICY_TEXT_MAX]);

#endif
