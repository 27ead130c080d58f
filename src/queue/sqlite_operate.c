/* Operators' verbs, pruning, notes. */
#include "queue/sqlite_store.h"

#include "base/mem.h"

enum { PRUNE_ROWS = 5000 }; /* a commit: others get their turn between */

/* ---- verbs ---- */

static const struct verb {
	enum item_step step;
	const char *change; /* of the selected items; NULL: removed */
	const char *types;  /* "i": with the time */
	bool wakes;
} verbs[] = {
	[QUEUE_RETRY] = { ITEM_STEP_RETRY,
		"UPDATE item SET due_ms = min(due_ms, ?1)"
		" WHERE id IN (SELECT item FROM selected)",
		"i", true },
	[QUEUE_HOLD] = { ITEM_STEP_HOLD,
		"UPDATE item SET state = 3 WHERE id IN (SELECT item FROM selected)", "",
		false },
	[QUEUE_RELEASE] = { ITEM_STEP_RELEASE,
		"UPDATE item SET state = 0 WHERE id IN (SELECT item FROM selected)", "",
		true },
	[QUEUE_REMOVE] = { ITEM_STEP_REMOVE, NULL, "", false },
};

#define SELECT_ITEMS                                              \
	"INSERT INTO selected(item, state, message, destination)" \
	" SELECT i.id, i.state, i.message, i.destination FROM item i"

static int select_items(
	struct store *s, const struct queue_selection *selection, struct err *e)
{
	int64_t id = selection->id;
	const char *domain = selection->domain;
	int rc = db_run(&s->db, e, "DELETE FROM selected", "");
	if (rc != 0)
		return rc;
	if (id && domain)
		return db_run(&s->db, e,
			SELECT_ITEMS " JOIN message m ON m.num = i.message"
				     " JOIN destination d ON d.id = i.destination"
				     " WHERE m.id = ?1 AND d.domain = ?2",
			"it", id, domain);
	if (id)
		return db_run(&s->db, e,
			SELECT_ITEMS
			" WHERE i.message = (SELECT num FROM message WHERE id = ?1)",
			"i", id);
	if (domain)
		return db_run(&s->db, e,
			SELECT_ITEMS " WHERE i.destination ="
				     " (SELECT id FROM destination WHERE domain = ?1)",
			"t", domain);
	return db_run(&s->db, e, SELECT_ITEMS, "");
}

/* Leaves those selected that the step may start from; counts. */
static int sort_out(struct store *s, struct request *r, enum item_step step)
{
	int64_t mask = item_step_mask(step), all = 0, busy = 0, affected = 0;
	struct err *e = &r->err;
	int rc = db_value(&s->db, e, &all, "SELECT count(*) FROM selected", "");
	if (rc == 0 && !all && r->operate.selection.id)
		return err_set(e, ERR_NOT_FOUND, "no such message in queue %s", s->path);
	if (rc == 0)
		rc = db_value(&s->db, e, &busy,
			"SELECT count(*) FROM selected WHERE state IN (1, 2)", "");
	if (rc == 0)
		rc = db_run(&s->db, e, "DELETE FROM selected WHERE NOT ?1 >> state & 1",
			"i", mask);
	if (rc == 0)
		rc = db_value(&s->db, e, &affected, "SELECT count(*) FROM selected", "");
	r->operate.busy = (size_t)busy;
	r->operate.affected = (size_t)affected;
	return rc;
}

/* Calls f for each distinct value of a column of the selection. */
static int for_each(struct store *s, const char *sql,
	int (*f)(struct store *, int64_t, struct err *), struct err *e)
{
	sqlite3_stmt *stmt = db_query(&s->db, e, sql, "");
	int rc;
	while ((rc = db_step(&s->db, stmt, e)) == 1) {
		rc = f(s, db_int(stmt, 0), e);
		if (rc != 0) {
			db_reset(stmt);
			break;
		}
	}
	return rc;
}

static int remove_selected(struct store *s, struct err *e)
{
	int rc = db_run(&s->db, e,
		"DELETE FROM recipient WHERE item IN (SELECT item FROM selected)", "");
	if (rc == 0)
		rc = db_run(&s->db, e,
			"DELETE FROM item WHERE id IN (SELECT item FROM selected)", "");
	if (rc == 0)
		rc = for_each(s, "SELECT DISTINCT message FROM selected",
			item_remove_if_message_done, e);
	return rc;
}

int operate(struct store *s, struct request *r)
{
	const struct verb *verb = &verbs[r->operate.verb];
	struct err *e = &r->err;
	/* What a dead worker has is nobody's. */
	int rc = lease_recover(s, false, e);
	if (rc == 0)
		rc = select_items(s, &r->operate.selection, e);
	if (rc == 0)
		rc = sort_out(s, r, verb->step);
	if (rc == 0 && verb->change)
		rc = db_run(&s->db, e, verb->change, verb->types, s->now_ms);
	else if (rc == 0)
		rc = remove_selected(s, e);
	if (rc == 0)
		rc = for_each(s, "SELECT DISTINCT destination FROM selected",
			item_refresh_destination, e);
	if (rc == 0)
		rc = db_run(&s->db, e, "DELETE FROM selected", "");
	if (verb->wakes && r->operate.affected)
		s->wakes = true;
	return rc;
}

/* ---- housekeeping ---- */

int prune(struct store *s, struct request *r)
{
	struct err *e = &r->err;
	int rc = lease_recover(s, false, e);
	if (rc == 0)
		rc = db_run(&s->db, e, "DELETE FROM memory WHERE until_ms <= ?1", "i",
			s->now_ms);
	if (rc == 0)
		rc = db_run(&s->db, e,
			"DELETE FROM record WHERE id IN (SELECT id FROM record"
			" WHERE time_ms < ?1 ORDER BY time_ms LIMIT ?2)",
			"ii", r->prune.before_ms, (int64_t)PRUNE_ROWS);
	r->again = rc == 0 && sqlite3_changes(s->db.handle) == PRUNE_ROWS;
	return rc;
}

int note_set(struct store *s, struct request *r)
{
	if (!r->note.value)
		return db_run(&s->db, &r->err,
			"DELETE FROM note WHERE name = ?1 AND holder = ?2", "ti",
			r->note.name, s->slot);
	return db_run(&s->db, &r->err,
		"INSERT INTO note(name, holder, value) VALUES(?1, ?2, ?3)"
		" ON CONFLICT(name, holder) DO UPDATE SET value = ?3",
		"tit", r->note.name, s->slot, r->note.value);
}
