/* What a gate and the limit on notices hold back, and that it is not forgotten. */
#include "fixture.h"

#include "base/mem.h"
#include "base/timefmt.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

/* Lets so many of b.test through, and everything else. */
struct gate {
	struct queue_gate queue;
	size_t room, taken, begun;
	const char *asked;
};

static unsigned freed;

static void begin(struct queue_gate *q)
{
	struct gate *g = (struct gate *)q;
	g->begun++;
	g->taken = 0;
}

static size_t room(struct queue_gate *q, const char *domain)
{
	struct gate *g = (struct gate *)q;
	bool is_limited = strcmp(domain, "b.test") == 0;
	g->asked = is_limited ? "b.test" : NULL;
	return is_limited ? g->room : 100;
}

static void took(struct queue_gate *q, size_t count)
{
	struct gate *g = (struct gate *)q;
	g->taken += g->asked ? count : 0;
}

static void free_gate(struct queue_gate *q)
{
	freed++;
	free(q);
}

static struct gate *new_gate(size_t room_of_b)
{
	struct gate *g = xcalloc(1, sizeof(*g));
	g->queue = (struct queue_gate){ begin, room, took, free_gate };
	g->room = room_of_b;
	freed = 0;
	return g;
}

static size_t count_of(const struct claimed *c, const char *domain)
{
	size_t n = 0;
	for (size_t i = 0; i < c->count; i++)
		n += strcmp(c->items[i]->domain, domain) == 0;
	return n;
}

static void give_all_back(struct fixture *f, struct claimed *c)
{
	for (size_t i = 0; i < c->count; i++)
		assert_int_equal(give_back(f, c->items[i]->id), 0);
	claimed_clear(c);
}

static const struct {
	size_t room, per_domain, of_b, of_c;
	bool is_more;
} gates[] = {
	{ 0, 0, 0, 3, false }, { 2, 0, 2, 3, false }, /* what it holds back is left out */
	{ 3, 0, 3, 3, false }, { 9, 0, 3, 3, false },
	{ 2, 1, 1, 1, true }, /* what another limit holds back is not */
};

static void a_gate_holds_back_what_it_likes(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 3; i++) {
		put(f, "x", "u@b.test", NULL);
		put(f, "x", "u@c.test", NULL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(gates); i++) {
		struct claimed c;
		struct queue_claim asked = { .now_ms = clock_wall_ms(),
			.max_per_domain = gates[i].per_domain,
			.gate = &new_gate(gates[i].room)->queue };
		claim_with(f, &asked, &c);
		assert_int_equal(freed, 1);
		if (count_of(&c, "b.test") != gates[i].of_b ||
			count_of(&c, "c.test") != gates[i].of_c ||
			(c.next_due_ms <= asked.now_ms) != gates[i].is_more)
			fail_msg("%zu: %zu, next due %lld", i, c.count,
				(long long)c.next_due_ms);
		give_all_back(f, &c);
	}
}

static int64_t put_notice(struct fixture *f, const char *address, bool is_notice)
{
	struct mail_envelope m = { .sender = (char *)(uintptr_t) "",
		.is_notice = is_notice };
	struct queue_new_recipient to = { .address = address,
		.domain = strchr(address, '@') + 1 };
	int64_t id;
	assert_int_equal(put_recipients(f, &m, &to, 1, "x", 1, &id, NULL), 0);
	return id;
}

static size_t count_notices(const struct claimed *c)
{
	size_t n = 0;
	for (size_t i = 0; i < c->count; i++)
		n += c->items[i]->envelope.is_notice;
	return n;
}

static const struct {
	bool limits;
	size_t max, notices, others;
} limits[] = {
	{ false, 0, 4, 2 },
	{ true, 0, 0, 2 },
	{ true, 3, 3, 2 },
	{ true, 4, 4, 2 },
};

/* Mail behind notices that are held back is not held back with them. */
static void notices_are_limited_and_other_mail_is_not(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 2; i++) {
		put_notice(f, "u@a.test", true);
		put_notice(f, "u@a.test", false);
		put_notice(f, "u@b.test", true);
	}
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct claimed c;
		struct queue_claim asked = { .now_ms = clock_wall_ms(),
			.limits_notices = limits[i].limits,
			.max_notices = limits[i].max };
		claim_with(f, &asked, &c);
		assert_int_equal(count_notices(&c), limits[i].notices);
		assert_int_equal(c.count - count_notices(&c), limits[i].others);
		assert_true(c.next_due_ms > asked.now_ms);
		give_all_back(f, &c);
	}
}

/* What was passed over is due as before: for a claim without a limit. */
static void what_was_passed_over_stays_due(void **state)
{
	struct fixture *f = *state;
	struct claimed c;
	put_notice(f, "u@a.test", true);
	put_notice(f, "u@a.test", false);
	claim_with(f,
		&(struct queue_claim){
			.now_ms = clock_wall_ms(), .limits_notices = true },
		&c);
	assert_int_equal(c.count, 1);
	assert_int_equal(finish_all(f, c.items[0], QUEUE_OUTCOME_DELIVERED), 0);
	claimed_clear(&c);
	claim(f, 10, &c);
	assert_int_equal(c.count, 1);
	assert_true(c.items[0]->envelope.is_notice);
	claimed_clear(&c);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_gate_holds_back_what_it_likes),
		CASE(notices_are_limited_and_other_mail_is_not),
		CASE(what_was_passed_over_stays_due),
	};
	return cmocka_run_group_tests_name("claim_gate", tests, NULL, NULL);
}
