/*
 * Holders: processes that have something in the queue that goes with them,
 * items they claimed, content they are staging, notes. Each has a slot, the
 * lock on that byte of the lock file, and a lease that it renews. The lock
 * says at once when its process is gone; the lease counts where it cannot.
 *
 * A worker has a journal of doubt besides. Who takes over what it held fences that
 * and reads it; after a reboot, or without it, all that was held is in doubt. The
 * file goes after the commit that removes its holder; a worker that begins removes
 * what others had no time to. Files are made and looked for only in a write
 * transaction: whatever has no row then is left over.
 */
#include "queue/sqlite_store.h"

#include "base/failpoint.h"
#include "base/mem.h"
#include "base/timefmt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_MAX = 10000, HOLDERS_AT_ONCE = 64 };

struct holder {
	int64_t slot, inode, lease_until_ms;
	int64_t journal; /* its token; 0: no worker */
	char boot[JOURNAL_BOOT_MAX];
};

/* What a holder that is gone had marked. */
struct doubts {
	struct journal *journal; /* NULL: nobody knows, so all of it */
	bool are_recorded;       /* else they wait for a process that can */
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
		"SELECT slot, inode, lease_until_ms, journal, boot FROM holder"
		" WHERE slot <> ?1 OR token <> ?2",
		"ii", s->slot, s->token);
	size_t n = 0;
	int rc;
	while ((rc = db_step(&s->db, stmt, e)) == 1) {
		struct holder h = { db_int(stmt, 0), db_int(stmt, 1), db_int(stmt, 2),
			db_int(stmt, 3), "" };
		snprintf(h.boot, sizeof(h.boot), "%s", db_text(stmt, 4));
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

/* host: where it was sent; empty: nobody knows. */
static int lose_in_doubt(struct store *s, int64_t id, const char *host, struct err *e)
{
	OWN(queue_item_free) struct queue_item *item = NULL;
	int rc = item_load(s, id, &item, e);
	if (rc != 0)
		return rc;
	item->due_ms = s->now_ms + LOST_IN_DOUBT_DELAY_MS;
	free(item->last_host);
	item->last_host = host[0] ? xstrdup(host) : NULL;
	rc = record_lost(s, item, e);
	if (rc != 0)
		return rc;
	OWN(mem_free)
	char *text =
		host[0] ? xasprintf("the worker ended after the message was sent to %s "
				    "and before its answer: it may have been delivered",
				  host)
			: xstrdup("the worker ended while it had the message, and what "
				  "it knew is lost: it may have been delivered");
	return db_run(&s->db, e,
		"UPDATE item SET due_ms = ?2,"
		" attempts = attempts + 1, was_in_doubt = 1, last_error = ?3,"
		" last_host = ?4 WHERE id = ?1",
		"iitt", id, item->due_ms, text, item->last_host);
}

/* An item of a claim; those that are to wait for who can record them are kept. */
static int lose_item(struct store *s, int64_t id, const struct doubts *doubts,
	struct id_list *kept, struct err *e)
{
	char host[JOURNAL_HOST_MAX] = "";
	int64_t destination;
	bool is_in_doubt = !doubts->journal || journal_find(doubts->journal, id, host);
	int rc = db_value(&s->db, e, &destination,
		"SELECT destination FROM item WHERE id = ?1", "i", id);
	if (rc == ERR_NOT_FOUND)
		return 0; /* finished: a claim keeps what has left the queue */
	if (rc == 0 && is_in_doubt && !doubts->are_recorded) {
		id_list_add(kept, id);
		return 0;
	}
	if (rc == 0 && is_in_doubt)
		rc = lose_in_doubt(s, id, host, e);
	item_touch_destination(s, destination);
	s->wakes = true;
	return rc;
}

/* The claim after that one; 1: there was one. */
static int lose_claim(struct store *s, int64_t slot, const struct doubts *doubts,
	int64_t *id, struct err *e)
{
	struct id_list items = { 0 }, kept = { 0 };
	sqlite3_stmt *stmt = db_query(&s->db, e,
		"SELECT id, items FROM claim WHERE holder = ?1 AND id > ?2 ORDER BY id"
		" LIMIT 1",
		"ii", slot, *id);
	int rc = db_step(&s->db, stmt, e);
	if (rc != 1)
		return rc;
	*id = db_int(stmt, 0);
	claims_unpack(stmt, 1, &items);
	db_reset(stmt);
	rc = 0;
	for (size_t i = 0; i < items.count && rc == 0; i++)
		rc = lose_item(s, items.ids[i], doubts, &kept, e);
	if (rc == 0)
		rc = claims_update(s, *id, &kept, e);
	id_list_clear(&items);
	id_list_clear(&kept);
	return rc == 0 ? 1 : rc;
}

static int lose_claims(
	struct store *s, const struct holder *h, bool with_doubt, struct err *e)
{
	OWN(journal_close) struct journal *journal = NULL;
	char boot[JOURNAL_BOOT_MAX];
	int64_t id = INT64_MIN;
	int rc = 0;
	journal_boot(boot);
	if (boot[0] && strcmp(boot, h->boot) == 0) {
		struct journal_queue queue = store_journal_queue(s);
		struct err why = { 0 };
		rc = journal_open(&queue, h->journal, true, &journal, &why);
		if (rc != 0 && rc != ERR_INVALID)
			return err_set(e, rc, "%s", why.text);
	}
	struct doubts doubts = { journal, with_doubt };
	do {
		rc = lose_claim(s, h->slot, &doubts, &id, e);
	} while (rc == 1);
	s->are_others_known = false;
	(void)failpoint("queue.lease.lost");
	return rc;
}

static int remove_staged(struct store *s, int64_t slot, struct err *e)
{
	int64_t num;
	int rc;
	while ((rc = db_value(&s->db, e, &num,
			"SELECT num FROM message WHERE holder = ?1 LIMIT 1", "i",
			slot)) == 0) {
		rc = body_remove_message(s, num, SIZE_UNKNOWN, e);
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* Its holder goes with the transaction. What does not fit, or is noted in one that
 * fails, is left to the next worker. */
static void note_useless(struct store *s, int64_t journal)
{
	if (s->useless_count < ARRAY_SIZE(s->useless))
		s->useless[s->useless_count++] = journal;
}

void lease_remove_useless(struct store *s)
{
	for (size_t i = 0; i < s->useless_count; i++) {
		(void)failpoint("queue.journal.remove");
		journal_remove(s->path, s->useless[i]);
	}
	s->useless_count = 0;
}

static int free_holder(
	struct store *s, const struct holder *h, bool with_doubt, struct err *e)
{
	int64_t left = 0;
	int rc = h->journal ? lose_claims(s, h, with_doubt, e) : 0;
	if (rc == 0)
		rc = remove_staged(s, h->slot, e);
	if (rc == 0)
		rc = db_run(
			&s->db, e, "DELETE FROM note WHERE holder = ?1", "i", h->slot);
	if (rc == 0)
		rc = db_value(&s->db, e, &left,
			"SELECT count(*) FROM claim WHERE holder = ?1", "i", h->slot);
	/* The row stays while items in doubt wait for who can record them. */
	if (rc == 0 && !left)
		rc = db_run(
			&s->db, e, "DELETE FROM holder WHERE slot = ?1", "i", h->slot);
	if (rc == 0 && !left && h->journal)
		note_useless(s, h->journal);
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

static bool has_row(void *arg, int64_t journal)
{
	struct store *s = arg;
	int64_t any;
	return db_value(&s->db, NULL, &any, "SELECT 1 FROM holder WHERE journal = ?1",
		       "i", journal) != ERR_NOT_FOUND;
}

/* A journal of its own for each row: what was held under the last one is lost. That
 * stays until the commit, for those who would need it without one. */
static int begin_journal(struct store *s, struct err *e)
{
	struct journal_queue queue = store_journal_queue(s);
	struct journal *journal = NULL;
	if (held_journal_token(s->held))
		note_useless(s, held_journal_token(s->held));
	journal_remove_leftovers(s->path, has_row, s);
	int rc = journal_create(&queue, &journal, e);
	if (rc == 0)
		held_begin(s->held, journal);
	return rc;
}

/* Our row; new: it is not there. */
static int write_row(struct store *s, bool is_new, struct err *e)
{
	int64_t inode = s->lock.inode;
	char boot[JOURNAL_BOOT_MAX];
	int rc = 0;
	if (!s->slot)
		rc = take_slot(s, &inode, e);
	if (rc == 0 && s->is_worker && (is_new || !held_journal_token(s->held)))
		rc = begin_journal(s, e);
	if (rc != 0)
		return rc;
	journal_boot(boot);
	return db_run(&s->db, e,
		"INSERT INTO holder(slot, token, inode, lease_s, lease_until_ms, journal,"
		" boot) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(slot) DO UPDATE"
		" SET lease_s = ?4, lease_until_ms = ?5, journal = ?6, boot = ?7",
		"iiiiiit", s->slot, s->token, inode, s->lease_s,
		s->now_ms + s->lease_s * 1000, held_journal_token(s->held), boot);
}

static int insert_holder(struct store *s, struct err *e)
{
	int rc = lease_recover(s, s->is_worker, e);
	if (rc == 0 && s->slot)
		rc = lease_ensure(s, e);
	return rc == 0 ? write_row(s, !s->slot, e) : rc;
}

int lease_register(struct store *s, int64_t lease_s, bool is_worker, struct err *e)
{
	int64_t slot_before = s->slot;
	s->lease_s = lease_s > 0 ? lease_s : LEASE_DEFAULT_S;
	s->is_worker = s->is_worker || is_worker;
	int rc = store_begin(s, e);
	if (rc == 0)
		rc = insert_holder(s, e);
	(void)failpoint("queue.register.before");
	if (rc == 0)
		rc = store_commit(s, e);
	(void)failpoint("queue.register.after");
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

/* Fenced by somebody whose transaction failed then, or replaced in one of ours that
 * did: we carry it out. */
static int give_up_row(struct store *s, int64_t journal, struct err *e)
{
	struct holder own = { .slot = s->slot, .journal = journal };
	journal_boot(own.boot);
	held_begin(s->held, NULL);
	return free_holder(s, &own, true, e);
}

static bool is_in_force(const struct store *s, int64_t journal)
{
	int64_t own = held_journal_token(s->held);
	if (!own)
		return !journal && !s->is_worker;
	return journal == own && !held_is_fenced(s->held);
}

/* 1: the slot has a row, with this token and journal; 0: it has none. */
static int load_row(
	struct store *s, int64_t *token_out, int64_t *journal_out, struct err *e)
{
	sqlite3_stmt *stmt = db_query(&s->db, e,
		"SELECT token, journal FROM holder WHERE slot = ?1", "i", s->slot);
	int rc = db_step(&s->db, stmt, e);
	*token_out = rc == 1 ? db_int(stmt, 0) : 0;
	*journal_out = rc == 1 ? db_int(stmt, 1) : 0;
	if (rc == 1)
		db_reset(stmt);
	return rc;
}

int lease_is_ours(struct store *s, bool *out, struct err *e)
{
	int64_t token, journal;
	int rc = load_row(s, &token, &journal, e);
	*out = rc == 1 && token == s->token && is_in_force(s, journal);
	return rc < 0 ? rc : 0;
}

int lease_ensure(struct store *s, struct err *e)
{
	int64_t token, journal;
	int rc = load_row(s, &token, &journal, e);
	if (rc < 0)
		return rc;
	if (rc == 1 && token != s->token) {
		/* What we held in it is freed: somebody else has it now. */
		lock_drop(&s->lock, s->slot);
		s->slot = 0;
	} else if (rc == 1 && is_in_force(s, journal)) {
		return 0;
	} else if (rc == 1 && journal) {
		rc = give_up_row(s, journal, e);
		if (rc != 0)
			return rc;
	}
	s->is_row_checked = false;
	return write_row(s, true, e);
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
	struct holder own = { .slot = s->slot, .journal = held_journal_token(s->held) };
	journal_boot(own.boot);
	if (!s->slot && own.journal)
		journal_remove(s->path, own.journal);
	held_begin(s->held, NULL);
	if (!s->slot || store_begin(s, NULL) != 0)
		return; /* the lock goes with the process: others will see */
	bool is_free =
		free_holder(s, &own, s->is_worker || s->options.lost_record, NULL) == 0;
	(void)failpoint("queue.unregister.before");
	if (is_free)
		(void)store_commit(s, NULL);
	(void)failpoint("queue.unregister.after");
	store_rollback(s);
	lock_drop(&s->lock, s->slot);
	s->slot = 0;
}
