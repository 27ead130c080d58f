/*
 * Holders: processes that have something in the queue that goes with them,
 * items they claimed, content they are staging, notes. Each has a slot, the
 * lock on that byte of the lock file, and a lease that it renews. The lock
 * says at once when its process is gone; the lease counts where it cannot.
 */
#include "queue/sqlite_store.h"

#include "base/mem.h"
#include "base/timefmt.h"

#include <stdlib.h>

enum { SLOTS_MAX = 10000, HOLDERS_AT_ONCE = 64 };

struct holder {
	int64_t slot, token, inode, lease_until_ms;
};

bool lease_is_alive(const struct lock_file *lock, int64_t slot, int64_t inode,
	int64_t lease_until_ms, int64_t now_ms)
{
	switch (lock_probe(lock, slot, inode)) {
	case LOCK_HELD:
		return true;
	case LOCK_FREE:
		return false;
	case LOCK_UNKNOWN:
		break;
	}
	return lease_until_ms > now_ms;
}

static int load_holders(
	struct store *s, struct holder *list, size_t *count_out, struct err *e)
{
	sqlite3_stmt *stmt = db_query(&s->db, e,
		"SELECT slot, token, inode, lease_until_ms FROM holder WHERE slot <> ?1"
		" OR token <> ?2",
		"ii", s->slot, s->token);
	size_t n = 0;
	int rc;
	while ((rc = db_step(&s->db, stmt, e)) == 1) {
		struct holder h = { db_int(stmt, 0), db_int(stmt, 1), db_int(stmt, 2),
			db_int(stmt, 3) };
		if (!lease_is_alive(
			    &s->lock, h.slot, h.inode, h.lease_until_ms, clock_wall_ms()))
			list[n++] = h;
		if (n == HOLDERS_AT_ONCE) {
			db_reset(stmt);
			rc = 0;
			break;
		}
	}
	*count_out = n;
	return rc;
}

/* ---- freeing what the dead have left ---- */

/* The record says what the integrator's call back makes of the item. */
static int record_lost(struct store *s, const struct queue_item *item, struct err *e)
{
	if (!s->options.lost_record)
		return 0;
	OWN(mem_free)
	char *json = s->options.lost_record(
		s->options.lost_record_arg, item, item->last_host, s->now_ms);
	if (!json)
		return 0;
	struct queue_record record = {
		.time_ms = s->now_ms,
		.message_id = item->envelope.id,
		.domain = item->domain,
		.is_failure = true,
		.json = json,
	};
	return finish_record(s, &record, e);
}

static int lose_in_doubt(struct store *s, int64_t id, struct err *e)
{
	OWN(queue_item_free) struct queue_item *item = NULL;
	int rc = item_load(s, id, &item, e);
	if (rc != 0)
		return rc;
	item->due_ms = s->now_ms + LOST_IN_DOUBT_DELAY_MS;
	rc = record_lost(s, item, e);
	if (rc != 0)
		return rc;
	OWN(mem_free)
	char *text = xasprintf(
		"the worker ended after the message was sent to %s and before its "
		"answer: it may have been delivered",
		item->last_host ? item->last_host : "the host");
	return db_run(&s->db, e,
		"UPDATE item SET state = 0, holder = NULL, due_ms = ?2,"
		" attempts = attempts + 1, was_in_doubt = 1, last_error = ?3"
		" WHERE id = ?1",
		"iit", id, item->due_ms, text);
}

/* One held item, -1 and so on until there is none: the rows change under us. */
static int lose_item(struct store *s, const struct holder *h, bool with_doubt,
	bool *more_out, struct err *e)
{
	sqlite3_stmt *stmt = db_query(&s->db, e,
		"SELECT id, state, destination FROM item WHERE holder = ?1"
		" AND had_by = ?2 AND (state = 1 OR ?3) LIMIT 1",
		"iii", h->slot, h->token, (int64_t)with_doubt);
	int rc = db_step(&s->db, stmt, e);
	*more_out = rc == 1;
	if (rc != 1)
		return rc;
	int64_t id = db_int(stmt, 0), state = db_int(stmt, 1),
		destination = db_int(stmt, 2);
	db_reset(stmt);
	if (state == ITEM_IN_DOUBT)
		rc = lose_in_doubt(s, id, e);
	else
		rc = db_run(&s->db, e,
			"UPDATE item SET state = 0, holder = NULL WHERE id = ?1", "i",
			id);
	if (rc == 0)
		rc = item_refresh_destination(s, destination, e);
	s->wakes = true;
	return rc;
}

