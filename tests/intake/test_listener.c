/* The listener over real sockets: limits, times, the end, and shared commits. */
#include "intake_fixture.h"

#include "base/mem.h"
#include "intake/listener.h"
#include "tests/net/net_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Clients' deadlines do not pass by themselves: how slow the machine is does not matter.
 */
enum { DEADLINE_MS = 3600 * 1000 };
static struct timer *deadline; /* started last */
static unsigned deadlines_set, deadlines_put_off;

void __real_timer_start(struct timer *t, int64_t delay_ms);
void __wrap_timer_start(struct timer *t, int64_t delay_ms);
void __wrap_timer_start(struct timer *t, int64_t delay_ms)
{
	if (delay_ms == DEADLINE_MS) {
		deadline = t;
		deadlines_set++;
	}
	__real_timer_start(t, delay_ms);
}

void __real_timer_stop(struct timer *t);
void __wrap_timer_stop(struct timer *t);
void __wrap_timer_stop(struct timer *t)
{
	deadlines_put_off += timer_is_active(t); /* no dial is under way */
	__real_timer_stop(t);
}

static void let_the_deadline_pass(void)
{
	assert_true(timer_is_active(deadline));
	__real_timer_start(deadline, 0);
}

struct lobby {
	struct hall *hall;
	struct uv_loop_s *loop;
	struct intake_listener *listener;
	char path[100];
	bool is_finished;
};

/* An LMTP socket, and SMTP on ports that the system chooses. */
static int lobby_setup(void **state)
{
	struct lobby *l = xcalloc(1, sizeof(*l));
	void *hall;
	if (hall_setup(&hall) != 0)
		return -1;
	l->hall = hall;
	l->loop = loop_new();
	snprintf(l->path, sizeof(l->path), "%s/s", l->hall->store->dir);
	struct config_listen *places = xcalloc(3, sizeof(*places));
	places[0].is_lmtp = true;
	memcpy(places[0].path, l->path, sizeof(l->path));
	assert_true(addr_parse("127.0.0.1", 0, &places[1].addr));
	l->hall->config->listen = places;
	assert_true(addr_parse("::1", 0, &places[2].addr));
	l->hall->config->listen_count = 3;
	l->hall->config->client_timeout_ms = DEADLINE_MS;
	*state = l;
	return 0;
}

static int lobby_teardown(void **state)
{
	struct lobby *l = *state;
	void *hall = l->hall;
	intake_listener_close(&l->listener);
	loop_free(&l->loop); /* asserts that no handle is left */
	free(l);
	return hall_teardown(&hall);
}

static void lobby_open(struct lobby *l)
{
	struct err e = { 0 };
	if (intake_listener_open(l->loop, l->hall->store->queue, l->hall->config,
		    &l->listener, &e) != 0)
		fail_msg("%s", e.text);
}

enum door { LMTP, SMTP, SMTP6 };

static void enter(struct lobby *l, struct client *c, enum door door)
{
	struct addr a;
	client_init(c, l->loop);
	if (door != LMTP) {
		assert_true(intake_listener_addr(l->listener, door, &a));
		client_connect(c, &a);
	} else {
		client_connect_unix(c, l->path);
	}
}

/* Waits for these words at the beginning of what comes next, and takes the line. */
static void expect(struct client *c, const char *words)
{
	for (;;) {
		const char *got = buf_bytes(&c->got);
		const char *end = memmem(got, buf_len(&c->got), "\r\n", 2);
		if (!end) {
			assert_false(c->is_ended);
			client_wait(c, buf_len(&c->got) + 1);
			continue;
		}
		if (strncmp(got, words, strlen(words)) != 0)
			fail_msg("%.*s, not %s", (int)(end - got), got, words);
		bool is_last = got[3] != '-';
		buf_consume(&c->got, (size_t)(end + 2 - got));
		if (is_last)
			return;
	}
}

static void expect_end(struct client *c)
{
	stream_read_start(c->s);
	run_until(c->loop, &c->is_ended);
	assert_int_equal(buf_len(&c->got), 0);
	client_clear(c);
}

