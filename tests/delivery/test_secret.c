/* Secrets by name: from the file, and from commands. */
#include "delivery/secret.h"

#include "base/mem.h"
#include "net/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

enum { LONG_MS = 20000 };

struct play {
	struct uv_loop_s *loop;
	char *path;
	unsigned answers;
	char user[32], text[64], error[1024];
	enum credential_kind kind;
};

static int setup(void **state)
{
	static const char lines[] =
		"plain me password open sesame\n"
		"ask me password-command /bin/echo 'from a command'\n"
		"token me token-command /bin/echo t0ken\n"
		"empty me password-command /bin/true\n"
		"nul me password-command /usr/bin/printf 'a\\0b'\n"
		"fails me password-command /bin/sh -c 'echo open sesame; exit 3'\n"
		"slow me password-command /bin/sleep 1000\n";
	struct play *p = xcalloc(1, sizeof(*p));
	const char *base = getenv("TMPDIR");
	p->loop = loop_new();
	p->path = xasprintf("%s/hikyaku-secret-XXXXXX", base ? base : "/tmp");
	int fd = mkstemp(p->path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, lines, sizeof(lines) - 1), sizeof(lines) - 1);
	assert_int_equal(fchmod(fd, 0600), 0);
	close(fd);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct play *p = *state;
	loop_free(&p->loop);
	unlink(p->path);
	free(p->path);
	free(p);
	return 0;
}

static void on_secret(void *arg, const struct secret *found, const struct err *e)
{
	struct play *p = arg;
	p->answers++;
	if (found) {
		snprintf(p->user, sizeof(p->user), "%s", found->user);
		snprintf(p->text, sizeof(p->text), "%s", found->text);
		p->kind = found->kind;
	}
	snprintf(p->error, sizeof(p->error), "%s", e ? e->text : "");
}

static void look_up(struct play *p, const char *name, int64_t timeout_ms)
{
	secret_ask(p->loop, p->path, name, timeout_ms, on_secret, p);
	assert_int_equal(p->answers, 0); /* never from inside */
	loop_run(p->loop);
	assert_int_equal(p->answers, 1);
}

static const struct {
	const char *name, *text;
	enum credential_kind kind;
} found[] = {
	{ "plain", "open sesame", CREDENTIAL_PASSWORD },
	{ "ask", "from a command", CREDENTIAL_PASSWORD_COMMAND },
	{ "token", "t0ken", CREDENTIAL_TOKEN_COMMAND },
};

static void an_entry_is_found_wherever_its_secret_is(void **state)
{
	struct play *p = *state;
	for (size_t i = 0; i < ARRAY_SIZE(found); i++) {
		p->answers = 0;
		look_up(p, found[i].name, LONG_MS);
		assert_string_equal(p->error, "");
		assert_string_equal(p->user, "me");
		assert_string_equal(p->text, found[i].text);
		assert_int_equal(p->kind, found[i].kind);
	}
}

static void nothing_that_is_asked_for_is_nothing(void **state)
{
	struct play *p = *state;
	look_up(p, NULL, LONG_MS);
	assert_string_equal(p->text, "");
	assert_string_equal(p->error, "");
}

static const char *const failing[] = { "nobody", "empty", "nul", "fails", "slow" };

static void an_error_names_the_entry_and_the_file_and_no_secret(void **state)
{
	struct play *p = *state;
	for (size_t i = 0; i < ARRAY_SIZE(failing); i++) {
		p->answers = 0;
		look_up(p, failing[i], strcmp(failing[i], "slow") == 0 ? 50 : LONG_MS);
		assert_string_equal(p->text, "");
		if (!strstr(p->error, failing[i]) || !strstr(p->error, p->path) ||
			strstr(p->error, "sesame"))
			fail_msg("%s: %s", failing[i], p->error);
	}
}

static void who_does_not_want_it_any_more_is_not_told(void **state)
{
	struct play *p = *state;
	static const char *const names[] = { "plain", "slow", "nobody" };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct secret_request *r =
			secret_ask(p->loop, p->path, names[i], LONG_MS, on_secret, p);
		secret_cancel(&r);
		assert_null(r);
		secret_cancel(&r);
	}
	loop_run(p->loop);
	assert_int_equal(p->answers, 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(an_entry_is_found_wherever_its_secret_is),
		CASE(nothing_that_is_asked_for_is_nothing),
		CASE(an_error_names_the_entry_and_the_file_and_no_secret),
		CASE(who_does_not_want_it_any_more_is_not_told),
	};
	return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
