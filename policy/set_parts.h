/*
 * What a policy set is made of: for set.c, which makes it, and for those that ask it.
 * Not for users outside of policy/.
 */
#ifndef POLICY_SET_PARTS_H
#define POLICY_SET_PARTS_H

#include "policy/index.h"
#include "policy/route.h"
#include "policy/set.h"
#include "policy/util.h"

#include <stdatomic.h>

/* What one file says. */
struct policy_part {
	bool exists;
	const char *path;
	struct policy_entry *entries;
	size_t count, cap;
	bool has_hosts; /* some entry has "mx:" */
	struct policy_index index;
	uint32_t *trees; /* numbers of the TREE entries: substring matching only */
	size_t tree_count, tree_cap;
	struct policy_route *routes; /* of the entries, by number: ROUTES only */
	size_t route_cap;
};

struct policy_set {
	atomic_uint refs;
	uint64_t generation;
	struct policy_options options;
	struct policy_arena strings;
	struct policy_part parts[POLICY_FILE_COUNT];
};

/* The first entry, before this one, that matches all that this one matches; NULL:
 * none does alone. */
const struct policy_entry *policy_find_cover(const struct policy_set *set,
	enum policy_file file, const struct policy_entry *entry);

#endif
