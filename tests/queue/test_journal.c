/* The journal of doubt: what a worker that was killed leaves behind, and what one
 * may do that was taken for dead. Real processes, really killed. */
#include "fixture.h"

#include "base/failpoint.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "queue/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

/* ---- a worker that is killed ---- */

static char *render_lost(
	void *arg, const struct queue_item *item, const char *host, int64_t now_ms)
{
	(void)arg;
	(void)now_ms;
	return xasprintf("{\"%s\":\"%s\"}", item->domain, host ? host : "");
}

static void mark_the_first(struct fixture *f, struct claimed *c)
{
	claim(f, 10, c);
	if (c->count != 2 || mark(f, c->items[0]->id, "mx1.one.test") != 0)
		_exit(5);
}

static void hold(struct fixture *f)
{
	struct claimed c;
	mark_the_first(f, &c);
}

static void mark_for_a_second_host(struct fixture *f)
{
	struct claimed c;
	mark_the_first(f, &c);
	if (mark(f, c.items[0]->id, "mx2.one.test") != 0)
		_exit(6);
}

static void finish_both(struct fixture *f)
{
	struct claimed c;
	mark_the_first(f, &c);
	if (finish_all(f, c.items[0], QUEUE_OUTCOME_DELIVERED) != 0 ||
		finish_all(f, c.items[1], QUEUE_OUTCOME_DEFERRED) != 0)
		_exit(6);
}

static void finish_one_of_them(struct fixture *f)
{
	struct claimed c;
	mark_the_first(f, &c);
	if (finish_all(f, c.items[0], QUEUE_OUTCOME_DEFERRED) != 0 ||
		mark(f, c.items[1]->id, "mx.two.test") != 0)
		_exit(6);
}

/* No kill: it ends in order, but with an answer that never came. */
static void close_in_doubt(struct fixture *f)
{
	struct claimed c;
	mark_the_first(f, &c);
	fixture_close(f);
}

static void mark_give_back_and_claim_again(struct fixture *f)
{
	struct claimed c;
	mark_the_first(f, &c);
	struct queue_recipient_result none = { c.items[0]->recipients[0].id,
		QUEUE_OUTCOME_DEFERRED, NULL };
	struct queue_result result = {
		.item_id = c.items[0]->id, .recipients = &none, .recipient_count = 1
	};
	if (finish_with(f, &result, NULL) != 0)
		_exit(6);
	claim(f, 10, &c);
	if (c.count != 1)
		_exit(7);
}

#ifdef WITH_FAILPOINTS
/* The result is stored, and the mark is still there. */
static void die_after_the_commit(struct fixture *f)
{
	struct claimed c;
	mark_the_first(f, &c);
	setenv("HIKYAKU_FAILPOINTS", "queue.commit.after=kill", 1);
	(void)finish_all(f, c.items[0], QUEUE_OUTCOME_DEFERRED);
	_exit(6);
}
#endif

static void wait_for(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	assert_true(WIFSIGNALED(status));
}

/* One message to each of two destinations; a worker that is killed when it is
 * through with `work`. No handle may be open: locks go over fork. */
static void kill_a_worker(struct fixture *f, void (*work)(struct fixture *f))
{
	pid_t pid;
	f->options.lost_record = render_lost;
	fixture_open(f);
	put(f, "x\r\n", "a@one.test", NULL);
	put(f, "x\r\n", "a@two.test", NULL);
	fixture_close(f);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		fixture_open(f);
		work(f);
		kill(getpid(), SIGKILL);
	}
	wait_for(pid);
}

static char *journal_path(struct fixture *f)
{
	OWN(mem_free) char *pattern = xasprintf("%s.doubt.*", f->path);
	glob_t found;
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	char *path = xstrdup(found.gl_pathv[0]);
	globfree(&found);
	return path;
}

static size_t count_journals(struct fixture *f)
{
	OWN(mem_free) char *pattern = xasprintf("%s.doubt.*", f->path);
	glob_t found = { 0 };
	int rc = glob(pattern, 0, NULL, &found);
	size_t n = rc == 0 ? found.gl_pathc : 0;
	globfree(&found);
	return n;
}

/* ---- what happens to its journal ---- */

static void reboot(struct fixture *f)
{
	sql(f, "UPDATE holder SET boot = 'another'");
}

