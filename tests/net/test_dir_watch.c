#include "net_fixture.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Stands in for libc's: a file system (or a limit) without events. */
static bool has_no_events;

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	if (has_no_events) {
		errno = ENOSPC;
		return -1;
	}
	return (int)syscall(SYS_inotify_add_watch, fd, path, mask);
}

struct fixture {
	char base[64];
	char dir[96]; /* the directory that is watched */
	struct uv_loop_s *loop;
	struct dir_watch *w;
	int count;
	bool is_seen;
	bool closes;
};

static void on_change(void *arg)
{
	struct fixture *f = arg;
	f->count++;
	f->is_seen = true;
	if (f->closes)
		dir_watch_close(&f->w);
}

static char *path_in(const char *dir, const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static void write_file(const char *dir, const char *name, const char *text)
{
	OWN(mem_free) char *path = path_in(dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void remove_file(const char *dir, const char *name)
{
	OWN(mem_free) char *path = path_in(dir, name);
	assert_int_equal(unlink(path), 0);
}

static void rename_in(const char *dir, const char *from, const char *to)
{
	OWN(mem_free) char *a = path_in(dir, from);
	OWN(mem_free) char *b = path_in(dir, to);
	assert_int_equal(rename(a, b), 0);
}

static void remove_tree(const char *path)
{
	OWN(mem_free) char *command = xasprintf("rm -rf '%s'", path);
	assert_int_equal(system(command), 0);
}

static void change_in_place(struct fixture *f)
{
	OWN(mem_free) char *path = path_in(f->dir, "list.txt");
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "X", 1), 1); /* same size, same inode */
	close(fd);
}

static void change_append(struct fixture *f)
{
	OWN(mem_free) char *path = path_in(f->dir, "list.txt");
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "more\n", 5), 5);
	close(fd);
}

static void change_rename_over(struct fixture *f)
{
	write_file(f->base, "new", "replaced\n");
	OWN(mem_free) char *from = path_in(f->base, "new");
	OWN(mem_free) char *to = path_in(f->dir, "list.txt");
	assert_int_equal(rename(from, to), 0);
}

static void change_create(struct fixture *f)
{
	write_file(f->dir, "other.txt", "");
}

static void change_delete(struct fixture *f)
{
	remove_file(f->dir, "list.txt");
}

static void change_mode(struct fixture *f)
{
	OWN(mem_free) char *path = path_in(f->dir, "list.txt");
	assert_int_equal(chmod(path, 0644), 0);
}

static void change_remove_directory(struct fixture *f)
{
	remove_tree(f->dir);
}

static void change_replace_directory(struct fixture *f)
{
	OWN(mem_free) char *next = path_in(f->base, "next");
	assert_int_equal(mkdir(next, 0700), 0);
	write_file(next, "list.txt", "a\n");
	rename_in(f->base, "dir", "old");
	rename_in(f->base, "next", "dir");
}

static void setup(struct fixture *f, bool exists)
{
	memset(f, 0, sizeof(*f));
	snprintf(f->base, sizeof(f->base), "/tmp/test_dir_watch.XXXXXX");
	assert_non_null(mkdtemp(f->base));
	snprintf(f->dir, sizeof(f->dir), "%s/dir", f->base);
	if (exists) {
		assert_int_equal(mkdir(f->dir, 0700), 0);
		write_file(f->dir, "list.txt", "a\n");
	}
	f->loop = loop_new();
	f->w = dir_watch_new(f->loop, f->dir, 5, 50, on_change, f);
}

static void clear(struct fixture *f)
{
	dir_watch_close(&f->w);
	loop_free(&f->loop);
	remove_tree(f->base);
}

static void wait_for_change(struct fixture *f)
{
	f->is_seen = false;
	run_until(f->loop, &f->is_seen);
}

typedef void change(struct fixture *f);

/* The clock of file times is coarse: without events a change in the very tick of
 * the one before it cannot be told from it. */
