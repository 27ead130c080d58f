#include "dns/dns_cache.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <sys/queue.h>

struct entry {
	TAILQ_ENTRY(entry) by_use; /* most recently used first */
	struct entry *next;        /* in the same bucket */
	char *name;                /* owned */
	enum dns_type type;
	struct dns_reply *reply; /* one reference */
	int64_t expires_at_ms;
	uint64_t hash;
};

TAILQ_HEAD(entry_list, entry);

struct dns_cache {
	size_t max;
	size_t count;
	uint64_t seed;
	struct entry **buckets;
	size_t bucket_mask; /* their number is a power of two */
	struct entry_list by_use;
};

struct dns_cache *dns_cache_new(size_t max, uint64_t seed)
{
	struct dns_cache *c = xcalloc(1, sizeof(*c));
	size_t buckets = 16;
	while (buckets < max)
		buckets *= 2;
	c->max = max;
	c->seed = seed;
	c->buckets = xcalloc(buckets, sizeof(struct entry *));
	c->bucket_mask = buckets - 1;
	TAILQ_INIT(&c->by_use);
	return c;
}

/* FNV-1a over the folded name, from a secret start, mixed once more at the end
 * because the low bits choose the bucket. */
static uint64_t hash_of(const struct dns_cache *c, const char *name, enum dns_type type)
{
	uint64_t h = 14695981039346656037ULL ^ c->seed ^ (uint64_t)type << 32;
	for (; *name; name++) {
		h ^= (unsigned char)text_lower(*name);
		h *= 1099511628211ULL;
	}
	h ^= h >> 32;
	h *= c->seed | 1;
	return h ^ h >> 29;
}

static struct entry **find(
	const struct dns_cache *c, const char *name, enum dns_type type, uint64_t hash)
{
	struct entry **at = &c->buckets[hash & c->bucket_mask];
	while (*at && ((*at)->hash != hash || (*at)->type != type ||
			      !text_equal((*at)->name, name)))
		at = &(*at)->next;
	return at;
}

static void drop(struct dns_cache *c, struct entry **at)
{
	struct entry *e = *at;
	ASSERT(e);
	*at = e->next;
	TAILQ_REMOVE(&c->by_use, e, by_use);
	c->count--;
	dns_reply_unref(&e->reply);
	free(e->name);
	free(e);
}

static void drop_oldest(struct dns_cache *c)
{
	struct entry *e = TAILQ_LAST(&c->by_use, entry_list);
	ASSERT(e);
	drop(c, find(c, e->name, e->type, e->hash));
}

void dns_cache_free(struct dns_cache **c)
{
	struct dns_cache *cache = MOVE(*c);
	if (!cache)
		return;
	while (cache->count)
		drop_oldest(cache);
	free(cache->buckets);
	free(cache);
}

struct dns_reply *dns_cache_get(struct dns_cache *c, const char *name, enum dns_type type,
	int64_t now_ms, uint32_t *ttl_s_out)
{
	struct entry **at = find(c, name, type, hash_of(c, name, type));
	struct entry *e = *at;
	if (!e)
		return NULL;
	if (e->expires_at_ms <= now_ms) {
		drop(c, at);
		return NULL;
	}
	TAILQ_REMOVE(&c->by_use, e, by_use);
	TAILQ_INSERT_HEAD(&c->by_use, e, by_use);
	*ttl_s_out = (uint32_t)((e->expires_at_ms - now_ms + 999) / 1000);
	return dns_reply_ref(e->reply);
}

void dns_cache_put(struct dns_cache *c, const char *name, enum dns_type type,
	struct dns_reply *reply, int64_t now_ms)
{
	uint64_t hash = hash_of(c, name, type);
	struct entry **at = find(c, name, type, hash);
	if (reply->answer.status == DNS_TEMPORARY)
		return;
	if (*at)
		drop(c, at);
	if (!c->max || !reply->answer.ttl_s)
		return;
	if (c->count == c->max)
		drop_oldest(c);
	struct entry *e = xcalloc(1, sizeof(*e));
	e->name = xstrdup(name);
	e->type = type;
	e->hash = hash;
	e->reply = dns_reply_ref(reply);
	e->expires_at_ms = now_ms + (int64_t)reply->answer.ttl_s * 1000;
	e->next = c->buckets[hash & c->bucket_mask];
	c->buckets[hash & c->bucket_mask] = e;
	TAILQ_INSERT_HEAD(&c->by_use, e, by_use);
	c->count++;
}

size_t dns_cache_count(const struct dns_cache *c)
{
	return c->count;
}
