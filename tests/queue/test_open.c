/* Opening: what is no queue is refused in words, and left alone. */
#include "fixture.h"

#include "base/failpoint.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 200; i++)
		fputs(text, file);
	fclose(file);
}

static void prepare_missing(struct fixture *f)
{
	f->options.create = false;
}

static void prepare_no_directory(struct fixture *f)
{
	free(f->path);
	f->path = xasprintf("%s/none/queue.db", f->dir);
	f->options.path = f->path;
}

static void prepare_directory(struct fixture *f)
{
	assert_int_equal(mkdir(f->path, 0700), 0);
}

static void prepare_text(struct fixture *f)
{
	write_file(f->path, "this is a text and no database at all\n");
}

/* Whoever was making it had no room, say. */
static void prepare_empty(struct fixture *f)
{
	f->options.create = false;
	FILE *file = fopen(f->path, "w");
	assert_non_null(file);
	fclose(file);
}

static void prepare_foreign(struct fixture *f)
{
	sql(f, "CREATE TABLE t(x)");
}

static void prepare_newer(struct fixture *f)
{
	fixture_open(f);
	fixture_close(f);
	sql(f, "PRAGMA user_version = 999");
}

static void prepare_older(struct fixture *f)
{
	fixture_open(f);
	fixture_close(f);
	sql(f, "PRAGMA user_version = 0");
}

static void prepare_damaged(struct fixture *f)
{
	fixture_open(f);
	fixture_close(f);
	FILE *file = fopen(f->path, "r+");
	assert_non_null(file);
	fseek(file, 100, SEEK_SET);
	for (int i = 0; i < 3000; i++)
		fputc(0xa5, file);
	fclose(file);
}

static void bad_files_are_refused_in_words(void **state)
{
	static const struct {
		const char *name;
		void (*prepare)(struct fixture *f);
		int code;
		const char *says;
	} cases[] = {
		{ "missing", prepare_missing, ERR_NOT_FOUND, "makes it" },
		{ "no directory", prepare_no_directory, ERR_NOT_FOUND, "make it" },
		{ "a directory", prepare_directory, ERR_INVALID, "no regular file" },
		{ "a text", prepare_text, ERR_INVALID, "no queue" },
		{ "empty", prepare_empty, ERR_NOT_FOUND, "makes it" },
		{ "foreign database", prepare_foreign, ERR_INVALID, "no queue" },
		{ "newer", prepare_newer, ERR_VERSION, "format 999" },
		{ "older", prepare_older, ERR_VERSION, "format 0" },
		{ "damaged", prepare_damaged, ERR_IO, "damaged" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture *f = *state;
		struct err e = { 0 };
		struct queue_reader *r;
		cases[i].prepare(f);
		int rc = queue_open(&f->options, &f->queue, &e);
		if (rc != cases[i].code || (int)e.code != rc)
			fail_msg("%s: %d, %s", cases[i].name, rc, e.text);
		if (!strstr(e.text, cases[i].says) || !strstr(e.text, f->path))
			fail_msg("%s: %s", cases[i].name, e.text);
		rc = queue_reader_open(f->path, 100, &r, &e);
		if (rc != cases[i].code)
			fail_msg("%s, reader: %d, %s", cases[i].name, rc, e.text);
		fixture_teardown(state);
		fixture_setup_closed(state);
	}
}

static void only_its_user_may_read_it(void **state)
{
	struct fixture *f = *state;
	static const char *const suffixes[] = { "", "-wal", "-shm", ".lock", ".wake" };
	mode_t before = umask(0);
	struct err e = { 0 };
	fixture_open(f);
	int fd = queue_wake_open(f->path, &e);
	put(f, "x", "a@one.test", NULL);
	umask(before);
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		OWN(mem_free) char *path = xasprintf("%s%s", f->path, suffixes[i]);
		struct stat st;
		assert_int_equal(stat(path, &st), 0);
		if ((st.st_mode & 0777) != 0600)
			fail_msg("%s: %o", path, (unsigned)st.st_mode);
	}
	close(fd);
}

static void it_can_be_moved_elsewhere(void **state)
{
	struct fixture *f = *state;
	fixture_open(f);
	put(f, "x", "a@one.test", NULL);
	fixture_close(f);
	OWN(mem_free) char *path = xasprintf("%s/elsewhere", f->dir);
	assert_int_equal(rename(f->path, path), 0);
	free(f->path);
	f->path = xstrdup(path);
	f->options.path = f->path;
	fixture_open(f);
	struct queue_item *item = claim_one(f);
	queue_item_free(&item);
}

