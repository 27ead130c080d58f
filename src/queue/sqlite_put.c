/* Messages on their way in: staged pieces, the commit, bounces. */
#include "queue/sqlite_store.h"

#include "base/failpoint.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

enum { ID_TRIES = 8 };

/* ---- staging ---- */

/* Whoever took this process for dead has removed what it staged. */
static int complain_removed(struct store *s, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND,
		"the content that was on its way into queue %s was removed: this process "
		"had not been heard of for too long; send the message again",
		s->path);
}

static int check_staged(struct store *s, int64_t num, struct err *e)
{
	int64_t any;
	int rc = db_value(&s->db, e, &any,
		"SELECT 1 FROM message WHERE num = ?1 AND id IS NULL", "i", num);
	return rc == ERR_NOT_FOUND ? complain_removed(s, e) : rc;
}

static int stage_chunks(struct store *s, struct request *r)
{
	struct stage *stage = r->put.stage;
	int errnum = failpoint("queue.put.stage");
	if (errnum)
		return err_errno(&r->err, errnum, "stage content in queue %s", s->path);
	int rc;
	if (stage->num) {
		rc = check_staged(s, stage->num, &r->err);
	} else {
		rc = lease_ensure(s, &r->err);
		if (rc == 0)
			rc = db_run(&s->db, &r->err,
				"INSERT INTO message(holder) VALUES(?1)", "i", s->slot);
		if (rc == 0)
			stage->num = sqlite3_last_insert_rowid(s->db.handle);
	}
	if (rc != 0)
		return rc;
	return chunk_insert(s, stage->num, r->put.seq, r->put.bytes, r->put.len, &r->err);
}

int put_stage(struct store *s, struct request *r)
{
	struct stage *stage = r->put.stage;
	if (stage->err.code) {
		r->err = stage->err;
		return r->err.code;
	}
	int rc = stage_chunks(s, r);
	if (rc != 0) {
		/* The number is not ours any more: somebody else may get it. */
		stage->num = stage->committed_num;
		stage->err = r->err;
	}
	return rc;
}

int put_unstage(struct store *s, struct request *r)
{
	int64_t num;
	int rc = db_value(&s->db, &r->err, &num,
		"SELECT num FROM message WHERE num = ?1 AND holder = ?2 AND id IS NULL",
		"ii", r->put.stage->num, s->slot);
	if (rc != 0)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	return body_remove_message(s, num, SIZE_UNKNOWN, &r->err);
}

/* ---- rows ---- */

static int insert_message(struct store *s, const struct mail_envelope *m, int64_t id,
	uint64_t size, int64_t num, struct err *e)
{
	int64_t flags = (m->content.is_8bit ? MESSAGE_8BIT : 0) |
			(m->content.needs_smtputf8 ? MESSAGE_SMTPUTF8 : 0) |
			(m->is_notice ? MESSAGE_NOTICE : 0);
	int64_t arrival_ms = m->arrival_ms ? m->arrival_ms : s->now_ms;
	if (num)
		return db_run(&s->db, e,
			"UPDATE message SET id = ?2, sender = ?3, envid = ?4, ret = ?5,"
			" arrival_ms = ?6, size = ?7, flags = ?8, holder = NULL"
			" WHERE num = ?1",
			"iittiiii", num, id, m->sender, m->envid, (int64_t)m->ret,
			arrival_ms, (int64_t)size, flags);
	return db_run(&s->db, e,
		"INSERT INTO message(id, sender, envid, ret, arrival_ms, size, flags)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
		"ittiiii", id, m->sender, m->envid, (int64_t)m->ret, arrival_ms,
		(int64_t)size, flags);
}

/* num: of the staged row, or 0; out: of the row. */
static int store_message(struct store *s, const struct mail_envelope *m, uint64_t size,
	bool must_have_id, int64_t *num, int64_t *id_out, struct err *e)
{
	char text[MAIL_ID_MAX];
	*id_out = m->id ? m->id : mail_id_make(s->now_ms, rng_u32());
	int rc = insert_message(s, m, *id_out, size, *num, e);
	for (int i = 1; i < ID_TRIES && rc == ERR_EXISTS && !must_have_id; i++) {
		*id_out = mail_id_make(s->now_ms, rng_u32());
		rc = insert_message(s, m, *id_out, size, *num, e);
	}
	if (rc == ERR_EXISTS) {
		mail_id_format(*id_out, text);
		return err_set(e, rc, "queue %s has a message %s already", s->path, text);
	}
	if (rc != 0)
		return rc;
	*e = (struct err){ 0 }; /* of the tries before */
	if (!*num)
		*num = sqlite3_last_insert_rowid(s->db.handle);
	return 0;
}

