/*
 * Claims in the database: a row a claim request, with the ids of its items. The
 * items' own rows do not change before there is a result. An item that has left the
 * queue stays in its claim's row until all of that are done; one that goes back is
 * taken out of it, once a transaction.
 *
 * What is in a row is busy: claimed, or in doubt without anybody who can record
 * that. Ours are known from held.h, those of others are looked at once a
 * transaction, if at all.
 */
#include "queue/sqlite_store.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void claims_begin(struct store *s)
{
	held_rollback_to(s->held, 0);
	s->is_row_checked = s->are_others_known = false;
	s->touched_count = 0;
	s->last_record = 0;
}

void claims_roll_back(struct store *s, size_t place)
{
	held_rollback_to(s->held, place);
	s->is_row_checked = s->are_others_known = false;
	s->last_record = 0;
	item_touch_again(s);
}

/* ---- the rows ---- */

static void *pack(const int64_t *ids, size_t count)
{
	unsigned char *bytes = xmalloc(count * CLAIM_ID_BYTES + 1), *at = bytes;
	for (size_t i = 0; i < count; i++) {
		for (int shift = 56; shift >= 0; shift -= 8)
			*at++ = (unsigned char)((uint64_t)ids[i] >> shift);
	}
	return bytes;
}

void claims_unpack(sqlite3_stmt *stmt, int column, struct id_list *out)
{
	const unsigned char *at = sqlite3_column_blob(stmt, column);
	size_t count = (size_t)sqlite3_column_bytes(stmt, column) / CLAIM_ID_BYTES;
	for (size_t i = 0; i < count; i++) {
		uint64_t id = 0;
		for (int n = 0; n < CLAIM_ID_BYTES; n++)
			id = id << 8 | *at++;
		id_list_add(out, (int64_t)id);
	}
}

void id_list_add(struct id_list *list, int64_t id)
{
	if (list->count == list->cap) {
		list->cap = list->cap ? 2 * list->cap : 64;
		list->ids = xreallocarray(list->ids, list->cap, sizeof(*list->ids));
	}
	list->ids[list->count++] = id;
}

void id_list_clear(struct id_list *list)
{
	free(list->ids);
	*list = (struct id_list){ 0 };
}

