/*
 * The reader: messages, items, content, memory, notes, counts. The retry log
 * is in sqlite_reader_log.c. A call sees one moment, and lets go of it before
 * it returns: a snapshot that is kept while a pager waits for its reader would
 * stop every checkpoint, and the log would grow without end.
 */
#include "queue/sqlite_reader.h"

#include "base/mem.h"
#include "base/timefmt.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_PIECE = 256 * 1024 };

int queue_reader_open(const char *path, int64_t busy_timeout_ms,
	struct queue_reader **out, struct err *e)
{
	struct queue_reader *r = xcalloc(1, sizeof(*r));
	r->lock.fd = -1;
	*out = NULL;
	int rc = schema_open_reader(&r->db, path, busy_timeout_ms, e);
	if (rc != 0) {
		free(r);
		return rc;
	}
	/* Without it leases tell who lives. */
	(void)lock_open(&r->lock, path, O_RDWR, NULL);
	*out = r;
	return 0;
}

void reader_forget(struct queue_reader *r)
{
	for (size_t i = 0; i < r->kept_count; i++)
		free(r->kept[i]);
	r->kept_count = 0;
	for (size_t i = 0; i < r->item_count; i++)
		free(r->lists[i]);
	free(r->lists);
	free(r->items);
	r->lists = NULL;
	r->items = NULL;
	r->item_count = 0;
	r->recipient_count = r->domain_count = 0;
	reader_forget_holders(r);
}

void queue_reader_close(struct queue_reader **rp)
{
	struct queue_reader *r = *rp;
	if (!r)
		return;
	*rp = NULL;
	reader_forget(r);
	free(r->kept);
	free(r->recipients);
	free(r->domains);
	db_close(&r->db);
	lock_close(&r->lock);
	free(r);
}

const char *reader_keep(struct queue_reader *r, char *s)
{
	if (!s)
		return NULL;
	if (r->kept_count == r->kept_cap) {
		r->kept_cap = r->kept_cap ? 2 * r->kept_cap : 16;
		r->kept = xreallocarray(r->kept, r->kept_cap, sizeof(*r->kept));
	}
	return r->kept[r->kept_count++] = s;
}

static const char *keep_column(struct queue_reader *r, sqlite3_stmt *stmt, int column)
{
	return reader_keep(r, db_strdup(stmt, column));
}

int reader_begin(struct queue_reader *r, struct err *e)
{
	return db_run(&r->db, e, "BEGIN", "");
}

void reader_end(struct queue_reader *r)
{
	if (!sqlite3_get_autocommit(r->db.handle))
		(void)db_run(&r->db, NULL, "COMMIT", "");
}

/* ---- messages ---- */

static void add_name(const char ***list, size_t *count, size_t *cap, const char *name)
{
	if (*count == *cap) {
		*cap = *cap ? 2 * *cap : 8;
		*list = xreallocarray(*list, *cap, sizeof(**list));
	}
	(*list)[(*count)++] = name;
}

static int load_recipients(struct queue_reader *r, int64_t num, struct err *e)
{
	int rc;
	sqlite3_stmt *stmt = db_query(&r->db, e,
		"SELECT address FROM recipient WHERE item BETWEEN ?1 AND ?2"
		" AND outcome = 0 ORDER BY n",
		"ii", item_first(num), item_first(num + 1) - 1);
	while ((rc = db_step(&r->db, stmt, e)) == 1)
		add_name(&r->recipients, &r->recipient_count, &r->recipient_cap,
			keep_column(r, stmt, 0));
	return rc;
}