static int remove_staged(struct store *s, int64_t slot, struct err *e)
{
	int64_t num;
	int rc;
	while ((rc = db_value(&s->db, e, &num,
			"SELECT num FROM message WHERE holder = ?1 LIMIT 1", "i",
			slot)) == 0) {
		rc = body_remove_message(s, num, e);
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int free_holder(
	struct store *s, const struct holder *h, bool with_doubt, struct err *e)
{
	bool more = true;
	int rc = 0;
	int64_t left = 0;
	while (rc == 0 && more)
		rc = lose_item(s, h, with_doubt, &more, e);
	if (rc == 0)
		rc = remove_staged(s, h->slot, e);
	if (rc == 0)
		rc = db_run(
			&s->db, e, "DELETE FROM note WHERE holder = ?1", "i", h->slot);
	if (rc == 0)
		rc = db_value(&s->db, e, &left,
			"SELECT count(*) FROM item WHERE holder = ?1", "i", h->slot);
	/* The row stays while items in doubt wait for who can record them. */
	if (rc == 0 && !left)
		rc = db_run(
			&s->db, e, "DELETE FROM holder WHERE slot = ?1", "i", h->slot);
	return rc;
}

int lease_recover(struct store *s, bool for_claim, struct err *e)
{
	struct holder dead[HOLDERS_AT_ONCE];
	size_t count = 0;
	int rc = load_holders(s, dead, &count, e);
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = free_holder(s, &dead[i], for_claim || s->options.lost_record, e);
	return rc;
}

void lease_recover_at_open(struct store *s)
{
	struct holder dead[HOLDERS_AT_ONCE];
	size_t count = 0;
	if (load_holders(s, dead, &count, NULL) != 0 || !count)
		return;
	if (store_begin(s, NULL) == 0 && lease_recover(s, false, NULL) == 0)
		(void)store_commit(s, NULL);
	store_rollback(s);
}

/* ---- our own place ---- */

/* The first slot without a row whose byte we get. */
static int take_slot(struct store *s, int64_t *inode_out, struct err *e)
{
	for (int64_t slot = 1; slot < SLOTS_MAX; slot++) {
		int64_t taken;
		int rc = db_value(&s->db, e, &taken,
			"SELECT 1 FROM holder WHERE slot = ?1", "i", slot);
		if (rc == 0)
			continue;
		if (rc != ERR_NOT_FOUND)
			return rc;
		rc = lock_take(&s->lock, slot);
		if (rc == ERR_BUSY)
			continue;
		*inode_out = rc == 0 ? s->lock.inode : 0;
		s->slot = slot;
		return 0;
	}
	return err_set(e, ERR_LIMIT, "queue %s has too many processes", s->path);
}

static void schedule_renewal(struct store *s)
{
	s->renew_at_ms = clock_monotonic_ms() + s->lease_s * 1000 / 3;
}

static int insert_row(struct store *s, struct err *e)
{
	int64_t inode = s->lock.inode;
	int rc = 0;
	if (!s->slot)
		rc = take_slot(s, &inode, e);
	if (rc != 0)
		return rc;
	return db_run(&s->db, e,
		"INSERT INTO holder(slot, token, inode, lease_s, lease_until_ms)"
		" VALUES(?1, ?2, ?3, ?4, ?5)"
		" ON CONFLICT(slot) DO UPDATE SET lease_s = ?4, lease_until_ms = ?5",
		"iiiii", s->slot, s->token, inode, s->lease_s,
		s->now_ms + s->lease_s * 1000);
}

static int insert_holder(struct store *s, struct err *e)
{
	int rc = lease_recover(s, s->is_worker, e);
	return rc == 0 ? insert_row(s, e) : rc;
}

int lease_register(struct store *s, int64_t lease_s, bool is_worker, struct err *e)
{
	int64_t slot_before = s->slot;
	s->lease_s = lease_s > 0 ? lease_s : LEASE_DEFAULT_S;
	s->is_worker = s->is_worker || is_worker;
	int rc = store_begin(s, e);
	if (rc == 0)
		rc = insert_holder(s, e);
	if (rc == 0)
		rc = store_commit(s, e);
	if (rc == 0) {
		schedule_renewal(s);
		return 0;
	}
	store_rollback(s);
	if (!slot_before && s->slot) {
		lock_drop(&s->lock, s->slot);
		s->slot = 0;
	}
	return rc;
}

int lease_ensure(struct store *s, struct err *e)
{
	int64_t token;
	int rc = db_value(&s->db, e, &token, "SELECT token FROM holder WHERE slot = ?1",
		"i", s->slot);
	if (rc == 0 && token == s->token)
		return 0;
	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	if (rc == 0) {
		/* What we held in it is freed: somebody else has it now. */
		lock_drop(&s->lock, s->slot);
		s->slot = 0;
	}
	return insert_row(s, e);
}

int64_t store_renew_at_ms(const struct store *s)
{
	return s->renew_at_ms;
}

void store_renew(struct store *s)
{
	schedule_renewal(s);
	if (!s->slot || s->suspect || store_begin(s, NULL) != 0)
		return; /* the next one may work; until then the lock counts */
	if (db_run(&s->db, NULL,
		    "UPDATE holder SET lease_until_ms = ?3 WHERE slot = ?1 AND token = "
		    "?2",
		    "iii", s->slot, s->token, s->now_ms + s->lease_s * 1000) == 0)
		(void)store_commit(s, NULL);
	store_rollback(s);
}

void lease_unregister(struct store *s)
{
	struct holder own = { .slot = s->slot, .token = s->token };
	if (!s->slot || store_begin(s, NULL) != 0)
		return; /* the lock goes with the process: others will see */
	if (free_holder(s, &own, s->is_worker || s->options.lost_record, NULL) == 0)
		(void)store_commit(s, NULL);
	store_rollback(s);
	lock_drop(&s->lock, s->slot);
	s->slot = 0;
}
