/* Listening sockets: what they leave in the file system, and what they do in trouble. */
#include "net_fixture.h"

#include "net/listen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

static char ipv4[] = "127.0.0.1", ipv6[] = "::1";

struct door {
	struct uv_loop_s *loop;
	struct listen_socket *socket;
	struct client accepted; /* the last one */
	unsigned count;
	bool has_accepted, has_trouble, closes_in_accept;
	unsigned troubles;
	struct err trouble;
};

static void on_accept(void *arg, struct stream *s)
{
	struct door *d = arg;
	client_clear(&d->accepted);
	client_init(&d->accepted, d->loop);
	client_adopt(&d->accepted, s);
	d->count++;
	d->has_accepted = true;
	if (d->closes_in_accept)
		listen_close(&d->socket);
}

static void on_trouble(void *arg, const struct err *e)
{
	struct door *d = arg;
	d->troubles++;
	d->has_trouble = true;
	d->trouble = *e;
}

static int try_open(struct door *d, const char *where, struct err *e)
{
	struct addr a;
	struct listen_options options = { .unix_mode = 0620,
		.on_accept = on_accept,
		.on_trouble = on_trouble,
		.arg = d };
	if (*where == '/') {
		options.unix_path = where;
	} else {
		assert_true(addr_parse(where, 0, &a));
		options.addr = &a;
	}
	*d = (struct door){ .loop = loop_new() };
	client_init(&d->accepted, d->loop);
	return listen_open(d->loop, &options, &d->socket, e);
}

static void door_open(struct door *d, const char *where)
{
	struct err e = { 0 };
	if (try_open(d, where, &e) != 0)
		fail_msg("%s", e.text);
}

static void door_close(struct door *d)
{
	client_clear(&d->accepted);
	listen_close(&d->socket);
	loop_free(&d->loop); /* asserts that no handle is left */
}

static void connect_to_door(struct client *c, struct door *d)
{
	struct peer p = { .path = socket_path };
	if (listen_addr(d->socket, &p.addr))
		p.path = NULL;
	client_init(c, d->loop);
	client_connect_peer(c, &p);
}

/* Without a turn of the loop: it waits in the system's queue. */
static int connect_at_once(const struct door *d)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct addr a;
	bool is_tcp = listen_addr(d->socket, &a);
	int fd = socket(is_tcp ? addr_family(&a) : AF_UNIX, SOCK_STREAM, 0);
	strcpy(sun.sun_path, socket_path);
	assert_int_equal(is_tcp ? connect(fd, &a.sa, addr_len(&a))
				: connect(fd, (struct sockaddr *)&sun, sizeof(sun)),
		0);
	return fd;
}

static void a_connection_becomes_a_stream(void **state)
{
	struct door d;
	struct client c;
	door_open(&d, *state);
	connect_to_door(&c, &d);
	run_until(d.loop, &d.has_accepted);
	client_write(&c, "hello");
	client_wait(&d.accepted, 5);
	client_write(&d.accepted, "welcome");
	client_wait(&c, 7);
	assert_memory_equal(buf_bytes(&c.got), "welcome", 7);
	client_clear(&c);
	door_close(&d);
}

static void the_socket_may_be_closed_while_it_accepts(void **state)
{
	struct door d;
	door_open(&d, *state);
	d.closes_in_accept = true;
	int first = connect_at_once(&d), second = connect_at_once(&d);
	run_until(d.loop, &d.has_accepted);
	assert_null(d.socket);
	assert_int_equal(d.count, 1);
	close(first);
	close(second);
	door_close(&d);
}

/* OpenSMTPD does not set TCP_NODELAY and writes the end of a message on its own: it
 * leaves when what came before is acknowledged, which the kernel puts off by 40 ms. */
static void a_client_that_writes_in_parts_does_not_wait(void **state)
{
	enum { ROUNDS = 40, DELAY_MS = 40 };
	struct door d;
	char c;
	door_open(&d, *state);
	int fd = connect_at_once(&d);
	run_until(d.loop, &d.has_accepted);
	uint64_t start = uv_hrtime();
	for (size_t i = 1; i <= ROUNDS; i++) {
		write_all(fd, "a", 1);
		write_all(fd, "b", 1);
		client_wait(&d.accepted, 2 * i);
		client_write(&d.accepted, "c");
		assert_int_equal(read(fd, &c, 1), 1);
	}
	assert_true((uv_hrtime() - start) / 1000000 < ROUNDS * DELAY_MS / 2);
	close(fd);
	door_close(&d);
}

/* ---- in the file system ---- */