static void greet(struct client *c, const char *hello)
{
	expect(c, "220 host.test");
	client_write(c, hello);
	expect(c, "250");
}

static void begin_message(struct client *c)
{
	client_write(c, "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n");
	expect(c, "250 2.1.0");
	expect(c, "250 2.1.5");
	expect(c, "354");
}

static const char text[] = "Subject: x\r\n\r\nx\r\n.\r\n";

static void mail_comes_in_over_each_kind_of_socket(void **state)
{
	struct lobby *l = *state;
	static const char *const fields[] = {
		"Received: from me.test (local socket)\r\n"
		"\tby host.test (hikyaku) with LMTP\r\n",
		"Received: from me.test ([127.0.0.1])\r\n"
		"\tby host.test (hikyaku) with ESMTP\r\n",
		"Received: from me.test ([IPv6:::1])\r\n"
		"\tby host.test (hikyaku) with ESMTP\r\n",
	};
	lobby_open(l);
	for (enum door door = LMTP; door <= SMTP6; door++) {
		struct client c;
		enter(l, &c, door);
		greet(&c, door != LMTP ? "EHLO me.test\r\n" : "LHLO me.test\r\n");
		begin_message(&c);
		client_write(&c, text);
		expect(&c, "250 2.0.0 queued as ");
		client_write(&c, "QUIT\r\n");
		expect(&c, "221");
		expect_end(&c);
		struct queue_item *item = claim_one(l->hall->store);
		if (strncmp(item->body, fields[door], strlen(fields[door])) != 0)
			fail_msg("%s", item->body);
		queue_item_free(&item);
	}
}

static void many_clients_share_a_commit(void **state)
{
	struct lobby *l = *state;
	enum { COUNT = 50 };
	static struct client clients[COUNT];
	struct queue *queue = l->hall->store->queue;
	lobby_open(l);
	for (int i = 0; i < COUNT; i++) {
		enter(l, &clients[i], i % 2 ? SMTP : LMTP);
		greet(&clients[i], i % 2 ? "EHLO me.test\r\n" : "LHLO me.test\r\n");
		begin_message(&clients[i]);
	}
	queue_pause(queue, true);
	uint64_t before = queue_commits(queue);
	unsigned waiting = deadlines_put_off + COUNT;
	for (int i = 0; i < COUNT; i++)
		client_write(&clients[i], text);
	do { /* until all of them wait for the queue */
		run_turns(l->loop, 1);
	} while (deadlines_put_off < waiting);
	assert_int_equal(hall_message_count(l->hall), 0);
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(buf_len(&clients[i].got), 0);
	queue_pause(queue, false);
	for (int i = 0; i < COUNT; i++)
		expect(&clients[i], "250 2.0.0 queued as ");
	assert_in_range(queue_commits(queue) - before, 1, 3);
	assert_int_equal(hall_message_count(l->hall), COUNT);
	for (int i = 0; i < COUNT; i++)
		client_clear(&clients[i]);
}

/* ---- limits ---- */

static void clients_over_the_limit_are_told_so(void **state)
{
	struct lobby *l = *state;
	struct client one, two, three;
	l->hall->config->max_clients = 1;
	lobby_open(l);
	enter(l, &one, SMTP);
	greet(&one, "EHLO me.test\r\n");
	enter(l, &two, LMTP);
	expect(&two, "421 4.7.0 host.test too many clients");
	expect_end(&two);
	client_write(&one, "QUIT\r\n");
	expect(&one, "221");
	expect_end(&one);
	enter(l, &three, LMTP);
	greet(&three, "LHLO me.test\r\n");
	client_clear(&three);
}

static void strangers_are_told_so_and_sockets_in_files_know_none(void **state)
{
	struct lobby *l = *state;
	struct client c;
	free(l->hall->config->relay_clients);
	l->hall->config->relay_clients = xcalloc(1, sizeof(struct addr_range));
	l->hall->config->relay_client_count = 1;
	assert_int_equal(addr_range_parse("127.0.0.2/31",
				 &l->hall->config->relay_clients[0], NULL),
		0);
	lobby_open(l);
	enter(l, &c, SMTP);
	expect(&c, "554 5.7.1 host.test 127.0.0.1 may not hand mail over here");
	expect_end(&c);
	enter(l, &c, LMTP);
	greet(&c, "LHLO me.test\r\n");
	client_clear(&c);
}