/* The item that is due first speaks for the message; without one, the first. */
static void sum_up_item(
	struct queue_reader *r, struct queue_entry *out, sqlite3_stmt *stmt)
{
	enum item_state now =
		reader_state(r, db_int(stmt, 6), (enum item_state)db_int(stmt, 1));
	const char *state = item_state_name(now);
	bool is_due = now == ITEM_DUE;
	bool is_first = r->domain_count == 0;
	int64_t due_ms = db_int(stmt, 2);
	unsigned attempts = (unsigned)db_int(stmt, 3);
	const char *error = keep_column(r, stmt, 5);
	add_name(&r->domains, &r->domain_count, &r->domain_cap, keep_column(r, stmt, 0));
	if (is_first)
		out->state = state;
	else if (strcmp(out->state, state) != 0)
		out->state = "mixed";
	if (attempts > out->attempts)
		out->attempts = attempts;
	bool is_soonest =
		is_due && (!out->next_attempt_ms || due_ms < out->next_attempt_ms);
	if (is_soonest)
		out->next_attempt_ms = due_ms;
	if (is_first || is_soonest) {
		const char *channel = keep_column(r, stmt, 4);
		out->next_channel = channel ? channel : "tls";
	}
	if (error && (is_soonest || !out->last_error))
		out->last_error = error;
}

static int load_items(
	struct queue_reader *r, int64_t num, struct queue_entry *out, struct err *e)
{
	int rc;
	sqlite3_stmt *stmt = db_query(&r->db, e,
		"SELECT d.domain, i.state, i.due_ms, i.attempts, i.next_channel,"
		" i.last_error, i.id FROM item i JOIN destination d ON d.id = "
		"i.destination"
		" WHERE i.id BETWEEN ?1 AND ?2 ORDER BY i.id",
		"ii", item_first(num), item_first(num + 1) - 1);
	while ((rc = db_step(&r->db, stmt, e)) == 1)
		sum_up_item(r, out, stmt);
	return rc;
}

static int load_entry(struct queue_reader *r, sqlite3_stmt *stmt, struct queue_entry *out,
	struct err *e)
{
	int64_t num = db_int(stmt, 0), flags = db_int(stmt, 7);
	struct mail_envelope *m = &out->envelope;
	m->id = db_int(stmt, 1);
	m->sender = (char *)(uintptr_t)keep_column(r, stmt, 2);
	m->envid = (char *)(uintptr_t)keep_column(r, stmt, 3);
	m->ret = (enum mail_ret)db_int(stmt, 4);
	m->arrival_ms = db_int(stmt, 5);
	m->content.size_bytes = (uint64_t)db_int(stmt, 6);
	m->content.is_8bit = flags & MESSAGE_8BIT;
	m->content.needs_smtputf8 = flags & MESSAGE_SMTPUTF8;
	m->is_notice = flags & MESSAGE_NOTICE;
	db_reset(stmt);
	if (!m->sender)
		m->sender = (char *)(uintptr_t)reader_keep(r, xstrdup(""));
	out->state = item_state_name(ITEM_DUE);
	out->next_channel = "tls";
	int rc = load_items(r, num, out, e);
	if (rc == 0)
		rc = load_recipients(r, num, e);
	out->recipients = r->recipients;
	out->recipient_count = r->recipient_count;
	out->domains = r->domains;
	out->domain_count = r->domain_count;
	return rc;
}

#define MESSAGE_COLUMNS \
	"SELECT num, id, sender, envid, ret, arrival_ms, size, flags FROM message"

bool queue_reader_next(
	struct queue_reader *r, int64_t after_id, struct queue_entry *out, struct err *e)
{
	*out = (struct queue_entry){ 0 };
	reader_forget(r);
	if (reader_begin(r, e) != 0)
		return false;
	sqlite3_stmt *stmt = db_query(&r->db, e,
		MESSAGE_COLUMNS " WHERE id > ?1 ORDER BY id LIMIT 1", "i", after_id);
	int rc = db_step(&r->db, stmt, e);
	bool found = rc == 1 && load_entry(r, stmt, out, e) == 0;
	reader_end(r);
	return found;
}

static int complain_not_queued(int64_t id, struct err *e)
{
	char text[MAIL_ID_MAX];
	mail_id_format(id, text);
	return err_set(e, ERR_NOT_FOUND,
		"message %s is not in the queue; `hikyaku log --id %s` tells what became "
		"of it",
		text, text);
}

