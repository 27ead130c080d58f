/* A power cut at any moment: what was acknowledged is there, nothing is there by
 * half; and no result is lost. The sessions of clients are in tests/intake/test_power.c.
 */
#include "fixture.h"
#include "power_cut.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

static int install(void **state)
{
	(void)state;
	power_install();
	return 0;
}

/* ---- messages that come in ---- */

/* A queue is made, takes messages, is closed and opened, and moves its log into the
 * database, where it goes on and where it begins anew. lies: once it is made. */
static void put_some(struct fixture *f, struct power_trace *trace, unsigned lies)
{
	power_record(trace, f->path);
	fixture_open(f);
	power_lie(lies);
	for (int i = 0; i < 6; i++) {
		OWN(mem_free) char *body = xasprintf("Subject: %d\r\n\r\nhere\r\n", i);
		power_told(put(f, body, "a@one.test", "b@one.test", "c@two.test", NULL));
		if (i == 1) {
			fixture_close(f);
			fixture_open(f);
		}
		if (i == 2)
			sql(f, "PRAGMA wal_checkpoint(PASSIVE)");
		if (i == 4)
			sql(f, "PRAGMA wal_checkpoint(TRUNCATE)");
	}
	fixture_close(f);
	power_stop();
}

static size_t try_put(struct fixture *f, unsigned lies, struct buf *why)
{
	struct power_trace trace;
	struct power_intake intake = { .trace = &trace };
	struct err e;
	put_some(f, &trace, lies);
	assert_int_equal(power_snapshot_take(f->path, &intake.all, &e), 0);
	assert_int_equal(intake.all.count, 6);
	struct power_trial trial = { &trace, f->path, power_judge_intake, &intake };
	size_t n = power_try(&trial, why);
	power_snapshot_clear(&intake.all);
	power_trace_clear(&trace);
	return n;
}

typedef size_t try_fn(struct fixture *f, unsigned lies, struct buf *why);

static void check_all(struct fixture *f, try_fn *try)
{
	struct buf why = BUF_INIT;
	size_t n = try(f, 0, &why);
	if (!n)
		fail_msg("%s", buf_text(&why));
	print_message("# %zu disks\n", n);
	buf_clear(&why);
}

/* That the test can fail: what is noticed of syncs that are left out. */
static void check_lie(struct fixture *f, try_fn *try, unsigned lies, const char *expected)
{
	struct buf why = BUF_INIT;
	assert_int_equal(try(f, lies, &why), 0);
	print_message("# %s\n", buf_text(&why));
	if (!strstr(buf_text(&why), expected))
		fail_msg("%s", buf_text(&why));
	buf_clear(&why);
}

static void what_was_acknowledged_is_there(void **state)
{
	check_all(*state, try_put);
}

static void a_commit_without_a_sync_is_noticed(void **state)
{
	check_lie(*state, try_put, POWER_LIE_LOG, "was acknowledged and is lost");
}

static void a_log_without_its_name_is_noticed(void **state)
{
	check_lie(*state, try_put, POWER_LIE_DIRECTORY, "was acknowledged and is lost");
}

static void a_log_that_begins_anew_too_early_is_noticed(void **state)
{
	/* Rows or pages are missing. */
	check_lie(*state, try_put, POWER_LIE_DATABASE, "");
}

/* ---- results ---- */

/* What is in the queue after each step, in their order. */
struct history {
	struct fixture *f;
	struct power_trace trace;
	struct power_snapshot states[12];
	size_t count;
};

static void tell(struct history *h)
{
	struct err e;
	assert_true(h->count < ARRAY_SIZE(h->states));
	if (power_snapshot_take(h->f->path, &h->states[h->count], &e) != 0)
		fail_msg("%s", e.text);
	power_told((int64_t)h->count++);
}

