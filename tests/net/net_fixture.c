#include "net_fixture.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { FAILURE_DEADLINE_MS = 20000 };

struct run {
	uv_timer_t watchdog;
	uv_prepare_t before_poll; /* so that the loop never waits when all is done */
	const bool *done;
};

static void on_watchdog(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

static void on_before_poll(uv_prepare_t *prepare)
{
	if (*((struct run *)prepare->data)->done)
		uv_stop(prepare->loop);
}

void run_until(struct uv_loop_s *loop, const bool *done)
{
	struct run run = { .done = done };
	uv_update_time(loop);
	uv_timer_init(loop, &run.watchdog);
	uv_timer_start(&run.watchdog, on_watchdog, FAILURE_DEADLINE_MS, 0);
	uv_prepare_init(loop, &run.before_poll);
	uv_prepare_start(&run.before_poll, on_before_poll);
	run.before_poll.data = &run;
	if (!*done)
		uv_run(loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&run.watchdog, NULL);
	uv_close((uv_handle_t *)&run.before_poll, NULL);
	uv_run(loop, UV_RUN_NOWAIT); /* the handles on the stack are closed after it */
	assert_true(*done);
}

void run_turns(struct uv_loop_s *loop, int turns)
{
	while (turns-- > 0)
		uv_run(loop, UV_RUN_NOWAIT);
}

static void close_here(struct client *c, enum close_at where)
{
	if (c->close_at != where)
		return;
	c->is_closed = true;
	if (c->is_abort)
		stream_abort(&c->s);
	else
		stream_close(&c->s);
}

static void on_data(void *arg, const char *bytes, size_t len)
{
	struct client *c = arg;
	c->calls_after_close += c->is_closed;
	buf_add(&c->got, bytes, len);
	c->has_data = true;
	c->has_got = buf_len(&c->got) >= c->want;
	close_here(c, CLOSE_ON_DATA);
}

static void on_end(void *arg, enum stream_end end, const struct err *e)
{
	struct client *c = arg;
	c->calls_after_close += c->is_closed;
	assert_false(c->is_ended); /* at most once */
	c->is_ended = true;
	c->end = end;
	c->end_err = *e;
	close_here(c, CLOSE_ON_END);
}

static void on_drain(void *arg)
{
	struct client *c = arg;
	c->calls_after_close += c->is_closed;
	c->is_drained = true;
	close_here(c, CLOSE_ON_DRAIN);
}

void client_init(struct client *c, struct uv_loop_s *loop)
{
	memset(c, 0, sizeof(*c));
	c->loop = loop;
}

void client_clear(struct client *c)
{
	stream_close(&c->s);
	assert_int_equal(c->calls_after_close, 0);
	buf_clear(&c->got);
}

void client_adopt(struct client *c, struct stream *s)
{
	c->s = s;
	stream_set_events(s, &(struct stream_events){ .on_data = on_data,
				     .on_end = on_end,
				     .on_drain = on_drain,
				     .arg = c });
}

void client_on_dial(void *arg, struct stream *s, size_t index, const struct err *e)
{
	struct client *c = arg;
	c->is_connected = true;
	c->index = index;
	if (s)
		client_adopt(c, s);
	else
		c->err = *e;
}

static void dial(struct client *c, const struct dial_options *options)
{
	dial_start(c->loop, options, client_on_dial, c);
	run_until(c->loop, &c->is_connected);
	assert_non_null(c->s);
}

void client_connect(struct client *c, const struct addr *to)
{
	dial(c, &(struct dial_options){ .addrs = to,
			.addr_count = 1,
			.timeout_ms = 10000,
			.stagger_ms = 250 });
}

void client_connect_unix(struct client *c, const char *path)
{
	dial(c, &(struct dial_options){ .unix_path = path, .timeout_ms = 10000 });
}

void client_connect_peer(struct client *c, const struct peer *p)
{
	if (p->path)
		client_connect_unix(c, p->path);
	else
		client_connect(c, &p->addr);
}

static void on_tls(void *arg, bool ok, bool is_init, const struct err *e)
{
	struct client *c = arg;
	c->calls_after_close += c->is_closed;
	assert_false(c->is_tls_done); /* once */
	c->is_tls_done = true;
	c->is_tls_ok = ok;
	c->is_init = is_init;
	if (e)
		c->err = *e;
	close_here(c, CLOSE_ON_TLS);
}

void client_start_tls(struct client *c, const struct tls_params *params)
{
	struct stream *lower = c->s;
	client_adopt(c, tls_client_start(c->loop, &lower, params, on_tls, c));
	assert_null(lower);
	assert_false(c->is_tls_done); /* never from inside the call */
	run_until(c->loop, &c->is_tls_done);
}

void client_wait(struct client *c, size_t want)
{
	c->want = want;
	c->has_got = buf_len(&c->got) >= want;
	stream_read_start(c->s);
	run_until(c->loop, &c->has_got);
}

void client_write(struct client *c, const char *text)
{
	stream_write(c->s, text, strlen(text));
}

char *pattern_new(size_t len)
{
	char *bytes = xmalloc(len);
	uint32_t x = 1;
	for (size_t i = 0; i < len; i++) {
		x = x * 1664525u + 1013904223u;
		bytes[i] = (char)(x >> 24);
	}
	return bytes;
}

static char socket_directory[] = "/tmp/hikyaku_test_net.XXXXXX";
char socket_path[SOCKET_PATH_MAX];

int make_socket_path(void **state)
{
	(void)state;
	if (!mkdtemp(socket_directory))
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/s", socket_directory);
	return 0;
}

int remove_socket_path(void **state)
{
	(void)state;
	unlink(socket_path);
	return rmdir(socket_directory);
}
