#include "base/secret_file.h"

#include "base/mem.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[] = "/tmp/test_secret_file.XXXXXX";
static char path[sizeof(directory) + 8], link_path[sizeof(directory) + 8];

static void write_file(const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void check_failure(const char *name, int code, const char *text)
{
	struct secret_file f = { 0 };
	struct err e = { 0 };
	assert_int_equal(secret_file_read(name, &f, &e), code);
	assert_null(f.bytes);
	if (!strstr(e.text, name) || !strstr(e.text, text))
		fail_msg("%s", e.text);
}

static void a_file_is_read_whole(void **state)
{
	(void)state;
	static const char *const contents[] = { "", "x", "two\nlines\n" };
	for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
		struct secret_file f;
		struct err e;
		write_file(contents[i], 0600);
		if (secret_file_read(path, &f, &e))
			fail_msg("%s", e.text);
		assert_int_equal(f.len, strlen(contents[i]));
		assert_string_equal(f.bytes, contents[i]);
		assert_int_equal(f.st.st_size, f.len);
		secret_file_clear(&f);
		assert_null(f.bytes);
		secret_file_clear(&f);
	}
}

static void what_is_no_plain_file_is_refused(void **state)
{
	(void)state;
	check_failure("/nonexistent/secret", ERR_NOT_FOUND, "No such file");
	check_failure(directory, ERR_INVALID, "is not a regular file");
	write_file("secret", 0600);
	assert_int_equal(symlink(path, link_path), 0);
	check_failure(link_path, ERR_PERMISSION, "is a symbolic link");
	unlink(link_path);
	assert_int_equal(mkfifo(link_path, 0600), 0);
	check_failure(link_path, ERR_INVALID, "is not a regular file");
	unlink(link_path);
}

static void a_file_has_a_largest_size(void **state)
{
	(void)state;
	struct secret_file f;
	write_file("", 0600);
	assert_int_equal(truncate(path, SECRET_FILE_MAX), 0);
	assert_int_equal(secret_file_read(path, &f, NULL), 0);
	secret_file_clear(&f);
	assert_int_equal(truncate(path, SECRET_FILE_MAX + 1), 0);
	check_failure(path, ERR_LIMIT, "too large");
}

static void a_secret_is_closed_to_others(void **state)
{
	(void)state;
	static const struct {
		mode_t mode;
		bool ok;
	} cases[] = { { 0600, true }, { 0400, true }, { 0640, true }, { 0440, true },
		{ 0644, false }, { 0604, false }, { 0601, false }, { 0602, false },
		{ 0660, false }, { 0620, false } };
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct secret_file f;
		struct err e = { 0 };
		write_file("secret", 0600);
		chmod(path, cases[i].mode);
		assert_int_equal(secret_file_read(path, &f, &e), 0);
		int result = secret_file_check_mode(&f, path, &e);
		if (result != (cases[i].ok ? 0 : ERR_PERMISSION))
			fail_msg("%04o: %s", cases[i].mode, e.text);
		if (result)
			assert_non_null(strstr(e.text, "run: chmod g-w,o= /tmp/"));
		secret_file_clear(&f);
	}
}

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/secret", directory);
	snprintf(link_path, sizeof(link_path), "%s/other", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_read_whole),
		cmocka_unit_test(what_is_no_plain_file_is_refused),
		cmocka_unit_test(a_file_has_a_largest_size),
		cmocka_unit_test(a_secret_is_closed_to_others),
	};
	return cmocka_run_group_tests_name(
		"base/secret_file", tests, make_directory, remove_directory);
}
