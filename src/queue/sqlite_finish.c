/* The result of an attempt, with all that belongs to it. */
#include "queue/sqlite_store.h"

#include "base/failpoint.h"

int finish_record(struct store *s, const struct queue_record *record, struct err *e)
{
	return db_run(&s->db, e,
		"INSERT INTO record(time_ms, message_id, domain, is_failure, json)"
		" VALUES(?1, ?2, ?3, ?4, ?5)",
		"iitit", record->time_ms, record->message_id,
		record->domain ? record->domain : "", (int64_t)record->is_failure,
		record->json);
}

static int set_outcome(struct store *s, int64_t item,
	const struct queue_recipient_result *r, struct err *e)
{
	static const int64_t outcomes[] = {
		[QUEUE_OUTCOME_DELIVERED] = RECIPIENT_DELIVERED,
		[QUEUE_OUTCOME_DEFERRED] = RECIPIENT_QUEUED,
		[QUEUE_OUTCOME_BOUNCED] = RECIPIENT_BOUNCED,
	};
	int rc = db_run(&s->db, e,
		"UPDATE recipient SET outcome = ?3, text = ?4 WHERE n = ?1 AND item = "
		"?2",
		"iiit", r->recipient_id, item, outcomes[r->outcome], r->text);
	if (rc == 0 && sqlite3_changes(s->db.handle) == 0)
		return err_set(e, ERR_INVALID, "recipient %lld is not of item %lld",
			(long long)r->recipient_id, (long long)item);
	return rc;
}

static const char *last_error(const struct queue_result *result)
{
	const char *text = NULL;
	for (size_t i = 0; i < result->recipient_count; i++) {
		if (result->recipients[i].outcome == QUEUE_OUTCOME_DEFERRED &&
			result->recipients[i].text)
			text = result->recipients[i].text;
	}
	return text;
}

/* What is left of the item waits for its next time. */
static int defer_item(struct store *s, const struct queue_result *result, struct err *e)
{
	if (!result->count_attempt) {
		s->wakes = true;
		return db_run(&s->db, e,
			"UPDATE item SET state = 0, holder = NULL WHERE id = ?1", "i",
			result->item_id);
	}
	char host[JOURNAL_HOST_MAX] = "";
	(void)held_is_marked(s->held, result->item_id, host);
	s->wakes = s->wakes || result->next_attempt_ms <= s->now_ms + DUE_SOON_MS;
	return db_run(&s->db, e,
		"UPDATE item SET state = 0, holder = NULL, attempts = attempts + 1,"
		" due_ms = ?2, next_channel = ?3, channel_reason = ?4, was_in_doubt = ?5,"
		" delay_notified = delay_notified OR ?6, last_error = ?7,"
		" last_host = ?8 WHERE id = ?1",
		"iittiitt", result->item_id, result->next_attempt_ms,
		result->next_channel, result->channel_reason, (int64_t)result->in_doubt,
		(int64_t)result->delay_notified, last_error(result),
		result->in_doubt && host[0] ? host : NULL);
}

static int remove_item(struct store *s, int64_t item, struct err *e)
{
	int rc = db_run(&s->db, e, "DELETE FROM recipient WHERE item = ?1", "i", item);
	if (rc == 0)
		rc = db_run(&s->db, e, "DELETE FROM item WHERE id = ?1", "i", item);
	if (rc == 0)
		rc = item_remove_if_message_done(s, item_message(item), e);
	return rc;
}

static int settle_item(struct store *s, const struct queue_result *result,
	const struct item_row *row, struct err *e)
{
	int64_t left;
	int rc = db_value(&s->db, e, &left,
		"SELECT 1 FROM recipient WHERE item = ?1 AND outcome = 0 LIMIT 1", "i",
		result->item_id);
	if (rc == ERR_NOT_FOUND)
		rc = remove_item(s, result->item_id, e);
	else if (rc == 0)
		rc = defer_item(s, result, e);
	if (rc == 0)
		rc = item_refresh_destination(s, row->destination, e);
	return rc;
}

static int set_memory(struct store *s, const struct queue_result *result,
	const struct item_row *row, struct err *e)
{
	if (!result->memory_channel)
		return 0;
	if (!result->memory_until_ms)
		return db_run(&s->db, e,
			"DELETE FROM memory WHERE domain ="
			" (SELECT domain FROM destination WHERE id = ?1)",
			"i", row->destination);
	return db_run(&s->db, e,
		"INSERT INTO memory(domain, channel, reason, until_ms)"
		" SELECT domain, ?2, ?3, ?4 FROM destination WHERE id = ?1"
		" ON CONFLICT(domain) DO UPDATE SET channel = excluded.channel,"
		" reason = excluded.reason, until_ms = excluded.until_ms",
		"itti", row->destination, result->memory_channel, result->memory_reason,
		result->memory_until_ms);
}

int finish(struct store *s, struct request *r)
{
	const struct queue_result *result = &r->result;
	struct err *e = &r->err;
	struct item_row row = { 0 };
	int errnum = failpoint("queue.finish");
	if (errnum)
		return err_errno(e, errnum, "store a result in queue %s", s->path);
	int rc = item_check(s, result->item_id, ITEM_STEP_FINISH, &row, e);
	for (size_t i = 0; i < result->record_count && rc == 0; i++)
		rc = finish_record(s, &result->records[i], e);
	/* Bounces copy from the message: before that may go. The memory needs the
	 * destination: likewise. */
	for (size_t i = 0; i < result->message_count && rc == 0; i++)
		rc = put_message(s, &result->messages[i], e);
	if (rc == 0)
		rc = set_memory(s, result, &row, e);
	for (size_t i = 0; i < result->recipient_count && rc == 0; i++)
		rc = set_outcome(s, result->item_id, &result->recipients[i], e);
	if (rc == 0)
		rc = settle_item(s, result, &row, e);
	return rc;
}