static void a_unix_socket_has_its_mode_and_goes_with_the_door(void **state)
{
	(void)state;
	struct door d;
	struct stat st;
	mode_t before = umask(077);
	door_open(&d, socket_path);
	umask(before);
	assert_int_equal(lstat(socket_path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0620);
	door_close(&d);
	assert_int_equal(lstat(socket_path, &st), -1);
	assert_int_equal(errno, ENOENT);
}

static void what_a_dead_process_left_is_replaced(void **state)
{
	(void)state;
	struct door d;
	struct client c;
	close(listen_on_path(socket_path, 1));
	assert_int_equal(access(socket_path, F_OK), 0);
	door_open(&d, socket_path);
	connect_to_door(&c, &d);
	run_until(d.loop, &d.has_accepted);
	client_clear(&c);
	door_close(&d);
}

static void check_refused(const char *where, const char *text)
{
	struct door d;
	struct err e = { 0 };
	assert_int_not_equal(try_open(&d, where, &e), 0);
	assert_null(d.socket);
	if (!strstr(e.text, text) || !strstr(e.text, where))
		fail_msg("%s", e.text);
	door_close(&d);
}

static void a_live_socket_is_an_error_and_stays(void **state)
{
	(void)state;
	struct door d, other;
	struct client c;
	door_open(&d, socket_path);
	check_refused(socket_path, "another process listens there");
	connect_to_door(&c, &d); /* it is not gone */
	client_clear(&c);
	door_close(&d);
	int fd = listen_on_path(socket_path, 0);
	struct client full;
	struct peer p = { .path = socket_path };
	client_init(&full, loop_new());
	client_connect_peer(&full, &p);
	assert_int_not_equal(
		try_open(&other, socket_path, NULL), 0); /* its queue is full */
	door_close(&other);
	struct uv_loop_s *loop = full.loop;
	client_clear(&full);
	loop_free(&loop);
	close(fd);
	unlink(socket_path);
}

static void a_file_that_is_no_socket_is_an_error_and_stays(void **state)
{
	(void)state;
	struct stat st;
	fclose(fopen(socket_path, "w"));
	check_refused(socket_path, "no socket");
	assert_int_equal(lstat(socket_path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	unlink(socket_path);
}

static void somebody_elses_socket_is_not_removed(void **state)
{
	(void)state;
	struct door d;
	door_open(&d, socket_path);
	int fd = listen_on_path(socket_path, 1); /* in its place */
	door_close(&d);
	assert_int_equal(access(socket_path, F_OK), 0);
	close(fd);
	unlink(socket_path);
}

static void a_path_that_is_too_long_is_an_error(void **state)
{
	(void)state;
	char longer[200];
	struct door d;
	struct err e = { 0 };
	memset(longer, 'x', sizeof(longer));
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(try_open(&d, longer, &e), ERR_INVALID);
	door_close(&d);
	check_refused("/nowhere/at/all", "No such file");
}

static void an_address_in_use_is_an_error_naming_it(void **state)
{
	(void)state;
	struct door d, other;
	struct addr a;
	char name[ADDR_TEXT_MAX];
	struct err e = { 0 };
	door_open(&d, ipv4);
	assert_true(listen_addr(d.socket, &a));
	addr_format_with_port(&a, name);
	struct listen_options options = { .addr = &a };
	other = (struct door){ .loop = d.loop };
	assert_int_equal(listen_open(d.loop, &options, &other.socket, &e), ERR_EXISTS);
	assert_non_null(strstr(e.text, name));
	door_close(&d);
}

/* ---- trouble ---- */

/* Pauses are for people; a test does not wait for them. */
void __real_timer_start(struct timer *t, int64_t delay_ms);
void __wrap_timer_start(struct timer *t, int64_t delay_ms);
void __wrap_timer_start(struct timer *t, int64_t delay_ms)
{
	__real_timer_start(t, delay_ms == 1000 ? 30 : delay_ms);
}

/* Not one descriptor more than there are. */
static struct rlimit starve(void)
{
	struct rlimit all, none;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
	none = all;
	int next = dup(0);
	none.rlim_cur = (rlim_t)next;
	close(next);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	return all;
}

static void without_descriptors_it_waits_and_does_not_spin(void **state)
{
	struct door d;
	door_open(&d, *state);
	int fd = connect_at_once(&d);
	struct rlimit all = starve();
	run_until(d.loop, &d.has_trouble);
	assert_non_null(strstr(d.trouble.text, "Too many open files"));
	uint64_t until = uv_hrtime() + 100 * 1000 * 1000;
	unsigned turns = 0;
	while (uv_hrtime() < until && turns < 1000) {
		uv_run(d.loop, UV_RUN_ONCE); /* waits for an event */
		turns++;
	}
	assert_in_range(turns, 1, 20);
	assert_int_equal(d.troubles, 1); /* is told once */
	assert_int_equal(d.count, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
	run_until(d.loop, &d.has_accepted);
	close(fd);
	door_close(&d);
}

#define OVER_UNIX(f)                                                 \
	{                                                            \
#f "_over_a_unix_socket", f, NULL, NULL, socket_path \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(a_connection_becomes_a_stream, ipv4),
		OVER_UNIX(a_connection_becomes_a_stream),
		cmocka_unit_test_prestate(
			the_socket_may_be_closed_while_it_accepts, ipv6),
		OVER_UNIX(the_socket_may_be_closed_while_it_accepts),
		cmocka_unit_test_prestate(
			a_client_that_writes_in_parts_does_not_wait, ipv4),
		cmocka_unit_test(a_unix_socket_has_its_mode_and_goes_with_the_door),
		cmocka_unit_test(what_a_dead_process_left_is_replaced),
		cmocka_unit_test(a_live_socket_is_an_error_and_stays),
		cmocka_unit_test(a_file_that_is_no_socket_is_an_error_and_stays),
		cmocka_unit_test(somebody_elses_socket_is_not_removed),
		cmocka_unit_test(a_path_that_is_too_long_is_an_error),
		cmocka_unit_test(an_address_in_use_is_an_error_naming_it),
		cmocka_unit_test_prestate(
			without_descriptors_it_waits_and_does_not_spin, ipv4),
		OVER_UNIX(without_descriptors_it_waits_and_does_not_spin),
	};
	return cmocka_run_group_tests_name(
		"net/listen", tests, make_socket_path, remove_socket_path);
}
