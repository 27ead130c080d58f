#include "net/process.h"
#include "net_fixture.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct words_case {
	const char *line;
	const char *words[6]; /* {0}: an error, words[1] is in its text */
} words_cases[] = {
	{ "/bin/true", { "/bin/true" } },
	{ "  pass\tshow  relay/mail ", { "pass", "show", "relay/mail" } },
	{ "a 'b c' \"d e\" f\\ g", { "a", "b c", "d e", "f g" } },
	{ "a ''", { "a", "" } },
	{ "a 'b'c\"d\"\\e", { "a", "bcde" } },
	{ "a '\\' \"\\\\\" \"\\\"\" \"\\n\"", { "a", "\\", "\\", "\"", "\\n" } },
	{ "a $HOME *.c >out #b 'don'\\''t'",
		{ "a", "$HOME", "*.c", ">out", "#b", "don't" } },
	{ "", { NULL, "empty" } },
	{ " \t ", { NULL, "empty" } },
	{ "a 'b", { NULL, "' that is not closed" } },
	{ "a \"b", { NULL, "\" that is not closed" } },
	{ "a \"b\\\"", { NULL, "\" that is not closed" } },
	{ "a b\\", { NULL, "ends with a backslash" } },
};

static void a_line_is_split_as_a_shell_would(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words_cases); i++) {
		const struct words_case *k = &words_cases[i];
		struct err e = { 0 };
		char **words = process_words(k->line, &e);
		if (!words != !k->words[0])
			fail_msg("%s: %s", k->line, e.text);
		if (!words) {
			assert_int_equal(e.code, ERR_INVALID);
			assert_non_null(strstr(e.text, k->words[1]));
		}
		size_t n = 0;
		for (; words && words[n]; n++)
			assert_string_equal(words[n], k->words[n]);
		assert_true(n == ARRAY_SIZE(k->words) || !words || !k->words[n]);
		process_words_free(&words);
		assert_null(words);
	}
}

/* What a process came to. */
struct result {
	bool is_done;
	char *output; /* NULL: err */
	size_t len;
	struct err err;
};

static void on_done(void *arg, const char *output, size_t len, const struct err *e)
{
	struct result *r = arg;
	assert_false(r->is_done); /* once */
	r->is_done = true;
	r->len = len;
	if (e)
		r->err = *e;
	else
		r->output = xmemdup(output, len + 1);
}

