#include "base/err.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void set_keeps_code_and_text(void **state)
{
	(void)state;
	struct err e;
	assert_int_equal(err_set(&e, ERR_LIMIT, "%d hosts", 7), ERR_LIMIT);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_string_equal(e.text, "7 hosts");
	assert_int_equal(err_set(NULL, ERR_IO, "nobody listens"), ERR_IO);
	assert_int_equal(err_errno(NULL, ENOENT, "nobody listens"), ERR_NOT_FOUND);
	assert_int_equal(err_context(NULL, "nobody listens"), ERR_INVALID);
}

static void errno_is_told_in_words(void **state)
{
	(void)state;
	struct err e;
	assert_int_equal(err_errno(&e, ENOENT, "open %s", "/x"), ERR_NOT_FOUND);
	assert_string_equal(e.text, "open /x: No such file or directory");
}

static void context_goes_in_front(void **state)
{
	(void)state;
	struct err e;
	err_set(&e, ERR_IO, "no");
	assert_int_equal(err_context(&e, "line %d", 3), ERR_IO);
	assert_int_equal(err_context(&e, "file x"), ERR_IO);
	assert_string_equal(e.text, "file x: line 3: no");
}

static void the_old_text_may_be_an_argument(void **state)
{
	(void)state;
	struct err e;
	err_set(&e, ERR_IO, "no");
	err_set(&e, ERR_IO, "because: %s", e.text);
	assert_string_equal(e.text, "because: no");
}

static void long_text_is_cut_and_ended(void **state)
{
	(void)state;
	struct err e;
	char text[3000];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&e, ERR_IO, "%s", text);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	err_context(&e, "%s", text);
	assert_true(strlen(e.text) < sizeof(e.text));
	err_errno(&e, EIO, "%s", text);
	assert_true(strlen(e.text) < sizeof(e.text));
}

static void errnos_have_their_codes(void **state)
{
	(void)state;
	static const struct {
		int number;
		enum err_code code;
	} table[] = { { 0, ERR_OK }, { ENOENT, ERR_NOT_FOUND }, { EEXIST, ERR_EXISTS },
		{ EACCES, ERR_PERMISSION }, { ENOSPC, ERR_NO_SPACE },
		{ EDQUOT, ERR_NO_SPACE }, { EBUSY, ERR_BUSY }, { EINVAL, ERR_INVALID },
		{ ETIMEDOUT, ERR_TIMEOUT }, { ECANCELED, ERR_CANCELLED },
		{ ECONNREFUSED, ERR_NETWORK }, { EHOSTUNREACH, ERR_NETWORK },
		{ EAFNOSUPPORT, ERR_UNSUPPORTED }, { EIO, ERR_IO }, { 99999, ERR_IO } };
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		assert_int_equal(err_from_errno(table[i].number), table[i].code);
}

static int status_of_child(bool holds)
{
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);
		dup2(null, STDERR_FILENO);
		ASSERT(holds);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void a_broken_assertion_ends_the_process(void **state)
{
	(void)state;
	int status = status_of_child(false);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_int_equal(status_of_child(true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_keeps_code_and_text),
		cmocka_unit_test(errno_is_told_in_words),
		cmocka_unit_test(context_goes_in_front),
		cmocka_unit_test(the_old_text_may_be_an_argument),
		cmocka_unit_test(long_text_is_cut_and_ended),
		cmocka_unit_test(errnos_have_their_codes),
		cmocka_unit_test(a_broken_assertion_ends_the_process),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
