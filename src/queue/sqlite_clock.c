/*
 * The clock of the wall is set while mail waits. All times in the queue are times of that
 * clock, but what they mean is how long ago something was, and how long it is until
 * something is due: so they are moved with it. Otherwise mail that is minutes old would
 * be given up after a jump of a week, and mail would wait a day longer after one of a day
 * back.
 *
 * The note "clock", of no holder, says how far the wall's clock was from the one that
 * counts since the boot, and in which boot. Its first transaction after a step tells each
 * process; who finds that the note is not up to date moves the times, once, in that
 * transaction. After a reboot nobody knows how long it took: only times that lie ahead of
 * the last commit's, though the clock is behind it, are moved.
 */
#include "queue/sqlite_store.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "queue/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the note says; false: it is of another boot, or none. */
static int load_note(struct store *s, const char *boot, bool *is_known,
	int64_t *offset_out, struct err *e)
{
	sqlite3_stmt *stmt = db_query(&s->db, e,
		"SELECT value FROM note WHERE name = 'clock' AND holder = 0", "");
	int rc = db_step(&s->db, stmt, e);
	*is_known = false;
	if (rc != 1)
		return rc;
	const char *value = db_text(stmt, 0);
	const char *at = value ? strchr(value, ' ') : NULL;
	size_t len = strlen(boot);
	if (at && len && (size_t)(at - value) == len && memcmp(value, boot, len) == 0) {
		char *end;
		*offset_out = strtoll(at, &end, 10);
		*is_known = end != at && !*end;
	}
	db_reset(stmt);
	return 0;
}

static int write_note(struct store *s, const char *boot, int64_t offset_ms, struct err *e)
{
	char value[JOURNAL_BOOT_MAX + 24];
	snprintf(value, sizeof(value), "%s %" PRId64, boot, offset_ms);
	return db_run(&s->db, e,
		"INSERT INTO note(name, holder, value) VALUES('clock', 0, ?1)"
		" ON CONFLICT(name, holder) DO UPDATE SET value = ?1",
		"t", value);
}

/* How far the clock is behind the last commit; 0: it is not. */
static int steps_back_since_boot(struct store *s, int64_t *step_out, struct err *e)
{
	int64_t last_ms;
	int rc = db_value(&s->db, e, &last_ms,
		"SELECT time_ms FROM mark ORDER BY num DESC LIMIT 1", "");
	*step_out = rc == 0 && last_ms > s->now_ms ? s->now_ms - last_ms : 0;
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* Those after since_ms. */
static int move_times(struct store *s, int64_t step_ms, int64_t since_ms, struct err *e)
{
	static const char *const moves[] = {
		"UPDATE message SET arrival_ms = arrival_ms + ?1 WHERE arrival_ms > ?2",
		"UPDATE item SET due_ms = due_ms + ?1 WHERE due_ms > ?2",
		"UPDATE destination SET next_due_ms = next_due_ms + ?1"
		" WHERE next_due_ms > ?2",
		"UPDATE memory SET until_ms = until_ms + ?1 WHERE until_ms > ?2",
		"UPDATE holder SET lease_until_ms = lease_until_ms + ?1"
		" WHERE lease_until_ms > ?2",
		"UPDATE mark SET time_ms = time_ms + ?1 WHERE time_ms > ?2",
	};
	int rc = 0;
	for (size_t i = 0; i < ARRAY_SIZE(moves) && rc == 0; i++)
		rc = db_run(&s->db, e, moves[i], "ii", step_ms, since_ms);
	return rc;
}

static void tell(const struct store *s, int64_t step_ms)
{
	char by[TIMEFMT_MAX];
	/* Two clocks were read, one after the other. */
	timefmt_human(((step_ms < 0 ? -step_ms : step_ms) + 500) / 1000 * 1000, by);
	log_warning(
		"the clock was set %s by %s: the times in queue %s were moved with it",
		step_ms < 0 ? "back" : "forward", by, s->path);
}

int clock_check(struct store *s, struct err *e)
{
	int64_t offset_ms = clock_offset_ms(), noted_ms = 0, step_ms = 0;
	char boot[JOURNAL_BOOT_MAX];
	bool is_known;
	s->clock_step_ms = s->is_clock_known ? offset_ms - s->clock_offset_ms : 0;
	s->clock_now_ms = offset_ms;
	if (s->is_clock_known && !clock_is_step(s->clock_step_ms))
		return 0;
	journal_boot(boot);
	int rc = load_note(s, boot, &is_known, &noted_ms, e);
	if (rc == 0 && is_known)
		step_ms = offset_ms - noted_ms;
	else if (rc == 0)
		rc = steps_back_since_boot(s, &step_ms, e);
	if (rc == 0 && clock_is_step(step_ms)) {
		rc = move_times(s, step_ms, is_known ? INT64_MIN : s->now_ms, e);
		s->clock_step_ms = step_ms;
	}
	if (rc == 0 && (!is_known || clock_is_step(step_ms)))
		rc = write_note(s, boot, offset_ms, e);
	return rc;
}

void clock_settle(struct store *s)
{
	if (s->is_clock_known && !clock_is_step(s->clock_now_ms - s->clock_offset_ms))
		return;
	s->is_clock_known = true;
	s->clock_offset_ms = s->clock_now_ms;
	/* Processes that come and go leave it to those that stay. */
	if (s->is_worker && clock_is_step(s->clock_step_ms))
		tell(s, s->clock_step_ms);
}
