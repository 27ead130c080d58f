#include "net_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

struct counter {
	int count;
	int goal;
	bool is_done;
	struct timer *timer;
	struct wake *wake;
	struct signal_watch *signal;
	struct fd_watch *fd;
	int pipe[2];
};

static void count(void *arg)
{
	struct counter *c = arg;
	c->is_done = ++c->count >= c->goal;
}

static void a_timer_fires_once(void **state)
{
	(void)state;
	struct uv_loop_s *loop = loop_new();
	struct counter c = { .goal = 1 };
	c.timer = timer_new(loop, count, &c);
	assert_false(timer_is_active(c.timer));
	timer_start(c.timer, 1);
	assert_true(timer_is_active(c.timer));
	loop_run(loop); /* returns: nothing is left */
	assert_int_equal(c.count, 1);
	timer_close(&c.timer);
	assert_null(c.timer);
	timer_close(&c.timer);
	loop_free(&loop);
}

static void start_again(void *arg)
{
	struct counter *c = arg;
	if (++c->goal < 3)
		timer_start(c->timer, 1);
}

static void each_turn_is_told_before_the_loop_waits(void **state)
{
	(void)state;
	struct uv_loop_s *loop = loop_new();
	struct counter c = { 0 };
	struct turn_watch *turn = turn_watch_new(loop, count, &c);
	c.timer = timer_new(loop, start_again, &c);
	loop_run(loop); /* a turn watch alone does not keep it */
	assert_int_equal(c.count, 0);
	timer_start(c.timer, 1);
	loop_run(loop);
	assert_int_equal(c.goal, 3);
	assert_true(c.count >= 2);
	int told = c.count;
	turn_watch_close(&turn);
	assert_null(turn);
	timer_start(c.timer, 1);
	loop_run(loop);
	assert_int_equal(c.count, told);
	timer_close(&c.timer);
	loop_free(&loop);
}

static void a_stopped_or_closed_timer_is_silent(void **state)
{
	(void)state;
	struct uv_loop_s *loop = loop_new();
	struct counter c = { 0 };
	struct timer *stopped = timer_new(loop, count, &c);
	struct timer *closed = timer_new(loop, count, &c);
	timer_start(stopped, 0);
	timer_start(closed, 0);
	timer_stop(stopped);
	timer_close(&closed);
	loop_run(loop);
	assert_int_equal(c.count, 0);
	timer_close(&stopped);
	loop_free(&loop);
}

static void starting_a_timer_again_moves_it(void **state)
{
	(void)state;
	struct uv_loop_s *loop = loop_new();
	struct counter c = { 0 };
	struct timer *t = timer_new(loop, count, &c);
	timer_start(t, 1000000);
	timer_start(t, 1);
	loop_run(loop);
	assert_int_equal(c.count, 1);
	timer_close(&t);
	loop_free(&loop);
}

static void close_own_timer(void *arg)
{
	struct counter *c = arg;
	c->count++;
	timer_close(&c->timer);
}

static void a_timer_may_close_itself(void **state)
{
	(void)state;
	struct uv_loop_s *loop = loop_new();
	struct counter c = { 0 };
	c.timer = timer_new(loop, close_own_timer, &c);
	timer_start(c.timer, 0);
	loop_free(&loop); /* runs what is left */
	assert_int_equal(c.count, 1);
	assert_null(c.timer);
	assert_null(loop);
}

static void *send_wakes(void *arg)
{
	for (int i = 0; i < 100; i++)
		wake_send(arg);
	return NULL;
}

static void a_wake_crosses_threads(void **state)
{
	(void)state;
	struct uv_loop_s *loop = loop_new();
	struct counter c = { .goal = 1 };
	c.wake = wake_new(loop, count, &c);
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, send_wakes, c.wake), 0);
	run_until(loop, &c.is_done);
	pthread_join(thread, NULL);
	assert_true(c.count >= 1 && c.count <= 100);
	wake_close(&c.wake);
	loop_free(&loop);
}

