/* Several processes: nothing twice, nothing lost, whoever dies. */
#include "fixture.h"

#include "base/mem.h"
#include "base/timefmt.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

/* Runs work in a child with a queue handle of its own; it writes what it has to
 * say to the pipe. Handles of the parent are closed before: locks go over fork. */
static pid_t spawn(struct fixture *f, void (*work)(struct fixture *, int), int *from)
{
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		f->queue = NULL;
		fixture_open(f);
		work(f, fds[1]);
		_exit(0);
	}
	close(fds[1]);
	*from = fds[0];
	return pid;
}

static void say(int to, int64_t value)
{
	if (write(to, &value, sizeof(value)) != sizeof(value))
		_exit(3);
}

static bool hear(int from, int64_t *value)
{
	return read(from, value, sizeof(*value)) == sizeof(*value);
}

static void wait_for(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

static void deliver_all(struct fixture *f, int to)
{
	struct claimed c;
	do {
		claim(f, 7, &c);
		for (size_t i = 0; i < c.count; i++) {
			say(to, c.items[i]->id);
			if (finish_all(f, c.items[i], QUEUE_OUTCOME_DELIVERED) != 0)
				_exit(4);
		}
		size_t n = c.count;
		claimed_clear(&c);
		if (!n && c.next_due_ms == INT64_MAX)
			break;
	} while (true);
	fixture_close(f);
}

enum { MESSAGES = 300, WORKERS = 3 };

static void no_item_is_claimed_twice(void **state)
{
	struct fixture *f = *state;
	int from[WORKERS], seen = 0;
	pid_t pids[WORKERS];
	for (int i = 0; i < MESSAGES; i++) {
		OWN(mem_free) char *address = xasprintf("a@d%d.test", i % 11);
		put(f, "x\r\n", address, NULL);
	}
	OWN(mem_free) char *claimed = xcalloc(1, MESSAGES + 1);
	fixture_close(f);
	for (int i = 0; i < WORKERS; i++)
		pids[i] = spawn(f, deliver_all, &from[i]);
	for (int i = 0; i < WORKERS; i++) {
		int64_t id;
		while (hear(from[i], &id)) {
			id >>= 16; /* the message */
			assert_in_range(id, 1, MESSAGES);
			assert_int_equal(claimed[id], 0);
			claimed[id] = 1;
			seen++;
		}
		close(from[i]);
		wait_for(pids[i]);
	}
	assert_int_equal(seen, MESSAGES);
	f->queue = NULL;
	assert_int_equal(sql(f, "SELECT count(*) FROM message"), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM destination"), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM holder"), 0);
}

/* Claims all, marks the first one, and stays. */
static void hold_and_stay(struct fixture *f, int to)
{
	struct claimed c;
	claim(f, 10, &c);
	if (c.count && mark(f, c.items[0]->id, "mx1.one.test") != 0)
		_exit(5);
	say(to, (int64_t)c.count);
	for (;;)
		pause();
}

static char *render_lost(
	void *arg, const struct queue_item *item, const char *host, int64_t now_ms)
{
	(void)arg;
	assert_true(item->due_ms >= now_ms + 60000);
	return xasprintf("{\"outcome\":\"in_doubt\",\"mx\":\"%s\",\"attempt\":%u}", host,
		item->attempts + 1);
}

static pid_t start_holder(struct fixture *f, int64_t expected)
{
	int from;
	int64_t n;
	f->options.lost_record = render_lost;
	put(f, "x\r\n", "a@one.test", NULL);
	put(f, "x\r\n", "a@two.test", NULL);
	fixture_close(f);
	pid_t pid = spawn(f, hold_and_stay, &from);
	assert_true(hear(from, &n));
	assert_int_equal(n, expected);
	close(from);
	fixture_open(f);
	return pid;
}

