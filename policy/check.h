/*
 * What the policy files say without being wrong, and was surely not meant: routes
 * that can never match, a password whose receiver the DNS names. Errors are set.h's.
 */
#ifndef POLICY_CHECK_H
#define POLICY_CHECK_H

#include "policy/set.h"

struct policy_warning {
	const char *path; /* borrowed from the set, as is its life */
	unsigned line;
	unsigned other_line; /* the line that is in the way of this one; 0: none is */
	char text[POLICY_TEXT_MAX];
};

/* In the order of the lines, up to a limit. */
struct policy_warnings {
	struct policy_warning *list; /* owned */
	size_t count;                /* in list */
	size_t total;                /* found; may be more than are listed */
};

/* Time does not depend on the length of the files more than reading them does. */
void policy_check(const struct policy_set *set, struct policy_warnings *out);
void policy_warnings_clear(struct policy_warnings *warnings);

#endif
