/* The same tests over TCP and over a unix socket: *state is where. */
#include "net_fixture.h"

#include "base/mem.h"
#include "net/stream_uv.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

static char ipv4[] = "127.0.0.1", ipv6[] = "::1";

static void free_all(struct client *c, struct peer *p)
{
	struct uv_loop_s *loop = c->loop;
	client_clear(c);
	loop_free(&loop); /* asserts that no handle is left */
	peer_join(p);
}

static void setup(struct client *c, struct peer *p, void **where)
{
	peer_start(p, *where);
	client_init(c, loop_new());
	client_connect_peer(c, p);
}

static void echo_returns_each_byte_in_order(void **state)
{
	static const size_t chunks[] = { 1, 7, 1460, 100000 };
	for (size_t i = 0; i < ARRAY_SIZE(chunks); i++) {
		struct peer p = { .script = script_echo };
		struct client c;
		setup(&c, &p, state);
		size_t chunk = chunks[i], len = chunk == 1 ? 300 : 400000;
		char *sent = pattern_new(len);
		for (size_t at = 0; at < len; at += chunk)
			stream_write(c.s, sent + at, len - at < chunk ? len - at : chunk);
		client_wait(&c, len);
		assert_int_equal(buf_len(&c.got), len);
		assert_memory_equal(buf_bytes(&c.got), sent, len);
		free(sent);
		free_all(&c, &p);
	}
}

static void megabytes_queue_and_drain(void **state)
{
	struct peer p = { .script = script_echo };
	struct client c;
	setup(&c, &p, state);
	size_t len = 32u << 20;
	char *sent = pattern_new(len);
	stream_write(c.s, sent, len);
	assert_in_range(stream_pending(c.s), 1, len);
	assert_false(c.is_drained); /* never from inside stream_write */
	client_wait(&c, len);
	run_until(c.loop, &c.is_drained);
	assert_int_equal(stream_pending(c.s), 0);
	assert_memory_equal(buf_bytes(&c.got), sent, len);
	free(sent);
	free_all(&c, &p);
}

static void what_is_taken_at_once_does_not_wait(void **state)
{
	struct peer p = { .script = script_echo };
	struct client c;
	setup(&c, &p, state);
	client_write(&c, "hello");
	assert_int_equal(stream_pending(c.s), 0);
	client_wait(&c, 5);
	assert_false(c.is_drained);
	free_all(&c, &p);
}

static void what_is_queued_keeps_its_place(void **state)
{
	struct peer p = { .script = script_echo };
	struct client c;
	setup(&c, &p, state);
	size_t len = 8u << 20;
	char *sent = pattern_new(len);
	stream_write(c.s, sent, len - 3);
	stream_write(c.s, sent + len - 3, 3); /* behind the rest of the first */
	client_wait(&c, len);
	assert_memory_equal(buf_bytes(&c.got), sent, len);
	free(sent);
	free_all(&c, &p);
}

static void mark(void *arg)
{
	*(bool *)arg = true;
}

static void a_paused_stream_tells_nothing(void **state)
{
	struct peer p = { .script = script_echo };
	struct client c, other;
	setup(&c, &p, state);
	client_init(&other, c.loop);
	client_write(&c, "hello");
	client_wait(&c, 5);
	stream_read_stop(c.s);
	/* The echo of a second connection proves that the loop went on. */
	struct peer q = { .script = script_echo };
	peer_start(&q, ipv4);
	client_connect(&other, &q.addr);
	client_write(&c, "again");
	client_write(&other, "x");
	client_wait(&other, 1);
	assert_int_equal(buf_len(&c.got), 5);
	client_wait(&c, 10);
	assert_memory_equal(buf_bytes(&c.got), "helloagain", 10);
	client_clear(&other);
	free_all(&c, &p);
	peer_join(&q);
}

/* Both wait for a first word: an end during connect is the dialler's affair. */
static void script_close(struct peer *p, int fd)
{
	(void)p;
	char word[64];
	(void)!read(fd, word, sizeof(word));
}

/* With something unread a unix socket too is reset. */
static void script_reset(struct peer *p, int fd)
{
	(void)p;
	struct linger l = { .l_onoff = 1, .l_linger = 0 };
	char first;
	(void)!read(fd, &first, 1);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
}

