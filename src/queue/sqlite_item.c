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

int item_check(struct store *s, int64_t id, enum item_step step, struct item_row *out,
	struct err *e)
{
	sqlite3_stmt *stmt = db_query(&s->db, e,
		"SELECT destination, state, holder IS ?2 AND had_by IS ?3"
		" FROM item WHERE id = ?1",
		"iii", id, s->slot, s->token);
	int rc = db_step(&s->db, stmt, e);
	bool is_ours = false;
	if (rc < 0)
		return rc;
	if (rc == 1) {
		*out = (struct item_row){ db_int(stmt, 0),
			(enum item_state)db_int(stmt, 1) };
		is_ours = db_int(stmt, 2);
		if (is_ours && held_is_marked(s->held, id, NULL))
			out->state = ITEM_IN_DOUBT;
		db_reset(stmt);
	}
	if (!is_ours || !item_step_is_legal(step, out->state))
		return err_set(e, ERR_NOT_FOUND,
			"item %lld of queue %s is not held by this worker%s",
			(long long)id, s->path, rc == 0 ? ": it is gone" : "");
	return 0;
}

int item_refresh_destination(struct store *s, int64_t destination, struct err *e)
{
	int64_t any;
	int rc = db_value(&s->db, e, &any, "SELECT 1 FROM item WHERE destination = ?1",
		"i", destination);
	if (rc == ERR_NOT_FOUND)
		return db_run(&s->db, e, "DELETE FROM destination WHERE id = ?1", "i",
			destination);
	if (rc != 0)
		return rc;
	return db_run(&s->db, e,
		"UPDATE destination SET next_due_ms = (SELECT due_ms FROM item"
		" WHERE destination = ?1 AND state = 0 ORDER BY due_ms LIMIT 1)"
		" WHERE id = ?1",
		"i", destination);
}

int item_remove_if_message_done(struct store *s, int64_t message, struct err *e)
{
	int64_t any;
	int rc =
		db_value(&s->db, e, &any, "SELECT 1 FROM item WHERE id BETWEEN ?1 AND ?2",
			"ii", item_first(message), item_first(message + 1) - 1);
	return rc == ERR_NOT_FOUND ? body_remove_message(s, message, e) : rc;
}

int item_free_claimed(struct store *s, int64_t id, struct err *e)
{
	int64_t destination;
	int rc = db_value(&s->db, e, &destination,
		"SELECT destination FROM item WHERE id = ?1 AND state = 1"
		" AND holder IS ?2 AND had_by IS ?3",
		"iii", id, s->slot, s->token);
	if (rc != 0)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	s->wakes = true;
	rc = db_run(&s->db, e,
		"UPDATE item SET state = 0, holder = NULL, had_by = NULL WHERE id = ?1",
		"i", id);
	return rc == 0 ? item_refresh_destination(s, destination, e) : rc;
}

int item_give_back(struct store *s, struct request *r)
{
	for (size_t i = 0; i < r->give_back.count; i++) {
		struct item_row row;
		int64_t id = r->give_back.ids[i];
		int rc = item_check(s, id, ITEM_STEP_GIVE_BACK, &row, &r->err);
		if (rc == 0)
			rc = db_run(&s->db, &r->err,
				"UPDATE item SET state = 0, holder = NULL WHERE id = ?1",
				"i", id);
		if (rc == 0)
			rc = item_refresh_destination(s, row.destination, &r->err);
		if (rc != 0)
			return rc;
	}
	/* Another worker may take them. */
	s->wakes = true;
	return 0;
}
