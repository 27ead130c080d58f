#include "base/share.h"

#include <stdint.h>

/* FNV-1a, with its upper bits brought down: the lower ones alone are close
 * together where names are. */
static uint32_t hash(const char *name)
{
	uint32_t h = 2166136261u;
	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	h ^= h >> 16;
	h *= 0x85ebca6bu;
	return h ^ h >> 13;
}

unsigned share_of(const char *name, unsigned count)
{
	return count > 1 ? hash(name) % count : 0;
}

bool share_has(const struct share *share, const char *name)
{
	return share->count <= 1 || share_of(name, share->count) == share->index;
}

unsigned share_divide(const struct share *share, unsigned limit)
{
	if (share->count <= 1)
		return limit;
	unsigned part = limit / share->count + (share->index < limit % share->count);
	return part ? part : 1;
}
