/* The retry log, by message, by destination, or all of it. */
#include "queue/sqlite_reader.h"

/* Records are numbered by the time of their commit, which is after their own unless
 * the clock was set back between: what is not older than this is looked at too. */
enum { SINCE_SLACK_MS = 24 * 3600 * 1000 };

#define RECORD_COLUMNS "SELECT id, json FROM record WHERE id > ?1"
#define RECORD_FILTER \
	" AND time_ms >= ?2 AND is_failure >= ?3 AND (?4 IS NULL OR domain = ?4)"

/* The id that what is surely too old is below, so that the rest need not be read. */
static int64_t skip_old(int64_t since_ms)
{
	return since_ms > SINCE_SLACK_MS ? RECORD_ID(since_ms - SINCE_SLACK_MS) - 1 : 0;
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
	if (!after)
		after = skip_old(query->since_ms);
	sqlite3_stmt *stmt = query_log(r, query, after, e);
	int rc = db_step(&r->db, stmt, e);
	if (rc == 1) {
		*position_out = db_int(stmt, 0);
		*json_out = reader_keep(r, db_strdup(stmt, 1));
		db_reset(stmt);
	}
	reader_end(r);
	return rc == 1;
}