static void claims_hold_while_their_process_lives(void **state)
{
	struct fixture *f = *state;
	struct claimed c;
	pid_t pid = start_holder(f, 2);
	claim_later(f, 10, &c);
	assert_int_equal(c.count, 0);
	assert_int_equal(c.next_due_ms, INT64_MAX);
	kill(pid, SIGKILL);
	wait_for(pid);
}

static void a_kill_frees_claims_at_once_and_reports_what_was_in_doubt(void **state)
{
	struct fixture *f = *state;
	struct claimed c;
	pid_t pid = start_holder(f, 2);
	int64_t now_ms = clock_wall_ms();
	kill(pid, SIGKILL);
	wait_for(pid);
	/* Merely claimed: due as it was, nothing counted. */
	claim(f, 10, &c);
	assert_int_equal(c.count, 1);
	assert_string_equal(c.items[0]->domain, "two.test");
	assert_int_equal(c.items[0]->attempts, 0);
	assert_false(c.items[0]->was_in_doubt);
	assert_in_range(c.next_due_ms, now_ms + 60000, now_ms + 3600000);
	claimed_clear(&c);
	/* In doubt: later, counted, said. */
	claim_later(f, 10, &c);
	assert_int_equal(c.count, 1);
	assert_string_equal(c.items[0]->domain, "one.test");
	assert_true(c.items[0]->was_in_doubt);
	assert_int_equal(c.items[0]->attempts, 1);
	assert_string_equal(c.items[0]->last_host, "mx1.one.test");
	struct queue_reader *r;
	struct queue_log_query query = { .message_id = c.items[0]->envelope.id };
	const char *json;
	int64_t position;
	struct err e = { 0 };
	assert_int_equal(queue_reader_open(f->path, 1000, &r, &e), 0);
	assert_true(queue_reader_log(r, &query, &json, &position, &e));
	assert_string_equal(
		json, "{\"outcome\":\"in_doubt\",\"mx\":\"mx1.one.test\",\"attempt\":1}");
	query.after = position;
	assert_false(queue_reader_log(r, &query, &json, &position, &e));
	const struct queue_entry_item *items;
	size_t count;
	assert_int_equal(queue_reader_items(r, query.message_id, &items, &count, &e), 0);
	assert_non_null(strstr(items[0].last_error, "may have been delivered"));
	queue_reader_close(&r);
	claimed_clear(&c);
}

static void where_the_lock_cannot_tell_the_lease_counts(void **state)
{
	struct fixture *f = *state;
	struct claimed c;
	pid_t pid = start_holder(f, 2);
	kill(pid, SIGKILL);
	wait_for(pid);
	/* As in a copy of the queue: the lock file is another one. */
	sql(f, "UPDATE holder SET inode = inode + 1");
	claim(f, 10, &c);
	assert_int_equal(c.count, 0);
	sql(f, "UPDATE holder SET lease_until_ms = 0");
	claim(f, 10, &c);
	assert_int_equal(c.count, 1);
	claimed_clear(&c);
}

static void closing_gives_claims_back(void **state)
{
	struct fixture *f = *state;
	struct claimed c;
	put(f, "x\r\n", "a@one.test", NULL);
	claim(f, 10, &c);
	assert_int_equal(c.count, 1);
	claimed_clear(&c);
	fixture_close(f);
	f->queue = NULL;
	assert_int_equal(sql(f, "SELECT count(*) FROM item WHERE state = 0"), 1);
	assert_int_equal(sql(f, "SELECT count(*) FROM holder"), 0);
}

static void stage_and_stay(struct fixture *f, int to)
{
	struct queue_put *p = queue_put_begin(f->port);
	char *bytes = xcalloc(1, 1024 * 1024);
	queue_put_write(p, bytes, 1024 * 1024);
	while (queue_port_pending(f->port))
		queue_wait(f->port);
	say(to, 1);
	for (;;)
		pause();
}