static void a_signal_reaches_the_loop(void **state)
{
	(void)state;
	struct uv_loop_s *loop = loop_new();
	struct counter c = { .goal = 1 };
	c.signal = signal_watch_new(loop, SIGUSR1, count, &c);
	assert_int_equal(raise(SIGUSR1), 0);
	run_until(loop, &c.is_done);
	assert_int_equal(c.count, 1);
	signal_watch_close(&c.signal);
	assert_null(signal_watch_new(loop, 9999, count, &c));
	loop_free(&loop);
}

static void drain_and_close(void *arg)
{
	struct counter *c = arg;
	char byte;
	assert_int_equal(read(c->pipe[0], &byte, 1), 1);
	if (++c->count == c->goal) {
		c->is_done = true;
		fd_watch_close(&c->fd);
	}
}

static void a_descriptor_is_told_until_it_is_read(void **state)
{
	(void)state;
	struct uv_loop_s *loop = loop_new();
	struct counter c = { .goal = 3 };
	assert_int_equal(pipe2(c.pipe, O_CLOEXEC), 0);
	c.fd = fd_watch_new(loop, c.pipe[0], drain_and_close, &c);
	assert_int_equal(write(c.pipe[1], "abcd", 4), 4);
	run_until(loop, &c.is_done);
	assert_int_equal(c.count, 3);
	assert_null(c.fd);
	loop_free(&loop);
	close(c.pipe[0]);
	close(c.pipe[1]);
}

static void a_regular_file_cannot_be_watched(void **state)
{
	(void)state;
	struct uv_loop_s *loop = loop_new();
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_null(fd_watch_new(loop, fd, count, NULL));
	close(fd);
	loop_free(&loop);
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

static void loop_stop_leaves_the_rest_for_later(void **state)
{
	(void)state;
	struct uv_loop_s *loop = loop_new();
	struct counter c = { .goal = 1 };
	struct timer *stop = timer_new(loop, stop_loop, loop);
	struct wake *keeps_alive = wake_new(loop, count, &c);
	int64_t before = loop_now_ms(loop);
	timer_start(stop, 1);
	loop_run(loop);
	assert_true(loop_now_ms(loop) >= before + 1);
	wake_send(keeps_alive);
	run_until(loop, &c.is_done);
	timer_close(&stop);
	wake_close(&keeps_alive);
	loop_free(&loop);
}

static void the_load_tells_work_from_waiting(void **state)
{
	(void)state;
	struct uv_loop_s *loop = loop_new();
	struct loop_load load = { 0 };
	struct counter c = { 0 };
	c.timer = timer_new(loop, count, &c);
	assert_int_equal(loop_load_percent(loop, &load), 0);
	while (loop_load_percent(loop, &load) < 90)
		continue; /* works */
	while (loop_load_percent(loop, &load) > 50) {
		timer_start(c.timer, 30);
		loop_run(loop); /* waits */
	}
	timer_close(&c.timer);
	loop_free(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_fires_once),
		cmocka_unit_test(each_turn_is_told_before_the_loop_waits),
		cmocka_unit_test(a_stopped_or_closed_timer_is_silent),
		cmocka_unit_test(starting_a_timer_again_moves_it),
		cmocka_unit_test(a_timer_may_close_itself),
		cmocka_unit_test(a_wake_crosses_threads),
		cmocka_unit_test(a_signal_reaches_the_loop),
		cmocka_unit_test(a_descriptor_is_told_until_it_is_read),
		cmocka_unit_test(a_regular_file_cannot_be_watched),
		cmocka_unit_test(the_load_tells_work_from_waiting),
		cmocka_unit_test(loop_stop_leaves_the_rest_for_later),
	};
	return cmocka_run_group_tests_name("net/loop", tests, NULL, NULL);
}
