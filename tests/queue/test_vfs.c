/* The writes to SQLite's log are gathered, and nobody can tell but by counting:
 * what others see, what a crash leaves and which commit fails stay the same. */
#include "fixture.h"

#include "base/mem.h"
#include "queue/sqlite_vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

/* ---- the system under SQLite ---- */

enum { ONE_SHORT = -1 };

static struct {
	unsigned writes;
	off_t writes_to; /* an inode; 0: count nothing */
	int errnum;      /* of each write */
	long room;       /* octets that are written before that; or ONE_SHORT */
} disk;

static ssize_t counting_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	struct stat st;
	if (fstat(fd, &st) != 0 || (off_t)st.st_ino != disk.writes_to)
		return pwrite(fd, bytes, len, at);
	disk.writes++;
	if (!disk.errnum)
		return pwrite(fd, bytes, len, at);
	if (disk.room == ONE_SHORT)
		disk.room = (long)len - 1;
	long n = (long)len < disk.room ? (long)len : disk.room;
	disk.room -= n;
	if (n)
		return pwrite(fd, bytes, (size_t)n, at);
	errno = disk.errnum;
	return -1;
}

static unsigned directories; /* that were opened, to be synced */
static int (*open_directory)(const char *, int *);

static int counting_open_directory(const char *path, int *fd_out)
{
	directories++;
	return open_directory(path, fd_out);
}

static void watch_log(struct fixture *f)
{
	OWN(mem_free) char *log = xasprintf("%s-wal", f->path);
	struct stat st;
	assert_int_equal(stat(log, &st), 0);
	memset(&disk, 0, sizeof(disk));
	disk.writes_to = (off_t)st.st_ino;
}

/* ---- databases ---- */

static sqlite3 *open_with(struct fixture *f, const char *vfs)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open_v2(f->path, &db,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs),
		SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db,
			"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
			"PRAGMA wal_autocheckpoint=0;"
			"CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, b BLOB)",
			NULL, NULL, NULL),
		SQLITE_OK);
	return db;
}

static int run(sqlite3 *db, const char *text)
{
	return sqlite3_exec(db, text, NULL, NULL, NULL);
}

static long long number(sqlite3 *db, const char *text)
{
	sqlite3_stmt *stmt;
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	long long n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

static void check_integrity(sqlite3 *db)
{
	sqlite3_stmt *stmt;
	sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "ok");
	sqlite3_finalize(stmt);
}

static void copy_file(struct fixture *f, const char *suffix)
{
	OWN(mem_free)
	char *command = xasprintf("cp %s%s %s.copy%s", f->path, suffix, f->path, suffix);
	assert_int_equal(system(command), 0);
}

/* As it would be found after a crash at this moment. */
static long long number_after_a_crash(struct fixture *f, const char *text)
{
	OWN(mem_free) char *path = xasprintf("%s.copy", f->path);
	sqlite3 *db;
	copy_file(f, "");
	copy_file(f, "-wal");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	long long n = number(db, text);
	check_integrity(db);
	sqlite3_close(db);
	unlink(path);
	return n;
}

/* ---- the tests ---- */

static void a_commit_is_one_write_and_others_see_it(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db = open_with(f, sqlite_vfs_name()), *other = open_with(f, NULL);
	watch_log(f);
	assert_int_equal(
		run(db, "INSERT INTO t(b) VALUES(randomblob(100000))"), SQLITE_OK);
	assert_int_equal(disk.writes, 1);
	assert_int_equal(number(other, "SELECT count(*) FROM t"), 1);
	assert_int_equal(number_after_a_crash(f, "SELECT count(*) FROM t"), 1);
	disk.writes = 0;
	assert_int_equal(
		run(other, "INSERT INTO t(b) VALUES(randomblob(100000))"), SQLITE_OK);
	assert_true(disk.writes > 40);
	assert_int_equal(number(db, "SELECT sum(length(b)) FROM t"), 200000);
	sqlite3_close(other);
	sqlite3_close(db);
}

static void a_large_commit_takes_a_write_each_128_kilobytes(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db = open_with(f, sqlite_vfs_name()), *other = open_with(f, NULL);
	watch_log(f);
	assert_int_equal(
		run(db, "INSERT INTO t(b) VALUES(randomblob(3500000))"), SQLITE_OK);
	assert_in_range(disk.writes, 3500000 / 131072, 3500000 / 131072 + 4);
	assert_int_equal(number(other, "SELECT sum(length(b)) FROM t"), 3500000);
	check_integrity(other);
	assert_int_equal(number_after_a_crash(f, "SELECT count(*) FROM t"), 1);
	sqlite3_close(other);
	sqlite3_close(db);
}

