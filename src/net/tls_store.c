#include "net/tls_store.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct value {
	TAILQ_ENTRY(value) by_use; /* most recently used first */
	LIST_ENTRY(value) link;    /* in the same bucket, newest first */
	struct tls_key key;
	void *bytes; /* owned */
	size_t len;
	int64_t put_at_ms;
	int64_t until_ms;
};

TAILQ_HEAD(value_list, value);
LIST_HEAD(bucket, value);

struct tls_store {
	struct tls_store_limits limits;
	size_t count;
	size_t octets;
	struct bucket *buckets;
	size_t bucket_mask; /* their number is a power of two */
	struct value_list by_use;
};

struct tls_store *tls_store_new(const struct tls_store_limits *limits)
{
	struct tls_store *s = xcalloc(1, sizeof(*s));
	size_t buckets = 16;
	while (buckets < limits->values)
		buckets *= 2;
	s->limits = *limits;
	s->buckets = xcalloc(buckets, sizeof(*s->buckets));
	s->bucket_mask = buckets - 1;
	TAILQ_INIT(&s->by_use);
	return s;
}

/* The key is a digest already: any octets of it are as good as a hash. */
static struct bucket *bucket_of(struct tls_store *s, const struct tls_key *key)
{
	uint64_t hash;
	memcpy(&hash, key->octets, sizeof(hash));
	return &s->buckets[hash & s->bucket_mask];
}

void tls_store_wipe(void *bytes, size_t len)
{
	if (bytes)
		explicit_bzero(bytes, len);
	free(bytes);
}

/* The octets are the caller's from then on. */
static void *value_remove(struct tls_store *s, struct value *v)
{
	void *bytes = v->bytes;
	LIST_REMOVE(v, link);
	TAILQ_REMOVE(&s->by_use, v, by_use);
	s->count--;
	s->octets -= v->len;
	free(v);
	return bytes;
}

static void value_drop(struct tls_store *s, struct value *v)
{
	size_t len = v->len;
	tls_store_wipe(value_remove(s, v), len);
}

void tls_store_free(struct tls_store **sp)
{
	struct tls_store *s = MOVE(*sp);
	struct value *v;
	if (!s)
		return;
	while ((v = TAILQ_FIRST(&s->by_use)))
		value_drop(s, v);
	free(s->buckets);
	free(s);
}

void tls_store_put(struct tls_store *s, const struct tls_key *key, const void *bytes,
	size_t len, int64_t now_ms, int64_t until_ms)
{
	if (until_ms <= now_ms || len > s->limits.octets || !s->limits.values)
		return;
	while (s->count == s->limits.values || s->octets > s->limits.octets - len)
		value_drop(s, TAILQ_LAST(&s->by_use, value_list));
	struct value *v = xcalloc(1, sizeof(*v));
	v->key = *key;
	v->bytes = xmemdup(bytes, len);
	v->len = len;
	v->put_at_ms = now_ms;
	v->until_ms = until_ms;
	LIST_INSERT_HEAD(bucket_of(s, key), v, link);
	TAILQ_INSERT_HEAD(&s->by_use, v, by_use);
	s->count++;
	s->octets += len;
}

static bool is_key(const struct value *v, const struct tls_key *key)
{
	return memcmp(v->key.octets, key->octets, sizeof(key->octets)) == 0;
}

/* Drops what it meets of this key that is not good any more. */
static struct value *find(struct tls_store *s, const struct tls_key *key, int64_t now_ms)
{
	struct value *v = LIST_FIRST(bucket_of(s, key));
	while (v) {
		struct value *next = LIST_NEXT(v, link);
		if (is_key(v, key)) {
			if (v->put_at_ms <= now_ms && now_ms < v->until_ms)
				return v;
			value_drop(s, v);
		}
		v = next;
	}
	return NULL;
}

const void *tls_store_get(
	struct tls_store *s, const struct tls_key *key, int64_t now_ms, size_t *len_out)
{
	struct value *v = find(s, key, now_ms);
	*len_out = 0;
	if (!v)
		return NULL;
	TAILQ_REMOVE(&s->by_use, v, by_use);
	TAILQ_INSERT_HEAD(&s->by_use, v, by_use);
	*len_out = v->len;
	return v->bytes;
}

void *tls_store_take(struct tls_store *s, const struct tls_key *key, int64_t now_ms,
	size_t *len_out, int64_t *until_ms_out)
{
	struct value *v = find(s, key, now_ms);
	*len_out = 0;
	if (!v)
		return NULL;
	*len_out = v->len;
	*until_ms_out = v->until_ms;
	return value_remove(s, v);
}

void tls_store_drop(struct tls_store *s, const struct tls_key *key)
{
	struct value *v = LIST_FIRST(bucket_of(s, key));
	while (v) {
		struct value *next = LIST_NEXT(v, link);
		if (is_key(v, key))
			value_drop(s, v);
		v = next;
	}
}

size_t tls_store_count(const struct tls_store *s)
{
	return s->count;
}

size_t tls_store_octets(const struct tls_store *s)
{
	return s->octets;
}