/* With a record, and a notice if it is to say something. */
static void finish_one(
	struct history *h, enum queue_outcome outcome, const char *json, bool notice)
{
	struct queue_item *item = claim_one(h->f);
	const struct queue_new_recipient to = { .address = "from@example.com",
		.domain = "example.com" };
	struct queue_new_message message = {
		.envelope = { .sender = (char *)(uintptr_t) "", .is_notice = true },
		.recipients = &to,
		.recipient_count = 1,
		.body = "Subject: no\r\n\r\n",
		.body_len = 15,
		.append = QUEUE_APPEND_MESSAGE,
		.append_message_id = item->envelope.id
	};
	struct queue_record record = { .time_ms = 5,
		.message_id = item->envelope.id,
		.domain = item->domain,
		.json = json };
	struct queue_recipient_result results[] = {
		{ item->recipients[0].id, outcome, NULL },
		{ item->recipients[1].id, QUEUE_OUTCOME_DEFERRED, "450 later" },
	};
	struct queue_result result = { .item_id = item->id,
		.recipients = results,
		.recipient_count = item->recipient_count,
		.count_attempt = true,
		.next_attempt_ms = 5,
		.records = &record,
		.record_count = 1,
		.messages = notice ? &message : NULL,
		.message_count = notice };
	assert_int_equal(mark(h->f, item->id, "mx.test"), 0);
	assert_int_equal(finish_with(h->f, &result, NULL), 0);
	queue_item_free(&item);
	tell(h);
}

static void operate_one(struct history *h, enum queue_verb verb)
{
	size_t affected;
	int64_t id = h->states[h->count - 1].messages[0].id;
	assert_int_equal(operate_on(h->f, verb, id, NULL, &affected, NULL), 0);
	assert_int_equal(affected, 1);
	tell(h);
}

/* Three messages, with two recipients each. lies: once they are there. */
static void deliver_some(struct history *h, unsigned lies)
{
	static const char *const domains[] = { "one.test", "two.test", "three.test" };
	power_record(&h->trace, h->f->path);
	fixture_open(h->f);
	tell(h);
	for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
		OWN(mem_free) char *a = xasprintf("a@%s", domains[i]);
		OWN(mem_free) char *b = xasprintf("b@%s", domains[i]);
		put(h->f, "Subject: hello\r\n\r\n", a, b, NULL);
		tell(h);
	}
	power_lie(lies);
	assert_int_equal(queue_worker_register(h->f->port, 60, NULL), 0);
	finish_one(h, QUEUE_OUTCOME_DELIVERED, "{\"n\":1}", false);
	finish_one(h, QUEUE_OUTCOME_BOUNCED, "{\"n\":2}", true);
	finish_one(h, QUEUE_OUTCOME_DEFERRED, "{\"n\":3}", false);
	sql(h->f, "PRAGMA wal_checkpoint(PASSIVE)");
	finish_one(h, QUEUE_OUTCOME_DELIVERED, "{\"n\":4}", false);
	operate_one(h, QUEUE_HOLD);
	operate_one(h, QUEUE_REMOVE);
	fixture_close(h->f);
	power_stop();
}

/* The last state that was told of, or the one after it. */
static bool judge_history(
	void *arg, size_t count, const struct power_snapshot *found, struct buf *why)
{
	const struct history *h = arg;
	size_t next = 0; /* untold */
	for (size_t i = 0; i < count; i++)
		next += h->trace.events[i].kind == POWER_TOLD;
	if ((next && power_snapshot_is_same(found, &h->states[next - 1])) ||
		(next < h->count && power_snapshot_is_same(found, &h->states[next])))
		return true;
	buf_addf(why, "after step %zu of %zu it is otherwise: %zu messages, log %.*s",
		next, h->count, found->count, (int)buf_len(&found->log),
		buf_bytes(&found->log));
	return false;
}

static size_t try_delivery(struct fixture *f, unsigned lies, struct buf *why)
{
	struct history h = { .f = f };
	deliver_some(&h, lies);
	struct power_trial trial = { &h.trace, f->path, judge_history, &h };
	size_t n = power_try(&trial, why);
	while (h.count)
		power_snapshot_clear(&h.states[--h.count]);
	power_trace_clear(&h.trace);
	return n;
}

static void results_are_there_as_a_whole(void **state)
{
	check_all(*state, try_delivery);
}

static void a_result_without_a_sync_is_noticed(void **state)
{
	check_lie(*state, try_delivery, POWER_LIE_LOG, "it is otherwise");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, fixture_setup_closed, fixture_teardown)
		TEST(what_was_acknowledged_is_there),
		TEST(a_commit_without_a_sync_is_noticed),
		TEST(a_log_without_its_name_is_noticed),
		TEST(a_log_that_begins_anew_too_early_is_noticed),
		TEST(results_are_there_as_a_whole),
		TEST(a_result_without_a_sync_is_noticed),
	};
	return cmocka_run_group_tests(tests, install, NULL);
}
