/* Claims: order, limits, and that their cost does not grow with the queue. */
#include "fixture.h"

#include "base/mem.h"
#include "base/timefmt.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

static void limits_and_excludes_are_kept(void **state)
{
	static const struct {
		const char *name;
		size_t max_items, max_per_domain;
		const char *domain, *exclude[3];
		size_t expected;
		bool is_more;
	} cases[] = {
		{ "all", 0, 0, NULL, { NULL }, 9, false },
		{ "max_items", 4, 0, NULL, { NULL }, 4, true },
		{ "exactly", 9, 0, NULL, { NULL }, 9, false },
		{ "max_per_domain", 0, 2, NULL, { NULL }, 6, true },
		{ "both", 3, 2, NULL, { NULL }, 3, true },
		{ "one domain", 0, 0, "b.test", { NULL }, 3, false },
		{ "one domain, limited", 0, 1, "b.test", { NULL }, 1, true },
		{ "unknown domain", 0, 0, "x.test", { NULL }, 0, false },
		{ "exclude", 0, 0, NULL, { "c.test", "a.test" }, 3, false },
		{ "exclude all", 0, 0, NULL, { "c.test", "a.test", "b.test" }, 0, false },
	};
	struct fixture *f = *state;
	for (int i = 0; i < 3; i++) {
		put(f, "x", "u@a.test", NULL);
		put(f, "x", "u@b.test", NULL);
		put(f, "x", "u@c.test", NULL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct claimed c;
		struct queue_claim asked = { .now_ms = clock_wall_ms(),
			.max_items = cases[i].max_items,
			.max_per_domain = cases[i].max_per_domain,
			.only = &(struct queue_claim_only){ .domain = cases[i].domain },
			.only_count = cases[i].domain ? 1 : 0,
			.exclude = cases[i].exclude };
		while (asked.exclude_count < 3 && asked.exclude[asked.exclude_count])
			asked.exclude_count++;
		claim_with(f, &asked, &c);
		if (c.count != cases[i].expected)
			fail_msg("%s: %zu", cases[i].name, c.count);
		if ((c.next_due_ms <= asked.now_ms) != cases[i].is_more)
			fail_msg("%s: next due %lld", cases[i].name,
				(long long)c.next_due_ms);
		for (size_t n = 0; n < c.count; n++)
			assert_int_equal(give_back(f, c.items[n]->id), 0);
		claimed_clear(&c);
	}
}

static size_t count_of(const struct claimed *c, const char *domain)
{
	size_t n = 0;
	for (size_t i = 0; i < c->count; i++)
		n += strcmp(c->items[i]->domain, domain) == 0;
	return n;
}

static void one_claim_refills_several_destinations(void **state)
{
	static const struct queue_claim_only only[] = { { "c.test", 2 },
		{ "none.test", 5 }, { "a.test", 3 } };
	static const struct {
		const char *name;
		size_t max_items, of_c, of_a;
		bool is_more;
	} cases[] = {
		{ "each within its own limit", 10, 2, 3, true },
		{ "all within the common one", 4, 2, 2, true },
		{ "those named last get nothing", 2, 2, 0, true },
	};
	struct fixture *f = *state;
	for (int i = 0; i < 3; i++) {
		put(f, "x", "u@a.test", NULL);
		put(f, "x", "u@b.test", NULL);
		put(f, "x", "u@c.test", NULL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct claimed c;
		struct queue_claim asked = { .now_ms = clock_wall_ms(),
			.max_items = cases[i].max_items,
			.only = only,
			.only_count = ARRAY_SIZE(only) };
		claim_with(f, &asked, &c);
		if (count_of(&c, "c.test") != cases[i].of_c ||
			count_of(&c, "a.test") != cases[i].of_a ||
			c.count != cases[i].of_a + cases[i].of_c)
			fail_msg("%s: %zu", cases[i].name, c.count);
		if ((c.next_due_ms <= asked.now_ms) != cases[i].is_more)
			fail_msg("%s: next due %lld", cases[i].name,
				(long long)c.next_due_ms);
		for (size_t n = 0; n < c.count; n++)
			assert_int_equal(give_back(f, c.items[n]->id), 0);
		claimed_clear(&c);
	}
}

enum { SHARES = 3 };

static void shares_are_disjoint_and_complete(void **state)
{
	struct fixture *f = *state;
	char address[32];
	size_t all = 0;
	for (int i = 0; i < 30; i++) {
		snprintf(address, sizeof(address), "u@d%d.test", i);
		put(f, "x", address, NULL);
	}
	for (unsigned n = 0; n < SHARES; n++) {
		struct claimed c;
		struct queue_claim asked = { .now_ms = clock_wall_ms(),
			.share = { n, SHARES } };
		claim_with(f, &asked, &c);
		assert_int_equal(c.err.code, 0);
		for (size_t i = 0; i < c.count; i++)
			assert_int_equal(share_of(c.items[i]->domain, SHARES), n);
		/* What is left is of the others. */
		assert_int_equal(c.next_due_ms, INT64_MAX);
		assert_in_range(c.count, 1, 29);
		all += c.count;
		claimed_clear(&c);
	}
	assert_int_equal(all, 30);
}

/* Not when another's is, which may be sooner. */
static void a_share_is_told_when_its_own_next_item_is_due(void **state)
{
	struct fixture *f = *state;
	char other[32];
	int n = 0;
	do {
		snprintf(other, sizeof(other), "u@%d.test", n++);
	} while (share_of(other + 2, SHARES) == share_of("a.test", SHARES));
	put(f, "x", "u@a.test", NULL);
	put(f, "x", other, NULL);
	sql(f, "UPDATE destination SET next_due_ms = CASE domain"
	       " WHEN 'a.test' THEN 9000000000000 ELSE 8000000000000 END");
	struct claimed c;
	struct queue_claim asked = { .now_ms = 2000 };
	asked.share = (struct share){ share_of("a.test", SHARES), SHARES };
	claim_with(f, &asked, &c);
	assert_int_equal(c.count, 0);
	assert_int_equal(c.next_due_ms, 9000000000000);
	asked.share.index = share_of(other + 2, SHARES);
	claim_with(f, &asked, &c);
	assert_int_equal(c.count, 0);
	assert_int_equal(c.next_due_ms, 8000000000000);
}

static void the_oldest_due_comes_first(void **state)
{
	struct fixture *f = *state;
	struct claimed c;
	put(f, "x", "u@a.test", NULL);
	put(f, "x", "u@b.test", NULL);
	put(f, "x", "v@a.test", NULL);
	sql(f, "UPDATE item SET due_ms = 100 * (4 - (id >> 16))");
	sql(f, "UPDATE destination SET next_due_ms = (SELECT min(due_ms) FROM item"
	       " WHERE destination = destination.id)");
	claim(f, 1, &c);
	assert_string_equal(c.items[0]->recipients[0].address, "v@a.test");
	claimed_clear(&c);
	claim(f, 1, &c);
	assert_string_equal(c.items[0]->recipients[0].address, "u@b.test");
	claimed_clear(&c);
}

static void once_means_never_an_item_it_had_before(void **state)
{
	struct fixture *f = *state, other = *f;
	struct claimed c;
	struct queue_claim asked = {
		.now_ms = clock_wall_ms() + 1000000, .max_items = 10, .for_once = true
	};
	put(f, "x", "u@a.test", NULL);
	claim_with(f, &asked, &c);
	assert_int_equal(c.count, 1);
	assert_int_equal(finish_all(f, c.items[0], QUEUE_OUTCOME_DEFERRED), 0);
	claimed_clear(&c);
	put(f, "x", "v@a.test", NULL);
	claim_with(f, &asked, &c);
	assert_int_equal(c.count, 1);
	assert_string_equal(c.items[0]->recipients[0].address, "v@a.test");
	assert_int_equal(c.next_due_ms, INT64_MAX);
	claimed_clear(&c);
	claim_with(f, &asked, &c);
	assert_int_equal(c.count, 0);
	fixture_open(&other);
	claim_with(&other, &asked, &c);
	assert_int_equal(c.count, 1);
	claimed_clear(&c);
	fixture_close(&other);
}

static void on_put(void *arg, int64_t id, const struct err *e)
{
	(void)arg;
	(void)id;
	assert_null(e);
}

static void ignore_claim(void *arg, struct queue_item **items, size_t count,
	int64_t next_due_ms, const struct err *e)
{
	struct claimed *c = arg;
	*c = (struct claimed){ .count = count, .next_due_ms = next_due_ms };
	for (size_t i = 0; i < count; i++)
		c->items[i] = items[i];
	assert_null(e);
}

static void on_finished(void *arg, const struct err *e)
{
	*(int *)arg = e ? e->code : 0;
}

static void submit_put(struct fixture *f)
{
	struct mail_envelope m = { .sender = (char *)(uintptr_t) "s@x.test" };
	struct queue_new_recipient to = { .address = "v@a.test", .domain = "a.test" };
	struct queue_put *p = queue_put_begin(f->port);
	queue_put_write(p, "x", 1);
	queue_put_commit(&p, &m, &to, 1, on_put, NULL);
}

static void submit_finish(struct fixture *f, const struct queue_item *item,
	enum queue_outcome outcome, int64_t recipient, int *rc)
{
	struct queue_recipient_result r = { recipient, outcome, "later" };
	struct queue_result result = { .item_id = item->id,
		.recipients = &r,
		.recipient_count = 1,
		.count_attempt = true,
		.next_attempt_ms = 1 };
	queue_finish(f->port, &result, on_finished, rc);
}

/* What is due next is brought up to date once a commit, whatever is in it. */
static void requests_of_one_commit_see_each_other(void **state)
{
	struct fixture *f = *state;
	struct claimed c, first;
	struct queue_claim all = { .now_ms = INT64_MAX - 1, .max_items = 10 };
	int rc[3] = { -1, -1, -1 };
	put(f, "x", "u@a.test", NULL);
	put(f, "x", "u@b.test", NULL);
	claim(f, 10, &first);
	assert_int_equal(first.count, 2);
	for (int spoiled = 0; spoiled < 2; spoiled++) {
		queue_pause(f->queue, true);
		submit_finish(f, first.items[0], QUEUE_OUTCOME_DEFERRED,
			first.items[0]->recipients[0].id, &rc[0]);
		queue_claim_due(f->port, &all, ignore_claim, &c);
		submit_put(f); /* to where the claim has looked */
		submit_finish(f, first.items[1], QUEUE_OUTCOME_DELIVERED,
			first.items[1]->recipients[0].id + spoiled, &rc[1]);
		queue_pause(f->queue, false);
		while (queue_port_pending(f->port))
			queue_wait(f->port);
		assert_int_equal(rc[0], 0);
		assert_int_equal(rc[1], spoiled ? ERR_INVALID : 0);
		assert_int_equal(c.count, 1); /* that was deferred */
		claimed_clear(&first);
		first = c;
		claim(f, 10, &c);
		assert_int_equal(c.count, 1);
		assert_string_equal(c.items[0]->recipients[0].address, "v@a.test");
		first.items[first.count++] = c.items[0];
	}
	claimed_clear(&first);
	assert_int_equal(
		sql(f, "SELECT count(*) FROM destination WHERE domain = 'b.test'"), 0);
}

static void on_failed_claim(void *arg, struct queue_item **items, size_t count,
	int64_t next_due_ms, const struct err *e)
{
	(void)items;
	(void)next_due_ms;
	assert_int_equal(count, 0);
	*(int *)arg = e ? e->code : 0;
}

/* A claim that is taken back leaves what is due as it was. */
static void a_claim_that_fails_leaves_what_is_due(void **state)
{
	struct fixture *f = *state;
	struct claimed c, first;
	struct queue_claim all = { .now_ms = INT64_MAX - 1, .max_items = 10 };
	int finished = -1, claimed = 0;
	put(f, "x", "u@a.test", NULL);
	put(f, "x", "u@b.test", NULL);
	claim(f, 1, &first);
	/* The other item's message is not there: its claim fails, and no more. */
	sql(f, "UPDATE message SET num = num + 1000 WHERE num = 2");
	queue_pause(f->queue, true);
	submit_finish(f, first.items[0], QUEUE_OUTCOME_DEFERRED,
		first.items[0]->recipients[0].id, &finished);
	queue_claim_due(f->port, &all, on_failed_claim, &claimed);
	queue_pause(f->queue, false);
	while (queue_port_pending(f->port))
		queue_wait(f->port);
	assert_int_equal(finished, 0);
	assert_int_equal(claimed, ERR_INVALID);
	claimed_clear(&first);
	sql(f, "UPDATE message SET num = num - 1000 WHERE num > 1000");
	claim(f, 10, &c);
	assert_int_equal(c.count, 2);
	claimed_clear(&c);
}

static void small_bodies_come_along_and_large_ones_do_not(void **state)
{
	struct fixture *f = *state;
	struct claimed c;
	fixture_close(f);
	f->options.inline_body_max = 5;
	fixture_open(f);
	put(f, "", "u@a.test", NULL);
	put(f, "12345", "u@b.test", NULL);
	put(f, "123456", "u@c.test", NULL);
	claim(f, 10, &c);
	assert_string_equal(c.items[0]->body, "");
	assert_string_equal(c.items[1]->body, "12345");
	assert_null(c.items[2]->body);
	claimed_clear(&c);
}

static void bodies_come_along_as_far_as_there_is_memory_for_them(void **state)
{
	struct fixture *f = *state;
	struct claimed c;
	struct queue_claim asked = { .now_ms = clock_wall_ms() + 1000,
		.max_body_bytes = 10 };
	put(f, "123456", "u@a.test", NULL);
	put(f, "12345", "u@b.test", NULL);
	put(f, "1234", "u@c.test", NULL);
	claim_with(f, &asked, &c);
	assert_int_equal(c.count, 3);
	assert_string_equal(c.items[0]->body, "123456");
	assert_null(c.items[1]->body);
	assert_string_equal(c.items[2]->body, "1234");
	claimed_clear(&c);
}

/* ---- cost ---- */

/* rows of one message in each of a hundred destinations, due, or in an hour */
static void fill(struct fixture *f, int destinations, int items, bool is_due)
{
	sqlite3 *db;
	OWN(mem_free)
	char *text = xasprintf(
		"PRAGMA synchronous=OFF; BEGIN;"
		"INSERT INTO message(num, id, sender, ret, arrival_ms, size, flags)"
		" WITH RECURSIVE c(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM c"
		" WHERE n < %d) SELECT n, n, 's', 0, 0, 0, 0 FROM c;"
		"INSERT INTO destination(id, domain, next_due_ms)"
		" WITH RECURSIVE c(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM c"
		" WHERE n < %d) SELECT n, 'd' || n || '.test', %s FROM c;"
		"INSERT INTO item(id, destination, state, due_ms, attempts,"
		" was_in_doubt, delay_notified)"
		" SELECT num << 16, 1 + num %% %d, 0, %s, 0, 0, 0 FROM message;"
		"COMMIT",
		items, destinations, is_due ? "1000" : "9000000000000000", destinations,
		is_due ? "1000" : "9000000000000000");
	char *said = NULL;
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &said) != SQLITE_OK)
		fail_msg("%s", said);
	sqlite3_close(db);
}