/* Whoever opens the path next makes another queue: ours must not go on as if
 * nothing had happened. */
static void a_queue_that_is_moved_while_open_takes_and_gives_nothing_new(void **state)
{
	struct fixture *f = *state;
	struct mail_envelope m = { .sender = (char *)(uintptr_t) "s@x.test" };
	struct queue_new_recipient to = { .address = "a@one.test", .domain = "one.test" };
	struct queue_claim now = { .now_ms = INT64_MAX, .max_items = 10 };
	struct claimed c;
	int64_t id;
	struct err e = { 0 };
	OWN(mem_free) char *path = xasprintf("%s/elsewhere", f->dir);
	fixture_open(f);
	put(f, "x", "a@one.test", NULL);
	put(f, "x", "a@one.test", NULL);
	struct queue_item *item = claim_one(f);
	assert_int_equal(rename(f->path, path), 0);
	assert_int_equal(put_recipients(f, &m, &to, 1, "x", 1, &id, &e), ERR_IO);
	assert_non_null(strstr(e.text, "was moved"));
	claim_with(f, &now, &c);
	assert_int_equal(c.err.code, ERR_IO);
	assert_int_equal(mark(f, item->id, "mx.one.test"), ERR_IO);
	/* What was delivered before is still kept where it came from. */
	assert_int_equal(finish_all(f, item, QUEUE_OUTCOME_DELIVERED), 0);
	queue_item_free(&item);
	assert_int_equal(rename(path, f->path), 0);
	item = claim_one(f);
	queue_item_free(&item);
}

/* Runs f in a child that may not do what root may; its exit status. */
static int in_child(struct fixture *f, int (*run)(struct fixture *f), bool drop)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (drop && geteuid() == 0 && setuid(65534) != 0)
			_exit(99);
		_exit(run(f));
	}
	int status;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int try_open(struct fixture *f)
{
	struct err e = { 0 };
	int rc = queue_open(&f->options, &f->queue, &e);
	return rc == ERR_PERMISSION && strstr(e.text, f->path) ? 0 : 1;
}

static void a_directory_without_write_permission_is_said(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(chmod(f->dir, 0555), 0);
	assert_int_equal(in_child(f, try_open, true), 0);
	assert_int_equal(chmod(f->dir, 0755), 0);
	fixture_open(f);
	fixture_close(f);
	f->queue = NULL;
	assert_int_equal(chmod(f->path, 0444), 0);
	assert_int_equal(in_child(f, try_open, true), 0);
}

/* The disk gives errors from some size on: what was acknowledged stays. */
static int write_until_it_fails(struct fixture *f)
{
	struct mail_envelope m = { .sender = (char *)(uintptr_t) "s@x.test" };
	struct queue_new_recipient to = { .address = "a@one.test", .domain = "one.test" };
	struct rlimit limit = { 3000000, 3000000 }, none = { RLIM_INFINITY, 0 };
	static char bytes[100000];
	int64_t id;
	int acknowledged = 0, rc = 0;
	struct err e = { 0 };
	none.rlim_max = RLIM_INFINITY;
	limit.rlim_max = RLIM_INFINITY;
	signal(SIGXFSZ, SIG_IGN);
	fixture_open(f);
	setrlimit(RLIMIT_FSIZE, &limit);
	for (int i = 0; i < 100 && rc == 0; i++) {
		rc = put_recipients(f, &m, &to, 1, bytes, sizeof(bytes), &id, &e);
		acknowledged += rc == 0;
	}
	if (rc != ERR_IO && rc != ERR_NO_SPACE)
		return 1;
	if (!strstr(e.text, f->path))
		return 2;
	if (sql(f, "SELECT count(*) FROM message") != acknowledged)
		return 3;
	setrlimit(RLIMIT_FSIZE, &none);
	if (put_recipients(f, &m, &to, 1, bytes, sizeof(bytes), &id, &e) != 0)
		return 4;
	fixture_close(f);
	return 0;
}

static void after_an_error_of_the_disk_it_goes_on(void **state)
{
	assert_int_equal(in_child(*state, write_until_it_fails, false), 0);
}

