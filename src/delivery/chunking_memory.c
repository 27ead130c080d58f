#include "delivery/chunking_memory.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct host {
	char *name;
	bool is_trusted;
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
	struct host *h;
	HASH_FIND_STR(m->hosts, name, h);
	return h;
}

bool chunking_memory_is_trusted(const struct chunking_memory *m, const char *host)
{
	const struct host *h = m ? find(m, host) : NULL;
	return h && h->is_trusted;
}

static struct host *find_or_add(struct chunking_memory *m, const char *name)
{
	struct host *h = find(m, name);
	if (h)
		return h;
	if (HASH_COUNT(m->hosts) == CHUNKING_HOSTS_MAX)
		forget(m, m->hosts);
	h = xcalloc(1, sizeof(*h));
	h->name = xstrdup(name);
	h->is_trusted = true;
	HASH_ADD_KEYPTR(hh, m->hosts, h->name, strlen(h->name), h);
	return h;
}

void chunking_memory_trust(struct chunking_memory *m, const char *host)
{
	if (m)
		find_or_add(m, host); /* one that is known stays what it is */
}

void chunking_memory_distrust(struct chunking_memory *m, const char *host)
{
	if (m)
		find_or_add(m, host)->is_trusted = false;
}

size_t chunking_memory_count(const struct chunking_memory *m)
{
	return HASH_COUNT(m->hosts);
}