/* ---- time ---- */

static void who_says_nothing_loses_the_place(void **state)
{
	struct lobby *l = *state;
	struct client c;
	lobby_open(l);
	enter(l, &c, SMTP);
	expect(&c, "220");
	let_the_deadline_pass();
	expect(&c, "421 4.4.2 host.test timeout");
	expect_end(&c);
}

/* Octets that have come one by one do not count until they are a command. */
static void a_drip_of_octets_holds_no_place(void **state)
{
	struct lobby *l = *state;
	struct client c;
	lobby_open(l);
	enter(l, &c, LMTP);
	greet(&c, "LHLO me.test\r\n");
	unsigned before = deadlines_set;
	for (const char *s = "VRFY x"; *s; s++) {
		stream_write(c.s, s, 1);
		run_turns(l->loop, 10);
	}
	assert_int_equal(deadlines_set, before);
	let_the_deadline_pass();
	expect(&c, "421 4.4.2");
	client_clear(&c);
}

static void whole_commands_hold_the_place(void **state)
{
	struct lobby *l = *state;
	struct client c;
	lobby_open(l);
	enter(l, &c, LMTP);
	greet(&c, "LHLO me.test\r\n");
	for (int i = 0; i < 6; i++) {
		unsigned before = deadlines_set;
		client_write(&c, "NOOP\r\n");
		expect(&c, "250 2.0.0");
		assert_int_equal(deadlines_set, before + 1);
	}
	client_clear(&c);
}

static void our_own_slowness_is_not_held_against_a_client(void **state)
{
	struct lobby *l = *state;
	struct client c;
	lobby_open(l);
	enter(l, &c, LMTP);
	greet(&c, "LHLO me.test\r\n");
	begin_message(&c);
	queue_pause(l->hall->store->queue, true);
	client_write(&c, text);
	do {
		run_turns(l->loop, 1);
	} while (timer_is_active(deadline));
	unsigned before = deadlines_set;
	queue_pause(l->hall->store->queue, false);
	expect(&c, "250 2.0.0 queued as ");
	assert_int_equal(deadlines_set, before + 1); /* it has all of its time again */
	client_clear(&c);
}

/* More than a session may hold: what is not read is not held. */
static void nothing_is_read_while_a_message_is_with_the_queue(void **state)
{
	struct lobby *l = *state;
	struct client c;
	enum { LEN = 4 << 20 };
	lobby_open(l);
	enter(l, &c, LMTP);
	greet(&c, "LHLO me.test\r\n");
	begin_message(&c);
	queue_pause(l->hall->store->queue, true);
	client_write(&c, text);
	client_write(&c, "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n");
	OWN(mem_free) char *big = xmalloc(LEN);
	for (size_t i = 0; i < LEN; i += 64)
		memcpy(big + i,
			"012345678901234567890123456789012345678901234567890123456789"
			"12\r\n",
			64);
	stream_write(c.s, big, LEN);
	client_write(&c, ".\r\n");
	run_turns(l->loop, 200);
	assert_true(stream_pending(c.s) > LEN / 2);
	queue_pause(l->hall->store->queue, false);
	expect(&c, "250 2.0.0 queued as ");
	expect(&c, "250 2.1.0");
	expect(&c, "250 2.1.5");
	expect(&c, "354");
	expect(&c, "250 2.0.0 queued as ");
	client_clear(&c);
}

/* Replies that nobody takes must not pile up, nor hold a place. */
static void who_does_not_read_is_read_no_more_and_let_go(void **state)
{
	struct lobby *l = *state;
	struct client c;
	lobby_open(l);
	enter(l, &c, LMTP);
	OWN(mem_free) char *flood = xmalloc(8 << 20);
	for (size_t i = 0; i < 8 << 20; i += 8)
		memcpy(flood + i, "VRFY x\r\n", 8);
	stream_read_stop(c.s);
	stream_write(c.s, flood, 8 << 20);
	size_t pending;
	do {
		pending = stream_pending(c.s);
		run_turns(l->loop, 1000);
	} while (stream_pending(c.s) != pending);
	let_the_deadline_pass();
	run_until(l->loop, &c.is_ended); /* the write fails */
	client_clear(&c);
}