static void staged_leftovers_of_the_dead_are_removed(void **state)
{
	struct fixture *f = *state;
	int from;
	int64_t n;
	fixture_close(f);
	pid_t pid = spawn(f, stage_and_stay, &from);
	assert_true(hear(from, &n));
	fixture_open(f);
	assert_int_equal(prune_before(f, 0), 0);
	assert_true(sql(f, "SELECT count(*) FROM chunk") > 0);
	kill(pid, SIGKILL);
	wait_for(pid);
	close(from);
	assert_int_equal(prune_before(f, 0), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM chunk"), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM message"), 0);
}

static void on_put(void *arg, int64_t id, const struct err *e)
{
	*(struct err *)arg = e ? *e : (struct err){ 0 };
	assert_true(e || id);
}

/* A process that was stopped for long where locks cannot tell. */
static void a_message_whose_staged_content_was_removed_is_not_acknowledged(void **state)
{
	struct fixture *f = *state;
	struct mail_envelope m = { .sender = (char *)(uintptr_t) "s@x.test" };
	struct queue_new_recipient to = { .address = "a@one.test", .domain = "one.test" };
	OWN(mem_free) char *bytes = xcalloc(1, 1024 * 1024);
	for (int more = 0; more < 2; more++) {
		struct err e = { 0 };
		struct queue_put *p = queue_put_begin(f->port);
		queue_put_write(p, bytes, 1024 * 1024);
		while (queue_port_pending(f->port))
			queue_wait(f->port);
		sql(f, "DELETE FROM chunk");
		sql(f, "DELETE FROM message");
		sql(f, "DELETE FROM holder");
		if (more)
			queue_put_write(p, bytes, 1024 * 1024);
		queue_put_commit(&p, &m, &to, 1, on_put, &e);
		while (queue_port_pending(f->port))
			queue_wait(f->port);
		assert_int_equal(e.code, ERR_NOT_FOUND);
		assert_int_equal(sql(f, "SELECT count(*) FROM chunk"), 0);
		assert_int_equal(sql(f, "SELECT count(*) FROM item"), 0);
	}
}

static void a_number_of_staged_content_is_never_used_again(void **state)
{
	struct fixture *f = *state;
	put(f, "x\r\n", "a@one.test", NULL);
	long long first = sql(f, "SELECT max(num) FROM message");
	assert_int_equal(operate_on(f, QUEUE_REMOVE, 0, NULL, NULL, NULL), 0);
	put(f, "x\r\n", "a@one.test", NULL);
	assert_true(sql(f, "SELECT max(num) FROM message") > first);
}

/* As after a stop that was longer than the lease, where locks cannot tell. */
static void a_worker_whose_slot_was_given_away_takes_another(void **state)
{
	struct fixture *f = *state;
	put(f, "x\r\n", "a@one.test", NULL);
	assert_int_equal(queue_worker_register(f->port, 30, NULL), 0);
	sql(f, "UPDATE holder SET token = token - 1, inode = 0,"
	       " lease_until_ms = 1 << 50");
	struct queue_item *item = claim_one(f);
	assert_int_equal(sql(f, "SELECT count(*) FROM holder"), 2);
	assert_int_equal(finish_all(f, item, QUEUE_OUTCOME_DELIVERED), 0);
	queue_item_free(&item);
}