int queue_reader_get(
	struct queue_reader *r, int64_t id, struct queue_entry *out, struct err *e)
{
	*out = (struct queue_entry){ 0 };
	reader_forget(r);
	int rc = reader_begin(r, e);
	if (rc != 0)
		return rc;
	sqlite3_stmt *stmt =
		db_query(&r->db, e, MESSAGE_COLUMNS " WHERE id = ?1", "i", id);
	rc = db_step(&r->db, stmt, e);
	if (rc == 0)
		rc = complain_not_queued(id, e);
	else if (rc == 1)
		rc = load_entry(r, stmt, out, e);
	reader_end(r);
	return rc;
}

/* ---- items ---- */

static const char *outcome_name(int64_t outcome)
{
	switch (outcome) {
	case RECIPIENT_DELIVERED:
		return "delivered";
	case RECIPIENT_BOUNCED:
		return "bounced";
	default:
		return "queued";
	}
}

static int load_item_recipients(struct queue_reader *r, size_t index, struct err *e)
{
	struct queue_entry_item *item = &r->items[index];
	size_t cap = 0;
	int rc;
	sqlite3_stmt *stmt = db_query(&r->db, e,
		"SELECT address, outcome, text, orcpt, notify FROM recipient"
		" WHERE item = ?1 ORDER BY n",
		"i", item->id);
	while ((rc = db_step(&r->db, stmt, e)) == 1) {
		if (item->recipient_count == cap) {
			cap = cap ? 2 * cap : 4;
			r->lists[index] = xreallocarray(
				r->lists[index], cap, sizeof(*r->lists[index]));
		}
		r->lists[index][item->recipient_count++] = (struct queue_entry_recipient){
			.address = keep_column(r, stmt, 0),
			.outcome = outcome_name(db_int(stmt, 1)),
			.text = keep_column(r, stmt, 2),
			.orcpt = keep_column(r, stmt, 3),
			.notify = (unsigned)db_int(stmt, 4),
		};
	}
	item->recipients = r->lists[index];
	return rc;
}

static void add_item(struct queue_reader *r, sqlite3_stmt *stmt)
{
	size_t n = r->item_count++;
	enum item_state state =
		reader_state(r, db_int(stmt, 0), (enum item_state)db_int(stmt, 2));
	r->items = xreallocarray(r->items, n + 1, sizeof(*r->items));
	/* Of pointers, which clang-tidy takes for a slip. */
	r->lists = xreallocarray(r->lists, n + 1, sizeof(*r->lists)); /* NOLINT */
	r->lists[n] = NULL;
	r->items[n] = (struct queue_entry_item){
		.id = db_int(stmt, 0),
		.domain = keep_column(r, stmt, 1),
		.state = item_state_name(state),
		.attempts = (unsigned)db_int(stmt, 3),
		.next_channel = keep_column(r, stmt, 4),
		.channel_reason = keep_column(r, stmt, 5),
		.last_error = keep_column(r, stmt, 6),
		.next_attempt_ms = state == ITEM_DUE ? db_int(stmt, 7) : 0,
	};
}

int queue_reader_items(struct queue_reader *r, int64_t id,
	const struct queue_entry_item **out, size_t *count_out, struct err *e)
{
	reader_forget(r);
	int rc = reader_begin(r, e);
	if (rc != 0)
		return rc;
	sqlite3_stmt *stmt = db_query(&r->db, e,
		"SELECT i.id, d.domain, i.state, i.attempts, i.next_channel,"
		" i.channel_reason, i.last_error, i.due_ms FROM item i"
		" JOIN destination d ON d.id = i.destination JOIN message m ON m.id = ?1"
		" WHERE i.id BETWEEN m.num << 16 AND (m.num << 16) + 65535"
		" ORDER BY i.id",
		"i", id);
	while ((rc = db_step(&r->db, stmt, e)) == 1)
		add_item(r, stmt);
	if (rc == 0 && !r->item_count)
		rc = complain_not_queued(id, e);
	for (size_t i = 0; i < r->item_count && rc == 0; i++)
		rc = load_item_recipients(r, i, e);
	reader_end(r);
	*out = r->items;
	*count_out = r->item_count;
	return rc;
}