static void the_end_tells_how(void **state)
{
	static const struct {
		peer_script *script;
		enum stream_end end;
		const char *text;
	} cases[] = {
		{ script_close, STREAM_END_EOF, "closed by the peer" },
		{ script_reset, STREAM_END_RESET, "reset by peer" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct peer p = { .script = cases[i].script };
		struct client c;
		setup(&c, &p, state);
		client_write(&c, "word");
		stream_read_start(c.s);
		run_until(c.loop, &c.is_ended);
		assert_int_equal(c.end, cases[i].end);
		assert_non_null(strstr(c.end_err.text, cases[i].text));
		client_write(&c, "to nobody");
		assert_int_equal(stream_pending(c.s), 0);
		free_all(&c, &p);
	}
}

static void a_failed_write_ends_a_stream_that_is_not_read(void **state)
{
	struct peer p = { .script = script_reset };
	struct client c;
	setup(&c, &p, state);
	client_write(&c, "word");
	while (!c.is_ended) {
		c.is_drained = false;
		client_write(&c, "more");
		bool is_late = false;
		struct timer *t = timer_new(c.loop, mark, &is_late);
		timer_start(t, 1);
		run_until(c.loop, &is_late);
		timer_close(&t);
	}
	assert_int_equal(c.end, STREAM_END_RESET);
	free_all(&c, &p);
}

/* More than the system takes at once: some of it waits, and drains later. */
static void write_too_much(struct client *c)
{
	size_t len = 64u << 20;
	char *bytes = pattern_new(len);
	stream_write(c->s, bytes, len);
	free(bytes);
}

static void any_callback_may_close(void **state)
{
	static const struct {
		enum close_at at;
		peer_script *script;
	} cases[] = {
		{ CLOSE_ON_DATA, script_echo },
		{ CLOSE_ON_DRAIN, script_echo },
		{ CLOSE_ON_END, script_close },
		{ CLOSE_ON_END, script_reset },
	};
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		struct peer p = { .script = cases[i / 2].script };
		struct client c;
		setup(&c, &p, state);
		c.close_at = cases[i / 2].at;
		c.is_abort = i % 2;
		client_write(&c, "hello");
		stream_read_start(c.s);
		if (c.close_at == CLOSE_ON_DRAIN)
			write_too_much(&c);
		run_until(c.loop, &c.is_closed);
		assert_null(c.s);
		free_all(&c, &p);
	}
}

/* Reads nothing before the gate opens. */
static void script_count(struct peer *p, int fd)
{
	static char buf[1 << 16];
	ssize_t n;
	(void)!read(p->gate, buf, 1);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		p->received += (size_t)n;
	p->end = (int)n;
}

static void close_sends_what_is_queued(void **state)
{
	int gate[2];
	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	struct peer p = { .script = script_count, .gate = gate[0] };
	struct client c;
	setup(&c, &p, state);
	size_t len = 6u << 20; /* more than the system takes at once */
	char *sent = pattern_new(len);
	stream_write(c.s, sent, len);
	free(sent);
	run_turns(c.loop, 2);
	assert_in_range(stream_pending(c.s), 1, len);
	stream_close(&c.s);
	assert_int_equal(write(gate[1], "x", 1), 1);
	free_all(&c, &p);
	assert_int_equal(p.received, len);
	assert_int_equal(p.end, 0);
	close(gate[0]);
	close(gate[1]);
}

static void script_deaf(struct peer *p, int fd)
{
	(void)fd;
	/* Until the test lets go: shutdown of the listener ends the accept. */
	int second = accept(p->listener, NULL, NULL);
	if (second >= 0)
		close(second);
}

/* received: 1 when the connection was reset, and not only ended on the other side. */
static void script_deaf_until_reset(struct peer *p, int fd)
{
	struct pollfd poll_reset = { .fd = fd };
	p->received = poll(&poll_reset, 1, 10000) == 1 && poll_reset.revents & POLLERR;
}

static void close_does_not_wait_for_a_deaf_peer(void **state)
{
	bool is_tcp = *(const char *)*state != '/';
	struct peer p = { .script = is_tcp ? script_deaf_until_reset : script_deaf };
	struct client c;
	setup(&c, &p, state);
	size_t len = 32u << 20;
	char *sent = pattern_new(len);
	stream_write(c.s, sent, len);
	free(sent);
	free_all(&c, &p); /* loop_free returns: the linger has a limit */
	/* Else the system would keep megabytes for it, for minutes. */
	assert_int_equal(p.received, is_tcp);
}

static void addresses_are_those_of_the_connection(void **state)
{
	struct peer p = { .script = script_echo };
	struct client c;
	setup(&c, &p, state);
	struct addr a;
	assert_int_equal(stream_peer(c.s, &a), !p.path);
	if (!p.path)
		assert_true(addr_equal(&a, &p.addr));
	assert_int_equal(stream_local(c.s, &a), !p.path);
	if (!p.path)
		assert_int_not_equal(addr_port(&a), 0);
	free_all(&c, &p);
}

/* cmocka knows a test by its name. */
#define OVER_TCP(f)                                 \
	{                                           \
#f "_over_tcp", f, NULL, NULL, ipv4 \
	}
#define OVER_UNIX(f)                                                 \
	{                                                            \
#f "_over_a_unix_socket", f, NULL, NULL, socket_path \
	}
#define OVER_BOTH(f) OVER_TCP(f), OVER_UNIX(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OVER_BOTH(echo_returns_each_byte_in_order),
		cmocka_unit_test_prestate(echo_returns_each_byte_in_order, ipv6),
		OVER_BOTH(megabytes_queue_and_drain),
		OVER_BOTH(what_is_taken_at_once_does_not_wait),
		OVER_BOTH(what_is_queued_keeps_its_place),
		OVER_BOTH(a_paused_stream_tells_nothing),
		OVER_BOTH(the_end_tells_how),
		OVER_BOTH(a_failed_write_ends_a_stream_that_is_not_read),
		OVER_BOTH(any_callback_may_close),
		OVER_BOTH(close_sends_what_is_queued),
		OVER_BOTH(close_does_not_wait_for_a_deaf_peer),
		OVER_BOTH(addresses_are_those_of_the_connection),
	};
	return cmocka_run_group_tests_name(
		"net/stream_uv", tests, make_socket_path, remove_socket_path);
}