static void boot_unknown(struct fixture *f)
{
	sql(f, "UPDATE holder SET boot = ''");
}

static void remove_it(struct fixture *f)
{
	OWN(mem_free) char *path = journal_path(f);
	assert_int_equal(unlink(path), 0);
}

static void cut_it(struct fixture *f)
{
	OWN(mem_free) char *path = journal_path(f);
	assert_int_equal(truncate(path, 1000), 0);
}

static void empty_it(struct fixture *f)
{
	OWN(mem_free) char *path = journal_path(f);
	assert_int_equal(truncate(path, 0), 0);
}

static void zero_it(struct fixture *f)
{
	OWN(mem_free) char *path = journal_path(f);
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(truncate(path, st.st_size), 0);
}

/* As when its file system was mounted again: it is read from the disk. One that has no
 * disk loses it. */
static void let_it_go(struct fixture *f)
{
	OWN(mem_free) char *path = journal_path(f);
	struct statfs fs;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	assert_int_equal(fstatfs(fd, &fs), 0);
	close(fd);
	if (fs.f_type == TMPFS_MAGIC)
		remove_it(f);
}

static void link_it(struct fixture *f)
{
	OWN(mem_free) char *path = journal_path(f);
	OWN(mem_free) char *moved = xasprintf("%s/moved", f->dir);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(symlink(moved, path), 0);
}

static void pipe_it(struct fixture *f)
{
	OWN(mem_free) char *path = journal_path(f);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
}

/* A copy of the queue: the journal came along, and is another database's. */
static void copy_the_queue(struct fixture *f)
{
	OWN(mem_free)
	char *command = xasprintf(
		"cp %s %s.new && mv %s.new %s", f->path, f->path, f->path, f->path);
	sql(f, "PRAGMA wal_checkpoint(TRUNCATE)");
	assert_int_equal(system(command), 0);
}

#define MARKED       "one.test in doubt at mx1.one.test; "
#define DUE          "two.test due; "
#define ALL_IN_DOUBT "one.test in doubt; two.test in doubt; "

static const struct death {
	const char *name;
	void (*work)(struct fixture *f);
	void (*then)(struct fixture *f);
	const char *left; /* in the queue, by destination */
} deaths[] = {
	{ "what was marked is in doubt, what was not is due", hold, NULL, MARKED DUE },
	{ "the last host is named", mark_for_a_second_host, NULL,
		"one.test in doubt at mx2.one.test; " DUE },
	{ "what was stored is not in doubt", finish_both, NULL, "two.test deferred; " },
	{ "what is left of a claim is in doubt by itself", finish_one_of_them, NULL,
		"one.test deferred; two.test in doubt at mx.two.test; " },
	{ "a worker that closes leaves doubt as well", close_in_doubt, NULL, MARKED DUE },
	{ "a new claim begins without a mark", mark_give_back_and_claim_again, NULL,
		"one.test due; " DUE },
#ifdef WITH_FAILPOINTS
	{ "nor is what was stored a moment ago", die_after_the_commit, NULL,
		"one.test deferred; " DUE },
#endif
	{ "after a reboot all is in doubt", hold, reboot, ALL_IN_DOUBT },
	{ "so it is where no boot has a name", hold, boot_unknown, ALL_IN_DOUBT },
	{ "without the journal", hold, remove_it, ALL_IN_DOUBT },
	{ "with one that was cut short", hold, cut_it, ALL_IN_DOUBT },
	{ "with an empty one", hold, empty_it, ALL_IN_DOUBT },
	{ "with one full of zeros", hold, zero_it, ALL_IN_DOUBT },
	{ "with one that is not in memory", hold, let_it_go, ALL_IN_DOUBT },
	{ "with a symbolic link to it", hold, link_it, ALL_IN_DOUBT },
	{ "with a FIFO in its place", hold, pipe_it, ALL_IN_DOUBT },
	{ "with that of another database", hold, copy_the_queue, ALL_IN_DOUBT },
};

static int by_domain(const void *a, const void *b)
{
	const struct queue_item *const *x = a, *const *y = b;
	return strcmp((*x)->domain, (*y)->domain);
}

