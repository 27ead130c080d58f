/*
 * Claims. Destinations are walked by the time of their first due item, so that
 * nothing due costs one look and a full destination one step; inside each the
 * items are taken by their time. A claim that names destinations looks at those.
 */
#include "queue/sqlite_store.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Mail that waits behind more notices of its destination than these waits with them. */
enum { SURPLUS_SKIPPED_MAX = 64 };

struct claim {
	struct store *store;
	struct request *request;
	const struct queue_claim *asked;
	struct id_list items, destinations; /* of each item */
	bool has_memory;                    /* of any destination */
	bool has_more;                      /* due, not excluded, over a limit */
	size_t body_bytes;                  /* that come along, so far */
	size_t notices;                     /* likewise */
	int64_t later_ms; /* when something is due next where we looked */
};

static int compare_name(const void *name, const void *entry)
{
	return strcmp(name, *(const char *const *)entry);
}

static bool is_wanted(const struct queue_claim *asked, const char *domain)
{
	if (!share_has(&asked->share, domain))
		return false;
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

static sqlite3_stmt *query_items(struct claim *c, int64_t destination)
{
	struct store *s = c->store;
	if (c->asked->for_once)
		return db_query(&s->db, &c->request->err,
			"SELECT id, due_ms FROM item WHERE destination = ?1 AND state = 0"
			" AND had_by IS NOT ?2 ORDER BY due_ms",
			"ii", destination, s->token);
	return db_query(&s->db, &c->request->err,
		"SELECT id, due_ms FROM item WHERE destination = ?1 AND state = 0"
		" ORDER BY due_ms",
		"i", destination);
}

/* What one destination gives. */
struct find {
	int64_t destination;
	size_t limit, count;
	bool is_gated; /* the limit is the gate's */
	bool was_held; /* by it */
	size_t skipped;
	int64_t skipped_ms; /* due time of the first that was skipped */
	int64_t next_ms;    /* of the first that was not looked at further */
};

/* One more notice than there may be? */
static int is_surplus(struct claim *c, int64_t item, bool *out)
{
	int64_t flags;
	*out = false;
	if (!c->asked->limits_notices)
		return 0;
	int rc = db_value(&c->store->db, &c->request->err, &flags,
		"SELECT flags FROM message WHERE num = ?1", "i", item_message(item));
	bool is_notice = rc == 0 && (flags & MESSAGE_NOTICE);
	*out = is_notice && c->notices >= c->asked->max_notices;
	c->notices += is_notice && !*out;
	return rc;
}

/* Looks at one item. 1: go on; 0: the destination is done with. */
static int find_item(struct claim *c, struct find *f, int64_t id, int64_t due_ms)
{
	bool is_busy, is_held_back;
	bool is_due = due_ms <= c->asked->now_ms;
	int rc = claims_is_busy(c->store, id, &is_busy, &c->request->err);
	if (rc == 0 && is_busy)
		return 1;
	if (rc != 0 || !is_due || f->count == f->limit) {
		f->was_held = is_due && f->is_gated;
		c->has_more |= is_due && !f->is_gated;
		f->next_ms = due_ms;
		return rc;
	}
	rc = is_surplus(c, id, &is_held_back);
	if (rc == 0 && is_held_back) {
		f->skipped_ms = f->skipped++ ? f->skipped_ms : due_ms;
		return f->skipped < SURPLUS_SKIPPED_MAX;
	}
	if (rc != 0)
		return rc;
	id_list_add(&c->items, id);
	id_list_add(&c->destinations, f->destination);
	f->count++;
	return 1;
}

/* The due items of one destination, within the limits; max: of this one. Those that
 * somebody has are the first ones, and not many: what is claimed is bounded for each
 * session to it. */
static int find_items(struct claim *c, int64_t destination, size_t max, bool is_gated)
{
	struct store *s = c->store;
	size_t room = limit_of(c->asked->max_items) - c->items.count;
	size_t limit = least(limit_of(c->asked->max_per_domain), room);
	struct find f = { .destination = destination,
		.limit = least(limit, max),
		.is_gated = is_gated && max < limit,
		.skipped_ms = INT64_MAX,
		.next_ms = INT64_MAX };
	int rc;
	sqlite3_stmt *stmt = query_items(c, destination);
	while ((rc = db_step(&s->db, stmt, &c->request->err)) == 1) {
		rc = find_item(c, &f, db_int(stmt, 0), db_int(stmt, 1));
		if (rc != 1) {
			db_reset(stmt);
			break;
		}
	}
	if (!f.was_held && f.next_ms < c->later_ms)
		c->later_ms = f.next_ms;
	if (f.count && c->asked->for_once)
		item_touch_destination(s, destination); /* it left something out */
	else if (f.count)
		item_touch_counted(s, destination, f.skipped ? f.skipped_ms : f.next_ms);
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
			rc = find_items(c, destination, limit_of(only->max_items), false);
		else if (rc == ERR_NOT_FOUND)
			rc = 0;
	}
	return rc;
}

