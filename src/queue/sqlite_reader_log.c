/* The retry log, by message, by destination, or all of it. */
#include "queue/sqlite_reader.h"

/* Records are numbered as they are committed, which is not quite by their
 * time: what began within this before the time asked for is looked at too. */
enum { SINCE_SLACK_MS = 24 * 3600 * 1000 };

#define RECORD_COLUMNS "SELECT id, json FROM record WHERE id > ?1"
#define RECORD_FILTER \
	" AND time_ms >= ?2 AND is_failure >= ?3 AND (?4 IS NULL OR domain = ?4)"

/* The last record that is surely too old, so that the rest need not be read. */
static int skip_old(
	struct queue_reader *r, int64_t since_ms, int64_t *after, struct err *e)
{
	int64_t last = 0;
	if (*after || since_ms <= 0)
		return 0;
	int rc = db_value(&r->db, e, &last,
		"SELECT id FROM record WHERE time_ms < ?1 ORDER BY time_ms DESC LIMIT 1",
		"i", since_ms - SINCE_SLACK_MS);
	if (rc == 0)
		*after = last;
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static sqlite3_stmt *query_log(struct queue_reader *r,
	const struct queue_log_query *query, int64_t after, struct err *e)
{
	int64_t only_failures = query->failures_only;
	if (query->message_id)
		return db_query(&r->db, e,
			RECORD_COLUMNS RECORD_FILTER
			" AND message_id = ?5 ORDER BY id LIMIT 1",
			"iiiti", after, query->since_ms, only_failures, query->domain,
			query->message_id);
	if (query->domain)
		return db_query(&r->db, e,
			RECORD_COLUMNS " AND domain = ?4 AND time_ms >= ?2"
				       " AND is_failure >= ?3 ORDER BY id LIMIT 1",
			"iiit", after, query->since_ms, only_failures, query->domain);
	return db_query(&r->db, e, RECORD_COLUMNS RECORD_FILTER " ORDER BY id LIMIT 1",
		"iiit", after, query->since_ms, only_failures, (const char *)NULL);
}

bool queue_reader_log(struct queue_reader *r, const struct queue_log_query *query,
	const char **json_out, int64_t *position_out, struct err *e)
{
	int64_t after = query->after;
	reader_forget(r);
	if (reader_begin(r, e) != 0)
		return false;
	int rc = skip_old(r, query->since_ms, &after, e);
	sqlite3_stmt *stmt = rc == 0 ? query_log(r, query, after, e) : NULL;
	rc = db_step(&r->db, stmt, e);
	if (rc == 1) {
		*position_out = db_int(stmt, 0);
		*json_out = reader_keep(r, db_strdup(stmt, 1));
		db_reset(stmt);
	}
	reader_end(r);
	return rc == 1;
}
