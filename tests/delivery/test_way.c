/* Which relays, in which order, and what they are shared by. */
#include "delivery/way.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct policy_route *parse(const char *line)
{
	char why[POLICY_TEXT_MAX];
	struct policy_route *r = policy_route_parse(line, strlen(line), why);
	if (!r)
		fail_msg("%s: %s", line, why);
	return r;
}

/* ---- order ---- */

static uint32_t none(uint32_t bound)
{
	(void)bound;
	return 0;
}

static uint32_t last(uint32_t bound)
{
	return bound - 1;
}

static const struct {
	const char *line;
	uint32_t (*random_below)(uint32_t bound);
	const char *hosts[3];
} orders[] = {
	{ "* smtp://[a.test], smtp://[b.test], smtp://[c.test]", none,
		{ "a.test", "b.test", "c.test" } },
	{ "* smtp://[a.test], smtp://[b.test], smtp://[c.test] order=turn", last,
		{ "a.test", "b.test", "c.test" } },
	{ "* smtp://[a.test], smtp://[b.test], smtp://[c.test] order=turn", none,
		{ "b.test", "c.test", "a.test" } },
};

static void relays_come_in_order_or_in_turn(void **state)
{
	const struct policy_relay *relays[POLICY_RELAYS_MAX];
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		struct policy_route *r = parse(orders[i].line);
		assert_int_equal(way_order(r, orders[i].random_below, relays), 3);
		for (size_t n = 0; n < 3; n++)
			assert_string_equal(relays[n]->host, orders[i].hosts[n]);
		policy_route_free(&r);
	}
	assert_int_equal(way_order(NULL, none, relays), 1);
	assert_true(relays[0]->is_destination);
}

/* ---- ports ---- */

static const struct {
	const char *line;
	uint16_t port;
} ports[] = {
	{ "* mx:", 2525 },
	{ "* smtp://[a.test]", 2525 },
	{ "* smtp://[a.test]:587", 587 },
	{ "* smtps://[a.test]", 465 },
	{ "* smtps://[a.test]:4650", 4650 },
	{ "* lmtp:/run/lmtp", 0 },
};

static void a_port_that_is_not_written_is_the_usual_one(void **state)
{
	struct config_destination settings = { .port = 2525 };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
		struct policy_route *r = parse(ports[i].line);
		struct way way = { r, &r->relays[0] };
		assert_int_equal(way_port(&way, &settings), ports[i].port);
		policy_route_free(&r);
	}
	assert_int_equal(way_port(&way_own, &settings), 2525);
}

/* ---- what is the same ---- */

static const struct {
	const char *a, *b;
	bool is_alike;   /* the first relay of each */
	bool same_route; /* and both lines */
	bool same_hop;
} pairs[] = {
	{ "a.test smtp://[r.test]", "* smtp://[R.test.]", true, true, true },
	{ "* smtp://[r.test]", "* smtp://r.test", false, false, false },
	{ "* smtp://[r.test]", "* smtps://[r.test]", false, false, false },
	{ "* smtp://[r.test]:25", "* smtp://[r.test]:587", false, false, false },
	{ "* smtp://[r.test]", "* smtp://[r.test], smtp://[s.test]", true, false, false },
	{ "* smtp://[r.test], smtp://[s.test]",
		"* smtp://[r.test], smtp://[s.test] order=turn", true, true, true },
	{ "* smtp://[r.test]", "* smtp://[r.test] ehlo=me.test", false, false, false },
	{ "* smtp://[r.test]", "* smtp://[r.test] source=192.0.2.1", false, false,
		false },
	{ "* smtp://[r.test] auth=a", "* smtp://[r.test] auth=b", false, false, false },
	{ "* smtp://[r.test] certificate=/a", "* smtp://[r.test] certificate=/b", false,
		false, false },
	{ "* smtp://[r.test] tls=required", "* smtp://[r.test]", true, false, false },
	{ "* lmtp:/a", "* lmtp:/b", false, false, false },
	{ "* lmtp:/a", "b.test lmtp:/a", true, true, true },
};

static void what_opens_the_same_connection_is_shared(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct policy_route *a = parse(pairs[i].a), *b = parse(pairs[i].b);
		struct way way_a = { a, &a->relays[0] }, way_b = { b, &b->relays[0] };
		struct way found;
		OWN(mem_free) char *key_a = way_hop_key(a);
		OWN(mem_free) char *key_b = way_hop_key(b);
		bool same_hop = strcmp(key_a, key_b) == 0;
		if (way_is_alike(&way_a, &way_b) != pairs[i].is_alike ||
			way_find(b, &way_a, &found) != pairs[i].is_alike ||
			way_routes_are_alike(a, b) != pairs[i].same_route ||
			same_hop != pairs[i].same_hop)
			fail_msg("%s | %s", pairs[i].a, pairs[i].b);
		if (pairs[i].is_alike)
			assert_ptr_equal(found.relay, way_b.relay);
		policy_route_free(&a);
		policy_route_free(&b);
	}
}

static const char *const unshared[] = { "* mx:", "* mx: tls=required",
	"* smtp://[r.test], mx:", "* discard", "* error:no" };

static void own_hosts_are_not_shared(void **state)
{
	struct way found;
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(unshared); i++) {
		struct policy_route *r = parse(unshared[i]);
		if (way_hop_key(r))
			fail_msg("%s", unshared[i]);
		policy_route_free(&r);
	}
	assert_null(way_hop_key(NULL));
	assert_true(way_find(NULL, &way_own, &found));
	assert_true(way_is_alike(&found, &way_own));
}

/* "mx:" is what is done without a line. */
static void a_line_that_says_the_usual_is_the_usual(void **state)
{
	struct policy_route *r = parse("* mx:");
	struct way found;
	(void)state;
	assert_true(way_find(r, &way_own, &found));
	assert_ptr_equal(found.route, r);
	policy_route_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(relays_come_in_order_or_in_turn),
		cmocka_unit_test(a_port_that_is_not_written_is_the_usual_one),
		cmocka_unit_test(what_opens_the_same_connection_is_shared),
		cmocka_unit_test(own_hosts_are_not_shared),
		cmocka_unit_test(a_line_that_says_the_usual_is_the_usual),
	};
	return cmocka_run_group_tests_name("way", tests, NULL, NULL);
}
