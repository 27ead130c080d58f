/* Operators' verbs, the reader's views, pruning, notes. */
#include "fixture.h"

#include "base/failpoint.h"
#include "base/mem.h"
#include "base/timefmt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

static struct queue_reader *open_reader(struct fixture *f)
{
	struct queue_reader *r;
	struct err e = { 0 };
	if (queue_reader_open(f->path, 1000, &r, &e) != 0)
		fail_msg("%s", e.text);
	return r;
}

static void verbs_take_what_was_selected_and_leave_what_is_claimed(void **state)
{
	struct fixture *f = *state;
	size_t affected, busy;
	int64_t first = put(f, "x", "a@one.test", "a@two.test", NULL);
	put(f, "x", "b@one.test", NULL);
	assert_int_equal(
		operate_on(f, QUEUE_HOLD, first, "one.test", &affected, &busy), 0);
	assert_int_equal(affected, 1);
	assert_int_equal(operate_on(f, QUEUE_HOLD, 0, "one.test", &affected, &busy), 0);
	assert_int_equal(affected, 1);
	struct queue_item *item = claim_one(f);
	assert_string_equal(item->domain, "two.test");
	assert_int_equal(operate_on(f, QUEUE_RELEASE, 0, NULL, &affected, &busy), 0);
	assert_int_equal(affected, 2);
	assert_int_equal(busy, 1);
	assert_int_equal(operate_on(f, QUEUE_REMOVE, 0, NULL, &affected, &busy), 0);
	assert_int_equal(affected, 2);
	assert_int_equal(busy, 1);
	/* The message with the claimed item stays whole. */
	assert_int_equal(sql(f, "SELECT count(*) FROM message"), 1);
	assert_int_equal(sql(f, "SELECT count(*) FROM chunk"), 1);
	assert_int_equal(sql(f, "SELECT count(*) FROM destination"), 1);
	assert_int_equal(finish_all(f, item, QUEUE_OUTCOME_DELIVERED), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM message"), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM chunk"), 0);
	assert_int_equal(
		operate_on(f, QUEUE_HOLD, first, NULL, NULL, NULL), ERR_NOT_FOUND);
	queue_item_free(&item);
}

static void on_affected(void *arg, size_t affected, size_t busy, const struct err *e)
{
	(void)busy;
	assert_null(e);
	*(size_t *)arg = affected;
}

static void on_refused(void *arg, const struct err *e)
{
	assert_non_null(e);
	*(bool *)arg = true;
}

/* The group is run again, and the selection is made again. */
static void a_verb_is_carried_out_beside_what_fails(void **state)
{
	struct fixture *f = *state;
	struct queue_selection all = { 0 };
	const int64_t nobodys = 12345;
	size_t affected = 0;
	bool refused = false;
	put(f, "x", "a@one.test", "a@two.test", NULL);
	queue_pause(f->queue, true);
	queue_operate(f->port, QUEUE_REMOVE, &all, on_affected, &affected);
	queue_give_back(f->port, &nobodys, 1, on_refused, &refused);
	queue_pause(f->queue, false);
	while (queue_port_pending(f->port))
		queue_wait(f->port);
	assert_true(refused);
	assert_int_equal(affected, 2);
	assert_int_equal(sql(f, "SELECT count(*) FROM message"), 0);
}

/* More than fits a slice: each commit lets others in. */
static void put_many(struct fixture *f)
{
	put(f, "x", "a@one.test", NULL);
	sql(f, "INSERT INTO message(id, sender) WITH RECURSIVE t(n) AS (SELECT 1 UNION"
	       " SELECT n + 1 FROM t WHERE n < 20000) SELECT n, 's@x.test' FROM t");
	sql(f, "INSERT INTO item(id, destination, state, due_ms, attempts,"
	       " was_in_doubt, delay_notified) SELECT num << 16, (SELECT id FROM "
	       "destination),"
	       " 0, 0, 0, 0, 0 FROM message WHERE id <= 20000");
}

static void a_verb_on_many_items_is_carried_out_in_slices(void **state)
{
	struct fixture *f = *state;
	size_t affected, busy;
	put_many(f);
	struct queue_item *item = claim_one(f);
	uint64_t before = queue_commits(f->queue);
	assert_int_equal(operate_on(f, QUEUE_HOLD, 0, "one.test", &affected, &busy), 0);
	assert_int_equal(affected, 20000);
	assert_int_equal(busy, 1);
	assert_true(queue_commits(f->queue) > before + 1);
	assert_int_equal(sql(f, "SELECT count(*) FROM item WHERE state = 3"), 20000);
	assert_int_equal(operate_on(f, QUEUE_REMOVE, 0, NULL, &affected, &busy), 0);
	assert_int_equal(affected, 20000);
	assert_int_equal(busy, 1);
	assert_int_equal(sql(f, "SELECT count(*) FROM message"), 1);
	assert_int_equal(sql(f, "SELECT count(*) FROM item"), 1);
	queue_item_free(&item);
}