/* No child is left, reaped or not. */
static void check_no_child(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

enum { LONG = 15000 };

static struct result run_command(const char *command, int64_t timeout_ms)
{
	struct result r = { 0 };
	struct uv_loop_s *loop = loop_new();
	process_start(loop, command, timeout_ms, on_done, &r);
	assert_false(r.is_done); /* never from inside the call */
	run_until(loop, &r.is_done);
	loop_free(&loop);
	check_no_child();
	return r;
}

static void check_output(const char *command, const char *expected)
{
	struct result r = run_command(command, LONG);
	if (!r.output)
		fail_msg("%s: %s", command, r.err.text);
	assert_string_equal(r.output, expected);
	assert_int_equal(r.len, strlen(expected));
	free(r.output);
}

static void what_it_writes_is_told_without_the_last_newline(void **state)
{
	(void)state;
	check_output("/bin/echo secret", "secret");
	check_output("echo secret", "secret"); /* along PATH */
	check_output("printf '%s' 'no newline'", "no newline");
	check_output("printf '\\n\\n'", "\n");
	check_output("true", "");
	check_output(
		"sh -c 'echo one; echo lost >&2; echo two > /dev/stdout'", "one\ntwo");
	struct result r = run_command("printf 'a\\0b\\n'", LONG);
	assert_int_equal(r.len, 3);
	assert_memory_equal(r.output, "a\0b", 4);
	free(r.output);
}

static void as_much_as_allowed_is_taken_and_no_more(void **state)
{
	(void)state;
	struct result r = run_command("head -c 65536 /dev/zero", LONG);
	assert_non_null(r.output);
	assert_int_equal(r.len, PROCESS_OUTPUT_MAX);
	free(r.output);
	r = run_command("head -c 65537 /dev/zero", LONG);
	assert_int_equal(r.err.code, ERR_LIMIT);
	assert_string_equal(r.err.text, "head: it wrote more than 65536 octets");
	r = run_command("yes", LONG); /* without an end of its own */
	assert_int_equal(r.err.code, ERR_LIMIT);
}

static void errors_do_not_block_it(void **state)
{
	(void)state;
	check_output("sh -c 'head -c 1000000 /dev/zero >&2; echo done'", "done");
}

static const struct failure_case {
	const char *command;
	int64_t timeout_ms;
	int code;
	const char *text;
} failure_cases[] = {
	{ "", LONG, ERR_INVALID, "the command is empty" },
	{ "/nonexistent/x secret", LONG, ERR_NOT_FOUND,
		"start /nonexistent/x: No such file or directory" },
	{ "no-such-program secret", LONG, ERR_NOT_FOUND,
		"start no-such-program: No such file or directory" },
	{ "/etc/passwd secret", LONG, ERR_PERMISSION,
		"start /etc/passwd: Permission denied" },
	{ "false secret", LONG, ERR_IO, "false: exit status 1" },
	{ "sh -c 'echo lost; echo \"the agent\033[1m is locked\" >&2; echo no >&2; exit "
	  "3'",
		LONG, ERR_IO, "sh: exit status 3: the agent?[1m is locked" },
	{ "sh -c 'kill -KILL $$'", LONG, ERR_IO, "sh: killed by signal 9" },
	/* Ignored here, it is not ignored there. */
	{ "sh -c 'kill -PIPE $$; echo survived'", LONG, ERR_IO,
		"sh: killed by signal 13" },
	{ "sleep 1000", 30, ERR_TIMEOUT, "sleep: not done within 30ms" },
	{ "sh -c 'trap : TERM INT HUP; sleep 1000; sleep 1000'", 30, ERR_TIMEOUT,
		"sh: not done within 30ms" },
};

static void a_failure_names_the_program_and_not_its_arguments(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(failure_cases); i++) {
		const struct failure_case *k = &failure_cases[i];
		struct result r = run_command(k->command, k->timeout_ms);
		assert_null(r.output);
		assert_string_equal(r.err.text, k->text);
		assert_int_equal(r.err.code, k->code);
	}
}

static void nothing_of_ours_is_passed_on(void **state)
{
	(void)state;
	setenv("SECRET", "x", 1);
	setenv("PATH", "/usr/bin:/bin", 1);
	setenv("LANG", "en_GB.UTF-8", 1);
	setenv("HOME", "/home/x", 1);
	int inherited = open("/dev/null", O_RDONLY); /* not close-on-exec */
	assert_true(inherited > 2);
	check_output("env", "PATH=/usr/bin:/bin\nLANG=en_GB.UTF-8\nHOME=/home/x");
	unsetenv("LANG");
	unsetenv("HOME");
	setenv("PATH", "", 1);
	check_output("/usr/bin/env", "PATH=/usr/local/bin:/usr/bin:/bin\nLANG=C.UTF-8");
	setenv("PATH", "/usr/bin:/bin", 1);
	check_output("cat", ""); /* no input */
	check_output("pwd", "/");
	char command[100];
	snprintf(command, sizeof(command),
		"sh -c 'test -e /proc/$$/fd/%d || echo closed'", inherited);
	check_output(command, "closed");
	check_output(
		"sh -c 'read -r s </proc/$$/stat; set -- $s; echo $(($6 - $1))'", "0");
	close(inherited);
	unsetenv("SECRET");
}

/* Orphans are ours for once, so that we can see what became of them. */
static void adopt_orphans(bool does)
{
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, does, 0, 0, 0), 0);
}

