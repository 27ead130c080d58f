#include "delivery/claim_gate.h"

#include "base/hash.h"
#include "base/mem.h"
#include "delivery/way.h"

#include <stdlib.h>
#include <string.h>

/* A hop, by its key. */
struct entry {
	char *key;
	size_t room, left; /* at the beginning of the claim, and now */
	bool is_full;      /* something was left out */
	UT_hash_handle hh;
};

/* A line of the routes, and the hop it leads to: found once, for all destinations that
 * it is for. */
struct line {
	const struct policy_route *route;
	struct entry *entry; /* NULL: none is shared */
	UT_hash_handle hh;
};

struct claim_gate {
	struct queue_gate queue;
	struct policy_set *policy;
	size_t per_domain, usual;
	struct entry *entries;
	struct line *lines;
	struct entry *asked; /* the one of the last question */
	size_t left_out;
};

static struct entry *find_entry(struct claim_gate *g, const char *key)
{
	struct entry *e;
	HASH_FIND_STR(g->entries, key, e);
	if (e)
		return e;
	e = xcalloc(1, sizeof(*e));
	e->key = xstrdup(key);
	e->room = e->left = g->usual;
	HASH_ADD_KEYPTR(hh, g->entries, e->key, strlen(e->key), e);
	return e;
}

static struct entry *entry_of(struct claim_gate *g, const char *domain)
{
	const struct policy_route *route = policy_set_route(g->policy, domain);
	struct line *l;
	if (!route)
		return NULL;
	HASH_FIND_PTR(g->lines, &route, l);
	if (l)
		return l->entry;
	OWN(mem_free) char *key = way_hop_key(route);
	l = xcalloc(1, sizeof(*l));
	l->route = route;
	l->entry = key ? find_entry(g, key) : NULL;
	HASH_ADD_PTR(g->lines, route, l);
	return l->entry;
}

/* ---- on the store's thread ---- */

static void begin(struct queue_gate *queue)
{
	struct claim_gate *g = (struct claim_gate *)queue;
	struct entry *e, *next;
	g->left_out = 0;
	HASH_ITER (hh, g->entries, e, next) {
		e->left = e->room;
		e->is_full = false;
	}
}

static size_t room(struct queue_gate *queue, const char *domain)
{
	struct claim_gate *g = (struct claim_gate *)queue;
	struct entry *e = g->asked = entry_of(g, domain);
	if (!e)
		return g->per_domain;
	/* It may have less: then it is looked at again for nothing. */
	if (e->left < g->per_domain) {
		e->is_full = true;
		g->left_out++;
	}
	return e->left < g->per_domain ? e->left : g->per_domain;
}

static void took(struct queue_gate *queue, size_t count)
{
	struct claim_gate *g = (struct claim_gate *)queue;
	if (g->asked)
		g->asked->left -= count;
}

static void free_gate(struct queue_gate *queue)
{
	struct claim_gate *g = (struct claim_gate *)queue;
	struct entry *e, *next_entry;
	struct line *l, *next_line;
	HASH_ITER (hh, g->lines, l, next_line) {
		HASH_DEL(g->lines, l);
		free(l);
	}
	HASH_ITER (hh, g->entries, e, next_entry) {
		HASH_DEL(g->entries, e);
		free(e->key);
		free(e);
	}
	policy_set_unref(&g->policy);
	free(g);
}

/* ---- the scheduler's side ---- */

struct claim_gate *claim_gate_new(
	struct policy_set *policy, size_t per_domain, size_t usual)
{
	struct claim_gate *g = xcalloc(1, sizeof(*g));
	g->queue = (struct queue_gate){ begin, room, took, free_gate };
	g->policy = policy_set_ref(policy);
	g->per_domain = per_domain;
	g->usual = usual;
	return g;
}

void claim_gate_set(struct claim_gate *g, const char *key, size_t room_now)
{
	find_entry(g, key)->room = room_now;
}

struct queue_gate *claim_gate_queue(struct claim_gate *g)
{
	return &g->queue;
}

size_t claim_gate_left_out(const struct claim_gate *g)
{
	return g->left_out;
}

void claim_gate_each_full(struct claim_gate *g, claim_gate_full_cb *cb, void *arg)
{
	struct entry *e, *next;
	HASH_ITER (hh, g->entries, e, next) {
		if (e->is_full)
			cb(arg, e->key, e->left < e->room);
	}
}