static int find_behind_gate(struct claim *c, int64_t destination, const char *domain)
{
	struct queue_gate *gate = c->asked->gate;
	size_t before = c->items.count;
	if (!gate)
		return find_items(c, destination, SIZE_MAX, false);
	size_t room = gate->room(gate, domain);
	if (!room)
		return 0;
	int rc = find_items(c, destination, room, true);
	gate->took(gate, c->items.count - before);
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
		rc = find_behind_gate(c, db_int(stmt, 0), db_text(stmt, 1));
		if (rc != 0 || (c->has_more && c->items.count >= max_items)) {
			db_reset(stmt);
			break;
		}
	}
	return rc;
}

/* Mostly there is none. */
static int look_for_memory(struct claim *c)
{
	int64_t any;
	int rc = db_value(&c->store->db, &c->request->err, &any,
		"SELECT 1 FROM memory LIMIT 1", "");
	c->has_memory = rc == 0;
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* What the destination is remembered by, for a first attempt. */
static int apply_memory(struct claim *c, struct queue_item *item)
{
	struct store *s = c->store;
	if (item->attempts || item->next_channel || !c->has_memory)
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
	if (size > s->options.inline_body_max ||
		c->body_bytes + size > limit_of(c->asked->max_body_bytes))
		return 0;
	c->body_bytes += size;
	return body_load(&s->db, message, 0, size ? size : 1, &item->body,
		&item->body_len, &c->request->err);
}

static int take_item(struct claim *c, int64_t id, struct queue_item **out)
{
	int rc = item_load(c->store, id, out, &c->request->err);
	if (rc == 0)
		rc = apply_memory(c, *out);
	return rc == 0 ? load_body(c, item_message(id), *out) : rc;
}

static struct held_claim *hold(struct claim *c, struct held_claim *held, int64_t claim_id,
	const struct queue_item *item, int64_t destination)
{
	struct held_item what = { .item = item->id,
		.destination = destination,
		.size = item->envelope.content.size_bytes,
		.recipient_count = item->recipient_count };
	OWN(mem_free)
	int64_t *recipients = xcalloc(item->recipient_count, sizeof(*recipients));
	for (size_t i = 0; i < item->recipient_count; i++)
		recipients[i] = item->recipients[i].id;
	return held_add(c->store->held, held, claim_id, &what, recipients);
}

static int take_items(struct claim *c)
{
	struct store *s = c->store;
	struct request *r = c->request;
	struct held_claim *held = NULL;
	int64_t claim_id;
	if (!c->items.count)
		return 0;
	int rc = claims_insert(s, &c->items, &claim_id, &r->err);
	if (rc == 0)
		rc = look_for_memory(c);
	if (rc != 0)
		return rc;
	r->claim.items = xcalloc(c->items.count, sizeof(struct queue_item *));
	for (size_t i = 0; i < c->items.count; i++) {
		r->claim.count = i + 1;
		rc = take_item(c, c->items.ids[i], &r->claim.items[i]);
		if (rc != 0)
			return rc;
		held = hold(c, held, claim_id, r->claim.items[i], c->destinations.ids[i]);
	}
	return 0;
}

/* When the first destination is due later, of those that were asked about. Those
 * where we looked are known; what the table says of them is of before. */
static int find_next_due(struct claim *c)
{
	struct store *s = c->store;
	int64_t *out = &c->request->claim.next_due_ms;
	int rc;
	*out = c->has_more ? c->asked->now_ms : INT64_MAX;
	if (c->has_more || c->asked->only_count)
		return 0;
	*out = c->later_ms;
	sqlite3_stmt *stmt = db_query(&s->db, &c->request->err,
		"SELECT domain, next_due_ms FROM destination WHERE next_due_ms > ?1"
		" ORDER BY next_due_ms",
		"i", c->asked->now_ms);
	while ((rc = db_step(&s->db, stmt, &c->request->err)) == 1) {
		if (!is_wanted(c->asked, db_text(stmt, 0)))
			continue;
		*out = db_int(stmt, 1) < *out ? db_int(stmt, 1) : *out;
		db_reset(stmt);
		return 0;
	}
	return rc;
}

static int run_claim(struct claim *c)
{
	/* What came before it in the transaction counts. */
	int rc = item_refresh_touched(c->store, &c->request->err);
	if (c->asked->gate)
		c->asked->gate->begin(c->asked->gate);
	if (rc == 0)
		rc = c->asked->only_count ? find_named(c) : find_due(c);
	if (rc == 0)
		rc = take_items(c);
	return rc == 0 ? find_next_due(c) : rc;
}

int claim_due(struct store *s, struct request *r)
{
	struct claim c = {
		.store = s, .request = r, .asked = &r->claim.claim, .later_ms = INT64_MAX
	};
	int rc = lease_recover(s, true, &r->err);
	if (rc == 0)
		rc = lease_ensure(s, &r->err);
	if (rc == 0)
		rc = run_claim(&c);
	id_list_clear(&c.items);
	id_list_clear(&c.destinations);
	return rc;
}
