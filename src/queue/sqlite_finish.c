/* The result of an attempt, with all that belongs to it. */
#include "queue/sqlite_store.h"

#include "base/failpoint.h"

/* Ids grow, whatever the clock does: who follows the log goes by them. */
static int next_record(struct store *s, int64_t *id_out, struct err *e)
{
	if (!s->last_record) {
		int rc = db_value(&s->db, e, &s->last_record,
			"SELECT id FROM record ORDER BY id DESC LIMIT 1", "");
		if (rc != 0 && rc != ERR_NOT_FOUND)
			return rc;
	}
	int64_t by_time = RECORD_ID(s->now_ms);
	s->last_record = s->last_record < by_time ? by_time : s->last_record + 1;
	*id_out = s->last_record;
	return 0;
}

int finish_record(struct store *s, const struct queue_record *record, struct err *e)
{
	int64_t id;
	int rc = next_record(s, &id, e);
	if (rc != 0)
		return rc;
	return db_run(&s->db, e,
		"INSERT INTO record(id, time_ms, message_id, domain, is_failure, json)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
		"iiitit", id, record->time_ms, record->message_id,
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
	char host[JOURNAL_HOST_MAX] = "";
	if (!result->count_attempt) {
		s->wakes = true;
		return db_run(&s->db, e, "UPDATE item SET had_by = ?2 WHERE id = ?1",
			"ii", result->item_id, s->token);
	}
	(void)held_is_marked(s->held, result->item_id, host);
	s->wakes = s->wakes || result->next_attempt_ms <= s->now_ms + DUE_SOON_MS;
	return db_run(&s->db, e,
		"UPDATE item SET attempts = attempts + 1, due_ms = ?2, next_channel = ?3,"
		" channel_reason = ?4, was_in_doubt = ?5,"
		" delay_notified = delay_notified OR ?6, last_error = ?7,"
		" last_host = ?8, had_by = ?9 WHERE id = ?1",
		"iittiitti", result->item_id, result->next_attempt_ms,
		result->next_channel, result->channel_reason, (int64_t)result->in_doubt,
		(int64_t)result->delay_notified, last_error(result),
		result->in_doubt && host[0] ? host : NULL, s->token);
}

static bool has_recipient(const struct held_item *item, size_t hint, int64_t id)
{
	if (hint < item->recipient_count && item->recipients[hint] == id)
		return true; /* they come in the order in which they were claimed */
	for (size_t i = 0; i < item->recipient_count; i++) {
		if (item->recipients[i] == id)
			return true;
	}
	return false;
}

/* left_out: somebody of the item is to be tried again. */
static int check_recipients(const struct held_item *item,
	const struct queue_result *result, bool *left_out, struct err *e)
{
	*left_out = result->recipient_count < item->recipient_count;
	for (size_t i = 0; i < result->recipient_count; i++) {
		const struct queue_recipient_result *r = &result->recipients[i];
		if (!has_recipient(item, i, r->recipient_id))
			return err_set(e, ERR_INVALID,
				"recipient %lld is not of item %lld",
				(long long)r->recipient_id, (long long)item->item);
		*left_out |= r->outcome == QUEUE_OUTCOME_DEFERRED;
	}
	return 0;
}

static int settle_item(struct store *s, const struct queue_result *result,
	struct held_item *item, bool is_left, struct err *e)
{
	int rc = 0;
	for (size_t i = 0; i < result->recipient_count && is_left && rc == 0; i++)
		rc = set_outcome(s, item->item, &result->recipients[i], e);
	if (rc == 0)
		rc = is_left ? defer_item(s, result, e)
			     : item_remove(s, item->item, item->size, e);
	if (rc != 0)
		return rc;
	if (is_left)
		item_touch_destination(s, item->destination);
	else
		item_touch_gone(s, item->destination);
	held_release(s->held, item, is_left);
	return 0;
}

static int set_memory(struct store *s, const struct queue_result *result,
	int64_t destination, struct err *e)
{
	if (!result->memory_channel)
		return 0;
	if (!result->memory_until_ms)
		return db_run(&s->db, e,
			"DELETE FROM memory WHERE domain ="
			" (SELECT domain FROM destination WHERE id = ?1)",
			"i", destination);
	return db_run(&s->db, e,
		"INSERT INTO memory(domain, channel, reason, until_ms)"
		" SELECT domain, ?2, ?3, ?4 FROM destination WHERE id = ?1"
		" ON CONFLICT(domain) DO UPDATE SET channel = excluded.channel,"
		" reason = excluded.reason, until_ms = excluded.until_ms",
		"itti", destination, result->memory_channel, result->memory_reason,
		result->memory_until_ms);
}

int finish(struct store *s, struct request *r)
{
	const struct queue_result *result = &r->result;
	struct err *e = &r->err;
	bool is_left = false;
	int errnum = failpoint("queue.finish");
	if (errnum)
		return err_errno(e, errnum, "store a result in queue %s", s->path);
	int rc = claims_check(s, e);
	struct held_item *item = held_find(s->held, result->item_id);
	if (rc == 0 && !item)
		return item_complain(s, result->item_id, "", e);
	if (rc == 0)
		rc = check_recipients(item, result, &is_left, e);
	for (size_t i = 0; i < result->record_count && rc == 0; i++)
		rc = finish_record(s, &result->records[i], e);
	/* Bounces copy from the message: before that may go. The memory needs the
	 * destination: likewise. */
	for (size_t i = 0; i < result->message_count && rc == 0; i++)
		rc = put_message(s, &result->messages[i], e);
	if (rc == 0)
		rc = set_memory(s, result, item->destination, e);
	return rc == 0 ? settle_item(s, result, item, is_left, e) : rc;
}