/* The items of a message that is being stored, by destination. */
struct new_item {
	const char *domain;
	int64_t id;
	UT_hash_handle hh;
};

/* Its id; something of it is due now. */
static int touch_destination(
	struct store *s, const char *domain, int64_t *out, struct err *e)
{
	sqlite3_stmt *stmt = db_query(&s->db, e,
		"SELECT id, next_due_ms IS NULL OR next_due_ms > ?2 FROM destination"
		" WHERE domain = ?1",
		"ti", domain, s->now_ms);
	int rc = db_step(&s->db, stmt, e);
	if (rc < 0)
		return rc;
	if (rc == 0) {
		rc = db_run(&s->db, e,
			"INSERT INTO destination(domain, next_due_ms) VALUES(?1, ?2)",
			"ti", domain, s->now_ms);
		*out = sqlite3_last_insert_rowid(s->db.handle);
		return rc;
	}
	bool is_sooner = db_int(stmt, 1);
	*out = db_int(stmt, 0);
	db_reset(stmt);
	if (s->touched_count)
		item_touch_destination(s, *out); /* its row is not up to date, maybe */
	if (!is_sooner)
		return 0;
	return db_run(&s->db, e, "UPDATE destination SET next_due_ms = ?2 WHERE id = ?1",
		"ii", *out, s->now_ms);
}

static int insert_item(struct store *s, int64_t id, const char *domain, struct err *e)
{
	int64_t destination;
	int rc = touch_destination(s, domain, &destination, e);
	if (rc != 0)
		return rc;
	return db_run(&s->db, e,
		"INSERT INTO item(id, destination, state, due_ms, attempts, was_in_doubt,"
		" delay_notified) VALUES(?1, ?2, 0, ?3, 0, 0, 0)",
		"iii", id, destination, s->now_ms);
}

static int find_item(struct store *s, int64_t message, struct new_item **items,
	const char *domain, int64_t *out, struct err *e)
{
	struct new_item *item;
	HASH_FIND_STR(*items, domain, item);
	if (item) {
		*out = item->id;
		return 0;
	}
	unsigned n = HASH_COUNT(*items);
	if (n >= ITEMS_MAX)
		return err_set(e, ERR_LIMIT, "message has more than %d destinations",
			(int)ITEMS_MAX);
	item = xcalloc(1, sizeof(*item));
	item->domain = domain;
	item->id = *out = item_first(message) + n;
	HASH_ADD_KEYPTR(hh, *items, item->domain, strlen(item->domain), item);
	return insert_item(s, item->id, domain, e);
}

static void free_items(struct new_item **items)
{
	struct new_item *item, *next;
	HASH_ITER (hh, *items, item, next) {
		HASH_DEL(*items, item);
		free(item);
	}
}

static int insert_recipients(struct store *s, int64_t message,
	const struct queue_new_recipient *list, size_t count, struct err *e)
{
	OWN(free_items) struct new_item *items = NULL;
	for (size_t i = 0; i < count; i++) {
		int64_t item = 0;
		int rc = find_item(s, message, &items, list[i].domain, &item, e);
		if (rc == 0)
			rc = db_run(&s->db, e,
				"INSERT INTO recipient(item, n, address, orcpt, notify,"
				" outcome) VALUES(?1, ?2, ?3, ?4, ?5, 0)",
				"iitti", item, (int64_t)i, list[i].address, list[i].orcpt,
				(int64_t)list[i].notify);
		if (rc != 0)
			return rc;
	}
	s->wakes = true;
	return 0;
}

static int write_id(struct store *s, struct request *r, int64_t num)
{
	char text[MAIL_ID_MAX];
	mail_id_format(r->put.id, text);
	return chunk_patch(s, num, r->put.id_at, text, strlen(text), &r->err);
}

