/* Operators' verbs, pruning, notes. */
#include "queue/sqlite_store.h"

#include "base/timefmt.h"

enum { PRUNE_ROWS = 5000 }; /* a commit: others get their turn between */

/* ---- verbs ----
 *
 * First the items are selected, without a lock on the queue; then they are
 * changed, a slice a commit: others get their turn between. What has become of
 * an item meanwhile is looked at again. */

enum { SLICE_MS = 40 };

static const struct verb {
	enum item_step step;
	const char *change; /* of an item; NULL: it is removed */
	const char *types;  /* "ii": with the time */
	bool wakes;
} verbs[] = {
	[QUEUE_RETRY] = { ITEM_STEP_RETRY,
		"UPDATE item SET due_ms = min(due_ms, ?2) WHERE id = ?1", "ii", true },
	[QUEUE_HOLD] = { ITEM_STEP_HOLD, "UPDATE item SET state = 3 WHERE id = ?1", "i",
		false },
	[QUEUE_RELEASE] = { ITEM_STEP_RELEASE, "UPDATE item SET state = 0 WHERE id = ?1",
		"i", true },
	[QUEUE_REMOVE] = { ITEM_STEP_REMOVE, NULL, "", false },
};

#define SELECT_ITEMS "INSERT INTO selected(item) SELECT i.id FROM item i"
#define SELECT_OF_MESSAGE                           \
	SELECT_ITEMS " JOIN message m ON m.id = ?1" \
		     " WHERE i.id BETWEEN m.num << 16 AND (m.num << 16) + 65535"

static int select_items(
	struct store *s, const struct queue_selection *selection, struct err *e)
{
	int64_t id = selection->id;
	const char *domain = selection->domain;
	int rc = db_run(&s->db, e, "DELETE FROM selected", "");
	if (rc != 0)
		return rc;
	if (id && domain) /* +: not by the index, a destination may have many */
		return db_run(&s->db, e,
			SELECT_OF_MESSAGE " AND +i.destination ="
					  " (SELECT id FROM destination WHERE domain = "
					  "?2)",
			"it", id, domain);
	if (id)
		return db_run(&s->db, e, SELECT_OF_MESSAGE, "i", id);
	if (domain)
		return db_run(&s->db, e,
			SELECT_ITEMS " WHERE i.destination ="
				     " (SELECT id FROM destination WHERE domain = ?1)",
			"t", domain);
	return db_run(&s->db, e, SELECT_ITEMS, "");
}

static int begin(struct store *s, struct request *r)
{
	int64_t any;
	int rc = select_items(s, &r->operate.selection, &r->err);
	if (rc != 0)
		return rc;
	if (r->operate.selection.id) {
		rc = db_value(&s->db, &r->err, &any, "SELECT item FROM selected", "");
		if (rc == ERR_NOT_FOUND)
			return err_set(
				&r->err, rc, "no such message in queue %s", s->path);
	}
	s->operating = r;
	r->again = rc == 0;
	return rc;
}

/* What was selected went with the connection. From the beginning again, over all that is
 * done already, it might never end. */
static int complain_interrupted(struct store *s, struct request *r)
{
	return err_set(&r->err, ERR_IO,
		"queue %s had to be opened again after an error, before all items were "
		"done; run the command again",
		s->path);
}

static int change_item(struct store *s, struct request *r, int64_t id)
{
	const struct verb *verb = &verbs[r->operate.verb];
	struct err *e = &r->err;
	sqlite3_stmt *stmt = db_query(
		&s->db, e, "SELECT state, destination FROM item WHERE id = ?1", "i", id);
	int rc = db_step(&s->db, stmt, e);
	if (rc != 1)
		return rc; /* gone */
	enum item_state state = (enum item_state)db_int(stmt, 0);
	int64_t destination = db_int(stmt, 1);
	db_reset(stmt);
	bool is_busy;
	rc = claims_is_busy(s, id, &is_busy, e);
	if (rc != 0)
		return rc;
	if (!item_step_is_legal(verb->step, is_busy ? ITEM_CLAIMED : state)) {
		r->operate.busy += is_busy;
		return 0;
	}
	if (verb->change)
		rc = db_run(&s->db, e, verb->change, verb->types, id, s->now_ms);
	else
		rc = item_remove(s, id, SIZE_UNKNOWN, e);
	item_touch_destination(s, destination);
	r->operate.affected++;
	s->wakes = s->wakes || verb->wakes;
	return rc;
}

static int change_slice(struct store *s, struct request *r)
{
	int64_t until_ms = clock_monotonic_ms() + SLICE_MS, id;
	do {
		int rc = db_value(&s->db, &r->err, &id,
			"SELECT item FROM selected ORDER BY item LIMIT 1", "");
		if (rc == ERR_NOT_FOUND)
			return 0;
		if (rc == 0)
			rc = change_item(s, r, id);
		if (rc == 0)
			rc = db_run(&s->db, &r->err,
				"DELETE FROM selected WHERE item = ?1", "i", id);
		if (rc != 0)
			return rc;
	} while (clock_monotonic_ms() < until_ms);
	r->again = true;
	return 0;
}

bool operate_writes(const struct store *s, const struct request *r)
{
	return s->operating == r;
}

void operate_settle(struct store *s, struct request *r)
{
	r->operate.affected_before = r->operate.affected;
	r->operate.busy_before = r->operate.busy;
	r->operate.has_begun |= s->operating == r;
	if (s->operating == r && !r->again)
		s->operating = NULL;
}

int operate(struct store *s, struct request *r)
{
	if (!s->operating)
		return r->operate.has_begun ? complain_interrupted(s, r) : begin(s, r);
	if (s->operating != r) {
		r->again = true; /* one after the other: there is one selection */
		return 0;
	}
	/* What a dead worker has is nobody's. */
	int rc = lease_recover(s, false, &r->err);
	return rc == 0 ? change_slice(s, r) : rc;
}

/* ---- housekeeping ---- */

int prune(struct store *s, struct request *r)
{
	struct err *e = &r->err;
	/* By the time of the commit: a day more or less is not what it is about. */
	int64_t before = r->prune.before_ms > 0 ? RECORD_ID(r->prune.before_ms) : 0;
	int rc = lease_recover(s, false, e);
	if (rc == 0)
		rc = db_run(&s->db, e, "DELETE FROM memory WHERE until_ms <= ?1", "i",
			s->now_ms);
	if (rc == 0)
		rc = db_run(&s->db, e,
			"DELETE FROM record WHERE id IN (SELECT id FROM record"
			" WHERE id < ?1 ORDER BY id LIMIT ?2)",
			"ii", before, (int64_t)PRUNE_ROWS);
	r->again = rc == 0 && sqlite3_changes(s->db.handle) == PRUNE_ROWS;
	s->has_trash = true; /* of somebody who was killed, perhaps */
	s->may_shrink = true;
	s->unused_before = -1;
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