/* What a worker finds that comes next. */
static char *what_is_left(struct fixture *f)
{
	struct claimed c;
	char *text = xstrdup("");
	claim_later(f, 10, &c);
	qsort(c.items, c.count, sizeof(c.items[0]), by_domain);
	for (size_t i = 0; i < c.count; i++) {
		const struct queue_item *item = c.items[i];
		bool has_host = item->was_in_doubt && item->last_host;
		char *more = xasprintf("%s%s %s%s%s; ", text, item->domain,
			item->was_in_doubt ? "in doubt"
			: item->attempts   ? "deferred"
					   : "due",
			has_host ? " at " : "", has_host ? item->last_host : "");
		if (item->was_in_doubt && item->attempts != 1)
			fail_msg("the attempt of %s does not count", item->domain);
		free(text);
		text = more;
	}
	claimed_clear(&c);
	return text;
}

static size_t count_of(const char *text, const char *word)
{
	size_t n = 0;
	while ((text = strstr(text, word))) {
		text++;
		n++;
	}
	return n;
}

static void run_death(void **state)
{
	const struct death *d = *state;
	struct fixture *f;
	struct queue_counts counts;
	struct queue_reader *r;
	size_t doubts = count_of(d->left, "in doubt");
	fixture_setup_closed((void **)&f);
	kill_a_worker(f, d->work);
	if (d->then)
		d->then(f);
	/* Nobody has taken it over yet. */
	assert_int_equal(queue_reader_open(f->path, 1000, &r, NULL), 0);
	assert_int_equal(queue_reader_counts(r, &counts, NULL), 0);
	assert_int_equal(counts.in_doubt, d->work == close_in_doubt ? 0 : doubts);
	assert_int_equal(counts.held, 0);
	assert_int_equal(counts.due + counts.claimed + counts.in_doubt,
		sql(f, "SELECT count(*) FROM item"));
	queue_reader_close(&r);
	fixture_open(f);
	OWN(mem_free) char *left = what_is_left(f);
	if (strcmp(left, d->left) != 0)
		fail_msg("%s: %s", d->name, left);
	assert_int_equal(sql(f, "SELECT count(*) FROM record"), doubts);
	fixture_close(f);
	f->queue = NULL;
	assert_int_equal(count_journals(f), 0);
	fixture_teardown((void **)&f);
}

static void taking_over_without_a_journal_is_no_error(void **state)
{
	struct fixture *f = *state;
	struct claimed c;
	kill_a_worker(f, hold);
	remove_it(f);
	f->options.lost_record = NULL; /* opening leaves it to the claim */
	fixture_open(f);
	claim_later(f, 10, &c);
	assert_int_equal(c.count, 2);
	claimed_clear(&c);
}

/* ---- a worker that was taken for dead ---- */

static void take_for_dead(struct fixture *f)
{
	/* As if it had been stopped for long where locks cannot tell. */
	sql(f, "UPDATE holder SET inode = inode + 1, lease_until_ms = 0");
}

static void who_was_taken_for_dead_neither_marks_nor_finishes(void **state)
{
	struct fixture *f = *state, other = *f;
	struct claimed c, taken;
	f->options.lost_record = other.options.lost_record = render_lost;
	put(f, "x\r\n", "a@one.test", NULL);
	put(f, "x\r\n", "a@two.test", NULL);
	claim(f, 10, &c);
	assert_int_equal(mark(f, c.items[0]->id, "mx1.one.test"), 0);
	take_for_dead(f);
	fixture_open(&other);
	claim(&other, 10, &taken);
	assert_int_equal(taken.count, 1); /* the other one is in doubt */
	assert_int_equal(mark(f, c.items[1]->id, "mx.two.test"), ERR_NOT_FOUND);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(finish_all(f, c.items[i], QUEUE_OUTCOME_DELIVERED),
			ERR_NOT_FOUND);
	assert_int_equal(finish_all(&other, taken.items[0], QUEUE_OUTCOME_DELIVERED), 0);
	claimed_clear(&c);
	claimed_clear(&taken);
	fixture_close(&other);
	/* It begins anew. */
	claim_later(f, 10, &c);
	assert_int_equal(c.count, 1);
	assert_int_equal(mark(f, c.items[0]->id, "mx1.one.test"), 0);
	assert_int_equal(finish_all(f, c.items[0], QUEUE_OUTCOME_DELIVERED), 0);
	claimed_clear(&c);
	assert_int_equal(count_journals(f), 1);
}