#ifdef WITH_FAILPOINTS
/* In a child: fail points count how often a process has passed them. */
static int fail_commits(struct fixture *f)
{
	struct mail_envelope m = { .sender = (char *)(uintptr_t) "s@x.test" };
	struct queue_new_recipient to = { .address = "a@one.test", .domain = "one.test" };
	int64_t id;
	struct err e = { 0 };
	fixture_open(f);
	/* It failed, and is not there. */
	setenv("HIKYAKU_FAILPOINTS", "queue.commit.before=error:EIO", 1);
	if (put_recipients(f, &m, &to, 1, "x", 1, &id, &e) != ERR_IO)
		return 1;
	if (sql(f, "SELECT count(*) FROM message") != 0)
		return 2;
	/* It failed, but is there: that is a success, and only one message. */
	setenv("HIKYAKU_FAILPOINTS", "queue.commit.after=error:EIO", 1);
	if (put_recipients(f, &m, &to, 1, "x", 1, &id, &e) != 0)
		return 3;
	unsetenv("HIKYAKU_FAILPOINTS");
	if (sql(f, "SELECT count(*) FROM message") != 1)
		return 4;
	if (put_recipients(f, &m, &to, 1, "x", 1, &id, &e) != 0)
		return 5;
	fixture_close(f);
	return 0;
}

static void a_commit_with_unknown_outcome_is_looked_up(void **state)
{
	assert_int_equal(in_child(*state, fail_commits, false), 0);
}

/* Other processes commit before the outcome is looked up. */
static int fail_commit_among_others(struct fixture *f)
{
	struct mail_envelope m = { .sender = (char *)(uintptr_t) "s@x.test" };
	struct queue_new_recipient to = { .address = "a@one.test", .domain = "one.test" };
	int64_t id;
	struct err e = { 0 };
	fixture_open(f);
	sql(f, "CREATE TRIGGER others AFTER INSERT ON mark BEGIN"
	       " INSERT INTO mark(token, serial, time_ms) WITH RECURSIVE t(n) AS"
	       " (SELECT 0 UNION SELECT n + 1 FROM t WHERE n < 1000)"
	       " SELECT n, 1, new.time_ms FROM t; END");
	setenv("HIKYAKU_FAILPOINTS", "queue.commit.after=error:EIO", 1);
	int rc = put_recipients(f, &m, &to, 1, "x", 1, &id, &e);
	fixture_close(f);
	return rc == 0 && id ? 0 : 1;
}

static void commits_of_others_do_not_hide_a_commit(void **state)
{
	assert_int_equal(in_child(*state, fail_commit_among_others, false), 0);
}

/* The outcome is unknown: it is said, and the item is not ours for ever. */
static int lose_sight_of_commits(struct fixture *f)
{
	struct mail_envelope m = { .sender = (char *)(uintptr_t) "s@x.test" };
	struct queue_new_recipient to = { .address = "a@one.test", .domain = "one.test" };
	struct queue_claim now = { .now_ms = INT64_MAX, .max_items = 10 };
	struct claimed c;
	int64_t id;
	struct err e = { 0 };
	fixture_open(f);
	setenv("HIKYAKU_FAILPOINTS",
		"queue.commit.after=error:EIO,queue.reopen=error:EIO", 1);
	if (put_recipients(f, &m, &to, 1, "x", 1, &id, &e) != ERR_IO)
		return 1;
	if (!strstr(e.text, "may be stored all the same"))
		return 2;
	unsetenv("HIKYAKU_FAILPOINTS");
	/* A claim registers its holder first: that commit is the first. */
	if (queue_worker_register(f->port, 60, &e) != 0)
		return 3;
	setenv("HIKYAKU_FAILPOINTS",
		"queue.commit.after=error:EIO,queue.reopen=error:EIO", 1);
	claim_with(f, &now, &c);
	if (!c.err.code || c.count)
		return 4;
	unsetenv("HIKYAKU_FAILPOINTS");
	claim_with(f, &now, &c);
	if (c.err.code || c.count != 1)
		return 5;
	claimed_clear(&c);
	fixture_close(f);
	return 0;
}

static void a_claim_of_unknown_outcome_is_not_kept_for_ever(void **state)
{
	assert_int_equal(in_child(*state, lose_sight_of_commits, false), 0);
}

/* A result of unknown outcome is asked for again: it counts once, and what else was
 * claimed is not touched by it. */