static struct result run_with_orphan(const char *command, int64_t timeout_ms)
{
	struct result r = { 0 };
	struct uv_loop_s *loop = loop_new();
	adopt_orphans(true);
	process_start(loop, command, timeout_ms, on_done, &r);
	run_until(loop, &r.is_done);
	loop_free(&loop);
	return r;
}

static void what_it_leaves_running_is_not_waited_for(void **state)
{
	(void)state;
	struct result r = run_with_orphan("sh -c 'sleep 60 & echo $!'", LONG);
	assert_non_null(r.output);
	pid_t left = (pid_t)atoi(r.output);
	assert_int_equal(waitpid(left, NULL, WNOHANG), 0); /* it goes on */
	assert_int_equal(kill(left, SIGKILL), 0);
	assert_int_equal(waitpid(left, NULL, 0), left);
	free(r.output);
	adopt_orphans(false);
	check_no_child();
}

static void what_it_has_started_is_killed_with_it(void **state)
{
	(void)state;
	struct result r = run_with_orphan("sh -c 'sleep 60 & yes'", LONG);
	assert_int_equal(r.err.code, ERR_LIMIT);
	/* Some of them the dying shell may still have reaped. */
	int status;
	while (waitpid(-1, &status, 0) > 0)
		assert_true(WIFSIGNALED(status));
	adopt_orphans(false);
}

static void must_not_run(void *arg, const char *output, size_t len, const struct err *e)
{
	(void)arg;
	(void)output;
	(void)len;
	(void)e;
	fail_msg("called after it was cancelled");
}

/* Before it is started, and while it runs. */
static void cancelling_is_silent_and_leaves_no_zombie(void **state)
{
	(void)state;
	static const struct {
		const char *command;
		int turns;
	} cases[] = { { "true", 0 }, { "/nonexistent/x", 0 }, { "sleep 60", 0 },
		{ "sleep 60", 1 }, { "sleep 60", 3 }, { "sh -c 'echo x; sleep 60'", 3 } };
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct uv_loop_s *loop = loop_new();
		struct process *p =
			process_start(loop, cases[i].command, LONG, must_not_run, NULL);
		run_turns(loop, cases[i].turns);
		process_cancel(&p);
		assert_null(p);
		process_cancel(&p);
		loop_free(&loop);
		check_no_child();
	}
}

/* As the lanes are: the signal of a child's end goes to another thread. */
static void *run_in_lane(void *arg)
{
	struct result *r = arg;
	struct uv_loop_s *loop = loop_new();
	process_start(loop, "sh -c 'kill -TERM $$; echo survived'", LONG, on_done, r);
	run_until(loop, &r->is_done);
	loop_free(&loop);
	return NULL;
}

static void it_may_be_run_by_a_thread_that_takes_no_signals(void **state)
{
	(void)state;
	sigset_t all, before;
	pthread_t lane;
	struct result r = { 0 };
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	assert_int_equal(pthread_create(&lane, NULL, run_in_lane, &r), 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_join(lane, NULL);
	assert_string_equal(r.err.text, "sh: killed by signal 15"); /* which it takes */
	check_no_child();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_split_as_a_shell_would),
		cmocka_unit_test(what_it_writes_is_told_without_the_last_newline),
		cmocka_unit_test(as_much_as_allowed_is_taken_and_no_more),
		cmocka_unit_test(errors_do_not_block_it),
		cmocka_unit_test(a_failure_names_the_program_and_not_its_arguments),
		cmocka_unit_test(nothing_of_ours_is_passed_on),
		cmocka_unit_test(what_it_leaves_running_is_not_waited_for),
		cmocka_unit_test(what_it_has_started_is_killed_with_it),
		cmocka_unit_test(cancelling_is_silent_and_leaves_no_zombie),
		cmocka_unit_test(it_may_be_run_by_a_thread_that_takes_no_signals),
	};
	return cmocka_run_group_tests_name("net/process", tests, NULL, NULL);
}