static void a_worker_whose_row_was_removed_gets_a_new_one(void **state)
{
	struct fixture *f = *state;
	put(f, "x\r\n", "a@one.test", NULL);
	assert_int_equal(queue_worker_register(f->port, 30, NULL), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM holder"), 1);
	sql(f, "DELETE FROM holder");
	struct queue_item *item = claim_one(f);
	assert_int_equal(sql(f, "SELECT count(*) FROM holder"), 1);
	queue_item_free(&item);
}

static void put_many(struct fixture *f, int to)
{
	for (int i = 0; i < 30; i++)
		say(to, put(f, "x\r\n", "a@one.test", NULL));
	fixture_close(f);
}

static void ten_processes_make_and_fill_one_queue(void **state)
{
	struct fixture *f = *state;
	enum { N = 10 };
	int from[N], count = 0;
	pid_t pids[N];
	for (int i = 0; i < N; i++)
		pids[i] = spawn(f, put_many, &from[i]);
	for (int i = 0; i < N; i++) {
		int64_t id;
		while (hear(from[i], &id))
			count++;
		close(from[i]);
		wait_for(pids[i]);
	}
	f->queue = NULL;
	assert_int_equal(count, N * 30);
	assert_int_equal(sql(f, "SELECT count(*) FROM message"), N * 30);
}

static void a_commit_wakes_who_listens(void **state)
{
	struct fixture *f = *state;
	struct err e = { 0 };
	char byte;
	assert_false(queue_wake_send(f->path));
	int fd = queue_wake_open(f->path, &e);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, &byte, 1), -1);
	put(f, "x\r\n", "a@one.test", NULL);
	assert_int_equal(read(fd, &byte, 1), 1);
	assert_true(queue_wake_send(f->path));
	queue_wake_drain(fd);
	assert_int_equal(read(fd, &byte, 1), -1);
	struct queue_item *item = claim_one(f);
	assert_int_equal(finish_all(f, item, QUEUE_OUTCOME_DEFERRED), 0);
	assert_int_equal(read(fd, &byte, 1), -1);
	operate_on(f, QUEUE_RETRY, 0, NULL, NULL, NULL);
	assert_int_equal(read(fd, &byte, 1), 1);
	queue_item_free(&item);
	/* A worker that has just looked sleeps for half a minute. */
	item = claim_one(f);
	struct queue_recipient_result later = { item->recipients[0].id,
		QUEUE_OUTCOME_DEFERRED, "later" };
	struct queue_result result = { .item_id = item->id,
		.recipients = &later,
		.recipient_count = 1,
		.count_attempt = true,
		.next_attempt_ms = clock_wall_ms() + 20000 };
	assert_int_equal(finish_with(f, &result, NULL), 0);
	assert_int_equal(read(fd, &byte, 1), 1);
	queue_item_free(&item);
	close(fd);
}

static void what_is_held_is_held_when_the_lease_is_renewed(void **state)
{
	struct fixture *f = *state;
	int64_t deadline_ms = clock_monotonic_ms() + 20000;
	put(f, "x", "a@one.test", NULL);
	assert_int_equal(queue_worker_register(f->port, 1, NULL), 0);
	OWN(queue_item_free) struct queue_item *item = claim_one(f);
	long long until = sql(f, "SELECT lease_until_ms FROM holder");
	while (sql(f, "SELECT lease_until_ms FROM holder") == until) {
		assert_true(clock_monotonic_ms() < deadline_ms);
		usleep(5000);
	}
	assert_int_equal(mark(f, item->id, "mx.test"), 0);
	assert_int_equal(finish_all(f, item, QUEUE_OUTCOME_DELIVERED), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM item"), 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		CASE(no_item_is_claimed_twice),
		CASE(claims_hold_while_their_process_lives),
		CASE(a_kill_frees_claims_at_once_and_reports_what_was_in_doubt),
		CASE(where_the_lock_cannot_tell_the_lease_counts),
		CASE(what_is_held_is_held_when_the_lease_is_renewed),
		CASE(closing_gives_claims_back),
		CASE(staged_leftovers_of_the_dead_are_removed),
		CASE(a_worker_whose_row_was_removed_gets_a_new_one),
		CASE(a_message_whose_staged_content_was_removed_is_not_acknowledged),
		CASE(a_number_of_staged_content_is_never_used_again),
		CASE(a_worker_whose_slot_was_given_away_takes_another),
		CASE(a_commit_wakes_who_listens),
		cmocka_unit_test_setup_teardown(ten_processes_make_and_fill_one_queue,
			fixture_setup_closed, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
