/* Dialling a unix socket: it is reached, or the reason is told in words. */
#include "net_fixture.h"

#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The next one that listens there finds a full queue of connections. */
static int connect_to(const char *where)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	strcpy(sun.sun_path, where);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static void dial(struct client *c, const char *where, int64_t timeout_ms)
{
	char *dialled = xstrdup(where);
	struct dial_options options = { .unix_path = dialled, .timeout_ms = timeout_ms };
	client_init(c, loop_new());
	dial_start(c->loop, &options, client_on_dial, c);
	free(dialled);                 /* it has a copy */
	assert_false(c->is_connected); /* never from inside the call */
}

static void check_failure(
	const char *where, int64_t timeout_ms, int code, const char *text)
{
	struct client c;
	dial(&c, where, timeout_ms);
	run_until(c.loop, &c.is_connected);
	assert_null(c.s);
	if (c.err.code != code || !strstr(c.err.text, text))
		fail_msg("%d, %s", c.err.code, c.err.text);
	client_clear(&c);
	loop_free(&c.loop);
}

enum { LONG = 15000 };

static void who_listens_is_reached(void **state)
{
	(void)state;
	struct peer p = { .script = script_echo };
	struct client c;
	peer_start(&p, socket_path);
	dial(&c, socket_path, LONG);
	run_until(c.loop, &c.is_connected);
	assert_non_null(c.s);
	client_write(&c, "hello");
	client_wait(&c, 5);
	client_clear(&c);
	loop_free(&c.loop);
	peer_join(&p);
}

static void where_nobody_listens_the_error_asks_for_the_program(void **state)
{
	(void)state;
	check_failure(socket_path, LONG, ERR_NOT_FOUND,
		"/s: no such file; is the program behind it running?");
	close(listen_on_path(socket_path, 8));
	check_failure(socket_path, LONG, ERR_NETWORK,
		"/s: nobody listens there; is the program behind it running?");
	unlink(socket_path);
	close(open(socket_path, O_CREAT | O_WRONLY | O_CLOEXEC,
		0600)); /* no socket at all */
	check_failure(socket_path, LONG, ERR_NETWORK, "/s: nobody listens there");
}

static void a_full_queue_is_tried_again(void **state)
{
	(void)state;
	struct client c;
	int listener = listen_on_path(socket_path, 0), first = connect_to(socket_path);
	check_failure(socket_path, 50, ERR_TIMEOUT,
		"/s: its queue of connections was full for 50ms");
	dial(&c, socket_path, LONG);
	run_turns(c.loop, 3);
	assert_false(c.is_connected);
	int accepted = accept(listener, NULL, NULL);
	run_until(c.loop, &c.is_connected);
	assert_non_null(c.s);
	client_clear(&c);
	loop_free(&c.loop);
	close(accepted);
	close(first);
	close(listener);
}

/* libuv would connect to a socket with the beginning of its name. */
static void a_path_that_would_be_cut_is_refused(void **state)
{
	(void)state;
	char longest[108] = "", longer[109] = "";
	memset(longer, 'x', sizeof(longer) - 1);
	memcpy(longer, socket_path, strlen(socket_path));
	memcpy(longest, longer, sizeof(longest) - 1);
	struct peer p = { .script = script_echo };
	struct client c;
	peer_start(&p, longest);
	check_failure(
		longer, LONG, ERR_INVALID, "too long for a unix socket (107 octets");
	dial(&c, longest, LONG);
	run_until(c.loop, &c.is_connected);
	assert_non_null(c.s);
	client_clear(&c);
	loop_free(&c.loop);
	peer_join(&p);
	unlink(longest);
	check_failure("", LONG, ERR_INVALID, "needs a path");
}

static void must_not_run(void *arg, struct stream *s, size_t index, const struct err *e)
{
	(void)arg;
	(void)s;
	(void)index;
	(void)e;
	fail_msg("called after it was cancelled");
}

/* Before it begins, and while it waits for the queue. */
static void cancelling_is_silent_in_every_phase(void **state)
{
	(void)state;
	int listener = listen_on_path(socket_path, 0), first = -1;
	for (int turns = 0; turns < 4; turns++) {
		struct uv_loop_s *loop = loop_new();
		struct dial_options options = { .unix_path = socket_path,
			.timeout_ms = LONG };
		struct dial *d = dial_start(loop, &options, must_not_run, NULL);
		if (turns && first < 0)
			first = connect_to(socket_path);
		run_turns(loop, turns);
		dial_cancel(&d);
		loop_free(&loop);
	}
	close(first);
	close(listener);
}

static int remove_socket(void **state)
{
	(void)state;
	unlink(socket_path);
	return 0;
}

#define TEST(f) cmocka_unit_test_teardown(f, remove_socket)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_listens_is_reached),
		TEST(where_nobody_listens_the_error_asks_for_the_program),
		TEST(a_full_queue_is_tried_again),
		TEST(a_path_that_would_be_cut_is_refused),
		TEST(cancelling_is_silent_in_every_phase),
	};
	return cmocka_run_group_tests_name(
		"net/dial_unix", tests, make_socket_path, remove_socket_path);
}
