#include "delivery/health.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct entry {
	char *domain;
	enum health health;
	int64_t noted_ms;
	struct entry *prev, *next;   /* of its kind; the first one is asked for next */
	struct entry *older, *newer; /* likewise, by the time it was learnt */
	UT_hash_handle hh;
};

struct kind {
	struct entry *turns, *ages;
	size_t count;
};

struct health_memory {
	struct entry *entries;
	struct kind kinds[HEALTH_COUNT]; /* of NEW there are none */
};

struct health_memory *health_memory_new(void)
{
	return xcalloc(1, sizeof(struct health_memory));
}

static void leave_kind(struct health_memory *m, struct entry *e)
{
	struct kind *k = &m->kinds[e->health];
	DL_DELETE(k->turns, e);
	DL_DELETE2(k->ages, e, older, newer);
	k->count--;
}

static void join_kind(struct health_memory *m, struct entry *e, enum health health)
{
	struct kind *k = &m->kinds[health];
	e->health = health;
	DL_APPEND(k->turns, e);
	DL_APPEND2(k->ages, e, older, newer);
	k->count++;
}

static void forget(struct health_memory *m, struct entry *e)
{
	leave_kind(m, e);
	ASSERT(m->entries);
	HASH_DEL(m->entries, e);
	free(e->domain);
	free(e);
}

void health_memory_free(struct health_memory **mp)
{
	struct health_memory *m = MOVE(*mp);
	if (!m)
		return;
	while (m->entries)
		forget(m, m->entries);
	free(m);
}

static struct entry *find(const struct health_memory *m, const char *domain)
{
	struct entry *e;
	HASH_FIND_STR(m->entries, domain, e);
	return e;
}

static void add(
	struct health_memory *m, const char *domain, enum health health, int64_t now_ms)
{
	struct entry *e = xcalloc(1, sizeof(*e));
	if (m->kinds[health].count == HEALTH_NAMES_MAX)
		forget(m, m->kinds[health].ages);
	e->domain = xstrdup(domain);
	e->noted_ms = now_ms;
	HASH_ADD_KEYPTR(hh, m->entries, e->domain, strlen(e->domain), e);
	join_kind(m, e, health);
}

void health_memory_note(
	struct health_memory *m, const char *domain, enum health health, int64_t now_ms)
{
	struct entry *e = find(m, domain);
	if (!e) {
		if (health != HEALTH_NEW)
			add(m, domain, health, now_ms);
	} else if (e->health == health) {
		e->noted_ms = now_ms;
	} else {
		forget(m, e);
		health_memory_note(m, domain, health, now_ms);
	}
}

enum health health_memory_of(
	const struct health_memory *m, const char *domain, int64_t now_ms)
{
	const struct entry *e = find(m, domain);
	return e && now_ms - e->noted_ms < HEALTH_MS ? e->health : HEALTH_NEW;
}

size_t health_memory_count(const struct health_memory *m, enum health health)
{
	return m->kinds[health].count;
}

const char *health_memory_next(struct health_memory *m, enum health health)
{
	struct kind *k = &m->kinds[health];
	struct entry *e = k->turns;
	if (!e)
		return NULL;
	DL_DELETE(k->turns, e);
	DL_APPEND(k->turns, e);
	return e->domain;
}

void health_memory_list(
	const struct health_memory *m, enum health health, const char **names)
{
	for (const struct entry *e = m->kinds[health].ages; e; e = e->newer)
		*names++ = e->domain;
}