static void let_the_file_clock_tick(struct fixture *f)
{
	struct stat before, now;
	OWN(mem_free) char *path = path_in(f->base, "clock");
	write_file(f->base, "clock", "x");
	assert_int_equal(stat(path, &before), 0);
	do {
		write_file(f->base, "clock", "x");
		assert_int_equal(stat(path, &now), 0);
	} while (now.st_ctim.tv_sec == before.st_ctim.tv_sec &&
		 now.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
}

static void see_each_kind(void)
{
	static change *const changes[] = { change_in_place, change_append,
		change_rename_over, change_create, change_delete, change_mode,
		change_remove_directory, change_replace_directory };
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct fixture f;
		setup(&f, true);
		let_the_file_clock_tick(&f);
		changes[i](&f);
		wait_for_change(&f);
		clear(&f);
	}
}

static void each_kind_of_change_is_seen(void **state)
{
	(void)state;
	see_each_kind();
}

static void each_kind_is_seen_without_events_too(void **state)
{
	(void)state;
	has_no_events = true;
	see_each_kind();
	has_no_events = false;
}

static void a_directory_may_come_later(void **state)
{
	(void)state;
	struct fixture f;
	setup(&f, false);
	assert_int_equal(mkdir(f.dir, 0700), 0);
	wait_for_change(&f);
	write_file(f.dir, "list.txt", "a\n");
	wait_for_change(&f);
	clear(&f);
}

static void a_directory_in_place_of_another_is_watched(void **state)
{
	(void)state;
	struct fixture f;
	setup(&f, true);
	change_replace_directory(&f);
	wait_for_change(&f);
	change_in_place(&f);
	wait_for_change(&f);
	change_remove_directory(&f);
	wait_for_change(&f);
	assert_int_equal(mkdir(f.dir, 0700), 0);
	wait_for_change(&f);
	change_create(&f);
	wait_for_change(&f);
	clear(&f);
}

static void mark(void *arg)
{
	*(bool *)arg = true;
}

/* Longer than a look at the entries takes to come: nothing new may turn up. */
static void let_a_look_pass(struct fixture *f)
{
	bool is_over = false;
	struct timer *t = timer_new(f->loop, mark, &is_over);
	timer_start(t, 1100);
	run_until(f->loop, &is_over);
	timer_close(&t);
}

static void a_burst_is_told_once(void **state)
{
	(void)state;
	struct fixture f;
	setup(&f, true);
	dir_watch_close(&f.w);
	f.w = dir_watch_new(f.loop, f.dir, 50, 10000, on_change, &f);
	for (int i = 0; i < 20; i++) {
		change_append(&f);
		change_rename_over(&f);
		change_create(&f);
	}
	wait_for_change(&f);
	let_a_look_pass(&f);
	assert_int_equal(f.count, 1);
	clear(&f);
}

static void write_again(void *arg)
{
	struct fixture *f = arg;
	change_append(f);
}

/* Somebody who never stops writing does not hold a change back for ever. */
static void a_restless_writer_is_told_in_time(void **state)
{
	(void)state;
	struct fixture f;
	setup(&f, true);
	dir_watch_close(&f.w);
	f.w = dir_watch_new(f.loop, f.dir, 1000000, 100, on_change, &f);
	struct timer *t = timer_new(f.loop, write_again, &f);
	timer_start(t, 1);
	change_append(&f);
	wait_for_change(&f);
	timer_close(&t);
	clear(&f);
}

static void a_change_may_close_the_watch(void **state)
{
	(void)state;
	struct fixture f;
	setup(&f, true);
	f.closes = true;
	change_append(&f);
	wait_for_change(&f);
	assert_null(f.w);
	clear(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_change_is_seen),
		cmocka_unit_test(each_kind_is_seen_without_events_too),
		cmocka_unit_test(a_directory_may_come_later),
		cmocka_unit_test(a_directory_in_place_of_another_is_watched),
		cmocka_unit_test(a_burst_is_told_once),
		cmocka_unit_test(a_restless_writer_is_told_in_time),
		cmocka_unit_test(a_change_may_close_the_watch),
	};
	return cmocka_run_group_tests_name("net/dir_watch", tests, NULL, NULL);
}
