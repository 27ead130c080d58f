/* Who holds what, and which of it is in doubt: not in the tables, but in the
 * journals of the workers. */
#include "queue/sqlite_reader.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void reader_load_holders(struct queue_reader *r)
{
	struct stat st = { 0 };
	char boot[JOURNAL_BOOT_MAX];
	journal_boot(boot);
	(void)stat(r->db.path, &st); /* without it no journal is trusted */
	struct journal_queue queue = { r->db.path, st.st_dev, st.st_ino };
	sqlite3_stmt *stmt = db_query(&r->db, NULL,
		"SELECT slot, journal, boot FROM holder WHERE journal <> 0", "");
	while (db_step(&r->db, stmt, NULL) == 1) {
		struct reader_holder h = { .slot = db_int(stmt, 0) };
		if (boot[0] && strcmp(boot, db_text(stmt, 2)) == 0)
			(void)journal_open(
				&queue, db_int(stmt, 1), false, &h.journal, NULL);
		r->holders = xreallocarray(
			r->holders, r->holder_count + 1, sizeof(*r->holders));
		r->holders[r->holder_count++] = h;
	}
	r->has_holders = true;
}

void reader_forget_holders(struct queue_reader *r)
{
	for (size_t i = 0; i < r->holder_count; i++)
		journal_close(&r->holders[i].journal);
	free(r->holders);
	r->holders = NULL;
	r->holder_count = 0;
	r->has_holders = false;
}

enum item_state reader_state(
	struct queue_reader *r, int64_t item, enum item_state state, int64_t holder)
{
	if (state != ITEM_CLAIMED)
		return state;
	if (!r->has_holders)
		reader_load_holders(r);
	for (size_t i = 0; i < r->holder_count; i++) {
		const struct reader_holder *h = &r->holders[i];
		if (h->slot == holder &&
			(!h->journal || journal_find(h->journal, item, NULL)))
			return ITEM_IN_DOUBT;
	}
	return state;
}

int reader_count_in_doubt(struct queue_reader *r, const struct reader_holder *h,
	uint64_t *count, struct err *e)
{
	int64_t n = 0;
	int rc = 0;
	if (!h->journal) {
		rc = db_value(&r->db, e, &n,
			"SELECT count(*) FROM item WHERE holder = ?1", "i", h->slot);
		*count += (uint64_t)n;
		return rc;
	}
	for (size_t i = 0; i < journal_count(h->journal) && rc >= 0; i++) {
		rc = db_value(&r->db, e, &n,
			"SELECT 1 FROM item WHERE id = ?1 AND holder = ?2", "ii",
			journal_item(h->journal, i), h->slot);
		*count += rc == 0;
		if (rc == ERR_NOT_FOUND)
			rc = 0;
	}
	return rc;
}
