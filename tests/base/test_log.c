#include "base/log.h"

#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A directory for one test, its log in it, and what was written. */
struct fixture {
	char dir[64], path[96], other[96];
	char text[20000];
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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
