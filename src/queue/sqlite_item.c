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

void item_touch_destination(struct store *s, int64_t destination)
{
	size_t n = s->touched.count;
	if (!n || s->touched.ids[n - 1] != destination)
		id_list_add(&s->touched, destination);
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

/* The first that is due and not busy. any_out: it has items at all. */
static int find_next(struct store *s, int64_t destination, int64_t *due_ms_out,
	bool *any_out, struct err *e)
{
	int64_t any;
	int rc;
	*any_out = false;
	*due_ms_out = INT64_MAX;
	sqlite3_stmt *stmt = db_query(&s->db, e,
		"SELECT id, due_ms FROM item WHERE destination = ?1 AND state = 0"
		" ORDER BY due_ms",
		"i", destination);
	while ((rc = db_step(&s->db, stmt, e)) == 1) {
		bool is_busy;
		*any_out = true;
		rc = claims_is_busy(s, db_int(stmt, 0), &is_busy, e);
		if (rc == 0 && is_busy)
			continue;
		*due_ms_out = db_int(stmt, 1);
		db_reset(stmt);
		return rc;
	}
	if (rc != 0 || *any_out)
		return rc;
	rc = db_value(&s->db, e, &any,
		"SELECT 1 FROM item WHERE destination = ?1 LIMIT 1", "i", destination);
	*any_out = rc == 0;
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int refresh_destination(struct store *s, int64_t destination, struct err *e)
{
	int64_t due_ms;
	bool any;
	int rc = find_next(s, destination, &due_ms, &any, e);
	if (rc != 0)
		return rc;
	if (!any)
		return db_run(&s->db, e, "DELETE FROM destination WHERE id = ?1", "i",
			destination);
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

int item_refresh_touched(struct store *s, struct err *e)
{
	int rc = 0;
	id_list_sort(&s->touched);
	for (size_t i = 0; i < s->touched.count && rc == 0; i++) {
		if (!i || s->touched.ids[i] != s->touched.ids[i - 1])
			rc = refresh_destination(s, s->touched.ids[i], e);
	}
	s->touched.count = 0;
	return rc;
}

/* ---- the end of items and of claims ---- */

int item_remove(struct store *s, int64_t id, struct err *e)
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
	return rc == ERR_NOT_FOUND ? body_remove_message(s, message, e) : rc;
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