static int lose_sight_of_results(struct fixture *f)
{
	static const struct {
		const char *where;
		enum queue_outcome outcome;
		int again;
	} cases[] = {
		{ "queue.commit.after=error:EIO,queue.reopen=error:EIO",
			QUEUE_OUTCOME_DEFERRED, ERR_NOT_FOUND },
		{ "queue.commit.after=error:EIO,queue.reopen=error:EIO",
			QUEUE_OUTCOME_DELIVERED, ERR_NOT_FOUND },
		{ "queue.commit.before=error:EIO,queue.reopen=error:EIO",
			QUEUE_OUTCOME_DEFERRED, 0 },
		{ "queue.commit.before=error:EIO,queue.reopen=error:EIO",
			QUEUE_OUTCOME_DELIVERED, 0 },
	};
	fixture_open(f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct claimed c;
		put(f, "x", "a@one.test", NULL);
		put(f, "x", "a@two.test", NULL);
		claim(f, 10, &c);
		mark(f, c.items[0]->id, "mx.one.test");
		setenv("HIKYAKU_FAILPOINTS", cases[i].where, 1);
		if (finish_all(f, c.items[0], cases[i].outcome) != ERR_IO)
			return 1;
		unsetenv("HIKYAKU_FAILPOINTS");
		if (finish_all(f, c.items[0], cases[i].outcome) != cases[i].again)
			return 2;
		if (finish_all(f, c.items[1], QUEUE_OUTCOME_DELIVERED) != 0)
			return 3;
		claimed_clear(&c);
		if (sql(f, "SELECT count(*) FROM claim") != 0)
			return 4;
		if (sql(f, "SELECT count(*) FROM item") !=
			(cases[i].outcome == QUEUE_OUTCOME_DEFERRED))
			return 5;
		if (sql(f, "SELECT count(*) FROM item WHERE attempts <> 1") != 0)
			return 6;
		if (operate_on(f, QUEUE_REMOVE, 0, NULL, NULL, NULL) != 0)
			return 7;
	}
	fixture_close(f);
	return 0;
}

static void a_result_of_unknown_outcome_counts_once(void **state)
{
	assert_int_equal(in_child(*state, lose_sight_of_results, false), 0);
}

static void finish_while_killed(struct fixture *f, const char *where)
{
	struct queue_item *item;
	fixture_open(f);
	item = claim_one(f);
	setenv("HIKYAKU_FAILPOINTS", where, 1);
	finish_all(f, item, QUEUE_OUTCOME_DELIVERED);
	_exit(1);
}

static void a_kill_at_the_commit_is_all_or_nothing(void **state)
{
	static const struct {
		const char *where;
		int left;
	} cases[] = {
		{ "queue.finish=kill", 1 },
		{ "queue.commit.before=kill", 1 },
		{ "queue.commit.after=kill", 0 },
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct claimed c;
		fixture_open(f);
		put(f, "x", "a@one.test", NULL);
		fixture_close(f);
		f->queue = NULL;
		pid_t pid = fork();
		if (pid == 0)
			finish_while_killed(f, cases[i].where);
		int status;
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status));
		fixture_open(f);
		claim(f, 10, &c);
		assert_int_equal(c.count, cases[i].left);
		for (size_t n = 0; n < c.count; n++)
			finish_all(f, c.items[n], QUEUE_OUTCOME_DELIVERED);
		claimed_clear(&c);
		fixture_close(f);
		f->queue = NULL;
	}
}
#endif

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup_closed, fixture_teardown)
	const struct CMUnitTest tests[] = {
		CASE(bad_files_are_refused_in_words),
		CASE(only_its_user_may_read_it),
		CASE(it_can_be_moved_elsewhere),
		CASE(a_queue_that_is_moved_while_open_takes_and_gives_nothing_new),
		CASE(a_directory_without_write_permission_is_said),
		CASE(after_an_error_of_the_disk_it_goes_on),
#ifdef WITH_FAILPOINTS
		CASE(a_commit_with_unknown_outcome_is_looked_up),
		CASE(commits_of_others_do_not_hide_a_commit),
		CASE(a_claim_of_unknown_outcome_is_not_kept_for_ever),
		CASE(a_result_of_unknown_outcome_counts_once),
		CASE(a_kill_at_the_commit_is_all_or_nothing),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
