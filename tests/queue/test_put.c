/* Intake: what goes in comes out, large bodies do not fill the memory, and one
 * commit serves many. */
#include "fixture.h"

#include "base/failpoint.h"
#include "base/mem.h"
#include "queue/reader.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <cmocka.h>

static const struct mail_envelope plain = { .sender = (char *)(uintptr_t) "s@x.test" };
static const struct queue_new_recipient one = { .address = "a@one.test",
	.domain = "one.test" };

static void the_envelope_comes_back_with_the_claim(void **state)
{
	struct fixture *f = *state;
	struct queue_new_recipient list[] = {
		{ "a@one.test", "one.test", "rfc822;a@one.test", MAIL_NOTIFY_NEVER },
		{ "b@two.test", "two.test", NULL, 0 },
		{ "c@one.test", "one.test", NULL,
			MAIL_NOTIFY_FAILURE | MAIL_NOTIFY_DELAY },
	};
	struct mail_envelope m = { .sender = (char *)(uintptr_t) "s@x.test",
		.envid = (char *)(uintptr_t) "QQ1",
		.ret = MAIL_RET_HDRS,
		.arrival_ms = 12345,
		.content = { .is_8bit = true, .needs_smtputf8 = true },
		.is_notice = true };
	int64_t id;
	struct claimed c;
	assert_int_equal(put_recipients(f, &m, list, 3, "body\r\n", 6, &id, NULL), 0);
	claim(f, 10, &c);
	assert_int_equal(c.count, 2);
	struct queue_item *item = c.items[0];
	assert_string_equal(item->domain, "one.test");
	assert_int_equal(item->envelope.id, id);
	assert_string_equal(item->envelope.sender, "s@x.test");
	assert_string_equal(item->envelope.envid, "QQ1");
	assert_int_equal(item->envelope.ret, MAIL_RET_HDRS);
	assert_int_equal(item->envelope.arrival_ms, 12345);
	assert_int_equal(item->envelope.content.size_bytes, 6);
	assert_true(item->envelope.content.is_8bit);
	assert_true(item->envelope.content.needs_smtputf8);
	assert_true(item->envelope.is_notice);
	assert_int_equal(item->recipient_count, 2);
	assert_string_equal(item->recipients[0].orcpt, "rfc822;a@one.test");
	assert_int_equal(item->recipients[0].notify, MAIL_NOTIFY_NEVER);
	assert_string_equal(item->recipients[1].address, "c@one.test");
	assert_null(item->next_channel);
	assert_int_equal(item->body_len, 6);
	assert_string_equal(item->body, "body\r\n");
	assert_string_equal(c.items[1]->domain, "two.test");
	claimed_clear(&c);
}

static void a_reader_sees_the_envelope(void **state)
{
	struct fixture *f = *state;
	const struct mail_envelope m = { .sender = (char *)(uintptr_t) "",
		.content = { .is_8bit = true },
		.is_notice = true };
	struct queue_reader *reader;
	struct queue_entry entry;
	struct err e = { 0 };
	int64_t id;
	assert_int_equal(put_recipients(f, &m, &one, 1, "body\r\n", 6, &id, NULL), 0);
	assert_int_equal(queue_reader_open(f->path, 1000, &reader, &e), 0);
	assert_int_equal(queue_reader_get(reader, id, &entry, &e), 0);
	assert_string_equal(entry.envelope.sender, "");
	assert_true(entry.envelope.content.is_8bit);
	assert_false(entry.envelope.content.needs_smtputf8);
	assert_true(entry.envelope.is_notice);
	queue_reader_close(&reader);
}