#ifdef WITH_FAILPOINTS
/* The first commit fails, is looked up over a new connection, and did take place; what
 * was selected is gone. */
static void a_verb_that_cannot_end_says_so(void **state)
{
	struct fixture *f = *state;
	size_t affected, busy;
	put_many(f);
	setenv("HIKYAKU_FAILPOINTS", "queue.commit.after=error:EIO", 1);
	assert_int_equal(
		operate_on(f, QUEUE_HOLD, 0, "one.test", &affected, &busy), ERR_IO);
	unsetenv("HIKYAKU_FAILPOINTS");
	assert_in_range(sql(f, "SELECT count(*) FROM item WHERE state = 3"), 1, 20000);
	assert_int_equal(operate_on(f, QUEUE_HOLD, 0, "one.test", &affected, &busy), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM item WHERE state = 3"), 20001);
}
#endif

static void retry_makes_deferred_items_due(void **state)
{
	struct fixture *f = *state;
	struct claimed c;
	put(f, "x", "a@one.test", NULL);
	struct queue_item *item = claim_one(f);
	assert_int_equal(finish_all(f, item, QUEUE_OUTCOME_DEFERRED), 0);
	queue_item_free(&item);
	claim(f, 10, &c);
	assert_int_equal(c.count, 0);
	assert_int_equal(operate_on(f, QUEUE_RETRY, 0, "one.test", NULL, NULL), 0);
	claim(f, 10, &c);
	assert_int_equal(c.count, 1);
	claimed_clear(&c);
}

static void a_message_sums_up_its_items(void **state)
{
	struct fixture *f = *state;
	struct queue_entry entry;
	struct err e = { 0 };
	int64_t id = put(f, "12345", "a@one.test", "b@two.test", "c@one.test", NULL);
	struct queue_item *item = claim_one(f);
	assert_int_equal(finish_all(f, item, QUEUE_OUTCOME_DEFERRED), 0);
	queue_item_free(&item);
	assert_int_equal(operate_on(f, QUEUE_HOLD, 0, "two.test", NULL, NULL), 0);
	struct queue_reader *r = open_reader(f);
	assert_true(queue_reader_next(r, 0, &entry, &e));
	assert_int_equal(entry.envelope.id, id);
	assert_int_equal(entry.envelope.content.size_bytes, 5);
	assert_string_equal(entry.state, "mixed");
	assert_int_equal(entry.attempts, 1);
	assert_int_equal(entry.recipient_count, 3);
	assert_int_equal(entry.domain_count, 2);
	assert_string_equal(entry.next_channel, "plaintext");
	assert_string_equal(entry.last_error, "it said no");
	assert_true(entry.next_attempt_ms > clock_wall_ms());
	assert_false(queue_reader_next(r, id, &entry, &e));
	assert_int_equal(e.code, 0);
	assert_int_equal(queue_reader_get(r, 4711, &entry, &e), ERR_NOT_FOUND);
	struct queue_counts counts;
	assert_int_equal(queue_reader_counts(r, &counts, &e), 0);
	assert_int_equal(counts.messages, 1);
	assert_int_equal(counts.due, 1);
	assert_int_equal(counts.held, 1);
	queue_reader_close(&r);
}

/* A checkpoint stops at the oldest snapshot: a listing in a pager must not make
 * the log grow. */
static void a_listing_holds_nobody_up_between_its_calls(void **state)
{
	struct fixture *f = *state;
	struct queue_entry entry;
	struct err e = { 0 };
	struct queue_log_query query = { 0 };
	const char *json, *bytes;
	size_t len;
	struct queue_new_recipient to = { .address = "a@one.test", .domain = "one.test" };
	int64_t ids[3];
	for (int i = 0; i < 3; i++) {
		/* Two that are made within a millisecond have no order. */
		struct mail_envelope m = { .id = 100 + i,
			.sender = (char *)(uintptr_t) "s@x.test" };
		assert_int_equal(put_recipients(f, &m, &to, 1, "x", 1, &ids[i], &e), 0);
	}
	sql(f, "INSERT INTO record(time_ms, message_id, domain, is_failure, json)"
	       " VALUES(1, 1, '', 0, '{}'), (2, 1, '', 0, '{}')");
	struct queue_reader *r = open_reader(f);
	assert_true(queue_reader_next(r, 0, &entry, &e));
	assert_true(queue_reader_log(r, &query, &json, &query.after, &e));
	assert_int_equal(queue_reader_body(r, ids[0], 0, &bytes, &len, &e), 1);
	put(f, "x", "a@one.test", NULL);
	assert_int_equal(sql(f, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
	/* It goes on behind what it has seen. */
	assert_int_equal(operate_on(f, QUEUE_REMOVE, ids[1], NULL, NULL, NULL), 0);
	assert_true(queue_reader_next(r, ids[0], &entry, &e));
	assert_int_equal(entry.envelope.id, ids[2]);
	assert_true(queue_reader_log(r, &query, &json, &query.after, &e));
	assert_false(queue_reader_log(r, &query, &json, &query.after, &e));
	/* What was being read is gone: not a short message, but an error. */
	assert_int_equal(operate_on(f, QUEUE_REMOVE, ids[0], NULL, NULL, NULL), 0);
	assert_int_equal(queue_reader_body(r, ids[0], 1, &bytes, &len, &e), -1);
	queue_reader_close(&r);
}

static void the_stored_content_is_read_in_pieces(void **state)
{
	struct fixture *f = *state;
	struct mail_envelope m = { .sender = (char *)(uintptr_t) "s@x.test" };
	struct queue_new_recipient to = { .address = "a@one.test", .domain = "one.test" };
	enum { LEN = 700000 };
	OWN(mem_free) char *bytes = xmalloc(LEN);
	int64_t id;
	struct err e = { 0 };
	for (size_t i = 0; i < LEN; i++)
		bytes[i] = (char)(i * 7 % 251);
	assert_int_equal(put_recipients(f, &m, &to, 1, bytes, LEN, &id, NULL), 0);
	struct queue_reader *r = open_reader(f);
	const char *piece;
	size_t len, at = 0;
	int rc;
	while ((rc = queue_reader_body(r, id, at, &piece, &len, &e)) == 1) {
		assert_memory_equal(piece, bytes + at, len);
		at += len;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(at, LEN);
	assert_int_equal(queue_reader_body(r, 4711, 0, &piece, &len, &e), -1);
	queue_reader_close(&r);
}

/* ---- the log ---- */

static void record(
	struct fixture *f, int64_t time_ms, const char *domain, bool is_failure)
{
	OWN(mem_free) char *address = xasprintf("a@%s", domain);
	int64_t id = put(f, "x", address, NULL);
	OWN(mem_free) char *json = xasprintf("{\"t\":%lld}", (long long)time_ms);
	struct queue_item *item = claim_one(f);
	struct queue_recipient_result done = { item->recipients[0].id,
		QUEUE_OUTCOME_DELIVERED, NULL };
	struct queue_record rec = { time_ms, id, domain, is_failure, json };
	struct queue_result result = { .item_id = item->id,
		.recipients = &done,
		.recipient_count = 1,
		.count_attempt = true,
		.records = &rec,
		.record_count = 1 };
	assert_int_equal(finish_with(f, &result, NULL), 0);
	queue_item_free(&item);
}

static size_t count_log(struct queue_reader *r, struct queue_log_query query)
{
	const char *json;
	size_t n = 0;
	struct err e = { 0 };
	while (queue_reader_log(r, &query, &json, &query.after, &e))
		n++;
	assert_int_equal(e.code, 0);
	return n;
}

static void the_log_is_looked_up_by_its_fields(void **state)
{
	static const int64_t day = 24 * 3600 * 1000;
	struct fixture *f = *state;
	record(f, 1 * day, "one.test", true);
	record(f, 5 * day, "two.test", false);
	record(f, 5 * day - 1, "one.test", false);
	record(f, 9 * day, "one.test", true);
	int64_t id = sql(f, "SELECT message_id FROM record WHERE domain = 'two.test'");
	const struct {
		struct queue_log_query query;
		size_t expected;
	} cases[] = {
		{ { 0 }, 4 },
		{ { .domain = "one.test" }, 3 },
		{ { .domain = "none.test" }, 0 },
		{ { .failures_only = true }, 2 },
		{ { .domain = "two.test", .failures_only = true }, 0 },
		{ { .message_id = id }, 1 },
		{ { .message_id = id, .domain = "one.test" }, 0 },
		{ { .since_ms = 5 * day - 1 }, 3 },
		{ { .since_ms = 5 * day }, 2 },
		{ { .since_ms = 10 * day }, 0 },
	};
	struct queue_reader *r = open_reader(f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t n = count_log(r, cases[i].query);
		if (n != cases[i].expected)
			fail_msg("case %zu: %zu", i, n);
	}
	/* Whoever follows it sees what comes later. */
	struct queue_log_query follow = { 0 };
	const char *json;
	struct err e = { 0 };
	while (queue_reader_log(r, &follow, &json, &follow.after, &e))
		;
	record(f, 10 * day, "one.test", false);
	assert_true(queue_reader_log(r, &follow, &json, &follow.after, &e));
	assert_string_equal(json, "{\"t\":864000000}");
	queue_reader_close(&r);
	/* Old is what was committed long ago. */
	assert_int_equal(prune_before(f, 5 * day), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM record"), 5);
	sql(f, "UPDATE record SET id = time_ms << 20");
	assert_int_equal(prune_before(f, 5 * day), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM record"), 3);
}

/* The clock may be set back: who follows the log must not miss anything. */
static void records_keep_their_order_whatever_the_clock_does(void **state)
{
	static const int64_t day = 24 * 3600 * 1000;
	struct fixture *f = *state;
	record(f, clock_wall_ms(), "one.test", false);
	sql(f, "UPDATE record SET id = id + ((1000 * 24 * 3600 * 1000) << 20)");
	int64_t future = sql(f, "SELECT max(id) FROM record");
	record(f, clock_wall_ms(), "two.test", false);
	record(f, clock_wall_ms(), "two.test", false);
	assert_int_equal(sql(f, "SELECT max(id) FROM record"), future + 2);
	struct queue_reader *r = open_reader(f);
	struct queue_log_query query = { .after = future };
	assert_int_equal(count_log(r, query), 2);
	query = (struct queue_log_query){ .since_ms = clock_wall_ms() - day };
	assert_int_equal(count_log(r, query), 3);
	queue_reader_close(&r);
}

static void pruning_goes_on_until_it_is_through(void **state)
{
	struct fixture *f = *state;
	sql(f, "INSERT INTO record(id, time_ms, message_id, domain, is_failure, json)"
	       " WITH RECURSIVE c(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM c"
	       " WHERE n < 12000) SELECT n << 20, n, 1, 'd', 0, '{}' FROM c");
	assert_int_equal(prune_before(f, 11001), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM record"), 1000);
}

static void a_note_goes_with_its_worker(void **state)
{
	struct fixture *f = *state;
	const char *value;
	struct queue_reader *r = open_reader(f);
	assert_false(queue_reader_note(r, "policy", &value));
	assert_int_equal(queue_worker_register(f->port, 30, NULL), 0);
	queue_set_note(f->port, "policy", "2 errors");
	queue_wait(f->port);
	assert_true(queue_reader_note(r, "policy", &value));
	assert_string_equal(value, "2 errors");
	queue_set_note(f->port, "policy", NULL);
	queue_wait(f->port);
	assert_false(queue_reader_note(r, "policy", &value));
	queue_set_note(f->port, "policy", "again");
	queue_wait(f->port);
	assert_true(queue_reader_note(r, "policy", &value));
	fixture_close(f);
	assert_false(queue_reader_note(r, "policy", &value));
	queue_reader_close(&r);
}

static void a_call_back_may_close_its_port(void *arg, const struct err *e)
{
	struct fixture *f = arg;
	(void)e;
	queue_port_close(&f->port);
}

static void no_call_back_runs_after_the_port_is_closed(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 3; i++)
		queue_prune(f->port, 0, a_call_back_may_close_its_port, f);
	struct queue_port *p = f->port;
	while (f->port)
		queue_wait(p);
	queue_close(&f->queue);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		CASE(verbs_take_what_was_selected_and_leave_what_is_claimed),
		CASE(a_verb_is_carried_out_beside_what_fails),
		CASE(a_verb_on_many_items_is_carried_out_in_slices),
#ifdef WITH_FAILPOINTS
		CASE(a_verb_that_cannot_end_says_so),
#endif
		CASE(retry_makes_deferred_items_due),
		CASE(a_message_sums_up_its_items),
		CASE(a_listing_holds_nobody_up_between_its_calls),
		CASE(the_stored_content_is_read_in_pieces),
		CASE(the_log_is_looked_up_by_its_fields),
		CASE(records_keep_their_order_whatever_the_clock_does),
		CASE(pruning_goes_on_until_it_is_through),
		CASE(a_note_goes_with_its_worker),
		CASE(no_call_back_runs_after_the_port_is_closed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
