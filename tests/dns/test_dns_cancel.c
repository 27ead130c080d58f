#include "dns/dns.h"

#include "base/mem.h"
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void a_cancelled_query_is_not_answered(void **state)
{
	(void)state;
	struct fixture f;
	fixture_init(&f);
	fixture_add_server(&f, 0, fixture_held, 1);
	fixture_open(&f, 1, PATIENT_MS, 1);
	struct caller c = { .f = &f };

	caller_ask(&c, "at-once.test");
	dns_query_cancel(&c.query);
	assert_null(c.query);
	fixture_run(&f);

	caller_ask(&c, "under-way.test");
	fixture_run_until_asked(&f, 1);
	dns_query_cancel(&c.query);
	fixture_run(&f); /* ends, although the answer never comes */
	assert_int_equal(c.calls, 0);
	fixture_clear(&f);
}

static void a_callback_may_cancel_another_query_and_its_own(void **state)
{
	(void)state;
	struct fixture f;
	fixture_init(&f);
	fixture_add_server(&f, 0, fixture_held, 1);
	fixture_open(&f, 1, PATIENT_MS, 1);
	struct caller a = { .f = &f }, b = { .f = &f }, own = { .f = &f };
	struct caller under_way = { .f = &f };
	caller_ask(&a, "example.test"); /* a, b and own become ready together */
	caller_ask(&b, "example.test");
	caller_ask(&own, "example.test");
	fixture_run_until_asked(&f, 1);
	caller_ask(&under_way, "other.test");
	a.cancels = &b;
	own.cancels = &own;
	fake_dns_release(&f.servers[0]);
	while (!own.calls)
		uv_run(&f.loop, UV_RUN_ONCE);
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls, 0);
	assert_int_equal(own.calls, 1);
	dns_query_cancel(&under_way.query);
	fixture_run(&f);
	assert_int_equal(under_way.calls, 0);
	buf_clear(&a.text);
	buf_clear(&own.text);
	fixture_clear(&f);
}

static void a_callback_may_cancel_a_query_under_way(void **state)
{
	(void)state;
	static const struct fake_step steps[] = { { .act = FAKE_DROP },
		{ .records = { "an @ 300 MX 10 mx.test" } } };
	struct fixture f;
	fixture_init(&f);
	fixture_add_server(&f, 0, steps, 2);
	fixture_open(&f, 1, PATIENT_MS, 1);
	struct caller slow = { .f = &f }, fast = { .f = &f, .cancels = &slow };
	caller_ask(&slow, "slow.test");
	fixture_run_until_asked(&f, 1);
	caller_ask(&fast, "fast.test");
	fixture_run(&f);
	assert_int_equal(fast.calls, 1);
	assert_int_equal(slow.calls, 0);
	buf_clear(&fast.text);
	fixture_clear(&f);
}

static void a_callback_may_ask_again(void **state)
{
	(void)state;
	struct fixture f;
	fixture_init(&f);
	fixture_add_server(&f, 0, fixture_good, 1);
	fixture_open(&f, 1, PATIENT_MS, 1);
	struct caller second = { .f = &f }, first = { .f = &f, .asks = &second };
	caller_ask(&first, "example.test");
	while (!first.calls)
		uv_run(&f.loop, UV_RUN_ONCE);
	assert_int_equal(second.calls, 0);
	fixture_run(&f);
	assert_int_equal(second.calls, 1);
	buf_clear(&first.text);
	buf_clear(&second.text);
	fixture_clear(&f);
}

static void a_callback_may_close_the_resolver(void **state)
{
	(void)state;
	struct fixture f;
	fixture_init(&f);
	fixture_add_server(&f, 0, fixture_held, 1);
	fixture_open(&f, 1, PATIENT_MS, 1);
	struct caller a = { .f = &f, .closes = true }, b = { .f = &f };
	struct caller under_way = { .f = &f };
	caller_ask(&a, "example.test");
	caller_ask(&b, "example.test");
	fixture_run_until_asked(&f, 1);
	caller_ask(&under_way, "other.test");
	fake_dns_release(&f.servers[0]);
	fixture_run(&f);
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls + under_way.calls, 0);
	buf_clear(&a.text);
	fixture_clear(&f);
}

/* More than are let through at once, so that some wait for their turn. */
static void closing_drops_all_queries_wherever_they_are(void **state)
{
	(void)state;
	enum { QUERIES = 300 };
	static struct caller callers[QUERIES];
	struct fixture f;
	char name[32];
	fixture_init(&f);
	struct fake_dns *s = &f.servers[0];
	fixture_add_server(&f, 0, fixture_held, 1);
	fixture_open(&f, 1, PATIENT_MS, 1);
	for (int i = 0; i < QUERIES; i++) {
		callers[i] = (struct caller){ .f = &f };
		snprintf(name, sizeof(name), "host%d.test", i);
		caller_ask(&callers[i], name);
	}
	uv_udp_recv_stop(&s->udp); /* it does not have to see them */
	uv_run(&f.loop, UV_RUN_NOWAIT);
	dns_resolver_close(&f.resolver);
	fixture_run(&f);
	for (int i = 0; i < QUERIES; i++)
		assert_int_equal(callers[i].calls, 0);
	fixture_clear(&f);
}

static void queries_over_the_limit_wait_for_their_turn(void **state)
{
	(void)state;
	enum { QUERIES = 300 };
	static struct caller callers[QUERIES];
	struct fixture f;
	char name[32];
	int calls = 0;
	fixture_init(&f);
	fixture_add_server(&f, 0, fixture_good, 1);
	fixture_stop_server(&f, 0); /* nobody there: each fails at once */
	fixture_open(&f, 1, SOON_MS, 1);
	uv_run(&f.loop, UV_RUN_NOWAIT);
	for (int i = 0; i < QUERIES; i++) {
		callers[i] = (struct caller){ .f = &f };
		snprintf(name, sizeof(name), "host%d.test", i);
		caller_ask(&callers[i], name);
	}
	dns_query_cancel(&callers[0].query);
	dns_query_cancel(&callers[QUERIES - 1].query);
	fixture_run(&f);
	for (int i = 0; i < QUERIES; i++) {
		calls += callers[i].calls;
		buf_clear(&callers[i].text);
	}
	assert_int_equal(calls, QUERIES - 2);
	fixture_clear(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cancelled_query_is_not_answered),
		cmocka_unit_test(a_callback_may_cancel_another_query_and_its_own),
		cmocka_unit_test(a_callback_may_cancel_a_query_under_way),
		cmocka_unit_test(a_callback_may_ask_again),
		cmocka_unit_test(a_callback_may_close_the_resolver),
		cmocka_unit_test(closing_drops_all_queries_wherever_they_are),
		cmocka_unit_test(queries_over_the_limit_wait_for_their_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