/* Nor while a message of theirs was being stored, which is no fault of theirs. */
static void who_does_not_read_is_let_go_after_a_commit_too(void **state)
{
	/* Read in one piece, answered with more than a socket holds. */
	enum { FLOOD = 8 << 20, BEFORE = 15 * 1024 + 512 };
	static const char message[] = "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n"
				      "BDAT 17 LAST\r\nSubject: x\r\n\r\nx\r\n";
	struct lobby *l = *state;
	struct client c;
	OWN(mem_free) char *flood = xmalloc(FLOOD);
	for (size_t i = 0; i < FLOOD; i += 8)
		memcpy(flood + i, "LHLO x\r\n", 8);
	free(l->hall->config->hostname);
	l->hall->config->hostname = xasprintf("%0240d.test", 1); /* is in each reply */
	lobby_open(l);
	enter(l, &c, LMTP);
	stream_read_stop(c.s);
	stream_write(c.s, flood, BEFORE);
	client_write(&c, message);
	stream_write(c.s, flood, FLOOD);
	do {
		run_turns(l->loop, 1);
	} while (!hall_message_count(l->hall) || !timer_is_active(deadline));
	let_the_deadline_pass();
	run_until(l->loop, &c.is_ended);
	assert_int_equal(hall_message_count(l->hall), 1);
	client_clear(&c);
}

/* ---- the end ---- */

static void on_finished(void *arg)
{
	struct lobby *l = arg;
	l->is_finished = true;
}

static void a_stop_lets_messages_end_and_sends_the_rest_away(void **state)
{
	struct lobby *l = *state;
	struct client idle, busy, late;
	lobby_open(l);
	enter(l, &idle, SMTP);
	greet(&idle, "EHLO me.test\r\n");
	enter(l, &busy, LMTP);
	greet(&busy, "LHLO me.test\r\n");
	begin_message(&busy);
	enter(l, &late, SMTP); /* has not said a word */
	expect(&late, "220");
	intake_listener_stop(l->listener, 20000, on_finished, l);
	assert_int_not_equal(access(l->path, F_OK), 0);
	expect(&idle, "421 4.3.2 host.test shutting down");
	expect_end(&idle);
	expect(&late, "421 4.3.2");
	expect_end(&late);
	assert_false(l->is_finished);
	client_write(&busy, text);
	expect(&busy, "250 2.0.0 queued as ");
	expect(&busy, "421 4.3.2");
	expect_end(&busy);
	run_until(l->loop, &l->is_finished);
	assert_int_equal(hall_message_count(l->hall), 1);
}

static void a_stop_waits_no_longer_than_it_may(void **state)
{
	struct lobby *l = *state;
	struct client c;
	lobby_open(l);
	enter(l, &c, LMTP);
	greet(&c, "LHLO me.test\r\n");
	begin_message(&c);
	intake_listener_stop(l->listener, 50, on_finished, l);
	run_until(l->loop, &l->is_finished);
	intake_listener_close(&l->listener);
	expect_end(&c);
	assert_int_equal(hall_message_count(l->hall), 0);
}

static void what_is_with_the_queue_at_the_end_is_stored(void **state)
{
	struct lobby *l = *state;
	struct client c;
	lobby_open(l);
	enter(l, &c, LMTP);
	greet(&c, "LHLO me.test\r\n");
	begin_message(&c);
	queue_pause(l->hall->store->queue, true);
	client_write(&c, text);
	run_turns(l->loop, 50);
	intake_listener_close(&l->listener);
	queue_pause(l->hall->store->queue, false);
	expect_end(&c);
	fixture_close(l->hall->store);
	fixture_open(l->hall->store);
	assert_int_equal(hall_message_count(l->hall), 1);
	intake_free(&l->hall->intake);
	l->hall->intake = intake_new(l->hall->config, l->hall->store->port);
}