static void bad_requests_are_refused_and_leave_nothing(void **state)
{
	struct fixture *f = *state;
	const struct {
		const char *name, *sender, *address, *domain;
		size_t count;
	} cases[] = {
		{ "no recipient", "s@x.test", "a@b.test", "b.test", 0 },
		{ "no domain", "s@x.test", "a@b.test", "", 1 },
		{ "no address", "s@x.test", "", "b.test", 1 },
		{ "line end in recipient", "s@x.test", "a@b.test\r\nDATA", "b.test", 1 },
		{ "line end in sender", "s@x.test\nX", "a@b.test", "b.test", 1 },
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct queue_new_recipient r = { .address = cases[i].address,
			.domain = cases[i].domain };
		struct mail_envelope m = { .sender = (char *)(uintptr_t)cases[i].sender };
		int64_t id;
		int rc = put_recipients(f, &m, &r, cases[i].count, "x", 1, &id, NULL);
		if (rc != ERR_INVALID)
			fail_msg("%s: %d", cases[i].name, rc);
	}
	assert_int_equal(sql(f, "SELECT count(*) FROM message"), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM chunk"), 0);
}

/* The number of an item in its message has sixteen bits. */
static void more_destinations_than_an_id_can_number_are_refused(void **state)
{
	enum { MOST = 65536 };
	struct fixture *f = *state;
	OWN(mem_free)
	struct queue_new_recipient *list = xcalloc(MOST + 1, sizeof(*list));
	OWN(mem_free) char(*names)[24] = xcalloc(MOST + 1, sizeof(*names));
	struct queue_new_recipient after = { .address = "a@b.test", .domain = "b.test" };
	int64_t id;
	for (int i = 0; i <= MOST; i++) {
		snprintf(names[i], sizeof(names[i]), "d%d.test", i);
		list[i].address = "a@x.test";
		list[i].domain = names[i];
	}
	int rc = put_recipients(f, &plain, list, MOST + 1, "x", 1, &id, NULL);
	assert_int_equal(rc, ERR_LIMIT);
	assert_int_equal(sql(f, "SELECT count(*) FROM item"), 0);
	assert_int_equal(put_recipients(f, &plain, list, MOST, "x", 1, &id, NULL), 0);
	assert_int_equal(put_recipients(f, &plain, &after, 1, "x", 1, &id, NULL), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM item"), MOST + 1);
	assert_int_equal(sql(f, "SELECT count(DISTINCT id >> 16) FROM item"), 2);
}

static void an_id_that_is_taken_is_refused(void **state)
{
	struct fixture *f = *state;
	struct mail_envelope m = plain;
	int64_t id;
	m.id = 77;
	assert_int_equal(put_recipients(f, &m, &one, 1, "x", 1, &id, NULL), 0);
	assert_int_equal(id, 77);
	assert_int_equal(put_recipients(f, &m, &one, 1, "x", 1, &id, NULL), ERR_EXISTS);
	assert_int_equal(sql(f, "SELECT count(*) FROM message"), 1);
}

static void on_id(void *arg, int64_t id, const struct err *e)
{
	*(int64_t *)arg = e ? 0 : id;
}

/* Processes that send at once make the same id now and then. */
static void an_id_that_is_taken_is_made_anew_where_the_content_has_it(void **state)
{
	struct fixture *f = *state;
	static const size_t sizes[] = { 0, 100000, 1000000 };
	int64_t first = put(f, "x", "a@one.test", NULL);
	struct mail_envelope m = plain;
	m.id = first;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char text[MAIL_ID_MAX];
		int64_t id = 0;
		size_t len;
		OWN(mem_free) char *bytes = xcalloc(1, sizes[i] + 1);
		struct queue_put *p = queue_put_begin(f->port);
		mail_id_format(first, text);
		queue_put_write(p, "id ", 3);
		queue_put_write(p, text, strlen(text));
		queue_put_mark_id(p);
		queue_put_write(p, ";\r\n", 3);
		queue_put_write(p, bytes, sizes[i]);
		queue_put_commit(&p, &m, &one, 1, on_id, &id);
		while (queue_port_pending(f->port))
			queue_wait(f->port);
		assert_true(id != 0 && id != first);
		mail_id_format(id, text);
		OWN(mem_free) char *body = body_of(f, id, &len);
		assert_int_equal(len, 22 + sizes[i]);
		assert_memory_equal(body, "id ", 3);
		assert_memory_equal(body + 3, text, 16);
		assert_memory_equal(body + 19, ";\r\n", 3);
	}
}

static void ids_that_are_made_differ(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 200; i++)
		put(f, "x", "a@one.test", NULL);
	assert_int_equal(sql(f, "SELECT count(DISTINCT id) FROM message"), 200);
}

struct counter {
	size_t done, failed;
};

static void on_put(void *arg, int64_t id, const struct err *e)
{
	struct counter *c = arg;
	c->done++;
	c->failed += e != NULL || id <= 0;
}