/* Pages that leave the cache before the commit are read from the log again, and
 * written to their place in it once more. */
static void what_leaves_the_cache_early_is_read_back(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db = open_with(f, sqlite_vfs_name()), *other = open_with(f, NULL);
	watch_log(f);
	assert_int_equal(run(db, "PRAGMA cache_size=10; BEGIN IMMEDIATE"), SQLITE_OK);
	for (int i = 0; i < 200; i++)
		assert_int_equal(
			run(db, "INSERT INTO t(b) VALUES(zeroblob(3000))"), SQLITE_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			run(db, "UPDATE t SET b = (id * 7) || hex(zeroblob(1450))"
				" WHERE id % 3 <> 1"),
			SQLITE_OK);
	assert_true(disk.writes > 10);
	assert_int_equal(number(other, "SELECT count(*) FROM t"), 0);
	assert_int_equal(run(db, "COMMIT"), SQLITE_OK);
	static const char right[] = "SELECT count(*) FROM t WHERE id % 3 = 1 OR"
				    " b = (id * 7) || hex(zeroblob(1450))";
	assert_int_equal(number(other, right), 200);
	assert_int_equal(number(db, right), 200);
	check_integrity(other);
	assert_int_equal(number_after_a_crash(f, right), 200);
	sqlite3_close(other);
	sqlite3_close(db);
}

/* What was gathered must not reach the log after somebody else has written
 * there. */
static void what_is_rolled_back_does_not_come_back(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db = open_with(f, sqlite_vfs_name()), *other = open_with(f, NULL);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(
			run(db, "PRAGMA cache_size=10; BEGIN IMMEDIATE;"
				"INSERT INTO t(b) VALUES(randomblob(150000)); ROLLBACK"),
			SQLITE_OK);
		assert_int_equal(run(other, "INSERT INTO t(b) VALUES(randomblob(10000))"),
			SQLITE_OK);
		assert_int_equal(
			run(db, "INSERT INTO t(b) VALUES(randomblob(10000))"), SQLITE_OK);
		check_integrity(other);
	}
	assert_int_equal(number(db, "SELECT count(*) FROM t"), 40);
	assert_int_equal(number_after_a_crash(f, "SELECT count(*) FROM t"), 40);
	assert_int_equal(run(db, "PRAGMA wal_checkpoint(TRUNCATE)"), SQLITE_OK);
	check_integrity(other);
	sqlite3_close(other);
	sqlite3_close(db);
}

/* Until then nobody knows whether the log would be there after a crash. */
static void the_first_commit_to_a_log_syncs_its_directory_and_no_other(void **state)
{
	struct fixture *f = *state;
	sqlite3 *setup = open_with(f, sqlite_vfs_name());
	sqlite3_close(setup); /* it takes the log along */
	sqlite3 *first, *second;
	sqlite3_open_v2(f->path, &first, SQLITE_OPEN_READWRITE, sqlite_vfs_name());
	sqlite3_open_v2(f->path, &second, SQLITE_OPEN_READWRITE, sqlite_vfs_name());
	assert_int_equal(number(second, "SELECT count(*) FROM t"), 0);
	for (int i = 0; i < 3; i++) {
		/* The second has the log open from when it was empty. */
		directories = 0;
		assert_int_equal(run(first, "INSERT INTO t(b) VALUES('x')"), SQLITE_OK);
		assert_int_equal(directories, i == 0);
		directories = 0;
		assert_int_equal(run(second, "INSERT INTO t(b) VALUES('x')"), SQLITE_OK);
		assert_int_equal(directories, i == 0);
		sqlite3 *late;
		sqlite3_open_v2(f->path, &late, SQLITE_OPEN_READWRITE, sqlite_vfs_name());
		directories = 0;
		assert_int_equal(run(late, "INSERT INTO t(b) VALUES('x')"), SQLITE_OK);
		assert_int_equal(directories, 0);
		sqlite3_close(late);
	}
	assert_int_equal(number(first, "SELECT count(*) FROM t"), 9);
	sqlite3_close(first);
	sqlite3_close(second);
}

static const struct {
	const char *name;
	int errnum;
	long room;
	int rc;
	enum err_code code;
} failures[] = {
	{ "full", ENOSPC, 0, SQLITE_FULL, ERR_NO_SPACE },
	{ "full in the middle of a frame", ENOSPC, 6000, SQLITE_FULL, ERR_NO_SPACE },
	{ "full one octet before the end", ENOSPC, ONE_SHORT, SQLITE_FULL, ERR_NO_SPACE },
	{ "broken", EIO, 0, SQLITE_IOERR, ERR_IO },
	{ "broken between frames", EIO, 4120, SQLITE_IOERR, ERR_IO },
};

