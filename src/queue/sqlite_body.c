/* Content: rows of QUEUE_CHUNK octets, all but the last of a message full. */
#include "queue/sqlite_store.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { TRASH_CHUNKS = 64 };            /* of a message that is removed at once */
static const int64_t TRASH_HOLDER = 0; /* no process has this slot */

static int64_t chunk_id(int64_t num, uint64_t seq)
{
	return (int64_t)((uint64_t)num << CHUNK_SEQ_BITS | seq);
}

int chunk_insert(struct store *s, int64_t num, uint32_t seq, const char *bytes,
	size_t len, struct err *e)
{
	while (len) {
		size_t n = len < QUEUE_CHUNK ? len : QUEUE_CHUNK;
		int rc = db_run(&s->db, e, "INSERT INTO chunk(id, bytes) VALUES(?1, ?2)",
			"ib", chunk_id(num, seq), bytes, n);
		if (rc != 0)
			return rc;
		bytes += n;
		len -= n;
		seq++;
	}
	return 0;
}

int chunk_patch(struct store *s, int64_t num, size_t at, const char *bytes, size_t len,
	struct err *e)
{
	sqlite3_blob *blob = NULL;
	int rc = sqlite3_blob_open(
		s->db.handle, "main", "chunk", "bytes", chunk_id(num, 0), 1, &blob);
	if (rc == SQLITE_OK)
		rc = sqlite3_blob_write(blob, bytes, (int)len, (int)at);
	if (rc != SQLITE_OK)
		rc = db_fail(&s->db, e, "write to");
	sqlite3_blob_close(blob);
	return rc;
}

int chunk_flush(struct chunk_writer *w, struct err *e)
{
	int rc = chunk_insert(w->store, w->num, w->seq, w->pending, w->pending_len, e);
	w->seq++;
	w->pending_len = 0;
	return rc;
}