/* Who took it over was killed before the commit. */
static void who_was_fenced_in_vain_gives_up_all_the_same(void **state)
{
	struct fixture *f = *state;
	struct claimed c;
	struct stat st;
	struct journal *j;
	f->options.lost_record = render_lost;
	put(f, "x\r\n", "a@one.test", NULL);
	put(f, "x\r\n", "a@two.test", NULL);
	claim(f, 10, &c);
	assert_int_equal(mark(f, c.items[0]->id, "mx1.one.test"), 0);
	assert_int_equal(stat(f->path, &st), 0);
	struct journal_queue queue = { f->path, st.st_dev, st.st_ino };
	int64_t token = sql(f, "SELECT journal FROM holder");
	assert_int_equal(journal_open(&queue, token, true, &j, NULL), 0);
	journal_close(&j);
	assert_int_equal(mark(f, c.items[1]->id, "mx.two.test"), ERR_NOT_FOUND);
	claimed_clear(&c);
	claim(f, 10, &c);
	assert_int_equal(c.count, 1);
	assert_string_equal(c.items[0]->domain, "two.test");
	assert_int_equal(mark(f, c.items[0]->id, "mx.two.test"), 0);
	claimed_clear(&c);
	claim_later(f, 10, &c);
	assert_int_equal(c.count, 1);
	assert_true(c.items[0]->was_in_doubt);
	claimed_clear(&c);
	assert_int_equal(count_journals(f), 1);
}

static void what_is_not_held_cannot_be_marked(void **state)
{
	struct fixture *f = *state;
	put(f, "x\r\n", "a@one.test", NULL);
	assert_int_equal(mark(f, 1, "mx"), ERR_NOT_FOUND);
	struct queue_item *item = claim_one(f);
	assert_int_equal(give_back(f, item->id), 0);
	assert_int_equal(mark(f, item->id, "mx"), ERR_NOT_FOUND);
	queue_item_free(&item);
	item = claim_one(f);
	assert_int_equal(mark(f, item->id, "mx"), 0);
	assert_int_equal(give_back(f, item->id), ERR_NOT_FOUND);
	assert_int_equal(finish_all(f, item, QUEUE_OUTCOME_DELIVERED), 0);
	assert_int_equal(mark(f, item->id, "mx"), ERR_NOT_FOUND);
	queue_item_free(&item);
}

