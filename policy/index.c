#include "policy/index.h"

#include "policy/util.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a. The keys come from the administrator's own files: nobody gains from
 * making them collide. */
uint64_t policy_hash(uint64_t hash, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static size_t slot_of(const struct policy_index *index, enum policy_pattern_kind kind,
	bool is_host, const char *name)
{
	unsigned char head[2] = { (unsigned char)kind, is_host };
	uint64_t hash = policy_hash(POLICY_HASH_START, head, sizeof(head));
	hash = policy_hash(hash, name, strlen(name));
	return (size_t)(hash ^ hash >> 32) & (index->size - 1);
}

/* The slot with that key, or the free one where it belongs. */
static uint32_t *find_slot(const struct policy_index *index,
	const struct policy_entry *entries, enum policy_pattern_kind kind, bool is_host,
	const char *name)
{
	size_t at = slot_of(index, kind, is_host, name);
	for (;; at = (at + 1) & (index->size - 1)) {
		uint32_t number = index->slots[at];
		if (number == 0)
			return &index->slots[at];
		const struct policy_entry *e = &entries[number - 1];
		if (e->kind == kind && e->is_host == is_host &&
			strcmp(e->name, name) == 0)
			return &index->slots[at];
	}
}

size_t policy_index_find(const struct policy_index *index,
	const struct policy_entry *entries, enum policy_pattern_kind kind, bool is_host,
	const char *name)
{
	if (index->size == 0)
		return POLICY_INDEX_NONE;
	uint32_t number = *find_slot(index, entries, kind, is_host, name);
	return number ? number - 1 : POLICY_INDEX_NONE;
}

/* Never more than half full, so that a search ends soon. */
static void grow(struct policy_index *index, const struct policy_entry *entries)
{
	struct policy_index larger = { .size = index->size ? 2 * index->size : 64 };
	larger.slots = policy_xcalloc(larger.size, sizeof(*larger.slots));
	larger.used = index->used;
	for (size_t i = 0; i < index->size; i++) {
		if (index->slots[i] == 0)
			continue;
		const struct policy_entry *e = &entries[index->slots[i] - 1];
		*find_slot(&larger, entries, e->kind, e->is_host, e->name) =
			index->slots[i];
	}
	free(index->slots);
	*index = larger;
}

void policy_index_add(
	struct policy_index *index, const struct policy_entry *entries, size_t number)
{
	const struct policy_entry *e = &entries[number];
	if (2 * (index->used + 1) > index->size)
		grow(index, entries);
	uint32_t *slot = find_slot(index, entries, e->kind, e->is_host, e->name);
	if (*slot)
		return;
	*slot = (uint32_t)number + 1;
	index->used++;
}

void policy_index_clear(struct policy_index *index)
{
	free(index->slots);
	*index = (struct policy_index){ 0 };
}