static void what_waits_together_is_committed_together(void **state)
{
	struct fixture *f = *state;
	struct counter c = { 0 };
	queue_pause(f->queue, true);
	uint64_t before = queue_commits(f->queue);
	for (int i = 0; i < 100; i++) {
		struct queue_put *p = queue_put_begin(f->port);
		queue_put_write(p, "x\r\n", 3);
		queue_put_commit(&p, &plain, &one, 1, on_put, &c);
	}
	assert_int_equal(queue_port_pending(f->port), 100);
	queue_pause(f->queue, false);
	while (queue_port_pending(f->port))
		queue_wait(f->port);
	assert_int_equal(c.done, 100);
	assert_int_equal(c.failed, 0);
	assert_int_equal(queue_commits(f->queue) - before, 1);
}

static void one_that_fails_does_not_spoil_its_group(void **state)
{
	struct fixture *f = *state;
	struct counter good = { 0 }, bad = { 0 };
	struct mail_envelope taken = plain;
	taken.id = 5;
	queue_pause(f->queue, true);
	for (int i = 0; i < 20; i++) {
		struct queue_put *p = queue_put_begin(f->port);
		bool is_second = i % 2;
		queue_put_write(p, "x\r\n", 3);
		/* All the odd ones want the same id: one of them gets it. */
		queue_put_commit(&p, is_second ? &taken : &plain, &one, 1, on_put,
			is_second ? &bad : &good);
	}
	queue_pause(f->queue, false);
	while (queue_port_pending(f->port))
		queue_wait(f->port);
	assert_int_equal(good.done, 10);
	assert_int_equal(good.failed, 0);
	assert_int_equal(bad.failed, 9);
	assert_int_equal(sql(f, "SELECT count(*) FROM message"), 11);
	assert_int_equal(sql(f, "SELECT count(*) FROM item"), 11);
}

enum { BIG = 20 * 1024 * 1024 };

static void fill(char *out, size_t len, size_t from)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (char)('!' + (from + i) * 2654435761u / 65536 % 90);
}

static size_t heap_bytes(void)
{
	struct mallinfo2 m = mallinfo2();
	return m.uordblks + m.hblkhd;
}

