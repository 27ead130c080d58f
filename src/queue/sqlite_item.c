/* Items: loading one, checking a step, keeping its destination up to date. */
#include "queue/sqlite_store.h"

#include "base/mem.h"

#include <stdlib.h>

static void load_fields(struct queue_item *item, sqlite3_stmt *stmt)
{
	struct mail_envelope *m = &item->envelope;
	item->id = db_int(stmt, 0);
	m->id = db_int(stmt, 1);
	m->sender = db_strdup(stmt, 2);
	m->envid = db_strdup(stmt, 3);
	m->ret = (enum mail_ret)db_int(stmt, 4);
	m->arrival_ms = db_int(stmt, 5);
	m->content.size_bytes = (uint64_t)db_int(stmt, 6);
	m->content.is_8bit = db_int(stmt, 7) & MESSAGE_8BIT;
	m->content.needs_smtputf8 = db_int(stmt, 7) & MESSAGE_SMTPUTF8;
	m->is_notice = db_int(stmt, 7) & MESSAGE_NOTICE;
	item->domain = db_strdup(stmt, 8);
	item->attempts = (unsigned)db_int(stmt, 9);
	item->next_channel = db_strdup(stmt, 10);
	item->channel_reason = db_strdup(stmt, 11);
	item->last_host = db_strdup(stmt, 12);
	item->due_ms = db_int(stmt, 13);
	item->was_in_doubt = db_int(stmt, 14);
	item->delay_notified = db_int(stmt, 15);
}

static int load_recipients(struct store *s, struct queue_item *item, struct err *e)
{
	size_t cap = 0;
	int rc;
	sqlite3_stmt *stmt = db_query(&s->db, e,
		"SELECT n, address, orcpt, notify FROM recipient WHERE item = ?1"
		" AND outcome = 0 ORDER BY n",
		"i", item->id);
	while ((rc = db_step(&s->db, stmt, e)) == 1) {
		if (item->recipient_count == cap) {
			cap = cap ? 2 * cap : 4;
			item->recipients = xreallocarray(
				item->recipients, cap, sizeof(*item->recipients));
		}
		item->recipients[item->recipient_count++] = (struct mail_recipient){
			.id = db_int(stmt, 0),
			.address = db_strdup(stmt, 1),
			.orcpt = db_strdup(stmt, 2),
			.notify = (unsigned)db_int(stmt, 3),
		};
	}
	return rc;
}

int item_load(struct store *s, int64_t id, struct queue_item **out, struct err *e)
{
	OWN(queue_item_free) struct queue_item *item = xcalloc(1, sizeof(*item));
	sqlite3_stmt *stmt = db_query(&s->db, e,
		"SELECT i.id, m.id, m.sender, m.envid, m.ret, m.arrival_ms, m.size, "
		"m.flags, d.domain, i.attempts, i.next_channel, i.channel_reason, "
		"i.last_host, i.due_ms, i.was_in_doubt, i.delay_notified FROM item i"
		" JOIN message m ON m.num = i.id >> 16"
		" JOIN destination d ON d.id = i.destination WHERE i.id = ?1",
		"i", id);
	int rc = db_step(&s->db, stmt, e);
	if (rc == 0)
		return err_set(e, ERR_INVALID,
			"queue %s is damaged: item %lld has no message", s->path,
			(long long)id);
	if (rc < 0)
		return rc;
	load_fields(item, stmt);
	item->clock_offset_ms = s->clock_now_ms;
	db_reset(stmt);
	if (!item->envelope.sender)
		item->envelope.sender = xstrdup("");
	rc = load_recipients(s, item, e);
	if (rc != 0)
		return rc;
	*out = MOVE(item);
	return 0;
}

/* ---- destinations ---- */

static void touch(
	struct store *s, int64_t destination, enum touch_kind kind, int64_t next_due_ms)
{
	size_t n = s->touched_count;
	const struct touched *last = n ? &s->touched[n - 1] : NULL;
	if (last && kind != TOUCH_COUNTED && last->kind == kind && !last->is_done &&
		last->destination == destination)
		return;
	if (n == s->touched_cap) {
		s->touched_cap = n ? 2 * n : 64;
		s->touched =
			xreallocarray(s->touched, s->touched_cap, sizeof(*s->touched));
	}
	ASSERT(s->touched);
	s->touched[s->touched_count++] =
		(struct touched){ destination, next_due_ms, n, false, kind };
}

void item_touch_destination(struct store *s, int64_t destination)
{
	touch(s, destination, TOUCH_CHANGED, 0);
}

void item_touch_gone(struct store *s, int64_t destination)
{
	touch(s, destination, TOUCH_GONE, 0);
}

void item_touch_counted(struct store *s, int64_t destination, int64_t next_due_ms)
{
	touch(s, destination, TOUCH_COUNTED, next_due_ms);
}

