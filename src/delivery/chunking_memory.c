#include "delivery/chunking_memory.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct host {
	char *name;
	enum chunking_use use;
	UT_hash_handle hh;
};

struct chunking_memory {
	struct host *hosts; /* uthash keeps the order in which they came */
};

struct chunking_memory *chunking_memory_new(void)
{
	return xcalloc(1, sizeof(struct chunking_memory));
}

static void forget(struct chunking_memory *m, struct host *h)
{
	HASH_DEL(m->hosts, h);
	free(h->name);
	free(h);
}

void chunking_memory_free(struct chunking_memory **mp)
{
	struct chunking_memory *m = MOVE(*mp);
	if (!m)
		return;
	while (m->hosts)
		forget(m, m->hosts);
	free(m);
}

static struct host *find(const struct chunking_memory *m, const char *name)
{
	struct host *h = NULL;
	if (m)
		HASH_FIND_STR(m->hosts, name, h);
	return h;
}

enum chunking_use chunking_memory_get(const struct chunking_memory *m, const char *host)
{
	const struct host *h = find(m, host);
	return h ? h->use : CHUNKING_ONE_FLIGHT;
}

void chunking_memory_limit(
	struct chunking_memory *m, const char *host, enum chunking_use use)
{
	struct host *h = find(m, host);
	if (!m || use == CHUNKING_ONE_FLIGHT)
		return;
	if (!h) {
		if (HASH_COUNT(m->hosts) == CHUNKING_HOSTS_MAX)
			forget(m, m->hosts);
		h = xcalloc(1, sizeof(*h));
		h->name = xstrdup(host);
		HASH_ADD_KEYPTR(hh, m->hosts, h->name, strlen(h->name), h);
	}
	if (use > h->use)
		h->use = use;
}

size_t chunking_memory_count(const struct chunking_memory *m)
{
	return HASH_COUNT(m->hosts);
}
