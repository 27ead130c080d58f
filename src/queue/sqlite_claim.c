/*
 * Claims. Destinations are walked by the time of their first due item, so that
 * nothing due costs one look and a full destination one step; inside each the
 * items are taken by their time. A claim that names destinations looks at those.
 */
#include "queue/sqlite_store.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct id_list {
	int64_t *ids;
	size_t count, cap;
};

static void id_list_add(struct id_list *list, int64_t id)
{
	if (list->count == list->cap) {
		list->cap = list->cap ? 2 * list->cap : 64;
		list->ids = xreallocarray(list->ids, list->cap, sizeof(*list->ids));
	}
	list->ids[list->count++] = id;
}

struct claim {
	struct store *store;
	struct request *request;
	const struct queue_claim *asked;
	struct id_list touched; /* destinations of the items */
	struct id_list items;
	bool has_more; /* due, not excluded, over a limit */
};

static int compare_name(const void *name, const void *entry)
{
	return strcmp(name, *(const char *const *)entry);
}

static bool is_wanted(const struct queue_claim *asked, const char *domain)
{
	return !asked->exclude_count ||
	       !bsearch(domain, asked->exclude, asked->exclude_count,
		       sizeof(*asked->exclude), compare_name);
}

static size_t limit_of(size_t max)
{
	return max ? max : SIZE_MAX;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The due items of one destination, within the limits; max: of this one. */
static int find_items(struct claim *c, int64_t destination, size_t max)
{
	struct store *s = c->store;
	size_t room = limit_of(c->asked->max_items) - c->items.count;
	size_t limit = least(least(limit_of(c->asked->max_per_domain), max), room), n = 0;
	int rc;
	/* One more than wanted, to know whether there is more. */
	sqlite3_stmt *stmt = db_query(&s->db, &c->request->err,
		"SELECT id FROM item WHERE destination = ?1 AND state = 0"
		" AND due_ms <= ?2 AND (?3 = 0 OR had_by IS NOT ?4)"
		" ORDER BY due_ms LIMIT ?5",
		"iiiii", destination, c->asked->now_ms, (int64_t)c->asked->for_once,
		s->token, limit < INT64_MAX ? (int64_t)limit + 1 : INT64_MAX);
	while ((rc = db_step(&s->db, stmt, &c->request->err)) == 1) {
		if (n++ < limit)
			id_list_add(&c->items, db_int(stmt, 0));
		else
			c->has_more = true;
	}
	if (n && limit)
		id_list_add(&c->touched, destination);
	return rc;
}

/* The due items of the destinations that are named. */
static int find_named(struct claim *c)
{
	int rc = 0;
	for (size_t i = 0; i < c->asked->only_count && rc == 0; i++) {
		const struct queue_claim_only *only = &c->asked->only[i];
		int64_t destination;
		rc = db_value(&c->store->db, &c->request->err, &destination,
			"SELECT id FROM destination WHERE domain = ?2"
			" AND next_due_ms <= ?1",
			"it", c->asked->now_ms, only->domain);
		if (rc == 0)
			rc = find_items(c, destination, limit_of(only->max_items));
		else if (rc == ERR_NOT_FOUND)
			rc = 0;
	}
	return rc;
}

/* Only looks: what it walks over must not change under it. */
static int find_due(struct claim *c)
{
	struct db *db = &c->store->db;
	size_t max_items = limit_of(c->asked->max_items);
	sqlite3_stmt *stmt = db_query(db, &c->request->err,
		"SELECT id, domain FROM destination WHERE next_due_ms <= ?1"
		" ORDER BY next_due_ms",
		"i", c->asked->now_ms);
	int rc;
	while ((rc = db_step(db, stmt, &c->request->err)) == 1) {
		if (!is_wanted(c->asked, db_text(stmt, 1)))
			continue;
		rc = find_items(c, db_int(stmt, 0), SIZE_MAX);
		if (rc != 0 || (c->has_more && c->items.count >= max_items)) {
			db_reset(stmt);
			break;
		}
	}
	return rc;
}

/* What the destination is remembered by, for a first attempt. */
static int apply_memory(struct claim *c, struct queue_item *item)
{
	struct store *s = c->store;
	if (item->attempts || item->next_channel)
		return 0;
	sqlite3_stmt *stmt = db_query(&s->db, &c->request->err,
		"SELECT channel, reason FROM memory WHERE domain = ?1 AND until_ms > ?2",
		"ti", item->domain, c->asked->now_ms);
	int rc = db_step(&s->db, stmt, &c->request->err);
	if (rc != 1)
		return rc;
	item->next_channel = db_strdup(stmt, 0);
	item->channel_reason = db_strdup(stmt, 1);
	item->channel_from_memory = true;
	db_reset(stmt);
	return 0;
}

static int load_body(struct claim *c, int64_t message, struct queue_item *item)
{
	struct store *s = c->store;
	uint64_t size = item->envelope.content.size_bytes;
	if (size > s->options.inline_body_max)
		return 0;
	return body_load(&s->db, message, 0, size ? size : 1, &item->body,
		&item->body_len, &c->request->err);
}

static int take_item(struct claim *c, int64_t id, struct queue_item **out)
{
	struct store *s = c->store;
	struct err *e = &c->request->err;
	int rc = db_run(&s->db, e,
		"UPDATE item SET state = 1, holder = ?2, had_by = ?3 WHERE id = ?1",
		"iii", id, s->slot, s->token);
	if (rc == 0)
		rc = item_load(s, id, out, e);
	if (rc == 0)
		rc = apply_memory(c, *out);
	if (rc == 0)
		rc = load_body(c, item_message(id), *out);
	return rc;
}

static int take_items(struct claim *c)
{
	struct request *r = c->request;
	if (!c->items.count)
		return 0;
	r->claim.items = xcalloc(c->items.count, sizeof(struct queue_item *));
	for (size_t i = 0; i < c->items.count; i++) {
		r->claim.count = i + 1;
		int rc = take_item(c, c->items.ids[i], &r->claim.items[i]);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* The first destination that is due later, of those that were asked about. */
static int find_next_due(struct claim *c)
{
	struct store *s = c->store;
	int rc;
	c->request->claim.next_due_ms = c->has_more ? c->asked->now_ms : INT64_MAX;
	if (c->has_more || c->asked->only_count)
		return 0;
	sqlite3_stmt *stmt = db_query(&s->db, &c->request->err,
		"SELECT domain, next_due_ms FROM destination WHERE next_due_ms > ?1"
		" ORDER BY next_due_ms",
		"i", c->asked->now_ms);
	while ((rc = db_step(&s->db, stmt, &c->request->err)) == 1) {
		if (!is_wanted(c->asked, db_text(stmt, 0)))
			continue;
		c->request->claim.next_due_ms = db_int(stmt, 1);
		db_reset(stmt);
		return 0;
	}
	return rc;
}

static int run_claim(struct claim *c)
{
	int rc = c->asked->only_count ? find_named(c) : find_due(c);
	if (rc == 0)
		rc = take_items(c);
	for (size_t i = 0; i < c->touched.count && rc == 0; i++)
		rc = item_refresh_destination(
			c->store, c->touched.ids[i], &c->request->err);
	if (rc == 0)
		rc = find_next_due(c);
	return rc;
}

int claim_due(struct store *s, struct request *r)
{
	struct claim c = { .store = s, .request = r, .asked = &r->claim.claim };
	int rc = lease_recover(s, true, &r->err);
	if (rc == 0)
		rc = lease_ensure(s, &r->err);
	if (rc == 0)
		rc = run_claim(&c);
	free(c.touched.ids);
	free(c.items.ids);
	return rc;
}