static int compare_ids(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

void id_list_sort(struct id_list *list)
{
	if (list->count)
		qsort(list->ids, list->count, sizeof(*list->ids), compare_ids);
}

bool id_list_has(const struct id_list *sorted, int64_t id)
{
	return sorted->count && bsearch(&id, sorted->ids, sorted->count,
					sizeof(*sorted->ids), compare_ids);
}

int claims_insert(
	struct store *s, const struct id_list *items, int64_t *id_out, struct err *e)
{
	OWN(mem_free) void *bytes = pack(items->ids, items->count);
	/* Never used again: one whose commit nobody knows of may turn up later. */
	*id_out = s->next_claim++;
	return db_run(&s->db, e,
		"INSERT INTO claim(id, holder, items) VALUES(?1, ?2, ?3)", "iib", *id_out,
		s->slot, bytes, items->count * CLAIM_ID_BYTES);
}

int claims_update(struct store *s, int64_t id, const struct id_list *items, struct err *e)
{
	if (!items->count)
		return db_run(&s->db, e, "DELETE FROM claim WHERE id = ?1", "i", id);
	OWN(mem_free) void *bytes = pack(items->ids, items->count);
	return db_run(&s->db, e, "UPDATE claim SET items = ?2 WHERE id = ?1", "ib", id,
		bytes, items->count * CLAIM_ID_BYTES);
}

static int write_claim(void *arg, struct held_claim *claim, struct err *e)
{
	struct id_list left = { 0 };
	if (claim->released < claim->count && !claim->staying)
		return 0;
	for (struct held_item *i = claim->items; i; i = i->next) {
		if (!i->is_released)
			id_list_add(&left, i->item);
	}
	int rc = claims_update(arg, claim->id, &left, e);
	id_list_clear(&left);
	return rc;
}

int claims_before_commit(struct store *s, struct err *e)
{
	int rc = held_write_claims(s->held, write_claim, s, e);
	return rc == 0 ? item_refresh_touched(s, e) : rc;
}

/* ---- who has what ---- */

int claims_check(struct store *s, struct err *e)
{
	bool is_ours;
	if (s->is_row_checked)
		return 0;
	int rc = lease_is_ours(s, &is_ours, e);
	if (rc != 0)
		return rc;
	if (!is_ours)
		held_begin(s->held, NULL); /* all of it is somebody else's */
	s->is_row_ours = is_ours;
	s->is_row_checked = true;
	return 0;
}

static int load_others(struct store *s, struct err *e)
{
	int rc;
	s->others.count = 0;
	sqlite3_stmt *stmt = db_query(
		&s->db, e, "SELECT items FROM claim WHERE holder <> ?1", "i", s->slot);
	while ((rc = db_step(&s->db, stmt, e)) == 1)
		claims_unpack(stmt, 0, &s->others);
	id_list_sort(&s->others);
	s->are_others_known = rc == 0;
	return rc;
}

int claims_is_busy(struct store *s, int64_t item, bool *out, struct err *e)
{
	int rc = s->are_others_known ? 0 : load_others(s, e);
	*out = held_find(s->held, item) || id_list_has(&s->others, item);
	return rc;
}

/* ---- after a commit whose outcome nobody knew ---- */

static int compare_with_row(struct store *s, struct held_claim *claim, struct err *e)
{
	struct id_list items = { 0 };
	struct held_item *i, *next;
	int rc;
	sqlite3_stmt *stmt = db_query(&s->db, e,
		"SELECT items FROM claim WHERE id = ?1 AND holder = ?2", "ii", claim->id,
		s->slot);
	while ((rc = db_step(&s->db, stmt, e)) == 1)
		claims_unpack(stmt, 0, &items);
	id_list_sort(&items);
	for (i = claim->items; i && rc == 0; i = next) {
		int64_t any;
		next = i->next;
		rc = id_list_has(&items, i->item)
			     ? db_value(&s->db, e, &any,
				       "SELECT 1 FROM item WHERE id = ?1", "i", i->item)
			     : ERR_NOT_FOUND;
		if (rc != ERR_NOT_FOUND)
			continue;
		held_drop(s->held, i); /* the last one takes the claim with it */
		rc = 0;
	}
	id_list_clear(&items);
	return rc;
}

static bool is_known(const struct store *s, int64_t claim)
{
	for (struct held_claim *c = held_claims(s->held); c; c = c->next) {
		if (c->id == claim)
			return true;
	}
	return false;
}

/* A claim that was told to have failed. */
static int find_unknown(
	struct store *s, int64_t *id_out, struct id_list *items, struct err *e)
{
	int rc;
	sqlite3_stmt *stmt = db_query(
		&s->db, e, "SELECT id, items FROM claim WHERE holder = ?1", "i", s->slot);
	while ((rc = db_step(&s->db, stmt, e)) == 1) {
		*id_out = db_int(stmt, 0);
		if (is_known(s, *id_out))
			continue;
		claims_unpack(stmt, 1, items);
		db_reset(stmt);
		return 1;
	}
	return rc;
}

static int remove_unknown(struct store *s, struct err *e)
{
	struct id_list items = { 0 };
	int64_t id;
	int rc;
	while ((rc = find_unknown(s, &id, &items, e)) == 1) {
		rc = db_run(&s->db, e, "DELETE FROM claim WHERE id = ?1", "i", id);
		for (size_t i = 0; i < items.count && rc == 0; i++)
			rc = item_touch(s, items.ids[i], e);
		items.count = 0;
		s->wakes = true;
		if (rc != 0)
			break;
	}
	id_list_clear(&items);
	return rc;
}

static int compare_all(struct store *s, struct err *e)
{
	struct held_claim *c, *next;
	int rc = claims_check(s, e);
	if (rc != 0 || !s->is_row_ours)
		return rc;
	for (c = held_claims(s->held); c && rc == 0; c = next) {
		next = c->next;
		rc = compare_with_row(s, c, e);
	}
	return rc == 0 ? remove_unknown(s, e) : rc;
}

int claims_reconcile(struct store *s, struct err *e)
{
	int rc = store_begin(s, e);
	if (rc == 0)
		rc = compare_all(s, e);
	if (rc == 0)
		rc = store_commit(s, e);
	store_rollback(s);
	if (rc == 0)
		s->are_claims_unknown = false;
	return rc;
}