/* ---- files ---- */

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void a_worker_removes_what_nobody_has(void **state)
{
	struct fixture *f = *state, other = *f;
	struct stat st;
	OWN(mem_free) char *left = xasprintf("%s.doubt.0123456789abcdef", f->path);
	OWN(mem_free) char *foreign = xasprintf("%s.doubt.notes", f->path);
	touch(left);
	touch(foreign);
	assert_int_equal(queue_worker_register(f->port, 30, NULL), 0);
	assert_int_equal(access(left, F_OK), -1);
	assert_int_equal(access(foreign, F_OK), 0);
	assert_int_equal(unlink(foreign), 0);
	OWN(mem_free) char *own = journal_path(f);
	assert_int_equal(stat(own, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* Nor does a second worker take away the first one's. */
	fixture_open(&other);
	assert_int_equal(queue_worker_register(other.port, 30, NULL), 0);
	assert_int_equal(count_journals(f), 2);
	fixture_close(&other);
	assert_int_equal(count_journals(f), 1);
	assert_int_equal(access(own, F_OK), 0);
}

static void it_grows_with_what_is_in_doubt(void **state)
{
	enum { COUNT = 10000 };
	struct fixture *f = *state;
	struct journal_queue queue = { f->path, 1, 2 };
	struct journal *j, *seen;
	char host[JOURNAL_HOST_MAX], name[300];
	OWN(mem_free) int64_t *slots = xcalloc(COUNT, sizeof(*slots));
	memset(name, 'x', sizeof(name));
	name[299] = '\0';
	assert_int_equal(journal_create(&queue, &j, NULL), 0);
	for (int64_t i = 0; i < COUNT; i++) {
		slots[i] = -1;
		assert_int_equal(journal_mark(j, &slots[i], i + 1, name, NULL), 0);
	}
	for (int64_t i = 0; i < COUNT; i += 2)
		journal_clear(j, &slots[i]);
	assert_int_equal(journal_open(&queue, journal_token(j), false, &seen, NULL), 0);
	assert_int_equal(journal_count(seen), COUNT / 2);
	for (int64_t i = 0; i < COUNT; i++)
		assert_int_equal(journal_find(seen, i + 1, host), i % 2);
	assert_int_equal(strlen(host), JOURNAL_HOST_MAX - 1);
	journal_close(&seen);
	/* What was freed is used again. */
	OWN(mem_free) char *path = journal_path(f);
	struct stat before, after;
	assert_int_equal(stat(path, &before), 0);
	for (int64_t i = 0; i < COUNT; i += 2)
		assert_int_equal(journal_mark(j, &slots[i], i + 1, "mx", NULL), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	assert_false(journal_is_fenced(j));
	journal_close(&j);
}

/* ---- many marks at once ---- */

enum { MANY = 5000 }; /* more than the journal is made for at first */

struct many {
	int64_t items[MANY];
	size_t count;
};

static void on_many(void *arg, struct queue_item **items, size_t count,
	int64_t next_due_ms, const struct err *e)
{
	struct many *m = arg;
	(void)next_due_ms;
	assert_null(e);
	for (size_t i = 0; i < count; i++) {
		assert_true(m->count < MANY);
		m->items[m->count++] = items[i]->id;
		queue_item_free(&items[i]);
	}
}

static void drain(struct fixture *f)
{
	while (queue_port_pending(f->port))
		queue_wait(f->port);
}

static void claim_many(struct fixture *f, struct many *m)
{
	put(f, "x", "a@one.test", NULL);
	sql(f, "INSERT INTO message(id, sender) WITH RECURSIVE t(n) AS (SELECT 1 UNION"
	       " SELECT n + 1 FROM t WHERE n < 4999) SELECT n, 's@x.test' FROM t");
	sql(f, "INSERT INTO item(id, destination, state, due_ms, attempts, was_in_doubt,"
	       " delay_notified) SELECT num << 16, (SELECT id FROM destination),"
	       " 0, 0, 0, 0, 0 FROM message WHERE id <= 4999");
	queue_claim_due(
		f->port, &(struct queue_claim){ .now_ms = INT64_MAX }, on_many, m);
	drain(f);
	assert_int_equal(m->count, MANY);
}

/* The journal grows under a thread that marks, while the store's asks whether it is
 * fenced. */
static void the_journal_grows_while_the_store_looks_at_it(void **state)
{
	static struct many m;
	struct fixture *f = *state;
	claim_many(f, &m);
	for (size_t i = 0; i < MANY; i++) {
		if (i % 10 == 0)
			queue_claim_due(f->port,
				&(struct queue_claim){ .now_ms = INT64_MAX }, on_many,
				&m);
		assert_int_equal(mark(f, m.items[i], "mx.one.test"), 0);
	}
	drain(f);
	struct queue_reader *r;
	struct queue_counts counts;
	assert_int_equal(queue_reader_open(f->path, 1000, &r, NULL), 0);
	assert_int_equal(queue_reader_counts(r, &counts, NULL), 0);
	assert_int_equal(counts.in_doubt, MANY);
	queue_reader_close(&r);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
	static const struct CMUnitTest single[] = {
		CASE(who_was_taken_for_dead_neither_marks_nor_finishes),
		CASE(who_was_fenced_in_vain_gives_up_all_the_same),
		CASE(what_is_not_held_cannot_be_marked),
		CASE(a_worker_removes_what_nobody_has),
		CASE(the_journal_grows_while_the_store_looks_at_it),
		cmocka_unit_test_setup_teardown(taking_over_without_a_journal_is_no_error,
			fixture_setup_closed, fixture_teardown),
		cmocka_unit_test_setup_teardown(it_grows_with_what_is_in_doubt,
			fixture_setup_closed, fixture_teardown),
	};
	enum { SINGLE = ARRAY_SIZE(single), DEATHS = ARRAY_SIZE(deaths) };
	struct CMUnitTest tests[SINGLE + DEATHS];
	memcpy(tests, single, sizeof(single));
	for (size_t i = 0; i < DEATHS; i++)
		tests[SINGLE + i] = (struct CMUnitTest){ .name = deaths[i].name,
			.test_func = run_death,
			.initial_state = (void *)(uintptr_t)&deaths[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