static void a_write_that_fails_fails_its_commit_and_no_other(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db = open_with(f, sqlite_vfs_name()), *other = open_with(f, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		watch_log(f);
		disk.errnum = failures[i].errnum;
		disk.room = failures[i].room;
		int rc = run(db, "INSERT INTO t(b) VALUES(randomblob(30000))");
		if (rc != failures[i].rc)
			fail_msg("%s: %d", failures[i].name, rc);
		disk.errnum = 0;
		assert_int_equal(number(other, "SELECT count(*) FROM t"), i);
		assert_int_equal(number_after_a_crash(f, "SELECT count(*) FROM t"), i);
		assert_int_equal(run(db, "INSERT INTO t(b) VALUES('x')"), SQLITE_OK);
		assert_int_equal(number(other, "SELECT count(*) FROM t"), i + 1);
		check_integrity(other);
	}
	sqlite3_close(other);
	sqlite3_close(db);
}

/* What left the cache early is gathered, and of no use any more: the disk is full when
 * it is to be written. The next transaction begins as if it had never been. */
static void a_write_that_fails_after_a_rollback_does_no_harm(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db = open_with(f, sqlite_vfs_name()), *other = open_with(f, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		/* Where there are no frames nothing is read from the log. */
		assert_int_equal(run(db, "PRAGMA wal_checkpoint(TRUNCATE);"
					 "PRAGMA cache_size=10; BEGIN IMMEDIATE;"
					 "INSERT INTO t(b) VALUES(randomblob(150000))"),
			SQLITE_OK);
		watch_log(f);
		disk.errnum = failures[i].errnum;
		disk.room = failures[i].room;
		assert_int_equal(run(db, "ROLLBACK"), SQLITE_OK);
		assert_int_equal(number(db, "SELECT count(*) FROM t"), i);
		disk.errnum = 0;
		assert_int_equal(run(db, "INSERT INTO t(b) VALUES('x')"), SQLITE_OK);
		assert_int_equal(number(other, "SELECT count(*) FROM t"), i + 1);
		assert_int_equal(
			number_after_a_crash(f, "SELECT count(*) FROM t"), i + 1);
		check_integrity(other);
	}
	sqlite3_close(other);
	sqlite3_close(db);
}

static void the_store_tells_it_and_goes_on(void **state)
{
	struct fixture *f = *state;
	static const struct mail_envelope m = { .sender =
							(char *)(uintptr_t) "s@x.test" };
	static const struct queue_new_recipient one = { .address = "a@one.test",
		.domain = "one.test" };
	fixture_open(f);
	put(f, "first", "a@one.test", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		int64_t id;
		watch_log(f);
		disk.errnum = failures[i].errnum;
		disk.room = failures[i].room;
		int rc = put_recipients(f, &m, &one, 1, "lost", 4, &id, NULL);
		if (rc != (int)failures[i].code)
			fail_msg("%s: %d", failures[i].name, rc);
		disk.errnum = 0;
		put(f, "stored", "a@one.test", NULL);
	}
	assert_int_equal(
		sql(f, "SELECT count(*) FROM message"), 1 + ARRAY_SIZE(failures));
	fixture_close(f);
}

int main(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	sqlite3_syscall_ptr counting = (sqlite3_syscall_ptr)counting_pwrite;
	vfs->xSetSystemCall(vfs, "pwrite", counting);
	vfs->xSetSystemCall(vfs, "pwrite64", counting);
	open_directory =
		(int (*)(const char *, int *))vfs->xGetSystemCall(vfs, "openDirectory");
	vfs->xSetSystemCall(
		vfs, "openDirectory", (sqlite3_syscall_ptr)counting_open_directory);
#define T(name) \
	cmocka_unit_test_setup_teardown(name, fixture_setup_closed, fixture_teardown)
	const struct CMUnitTest tests[] = {
		T(a_commit_is_one_write_and_others_see_it),
		T(a_large_commit_takes_a_write_each_128_kilobytes),
		T(what_leaves_the_cache_early_is_read_back),
		T(what_is_rolled_back_does_not_come_back),
		T(the_first_commit_to_a_log_syncs_its_directory_and_no_other),
		T(a_write_that_fails_fails_its_commit_and_no_other),
		T(a_write_that_fails_after_a_rollback_does_no_harm),
		T(the_store_tells_it_and_goes_on),
	};
	return cmocka_run_group_tests_name("queue/vfs", tests, NULL, NULL);
}
