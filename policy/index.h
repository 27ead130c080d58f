/*
 * A hash over the entries of one file, by kind, name and "mx:". With it a
 * destination is looked up by its label suffixes, so that the time does not
 * depend on the length of a list. Not for users outside of policy/.
 */
#ifndef POLICY_INDEX_H
#define POLICY_INDEX_H

#include "policy/set.h"

#define POLICY_INDEX_NONE SIZE_MAX

struct policy_index {
	uint32_t *slots; /* entry number plus one; 0: free */
	size_t size;     /* a power of two, or 0 */
	size_t used;
};

/* The number of the entry with that key, or POLICY_INDEX_NONE. */
size_t policy_index_find(const struct policy_index *index,
	const struct policy_entry *entries, enum policy_pattern_kind kind, bool is_host,
	const char *name);

/* Enters entries[number]. If its key is there already the index stays as it is:
 * the first entry counts. */
void policy_index_add(
	struct policy_index *index, const struct policy_entry *entries, size_t number);
void policy_index_clear(struct policy_index *index);

uint64_t policy_hash(uint64_t hash, const void *bytes, size_t len);
#define POLICY_HASH_START UINT64_C(0xcbf29ce484222325)

#endif
