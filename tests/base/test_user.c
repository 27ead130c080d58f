#include "base/user.h"

#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void home_is_that_of_the_passwd_entry_and_not_of_the_caller(void **state)
{
	const struct passwd *pw = getpwuid(geteuid());
	(void)state;
	if (!pw)
		skip();
	setenv("HOME", "/of/somebody/else", 1);
	user_set_home();
	assert_string_equal(getenv("HOME"), pw->pw_dir);
	unsetenv("HOME");
	user_set_home();
	assert_string_equal(getenv("HOME"), pw->pw_dir);
}

/* In a process of its own, which is not root any more. */
static void who_is_not_in_passwd_has_no_home(void **state)
{
	enum { NOBODY_HERE = 2123456789, IS_CHANGED = 0, IS_LEFT = 1, CANNOT = 2 };
	int status;
	(void)state;
	if (geteuid() != 0 || getpwuid(NOBODY_HERE))
		skip();
	pid_t child = fork();
	if (child == 0) {
		if (setresuid(NOBODY_HERE, NOBODY_HERE, NOBODY_HERE) != 0)
			_exit(CANNOT);
		setenv("HOME", "/root", 1);
		user_set_home();
		_exit(getenv("HOME") ? IS_LEFT : IS_CHANGED);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), IS_CHANGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(home_is_that_of_the_passwd_entry_and_not_of_the_caller),
		cmocka_unit_test(who_is_not_in_passwd_has_no_home),
	};
	return cmocka_run_group_tests_name("user", tests, NULL, NULL);
}
