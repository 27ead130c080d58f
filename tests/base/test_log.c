#include "base/log.h"

#include "base/mem.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A directory for one test, its log in it, and what was written. */
struct fixture {
	char dir[64], path[96], other[96];
	char text[200000];
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	snprintf(f->dir, sizeof(f->dir), "/tmp/hikyaku-log-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/log", f->dir);
	snprintf(f->other, sizeof(f->other), "%s/other", f->dir);
	log_set_level(LOG_LEVEL_INFO);
	assert_int_equal(log_open(f->path, "hikyaku", NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	log_hold(false);
	log_close();
	(void)unlink(f->path);
	(void)unlink(f->other);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static const char *written(struct fixture *f, const char *path)
{
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	ssize_t n = read(fd, f->text, sizeof(f->text) - 1);
	assert_true(n >= 0);
	f->text[n] = '\0';
	close(fd);
	return f->text;
}

static size_t lines_of(const char *text)
{
	size_t n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void a_line_has_time_host_tag_and_pid(void **state)
{
	struct fixture *f = *state;
	char tag[64];
	log_info("hello %d", 5);
	snprintf(tag, sizeof(tag), " hikyaku[%d]: hello 5\n", (int)getpid());
	const char *text = written(f, f->path);
	assert_non_null(strstr(text, tag));
	assert_int_equal(text[4], '-');
	assert_int_equal(text[10], 'T');
	assert_int_equal(lines_of(text), 1);
}

static void a_part_goes_into_the_tag(void **state)
{
	struct fixture *f = *state;
	char tag[64];
	log_part("smtp", "ID: to=<%s>", "a@example.test");
	snprintf(tag, sizeof(tag), " hikyaku/smtp[%d]: ID: to=<a@example.test>\n",
		(int)getpid());
	assert_non_null(strstr(written(f, f->path), tag));
}

static void control_characters_cannot_add_lines(void **state)
{
	struct fixture *f = *state;
	for (int c = 1; c < 0x20; c++)
		log_info("reply a%cb%c%cc", c, c, c);
	log_info("reply a\x7f"
		 "b\xc2\x85"
		 "c\xff");
	log_part("smtp", "one\nfake hikyaku[1]: two");
	const char *text = written(f, f->path);
	assert_int_equal(lines_of(text), 0x1f + 2);
	for (; *text; text++)
		assert_true(*text == '\n' || (unsigned char)*text >= 0x20);
}

static void a_long_line_is_cut_and_still_a_line(void **state)
{
	struct fixture *f = *state;
	char line[9000];
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	log_info("%s", line);
	log_info("next");
	const char *text = written(f, f->path);
	assert_int_equal(lines_of(text), 2);
	assert_non_null(strstr(text, "]: next\n"));
}

static void the_level_decides_what_is_written(void **state)
{
	struct fixture *f = *state;
	log_debug("debug 1");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("debug 2");
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("warning 3");
	log_error("error 4");
	log_part("smtp", "part 5");
	const char *text = written(f, f->path);
	assert_null(strstr(text, "debug 1"));
	assert_non_null(strstr(text, "debug 2"));
	assert_null(strstr(text, "warning 3"));
	assert_non_null(strstr(text, "error 4"));
	assert_null(strstr(text, "part 5"));
}

static void a_rotated_log_is_opened_anew(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	log_info("before");
	assert_int_equal(rename(f->path, f->other), 0);
	log_info("between");
	assert_int_equal(log_reopen(NULL), 0);
	log_info("after");
	assert_int_equal(lines_of(written(f, f->other)), 2);
	assert_non_null(strstr(written(f, f->path), "after"));
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07137, 0);
}

static void a_log_that_cannot_be_opened_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct err e;
	assert_true(log_open("/nonexistent/log", "x", &e) < 0);
	assert_non_null(strstr(e.text, "/nonexistent/log"));
	assert_int_equal(symlink(f->path, f->other), 0);
	assert_true(log_open(f->other, "x", &e) < 0);
	log_info("still here");
	assert_non_null(strstr(written(f, f->path), "hikyaku["));
}

static void held_lines_are_written_when_they_are_flushed(void **state)
{
	struct fixture *f = *state;
	log_hold(true);
	log_info("first");
	log_part("smtp", "second");
	log_part_text("smtp", "third\n?", 5);
	assert_string_equal(written(f, f->path), "");
	log_flush();
	const char *text = written(f, f->path);
	assert_int_equal(lines_of(text), 3);
	assert_true(strstr(text, "first\n") < strstr(text, "second\n"));
	assert_non_null(strstr(text, "]: third\n"));
	log_flush();
	assert_int_equal(lines_of(written(f, f->path)), 3);
	log_info("fourth");
	log_hold(false);
	assert_int_equal(lines_of(written(f, f->path)), 4);
	log_info("fifth");
	assert_int_equal(lines_of(written(f, f->path)), 5);
}

static void an_error_waits_for_nobody_and_overtakes_nobody(void **state)
{
	struct fixture *f = *state;
	log_hold(true);
	log_info("before");
	log_error("the error");
	const char *text = written(f, f->path);
	assert_int_equal(lines_of(text), 2);
	assert_true(strstr(text, "before\n") < strstr(text, "the error\n"));
	log_warning("the warning");
	assert_int_equal(lines_of(written(f, f->path)), 3);
}

static void *log_from_another_thread(void *arg)
{
	(void)arg;
	log_info("from elsewhere");
	return NULL;
}

static void lines_of_other_threads_are_not_held(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;
	log_hold(true);
	log_info("mine");
	assert_int_equal(pthread_create(&thread, NULL, log_from_another_thread, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	const char *text = written(f, f->path);
	assert_int_equal(lines_of(text), 2);
	assert_true(strstr(text, "mine\n") < strstr(text, "from elsewhere\n"));
}

enum { THREADS = 4, LINES_A_THREAD = 2000, LINES_A_TURN = 7 };

/* As a loop does it. */
static void *log_in_turns(void *arg)
{
	const char *name = arg;
	char line[600];
	memset(line, *name, sizeof(line));
	log_hold(true);
	for (int i = 0; i < LINES_A_THREAD; i++) {
		log_part_text(name, line, (size_t)(1 + i % 599));
		if (i % LINES_A_TURN == 0)
			log_flush();
	}
	log_hold(false);
	return NULL;
}

static void check_whole_lines(char *text, size_t counts[THREADS])
{
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		char name, *body = strstr(line, "]: ");
		assert_non_null(body);
		assert_int_equal(
			sscanf(strstr(line, "hikyaku/"), "hikyaku/%c[", &name), 1);
		size_t *count = &counts[name - 'a'], len = strlen(body += 3);
		assert_int_equal(len, 1 + *count % 599); /* in order, none is lost */
		assert_int_equal(strspn(body, (char[]){ name, 0 }), len);
		++*count;
	}
}

static void several_threads_hold_each_its_own(void **state)
{
	static char *const names[THREADS] = { "a", "b", "c", "d" };
	struct fixture *f = *state;
	pthread_t threads[THREADS];
	size_t counts[THREADS] = { 0 };
	static char all[8 << 20];
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, log_in_turns, names[i]), 0);
	for (int i = 0; i < 50; i++)
		assert_int_equal(log_reopen(NULL), 0); /* while they write */
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	FILE *file = fopen(f->path, "r");
	assert_non_null(file);
	all[fread(all, 1, sizeof(all) - 1, file)] = '\0';
	assert_int_equal(fclose(file), 0);
	check_whole_lines(all, counts);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(counts[i], LINES_A_THREAD);
}

static void what_is_held_has_a_limit(void **state)
{
	struct fixture *f = *state;
	char line[1000];
	int count = 0;
	memset(line, 'x', sizeof(line));
	log_hold(true);
	for (; count < 100; count++)
		log_part_text("smtp", line, sizeof(line));
	size_t early = lines_of(written(f, f->path));
	assert_in_range(early, 50, 70);
	log_flush();
	assert_int_equal(lines_of(written(f, f->path)), count);
}

static void held_lines_stay_with_the_log_they_were_meant_for(void **state)
{
	struct fixture *f = *state;
	log_hold(true);
	log_info("before");
	assert_int_equal(rename(f->path, f->other), 0);
	assert_int_equal(log_reopen(NULL), 0);
	log_info("after");
	log_close();
	assert_non_null(strstr(written(f, f->other), "before\n"));
	const char *text = written(f, f->path);
	assert_non_null(strstr(text, "after\n"));
	assert_int_equal(lines_of(text), 1);
	assert_int_equal(log_open(f->path, "hikyaku", NULL), 0);
}

static void nothing_is_held_while_debugging(void **state)
{
	struct fixture *f = *state;
	log_set_level(LOG_LEVEL_DEBUG);
	log_hold(true);
	log_debug("a detail");
	log_info("a fact");
	assert_int_equal(lines_of(written(f, f->path)), 2);
}

static void a_failed_assertion_does_not_take_the_held_lines_along(void **state)
{
	struct fixture *f = *state;
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit none = { 0, 0 };
		setrlimit(RLIMIT_CORE, &none);
		close(STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		log_hold(true);
		log_info("the last thing that happened");
		ASSERT(!"this");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_non_null(strstr(written(f, f->path), "the last thing that happened\n"));
}

int main(void)
{
#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		LOG_TEST(a_line_has_time_host_tag_and_pid),
		LOG_TEST(a_part_goes_into_the_tag),
		LOG_TEST(control_characters_cannot_add_lines),
		LOG_TEST(a_long_line_is_cut_and_still_a_line),
		LOG_TEST(the_level_decides_what_is_written),
		LOG_TEST(a_rotated_log_is_opened_anew),
		LOG_TEST(a_log_that_cannot_be_opened_changes_nothing),
		LOG_TEST(held_lines_are_written_when_they_are_flushed),
		LOG_TEST(an_error_waits_for_nobody_and_overtakes_nobody),
		LOG_TEST(lines_of_other_threads_are_not_held),
		LOG_TEST(several_threads_hold_each_its_own),
		LOG_TEST(what_is_held_has_a_limit),
		LOG_TEST(held_lines_stay_with_the_log_they_were_meant_for),
		LOG_TEST(nothing_is_held_while_debugging),
		LOG_TEST(a_failed_assertion_does_not_take_the_held_lines_along),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