/* ---- the rest ---- */

bool queue_reader_memory(struct queue_reader *r, const char *domain, int64_t now_ms,
	const char **channel_out, const char **reason_out, int64_t *until_ms_out)
{
	reader_forget(r);
	sqlite3_stmt *stmt = db_query(&r->db, NULL,
		"SELECT channel, reason, until_ms FROM memory WHERE domain = ?1"
		" AND until_ms > ?2",
		"ti", domain, now_ms);
	if (!stmt || db_step(&r->db, stmt, NULL) != 1)
		return false;
	*channel_out = keep_column(r, stmt, 0);
	*reason_out = keep_column(r, stmt, 1);
	*until_ms_out = db_int(stmt, 2);
	db_reset(stmt);
	return true;
}

int queue_reader_body(struct queue_reader *r, int64_t id, uint64_t offset,
	const char **bytes_out, size_t *len_out, struct err *e)
{
	int64_t num;
	char *bytes = NULL;
	reader_forget(r);
	int rc = reader_begin(r, e);
	if (rc == 0)
		rc = db_value(&r->db, e, &num, "SELECT num FROM message WHERE id = ?1",
			"i", id);
	if (rc == ERR_NOT_FOUND)
		complain_not_queued(id, e);
	if (rc == 0)
		rc = body_load(&r->db, num, offset, BODY_PIECE, &bytes, len_out, e);
	reader_end(r);
	if (rc != 0)
		return -1;
	*bytes_out = reader_keep(r, bytes);
	return *len_out ? 1 : 0;
}

bool queue_reader_note(struct queue_reader *r, const char *name, const char **value_out)
{
	bool found = false;
	reader_forget(r);
	sqlite3_stmt *stmt = db_query(&r->db, NULL,
		"SELECT n.value, h.slot, h.inode, h.lease_until_ms FROM note n"
		" JOIN holder h ON h.slot = n.holder WHERE n.name = ?1 ORDER BY h.slot",
		"t", name);
	while (!found && db_step(&r->db, stmt, NULL) == 1) {
		found = lease_is_alive(&r->lock, db_int(stmt, 1), db_int(stmt, 2),
			db_int(stmt, 3), clock_wall_ms());
		if (found) {
			*value_out = keep_column(r, stmt, 0);
			db_reset(stmt);
		}
	}
	return found;
}

static int count_items(
	struct queue_reader *r, uint64_t counts[ITEM_STATE_COUNT], struct err *e)
{
	int rc;
	sqlite3_stmt *stmt = db_query(
		&r->db, e, "SELECT state, count(*) FROM item GROUP BY state", "");
	while ((rc = db_step(&r->db, stmt, e)) == 1) {
		int64_t state = db_int(stmt, 0);
		if (state >= 0 && state < ITEM_STATE_COUNT)
			counts[state] = (uint64_t)db_int(stmt, 1);
	}
	if (rc == 0)
		rc = reader_count_held(r, counts, e);
	return rc;
}

int queue_reader_counts(struct queue_reader *r, struct queue_counts *out, struct err *e)
{
	uint64_t counts[ITEM_STATE_COUNT] = { 0 };
	int64_t messages = 0;
	*out = (struct queue_counts){ 0 };
	reader_forget(r);
	int rc = reader_begin(r, e);
	if (rc != 0)
		return rc;
	rc = db_value(&r->db, e, &messages,
		"SELECT count(*) FROM message WHERE id IS NOT NULL", "");
	if (rc == 0)
		rc = count_items(r, counts, e);
	reader_end(r);
	*out = (struct queue_counts){ (uint64_t)messages, counts[ITEM_DUE],
		counts[ITEM_CLAIMED], counts[ITEM_IN_DOUBT], counts[ITEM_HELD] };
	return rc;
}
