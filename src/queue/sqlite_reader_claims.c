/* Who holds what, and which of it is in doubt: the items' rows do not tell, but the
 * claims, and the journals of the workers. */
#include "queue/sqlite_reader.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void add_holder(
	struct queue_reader *r, const struct journal_queue *queue, sqlite3_stmt *stmt)
{
	struct reader_holder h = { .slot = db_int(stmt, 0) };
	char boot[JOURNAL_BOOT_MAX];
	journal_boot(boot);
	if (boot[0] && strcmp(boot, db_text(stmt, 2)) == 0)
		(void)journal_open(queue, db_int(stmt, 1), false, &h.journal, NULL);
	r->holders = xreallocarray(r->holders, r->holder_count + 1, sizeof(*r->holders));
	r->holders[r->holder_count++] = h;
}

static void add_claim(struct queue_reader *r, sqlite3_stmt *stmt)
{
	for (size_t i = 0; i < r->holder_count; i++) {
		if (r->holders[i].slot == db_int(stmt, 0))
			claims_unpack(stmt, 1, &r->holders[i].items);
	}
}

static int load(struct queue_reader *r, struct err *e)
{
	struct stat st = { 0 };
	int rc;
	(void)stat(r->db.path, &st); /* without it no journal is trusted */
	struct journal_queue queue = { r->db.path, st.st_dev, st.st_ino };
	r->has_holders = true;
	sqlite3_stmt *stmt = db_query(&r->db, e,
		"SELECT slot, journal, boot FROM holder WHERE journal <> 0", "");
	while ((rc = db_step(&r->db, stmt, e)) == 1)
		add_holder(r, &queue, stmt);
	if (rc != 0)
		return rc;
	stmt = db_query(&r->db, e, "SELECT holder, items FROM claim", "");
	while ((rc = db_step(&r->db, stmt, e)) == 1)
		add_claim(r, stmt);
	for (size_t i = 0; i < r->holder_count; i++)
		id_list_sort(&r->holders[i].items);
	return rc;
}

void reader_forget_holders(struct queue_reader *r)
{
	for (size_t i = 0; i < r->holder_count; i++) {
		journal_close(&r->holders[i].journal);
		id_list_clear(&r->holders[i].items);
	}
	free(r->holders);
	r->holders = NULL;
	r->holder_count = 0;
	r->has_holders = false;
}

static enum item_state state_by(const struct reader_holder *h, int64_t item)
{
	return !h->journal || journal_find(h->journal, item, NULL) ? ITEM_IN_DOUBT
								   : ITEM_CLAIMED;
}

enum item_state reader_state(struct queue_reader *r, int64_t item, enum item_state state)
{
	if (state != ITEM_DUE)
		return state;
	if (!r->has_holders)
		(void)load(r, NULL);
	for (size_t i = 0; i < r->holder_count; i++) {
		if (id_list_has(&r->holders[i].items, item))
			return state_by(&r->holders[i], item);
	}
	return state;
}

/* A claim still names what has left the queue. */
static int count_held(struct queue_reader *r, const struct reader_holder *h,
	uint64_t counts[ITEM_STATE_COUNT], struct err *e)
{
	for (size_t i = 0; i < h->items.count; i++) {
		int64_t id = h->items.ids[i], any;
		int rc = db_value(
			&r->db, e, &any, "SELECT 1 FROM item WHERE id = ?1", "i", id);
		if (rc == 0) {
			counts[state_by(h, id)]++;
			counts[ITEM_DUE]--;
		} else if (rc != ERR_NOT_FOUND) {
			return rc;
		}
	}
	return 0;
}

int reader_count_held(
	struct queue_reader *r, uint64_t counts[ITEM_STATE_COUNT], struct err *e)
{
	int rc = load(r, e);
	for (size_t i = 0; i < r->holder_count && rc == 0; i++)
		rc = count_held(r, &r->holders[i], counts, e);
	return rc;
}
