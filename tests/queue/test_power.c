/* A power cut at any moment: what was acknowledged is there, nothing is there by
 * half. The sessions of clients are in tests/intake/test_power.c. */
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

static void what_was_acknowledged_is_there(void **state)
{
	struct buf why = BUF_INIT;
	size_t n = try_put(*state, 0, &why);
	if (!n)
		fail_msg("%s", buf_text(&why));
	print_message("# %zu disks\n", n);
	buf_clear(&why);
}

/* That this can fail: what is noticed of syncs that are left out. */
static void check_lie(struct fixture *f, unsigned lies, const char *expected)
{
	struct buf why = BUF_INIT;
	assert_int_equal(try_put(f, lies, &why), 0);
	print_message("# %s\n", buf_text(&why));
	if (!strstr(buf_text(&why), expected))
		fail_msg("%s", buf_text(&why));
	buf_clear(&why);
}

static void a_commit_without_a_sync_is_noticed(void **state)
{
	check_lie(*state, POWER_LIE_LOG, "was acknowledged and is lost");
}

static void a_log_without_its_name_is_noticed(void **state)
{
	check_lie(*state, POWER_LIE_DIRECTORY, "was acknowledged and is lost");
}

static void a_log_that_begins_anew_too_early_is_noticed(void **state)
{
	check_lie(*state, POWER_LIE_DATABASE, ""); /* rows or pages are missing */
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
	};
	return cmocka_run_group_tests(tests, install, NULL);
}
