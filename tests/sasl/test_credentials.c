/* The credentials file: what is read, what is refused and what is said about it. */
#include "sasl/credentials.h"

#include "base/buf.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/test_credentials.XXXXXX";
static char path[sizeof(directory) + 16];

static void write_bytes(const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(fchmod(fd, 0600), 0);
	close(fd);
}

static void write_text(const char *text)
{
	write_bytes(text, strlen(text));
}

static void check_found(
	const char *name, const char *user, enum credential_kind kind, const char *secret)
{
	struct credential c;
	struct err e = { 0 };
	if (credentials_find(path, name, &c, &e))
		fail_msg("%s: %s", name, e.text);
	assert_string_equal(c.user, user);
	assert_int_equal(c.kind, kind);
	assert_string_equal(c.secret, secret);
	credential_clear(&c);
	assert_null(c.user);
	assert_null(c.secret);
}

/* The text has the path and this, and never "hunter2". */
static void check_failure(const char *name, int code, const char *text)
{
	struct credential c = { 0 };
	struct err e = { 0 };
	size_t count;
	assert_int_equal(credentials_find(path, name, &c, &e), code);
	if (!strstr(e.text, path) || !strstr(e.text, text) || strstr(e.text, "hunter2"))
		fail_msg("\"%s\" in: %s", text, e.text);
	if (code == ERR_INVALID || code == ERR_PERMISSION)
		assert_int_equal(credentials_check(path, &count, &e), code);
}

static void entries_are_found_by_name(void **state)
{
	size_t count;
	struct err e = { 0 };
	(void)state;
	write_text("# relays\n"
		   "\n"
		   "relay   user@example.org\tpassword  hunter2 with # and  blanks\n"
		   "\t gmail me@gmail.example token-command /usr/bin/token --for me\r\n"
		   "Relay u password-command pass show relay\n"
		   "   # the key's\n"
		   "key - password -");
	check_found("relay", "user@example.org", CREDENTIAL_PASSWORD,
		"hunter2 with # and  blanks");
	check_found("gmail", "me@gmail.example", CREDENTIAL_TOKEN_COMMAND,
		"/usr/bin/token --for me");
	check_found("Relay", "u", CREDENTIAL_PASSWORD_COMMAND, "pass show relay");
	check_found("key", "-", CREDENTIAL_PASSWORD, "-");
	assert_int_equal(credentials_check(path, &count, &e), 0);
	assert_int_equal(count, 4);
}

static void an_entry_that_is_not_there_is_told(void **state)
{
	(void)state;
	write_text("relay u password hunter2\n");
	check_failure("rela", ERR_NOT_FOUND, "add a line: rela USER password PASSWORD");
	check_failure("relay2", ERR_NOT_FOUND, "no entry relay2");
	write_text("");
	check_failure("relay", ERR_NOT_FOUND, "no entry");
	unlink(path);
	check_failure("relay", ERR_NOT_FOUND, "make it with mode 0600");
}

static void a_wrong_line_is_named_and_not_shown(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "a u password hunter2\nhunter2\n", ":2: a line is" },
		{ "a hunter2\n", ":1: a line is" },
		{ "\n\na u hunter2\n", ":3: a line is" },
		{ "a u Password hunter2\n", ":1: a line is" },
		{ "a u password\n", ":1: the secret is missing" },
		{ "a u password \n", ":1: the secret is missing" },
		{ "a u password hunter2 \n", ":1: the line ends with a blank" },
		{ "a u password hunter2\t\r\n", ":1: the line ends with a blank" },
		{ "a u password hunter2\na v password hunter2\n",
			":2: the name of this entry is that of line 1 too" },
		{ "a u password hun\1ter2\n", ":1: there is a control character" },
		{ "a u password hun\rter2\n", ":1: there is a control character" },
		{ "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff12345 u "
		  "password hunter2\n",
			":1: the name, which is the first word, is too long" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		write_text(cases[i].text);
		check_failure("a", ERR_INVALID, cases[i].why);
	}
	write_bytes("a u password hun\0ter2\n", 22);
	check_failure("a", ERR_INVALID, ":1: there is a control character");
}

static void entries_are_bounded(void **state)
{
	struct err e = { 0 };
	size_t count;
	(void)state;
	struct buf text = BUF_INIT;
	for (int i = 0; i < CREDENTIALS_MAX; i++)
		buf_addf(&text, "n%d u password hunter2\n", i);
	write_bytes(buf_bytes(&text), buf_len(&text));
	assert_int_equal(credentials_check(path, &count, &e), 0);
	assert_int_equal(count, CREDENTIALS_MAX);
	buf_addstr(&text, "one more password hunter2");
	write_bytes(buf_bytes(&text), buf_len(&text));
	check_failure("n1", ERR_INVALID, ":1001: more entries");
	buf_clear(&text);
}

static void others_may_not_get_at_it(void **state)
{
	static const struct {
		mode_t mode;
		bool is_good;
	} cases[] = { { 0600, true }, { 0400, true }, { 0640, true }, { 0440, true },
		{ 0644, false }, { 0604, false }, { 0620, false }, { 0660, false },
		{ 0602, false }, { 0601, false }, { 0666, false } };
	(void)state;
	write_text("a u password hunter2\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(chmod(path, cases[i].mode), 0);
		if (cases[i].is_good)
			check_found("a", "u", CREDENTIAL_PASSWORD, "hunter2");
		else
			check_failure("a", ERR_PERMISSION, "run: chmod ");
	}
}

static void it_belongs_to_root_or_to_us(void **state)
{
	(void)state;
	write_text("a u password hunter2\n");
	if (chown(path, 12345, (gid_t)-1) != 0)
		skip(); /* only root can give a file away */
	check_failure("a", ERR_PERMISSION, "run: chown ");
	assert_int_equal(chown(path, 0, (gid_t)-1), 0);
	check_found("a", "u", CREDENTIAL_PASSWORD, "hunter2");
}

static void a_symbolic_link_is_not_followed(void **state)
{
	char target[sizeof(path) + 8];
	(void)state;
	write_text("a u password hunter2\n");
	snprintf(target, sizeof(target), "%s.real", path);
	assert_int_equal(rename(path, target), 0);
	assert_int_equal(symlink(target, path), 0);
	check_failure("a", ERR_PERMISSION, "symbolic link");
	unlink(path);
	unlink(target);
}

static void kinds_have_names(void **state)
{
	(void)state;
	assert_string_equal(credential_kind_name(CREDENTIAL_PASSWORD), "password");
	assert_string_equal(
		credential_kind_name(CREDENTIAL_PASSWORD_COMMAND), "password-command");
	assert_string_equal(
		credential_kind_name(CREDENTIAL_TOKEN_COMMAND), "token-command");
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/credentials", directory);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_found_by_name),
		cmocka_unit_test(an_entry_that_is_not_there_is_told),
		cmocka_unit_test(a_wrong_line_is_named_and_not_shown),
		cmocka_unit_test(entries_are_bounded),
		cmocka_unit_test(others_may_not_get_at_it),
		cmocka_unit_test(it_belongs_to_root_or_to_us),
		cmocka_unit_test(a_symbolic_link_is_not_followed),
		cmocka_unit_test(kinds_have_names),
	};
	return cmocka_run_group_tests_name("credentials", tests, set_up, tear_down);
}