int item_touch(struct store *s, int64_t id, struct err *e)
{
	int64_t destination;
	int rc = db_value(&s->db, e, &destination,
		"SELECT destination FROM item WHERE id = ?1", "i", id);
	if (rc == 0)
		item_touch_destination(s, destination);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int remove_if_empty(struct store *s, int64_t destination, struct err *e)
{
	int64_t any;
	int rc = db_value(&s->db, e, &any,
		"SELECT 1 FROM item WHERE destination = ?1 LIMIT 1", "i", destination);
	if (rc != ERR_NOT_FOUND)
		return rc;
	return db_run(
		&s->db, e, "DELETE FROM destination WHERE id = ?1", "i", destination);
}

/* The first that is due and not busy; INT64_MAX: none is. */
static int find_next(
	struct store *s, int64_t destination, int64_t *due_ms_out, struct err *e)
{
	int rc;
	*due_ms_out = INT64_MAX;
	sqlite3_stmt *stmt = db_query(&s->db, e,
		"SELECT id, due_ms FROM item WHERE destination = ?1 AND state = 0"
		" ORDER BY due_ms",
		"i", destination);
	while ((rc = db_step(&s->db, stmt, e)) == 1) {
		bool is_busy;
		rc = claims_is_busy(s, db_int(stmt, 0), &is_busy, e);
		if (rc == 0 && is_busy)
			continue;
		*due_ms_out = db_int(stmt, 1);
		db_reset(stmt);
		return rc;
	}
	return rc;
}

static int write_next(struct store *s, int64_t destination, int64_t due_ms, struct err *e)
{
	if (due_ms == INT64_MAX)
		return db_run(&s->db, e,
			"UPDATE destination SET next_due_ms = NULL WHERE id = ?1"
			" AND next_due_ms IS NOT NULL",
			"i", destination);
	return db_run(&s->db, e,
		"UPDATE destination SET next_due_ms = ?2 WHERE id = ?1"
		" AND next_due_ms IS NOT ?2",
		"ii", destination, due_ms);
}

/* What happened to one destination: a change counts whatever was counted before
 * or after it, and of what was counted the last. */
static int refresh(struct store *s, struct touched *list, size_t count, struct err *e)
{
	const struct touched *counted = NULL;
	bool has_changed = false, is_gone = false;
	int64_t destination = list->destination, due_ms = INT64_MAX;
	int rc = 0;
	for (size_t i = 0; i < count; i++) {
		if (list[i].is_done)
			continue;
		list[i].is_done = true;
		has_changed |= list[i].kind == TOUCH_CHANGED;
		is_gone |= list[i].kind == TOUCH_GONE;
		if (list[i].kind == TOUCH_COUNTED)
			counted = &list[i];
	}
	if (has_changed)
		rc = find_next(s, destination, &due_ms, e);
	else if (counted)
		due_ms = counted->next_due_ms;
	if (rc == 0 && (has_changed || counted))
		rc = write_next(s, destination, due_ms, e);
	/* With something due in it it cannot be empty. */
	if (rc == 0 && due_ms == INT64_MAX && (has_changed || is_gone))
		rc = remove_if_empty(s, destination, e);
	return rc;
}

static int compare_touched(const void *a, const void *b)
{
	const struct touched *x = a, *y = b;
	if (x->destination != y->destination)
		return x->destination < y->destination ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

int item_refresh_touched(struct store *s, struct err *e)
{
	size_t count = s->touched_count, n;
	int rc = 0;
	if (count)
		qsort(s->touched, count, sizeof(*s->touched), compare_touched);
	for (size_t i = 0; i < count && rc == 0; i += n) {
		struct touched *first = &s->touched[i];
		for (n = 1; i + n < count && first[n].destination == first->destination;)
			n++;
		rc = refresh(s, first, n, e);
	}
	return rc;
}

void item_touch_again(struct store *s)
{
	for (size_t i = 0; i < s->touched_count; i++) {
		s->touched[i].kind = TOUCH_CHANGED;
		s->touched[i].is_done = false;
	}
}

/* ---- the end of items and of claims ---- */

int item_remove(struct store *s, int64_t id, uint64_t size, struct err *e)
{
	int64_t message = item_message(id), any;
	int rc = db_run(&s->db, e, "DELETE FROM recipient WHERE item = ?1", "i", id);
	if (rc == 0)
		rc = db_run(&s->db, e, "DELETE FROM item WHERE id = ?1", "i", id);
	if (rc == 0 && !sqlite3_changes(s->db.handle))
		return item_complain(s, id, ": it is gone", e);
	if (rc == 0)
		rc = db_value(&s->db, e, &any,
			"SELECT 1 FROM item WHERE id BETWEEN ?1 AND ?2", "ii",
			item_first(message), item_first(message + 1) - 1);
	return rc == ERR_NOT_FOUND ? body_remove_message(s, message, size, e) : rc;
}

int item_complain(struct store *s, int64_t id, const char *why, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND,
		"item %lld of queue %s is not held by this worker%s", (long long)id,
		s->path, why);
}

static int give_back(struct store *s, int64_t id, struct err *e)
{
	struct held_item *item = held_find(s->held, id);
	enum item_state state =
		held_is_marked(s->held, id, NULL) ? ITEM_IN_DOUBT : ITEM_CLAIMED;
	if (!item || !item_step_is_legal(ITEM_STEP_GIVE_BACK, state))
		return item_complain(s, id, "", e);
	item_touch_destination(s, item->destination);
	held_release(s->held, item, true);
	return db_run(&s->db, e, "UPDATE item SET had_by = ?2 WHERE id = ?1", "ii", id,
		s->token);
}

int item_give_back(struct store *s, struct request *r)
{
	int rc = claims_check(s, &r->err);
	for (size_t i = 0; i < r->give_back.count && rc == 0; i++)
		rc = give_back(s, r->give_back.ids[i], &r->err);
	/* Another worker may take them. */
	s->wakes = s->wakes || rc == 0;
	return rc;
}