static void a_big_body_is_staged_and_invisible_until_its_commit(void **state)
{
	struct fixture *f = *state;
	struct counter c = { 0 };
	struct claimed none;
	char piece[10007];
	size_t peak = 0, before = heap_bytes();
	struct queue_put *p = queue_put_begin(f->port);
	for (size_t at = 0; at < BIG; at += sizeof(piece)) {
		size_t n = BIG - at < sizeof(piece) ? BIG - at : sizeof(piece);
		fill(piece, n, at);
		queue_put_write(p, piece, n);
		while (queue_put_backlog(p) > 1024 * 1024)
			queue_wait(f->port);
		size_t now = heap_bytes() - before;
		peak = now > peak ? now : peak;
	}
	assert_true(peak < BIG / 2);
	assert_true(sql(f, "SELECT count(*) FROM chunk") > 100);
	claim(f, 10, &none);
	assert_int_equal(none.count, 0);
	struct queue_reader *r;
	struct queue_entry entry;
	struct err e = { 0 };
	assert_int_equal(queue_reader_open(f->path, 1000, &r, &e), 0);
	assert_false(queue_reader_next(r, 0, &entry, &e));
	queue_reader_close(&r);
	queue_put_commit(&p, &plain, &one, 1, on_put, &c);
	while (queue_port_pending(f->port))
		queue_wait(f->port);
	assert_int_equal(c.failed, 0);
	struct queue_item *item = claim_one(f);
	assert_int_equal(item->envelope.content.size_bytes, BIG);
	assert_null(item->body);
	size_t len;
	char *body = body_of(f, item->envelope.id, &len);
	assert_int_equal(len, BIG);
	for (size_t at = 0; at < BIG; at += sizeof(piece)) {
		size_t n = BIG - at < sizeof(piece) ? BIG - at : sizeof(piece);
		fill(piece, n, at);
		assert_memory_equal(body + at, piece, n);
	}
	free(body);
	assert_int_equal(finish_all(f, item, QUEUE_OUTCOME_DELIVERED), 0);
	queue_item_free(&item);
	/* It is gone at once; its octets go bit by bit, at the latest by the end. */
	assert_int_equal(sql(f, "SELECT count(*) FROM message WHERE id IS NOT NULL"), 0);
	fixture_close(f);
	f->queue = NULL;
	assert_int_equal(sql(f, "SELECT count(*) FROM chunk"), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM message"), 0);
}

static void trash_of_a_process_that_was_killed_is_removed(void **state)
{
	struct fixture *f = *state;
	sql(f, "INSERT INTO message(num, holder) VALUES(7, 0)");
	sql(f, "INSERT INTO chunk(id, bytes) WITH RECURSIVE t(n) AS (SELECT 7 << 20 UNION"
	       " SELECT n + 1 FROM t WHERE n < (7 << 20) + 300) SELECT n, 'x' FROM t");
	assert_int_equal(sql(f, "SELECT count(*) FROM chunk"), 301);
	int64_t other = put(f, "x", "a@one.test", NULL);
	assert_int_equal(prune_before(f, 0), 0);
	fixture_close(f);
	f->queue = NULL;
	assert_int_equal(sql(f, "SELECT count(*) FROM chunk"), 1);
	assert_int_equal(sql(f, "SELECT id FROM message"), other);
}

/* Whoever stops a worker after the queue was full of large mail does not wait for all of
 * that to be cleared away. */
static void what_would_take_long_at_the_end_is_left_to_the_next_process(void **state)
{
	struct fixture *f = *state;
	enum { MANY = 10000 };
	sql(f, "INSERT INTO message(num, holder) VALUES(7, 0)");
	sql(f, "INSERT INTO chunk(id, bytes) WITH RECURSIVE t(n) AS (SELECT 7 << 20 UNION"
	       " SELECT n + 1 FROM t WHERE n < (7 << 20) + 9999) SELECT n, 'x' FROM t");
	assert_int_equal(prune_before(f, 0), 0);
	fixture_close(f);
	f->queue = NULL;
	long long left = sql(f, "SELECT count(*) FROM chunk");
	assert_in_range(left, 1, MANY - 1);
	for (int i = 0; i < 10 && left; i++) {
		fixture_open(f);
		assert_int_equal(prune_before(f, 0), 0);
		fixture_close(f);
		f->queue = NULL;
		left = sql(f, "SELECT count(*) FROM chunk");
	}
	assert_int_equal(left, 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM message"), 0);
}

static void the_file_shrinks_after_a_burst(void **state)
{
	struct fixture *f = *state;
	enum { LEN = 1000000, COUNT = 40 };
	OWN(mem_free) char *bytes = xcalloc(1, LEN);
	struct stat st;
	int64_t id;
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(
			put_recipients(f, &plain, &one, 1, bytes, LEN, &id, NULL), 0);
	assert_int_equal(operate_on(f, QUEUE_REMOVE, 0, NULL, NULL, NULL), 0);
	fixture_close(f);
	assert_int_equal(stat(f->path, &st), 0);
	assert_true(st.st_size > (off_t)LEN * COUNT);
	fixture_open(f);
	assert_int_equal(prune_before(f, 0), 0);
	fixture_close(f);
	f->queue = NULL;
	assert_int_equal(stat(f->path, &st), 0);
	assert_true(st.st_size < (off_t)LEN * COUNT / 2);
	assert_int_equal(
		sql(f, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
}

/* ---- a store that is out of order for a moment ---- */

static void be_away(struct fixture *f)
{
	OWN(mem_free) char *elsewhere = xasprintf("%s.away", f->path);
	assert_int_equal(rename(f->path, elsewhere), 0);
}

static void be_back(struct fixture *f)
{
	OWN(mem_free) char *elsewhere = xasprintf("%s.away", f->path);
	assert_int_equal(rename(elsewhere, f->path), 0);
}

#ifdef WITH_FAILPOINTS
/* A commit of somebody else has failed, and it cannot be opened again. */
static void be_suspect(struct fixture *f)
{
	int64_t id;
	setenv("HIKYAKU_FAILPOINTS",
		"queue.commit.before=error:EIO,queue.reopen=error:EIO", 1);
	assert_int_equal(put_recipients(f, &plain, &one, 1, "x", 1, &id, NULL), ERR_IO);
}

static void be_well(struct fixture *f)
{
	(void)f;
	unsetenv("HIKYAKU_FAILPOINTS");
}
#endif

static const struct {
	const char *name;
	void (*begin)(struct fixture *f);
	void (*end)(struct fixture *f);
} troubles[] = {
	{ "moved away", be_away, be_back },
#ifdef WITH_FAILPOINTS
	{ "cannot be opened again", be_suspect, be_well },
#endif
};

static void write_piece(struct fixture *f, struct queue_put *p)
{
	OWN(mem_free) char *bytes = xcalloc(1, 512 * 1024);
	queue_put_write(p, bytes, 512 * 1024);
	while (queue_port_pending(f->port))
		queue_wait(f->port);
}

/* The trouble begins with that piece of four, and is over with it. */
static void lose_a_piece(struct fixture *f, size_t trouble, int piece)
{
	struct counter c = { 0 };
	struct queue_put *p = queue_put_begin(f->port);
	for (int i = 0; i < 4; i++) {
		if (i == piece)
			troubles[trouble].begin(f);
		write_piece(f, p);
		if (i == piece)
			troubles[trouble].end(f);
	}
	queue_put_commit(&p, &plain, &one, 1, on_put, &c);
	while (queue_port_pending(f->port))
		queue_wait(f->port);
	if (c.failed != 1)
		fail_msg("%s at piece %d: stored, with a hole in it",
			troubles[trouble].name, piece);
	assert_int_equal(sql(f, "SELECT count(*) FROM item"), 0);
}

static void a_message_that_has_lost_a_piece_is_not_stored(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(troubles); i++) {
		for (int piece = 0; piece < 4; piece++)
			lose_a_piece(*state, i, piece);
	}
}

static void an_aborted_put_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct queue_put *p = queue_put_begin(f->port);
	char *bytes = xcalloc(1, 1024 * 1024);
	queue_put_write(p, bytes, 1024 * 1024);
	free(bytes);
	queue_put_abort(&p);
	assert_null(p);
	while (queue_port_pending(f->port))
		queue_wait(f->port);
	assert_int_equal(sql(f, "SELECT count(*) FROM chunk"), 0);
	assert_int_equal(sql(f, "SELECT count(*) FROM message"), 0);
}

static void a_full_disk_refuses_what_does_not_fit_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct counter big = { 0 }, small = { 0 };
	fixture_close(f);
	f->options.max_bytes = 600 * 1024;
	fixture_open(f);
	queue_pause(f->queue, true);
	for (int i = 0; i < 6; i++) {
		struct queue_put *p = queue_put_begin(f->port);
		bool is_big = i == 2;
		char *bytes = xcalloc(1, 250 * 4096);
		queue_put_write(p, bytes, is_big ? 250 * 1024 : 10);
		queue_put_commit(&p, &plain, &one, 1, on_put, is_big ? &big : &small);
		free(bytes);
	}
	/* Twice as much as there is room for. */
	struct queue_put *p = queue_put_begin(f->port);
	char *bytes = xcalloc(1, 2000 * 1024);
	queue_put_write(p, bytes, 2000 * 1024);
	queue_put_commit(&p, &plain, &one, 1, on_put, &big);
	free(bytes);
	queue_pause(f->queue, false);
	while (queue_port_pending(f->port))
		queue_wait(f->port);
	assert_int_equal(small.done, 5);
	assert_int_equal(small.failed, 0);
	assert_int_equal(big.done, 2);
	assert_int_equal(big.failed, 1);
	int64_t id;
	struct err e;
	OWN(mem_free) char *more = xcalloc(1, 600 * 1024);
	assert_int_equal(put_recipients(f, &plain, &one, 1, more, 600 * 1024, &id, &e),
		ERR_NO_SPACE);
	assert_non_null(strstr(e.text, f->path));
	assert_non_null(strstr(e.text, "make room"));
	assert_int_equal(put_recipients(f, &plain, &one, 1, "x", 1, &id, &e), 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		CASE(the_envelope_comes_back_with_the_claim),
		CASE(a_reader_sees_the_envelope),
		CASE(bad_requests_are_refused_and_leave_nothing),
		CASE(more_destinations_than_an_id_can_number_are_refused),
		CASE(an_id_that_is_taken_is_refused),
		CASE(an_id_that_is_taken_is_made_anew_where_the_content_has_it),
		CASE(ids_that_are_made_differ),
		CASE(what_waits_together_is_committed_together),
		CASE(one_that_fails_does_not_spoil_its_group),
		CASE(a_big_body_is_staged_and_invisible_until_its_commit),
		CASE(trash_of_a_process_that_was_killed_is_removed),
		CASE(what_would_take_long_at_the_end_is_left_to_the_next_process),
		CASE(the_file_shrinks_after_a_burst),
		CASE(a_message_that_has_lost_a_piece_is_not_stored),
		CASE(an_aborted_put_leaves_nothing),
		CASE(a_full_disk_refuses_what_does_not_fit_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