/* ---- places ---- */

static void a_client_that_hangs_up_during_the_commit_is_let_go_after_it(void **state)
{
	struct lobby *l = *state;
	struct client c, next;
	l->hall->config->max_clients = 1;
	lobby_open(l);
	enter(l, &c, LMTP);
	greet(&c, "LHLO me.test\r\n");
	begin_message(&c);
	queue_pause(l->hall->store->queue, true);
	client_write(&c, text);
	run_turns(l->loop, 50);
	client_clear(&c);
	run_turns(l->loop, 50);
	queue_pause(l->hall->store->queue, false);
	do { /* the answer comes when it comes */
		run_turns(l->loop, 1);
	} while (!hall_message_count(l->hall));
	do {
		enter(l, &next, LMTP);
		client_wait(&next, 4);
		bool is_in = memcmp(buf_bytes(&next.got), "220 ", 4) == 0;
		client_clear(&next);
		if (is_in)
			break;
	} while (true);
}

static void a_new_configuration_opens_and_closes_places(void **state)
{
	struct lobby *l = *state;
	struct client before, c;
	struct config *changed;
	char path[120];
	lobby_open(l);
	enter(l, &before, LMTP);
	greet(&before, "LHLO me.test\r\n");
	assert_int_equal(config_load(NULL, 0, &changed, NULL), 0);
	snprintf(path, sizeof(path), "%s/new", l->hall->store->dir);
	changed->listen = xcalloc(2, sizeof(*changed->listen));
	changed->listen_count = 2;
	memcpy(changed->listen[0].path, path, strlen(path) + 1);
	strcpy(changed->listen[1].path, "/nowhere/at/all"); /* is logged */
	intake_listener_configure(l->listener, changed);
	assert_int_not_equal(access(l->path, F_OK), 0);
	client_init(&c, l->loop);
	client_connect_unix(&c, path);
	expect(&c, "220");
	client_clear(&c);
	begin_message(&before); /* who is there stays */
	client_write(&before, text);
	expect(&before, "250 2.0.0 queued as ");
	client_clear(&before);
	intake_listener_close(&l->listener);
	config_free(&changed);
}

static void one_place_that_cannot_be_opened_opens_none(void **state)
{
	struct lobby *l = *state;
	struct err e = { 0 };
	struct config_listen *last = &l->hall->config->listen[1];
	*last = (struct config_listen){ .is_lmtp = false };
	strcpy(last->path, "/nowhere/at/all");
	assert_int_equal(intake_listener_open(l->loop, l->hall->store->queue,
				 l->hall->config, &l->listener, &e),
		ERR_NOT_FOUND);
	assert_null(l->listener);
	assert_non_null(strstr(e.text, "/nowhere/at/all"));
	assert_int_not_equal(access(l->path, F_OK), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, lobby_setup, lobby_teardown)
	const struct CMUnitTest tests[] = {
		TEST(mail_comes_in_over_each_kind_of_socket),
		TEST(many_clients_share_a_commit),
		TEST(clients_over_the_limit_are_told_so),
		TEST(strangers_are_told_so_and_sockets_in_files_know_none),
		TEST(who_says_nothing_loses_the_place),
		TEST(a_drip_of_octets_holds_no_place),
		TEST(whole_commands_hold_the_place),
		TEST(our_own_slowness_is_not_held_against_a_client),
		TEST(nothing_is_read_while_a_message_is_with_the_queue),
		TEST(who_does_not_read_is_read_no_more_and_let_go),
		TEST(who_does_not_read_is_let_go_after_a_commit_too),
		TEST(a_stop_lets_messages_end_and_sends_the_rest_away),
		TEST(a_stop_waits_no_longer_than_it_may),
		TEST(what_is_with_the_queue_at_the_end_is_stored),
		TEST(a_client_that_hangs_up_during_the_commit_is_let_go_after_it),
		TEST(a_new_configuration_opens_and_closes_places),
		TEST(one_place_that_cannot_be_opened_opens_none),
	};
	return cmocka_run_group_tests_name("intake/listener", tests, NULL, NULL);
}
