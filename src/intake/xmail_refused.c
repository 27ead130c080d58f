#include "intake/xmail_refused.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Without padding: it is hashed as octets. */
struct identity {
	uint64_t dev, ino, size, changed_s, changed_ns;
};

struct entry {
	struct identity identity;
	int64_t retry_at_ms; /* INT64_MAX: when it changes */
	unsigned pass;       /* that saw it last */
	UT_hash_handle hh;
};

struct xmail_refused {
	struct entry *entries;
	unsigned pass;
};

struct xmail_refused *xmail_refused_new(void)
{
	return xcalloc(1, sizeof(struct xmail_refused));
}

static void forget(struct xmail_refused *r, struct entry *entry)
{
	HASH_DEL(r->entries, entry);
	free(entry);
}

void xmail_refused_free(struct xmail_refused **rp)
{
	struct xmail_refused *r = MOVE(*rp);
	struct entry *entry, *next;
	if (!r)
		return;
	HASH_ITER (hh, r->entries, entry, next)
		forget(r, entry);
	free(r);
}

void xmail_refused_begin(struct xmail_refused *r)
{
	r->pass++;
}

void xmail_refused_end(struct xmail_refused *r, bool is_complete)
{
	struct entry *entry, *next;
	HASH_ITER (hh, r->entries, entry, next) {
		if (is_complete && entry->pass != r->pass)
			forget(r, entry);
	}
}

static struct identity identify(const struct stat *st)
{
	return (struct identity){ .dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.changed_s = (uint64_t)st->st_ctim.tv_sec,
		.changed_ns = (uint64_t)st->st_ctim.tv_nsec };
}

static struct entry *find(struct xmail_refused *r, const struct stat *st)
{
	struct identity identity = identify(st);
	struct entry *entry;
	HASH_FIND(hh, r->entries, &identity, sizeof(identity), entry);
	if (entry)
		entry->pass = r->pass;
	return entry;
}

bool xmail_refused_has(struct xmail_refused *r, const struct stat *st, int64_t now_ms)
{
	const struct entry *entry = find(r, st);
	return entry && now_ms < entry->retry_at_ms;
}

bool xmail_refused_is_full(const struct xmail_refused *r)
{
	return HASH_COUNT(r->entries) >= XMAIL_REFUSED_MAX;
}

bool xmail_refused_add(
	struct xmail_refused *r, const struct stat *st, bool is_final, int64_t now_ms)
{
	struct entry *entry = find(r, st);
	bool is_news = !entry;
	if (is_news && xmail_refused_is_full(r))
		return true;
	if (is_news) {
		entry = xcalloc(1, sizeof(*entry));
		entry->identity = identify(st);
		entry->pass = r->pass;
		HASH_ADD(hh, r->entries, identity, sizeof(entry->identity), entry);
	}
	entry->retry_at_ms = is_final ? INT64_MAX : now_ms + XMAIL_RETRY_MS;
	return is_news;
}