int put_commit(struct store *s, struct request *r)
{
	struct stage *stage = r->put.stage;
	if (stage->err.code) {
		r->err = stage->err;
		return r->err.code;
	}
	const struct mail_envelope *m = &r->put.envelope;
	int64_t num = stage->num;
	int rc = num ? check_staged(s, num, &r->err) : 0;
	if (rc == 0)
		rc = store_message(s, m, r->put.size, m->id && !r->put.id_at, &num,
			&r->put.id, &r->err);
	if (rc == 0)
		rc = chunk_insert(s, num, r->put.seq, r->put.bytes, r->put.len, &r->err);
	if (rc == 0 && m->id && r->put.id != m->id)
		rc = write_id(s, r, num);
	if (rc == 0)
		rc = insert_recipients(s, num, r->put.recipients, r->put.count, &r->err);
	return rc;
}

/* ---- bounces ---- */

static int append_original(
	struct chunk_writer *w, const struct queue_new_message *m, struct err *e)
{
	int64_t num;
	if (m->append == QUEUE_APPEND_NOTHING)
		return 0;
	int rc = db_value(&w->store->db, e, &num, "SELECT num FROM message WHERE id = ?1",
		"i", m->append_message_id);
	if (rc == ERR_NOT_FOUND)
		return err_set(e, rc, "the message to be returned is not in the queue");
	if (rc != 0)
		return rc;
	return chunk_copy(w, num, m->append == QUEUE_APPEND_HEADER, e);
}

struct record_cursor {
	struct queue_records records; /* first: it is what tell gets */
	struct store *store;
	sqlite3_stmt *stmt;
	int rc; /* of the last step */
	struct err *err;
};

static const char *next_record(struct queue_records *records)
{
	struct record_cursor *c = (struct record_cursor *)records;
	if (c->rc == 1)
		c->rc = db_step(&c->store->db, c->stmt, c->err);
	return c->rc == 1 ? db_text(c->stmt, 0) : NULL;
}

static int count_records(
	struct store *s, const struct queue_new_message *m, size_t *out, struct err *e)
{
	int64_t count = 0;
	int rc = db_value(&s->db, e, &count,
		"SELECT count(*) FROM record INDEXED BY record_message"
		" WHERE message_id = ?1 AND domain = ?2",
		"it", m->append_message_id, m->story.domain);
	*out = (size_t)count;
	return rc;
}

static int write_story(
	struct chunk_writer *w, const struct queue_new_message *m, struct err *e)
{
	struct record_cursor c = {
		.records = { .next = next_record }, .store = w->store, .rc = 1, .err = e
	};
	int rc = count_records(w->store, m, &c.records.count, e);
	if (rc != 0)
		return rc;
	c.stmt = db_query(&w->store->db, e,
		"SELECT json FROM record INDEXED BY record_message"
		" WHERE message_id = ?1 AND domain = ?2 ORDER BY id DESC",
		"it", m->append_message_id, m->story.domain);
	OWN(mem_free)
	char *text = m->story.tell(m->story.told, m->story.told_len, &c.records);
	if (c.rc < 0)
		return c.rc;
	if (c.stmt)
		db_reset(c.stmt); /* tell may have had enough */
	return text ? chunk_write(w, text, strlen(text), e) : 0;
}

static int write_body(
	struct chunk_writer *w, const struct queue_new_message *m, struct err *e)
{
	size_t at = m->story.tell ? m->story.at : m->body_len;
	int rc = chunk_write(w, m->body, at, e);
	if (rc == 0 && m->story.tell)
		rc = write_story(w, m, e);
	return rc == 0 ? chunk_write(w, m->body + at, m->body_len - at, e) : rc;
}

int put_message(struct store *s, const struct queue_new_message *m, struct err *e)
{
	struct chunk_writer w = { .store = s };
	int64_t id;
	int rc = store_message(s, &m->envelope, 0, false, &w.num, &id, e);
	(void)failpoint("queue.notice.row");
	if (rc == 0)
		rc = write_body(&w, m, e);
	(void)failpoint("queue.notice.body");
	if (rc == 0)
		rc = append_original(&w, m, e);
	if (rc == 0)
		rc = chunk_write(&w, m->tail, m->tail_len, e);
	if (rc == 0)
		rc = chunk_flush(&w, e);
	if (rc == 0)
		rc = db_run(&s->db, e, "UPDATE message SET size = ?2 WHERE num = ?1",
			"ii", w.num, (int64_t)w.size);
	if (rc == 0)
		rc = insert_recipients(s, w.num, m->recipients, m->recipient_count, e);
	chunk_writer_clear(&w);
	return rc;
}