int chunk_write(struct chunk_writer *w, const char *bytes, size_t len, struct err *e)
{
	if (!w->pending)
		w->pending = xmalloc(QUEUE_CHUNK);
	w->size += len;
	while (len) {
		size_t n = QUEUE_CHUNK - w->pending_len;
		n = n < len ? n : len;
		memcpy(w->pending + w->pending_len, bytes, n);
		w->pending_len += n;
		bytes += n;
		len -= n;
		if (w->pending_len == QUEUE_CHUNK) {
			int rc = chunk_flush(w, e);
			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

void chunk_writer_clear(struct chunk_writer *w)
{
	free(w->pending);
	w->pending = NULL;
}

/* Header fields with their last line end, without the empty line. A header
 * that does not end within the first chunk is cut there, at a line end. */
static size_t header_len(const char *bytes, size_t len)
{
	const char *end = memmem(bytes, len, "\r\n\r\n", 4);
	if (len >= 2 && memcmp(bytes, "\r\n", 2) == 0)
		return 0;
	if (end)
		return (size_t)(end - bytes) + 2;
	if (len < QUEUE_CHUNK)
		return len;
	while (len && bytes[len - 1] != '\n')
		len--;
	return len;
}

int chunk_copy(struct chunk_writer *w, int64_t from_num, bool header_only, struct err *e)
{
	for (uint64_t seq = 0;; seq++) {
		OWN(mem_free) char *bytes = NULL;
		size_t len = 0;
		int rc = body_load(&w->store->db, from_num, seq * QUEUE_CHUNK,
			QUEUE_CHUNK, &bytes, &len, e);
		if (rc != 0 || !len)
			return rc;
		if (header_only)
			return chunk_write(w, bytes, header_len(bytes, len), e);
		rc = chunk_write(w, bytes, len, e);
		if (rc != 0)
			return rc;
	}
}

int body_load(struct db *db, int64_t num, uint64_t offset, size_t max, char **out,
	size_t *len_out, struct err *e)
{
	uint64_t seq = offset / QUEUE_CHUNK, skip = offset % QUEUE_CHUNK;
	uint64_t last = (offset + max - 1) / QUEUE_CHUNK;
	OWN(mem_free) char *bytes = xmalloc(max + 1);
	size_t len = 0;
	int rc;
	if (last >> CHUNK_SEQ_BITS)
		return err_set(e, ERR_INVALID, "offset is past any content");
	sqlite3_stmt *stmt = db_query(db, e,
		"SELECT bytes FROM chunk WHERE id BETWEEN ?1 AND ?2 ORDER BY id", "ii",
		chunk_id(num, seq), chunk_id(num, last));
	while ((rc = db_step(db, stmt, e)) == 1) {
		const char *chunk = sqlite3_column_blob(stmt, 0);
		size_t n = (size_t)sqlite3_column_bytes(stmt, 0);
		if (n > skip) {
			n -= skip;
			n = n < max - len ? n : max - len;
			memcpy(bytes + len, chunk + skip, n);
			len += n;
		}
		skip = 0;
	}
	if (rc != 0)
		return rc;
	bytes[len] = '\0';
	*out = MOVE(bytes);
	*len_out = len;
	return 0;
}

int body_read(struct store *s, struct request *r)
{
	int64_t num;
	int rc = db_value(&s->db, &r->err, &num, "SELECT num FROM message WHERE id = ?1",
		"i", r->body.message_id);
	if (rc == ERR_NOT_FOUND)
		return err_set(&r->err, rc, "the message is no longer in the queue");
	if (rc != 0)
		return rc;
	return body_load(&s->db, num, r->body.offset, r->body.max, &r->body.bytes,
		&r->body.len, &r->err);
}

/* Freeing a page means reading it: 200 MiB at once would hold everybody up. */
static int is_much(struct store *s, int64_t num, uint64_t size, bool *out, struct err *e)
{
	int64_t any;
	*out = false;
	if (size <= (uint64_t)TRASH_CHUNKS * QUEUE_CHUNK)
		return 0;
	int rc = db_value(&s->db, e, &any, "SELECT 1 FROM chunk WHERE id = ?1", "i",
		chunk_id(num, TRASH_CHUNKS));
	*out = rc == 0;
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int remove_chunks(struct store *s, int64_t num, uint64_t size, struct err *e)
{
	if (size <= QUEUE_CHUNK)
		return db_run(&s->db, e, "DELETE FROM chunk WHERE id = ?1", "i",
			chunk_id(num, 0));
	return db_run(&s->db, e, "DELETE FROM chunk WHERE id BETWEEN ?1 AND ?2", "ii",
		chunk_id(num, 0), chunk_id(num + 1, 0) - 1);
}

int body_remove_message(struct store *s, int64_t num, uint64_t size, struct err *e)
{
	bool much;
	int rc = is_much(s, num, size, &much, e);
	if (rc == 0 && much) {
		s->has_trash = true;
		return db_run(&s->db, e,
			"UPDATE message SET id = NULL, holder = ?2 WHERE num = ?1", "ii",
			num, TRASH_HOLDER);
	}
	if (rc == 0)
		rc = remove_chunks(s, num, size, e);
	if (rc == 0)
		rc = db_run(&s->db, e, "DELETE FROM message WHERE num = ?1", "i", num);
	return rc;
}

int body_remove_trash(struct store *s, struct err *e)
{
	int64_t num;
	int rc = db_value(&s->db, e, &num,
		"SELECT num FROM message WHERE holder = ?1 LIMIT 1", "i", TRASH_HOLDER);
	s->has_trash = rc == 0;
	if (rc != 0)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	rc = db_run(&s->db, e,
		"DELETE FROM chunk WHERE id IN (SELECT id FROM chunk"
		" WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3)",
		"iii", chunk_id(num, 0), chunk_id(num + 1, 0) - 1, (int64_t)TRASH_CHUNKS);
	if (rc == 0 && sqlite3_changes(s->db.handle) < TRASH_CHUNKS)
		rc = db_run(&s->db, e, "DELETE FROM message WHERE num = ?1", "i", num);
	return rc;
}