/* Steps of SQLite's machine for one claim: a measure without a clock. */
static long long steps_of_claim(
	struct fixture *f, const struct queue_claim *asked, struct claimed *c)
{
	long long before = (long long)queue_steps(f->queue);
	claim_with(f, asked, c);
	assert_int_equal(c->err.code, 0);
	return (long long)queue_steps(f->queue) - before;
}

static void full_destinations_cost_a_step_each_not_an_item_each(void **state)
{
	struct fixture *f = *state;
	struct claimed c;
	const char *exclude[] = { "d1.test", "d2.test", "d3.test", "d4.test" };
	fill(f, 5, 50000, true);
	struct queue_claim asked = {
		.now_ms = 2000, .max_items = 10, .exclude = exclude, .exclude_count = 4
	};
	claim(f, 1, &c); /* registers */
	claimed_clear(&c);
	long long steps = steps_of_claim(f, &asked, &c);
	assert_int_equal(c.count, 10);
	for (size_t i = 0; i < c.count; i++)
		assert_string_equal(c.items[i]->domain, "d5.test");
	claimed_clear(&c);
	if (steps > 5000)
		fail_msg("%lld steps", steps);
}

static void nothing_due_costs_one_look_whatever_is_deferred(void **state)
{
	struct fixture *f = *state;
	struct claimed c;
	struct queue_claim asked = { .now_ms = 2000, .max_items = 10 };
	fill(f, 20000, 50000, false);
	claim(f, 1, &c); /* registers */
	assert_int_equal(c.count, 0);
	long long steps = steps_of_claim(f, &asked, &c);
	assert_int_equal(c.count, 0);
	assert_int_equal(c.next_due_ms, 9000000000000000);
	if (steps > 300)
		fail_msg("%lld steps", steps);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		CASE(limits_and_excludes_are_kept),
		CASE(one_claim_refills_several_destinations),
		CASE(shares_are_disjoint_and_complete),
		CASE(a_share_is_told_when_its_own_next_item_is_due),
		CASE(the_oldest_due_comes_first),
		CASE(once_means_never_an_item_it_had_before),
		CASE(requests_of_one_commit_see_each_other),
		CASE(a_claim_that_fails_leaves_what_is_due),
		CASE(small_bodies_come_along_and_large_ones_do_not),
		CASE(bodies_come_along_as_far_as_there_is_memory_for_them),
		CASE(full_destinations_cost_a_step_each_not_an_item_each),
		CASE(nothing_due_costs_one_look_whatever_is_deferred),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
