/* How much of what is due for relays a claim may take. */
#include "delivery/claim_gate.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { PER_DOMAIN = 4, USUAL = 6 };

static const char routes[] = "[own.test] mx:\n"
			     "[gone.test] discard\n"
			     ".r.test smtp://[r.test]\n"
			     "r2.test smtp://[r.test] order=turn\n"
			     ".s.test smtp://[s.test]\n";

struct play {
	struct claim_gate *gate;
	struct queue_gate *queue;
	char full[64];
};

static int setup(void **state)
{
	struct play *p = xcalloc(1, sizeof(*p));
	struct policy_source sources[POLICY_FILE_COUNT] = {
		[POLICY_FILE_ROUTES] = { "routes.txt", routes, strlen(routes) }
	};
	struct policy_options options = { .versions_available = POLICY_TLS1_3 };
	struct policy_errors errors = { 0 };
	struct policy_set *set = policy_set_parse(sources, &options, 1, &errors);
	assert_non_null(set);
	p->gate = claim_gate_new(set, PER_DOMAIN, USUAL);
	policy_set_unref(&set);
	p->queue = claim_gate_queue(p->gate);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct play *p = *state;
	p->queue->free(p->queue);
	free(p);
	return 0;
}

static void ask(struct play *p, const char *domain, size_t room, size_t takes)
{
	assert_int_equal(p->queue->room(p->queue, domain), room);
	if (room)
		p->queue->took(p->queue, takes);
}

static void on_full(void *arg, const char *key, bool took_any)
{
	struct play *p = arg;
	snprintf(p->full + strlen(p->full), sizeof(p->full) - strlen(p->full), "%s%s; ",
		key, took_any ? "" : " (nothing)");
}

static const char *full(struct play *p)
{
	p->full[0] = '\0';
	claim_gate_each_full(p->gate, on_full, p);
	return p->full;
}

static void destinations_of_one_relay_share_what_it_can_hold(void **state)
{
	struct play *p = *state;
	p->queue->begin(p->queue);
	ask(p, "a.r.test", 4, 4);
	ask(p, "b.r.test", 2, 1);
	ask(p, "r2.test", 1, 1); /* another line with the same relay */
	ask(p, "c.r.test", 0, 0);
	ask(p, "a.s.test", 4, 1); /* another relay */
	assert_string_equal(full(p), "smtp://[r.test]; ");
	assert_int_equal(claim_gate_left_out(p->gate), 3);
}

static void those_that_share_nothing_have_their_own_limit(void **state)
{
	static const char *const domains[] = { "own.test", "gone.test", "other.test" };
	struct play *p = *state;
	p->queue->begin(p->queue);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(domains); i++)
			ask(p, domains[i], PER_DOMAIN, PER_DOMAIN);
	}
	assert_string_equal(full(p), "");
	assert_int_equal(claim_gate_left_out(p->gate), 0);
}

static void a_hop_that_is_known_has_its_room(void **state)
{
	struct play *p = *state;
	claim_gate_set(p->gate, "smtp://[r.test]", 0);
	claim_gate_set(p->gate, "smtp://[s.test]", 100);
	p->queue->begin(p->queue);
	ask(p, "a.r.test", 0, 0);
	for (int i = 0; i < 20; i++)
		ask(p, "a.s.test", PER_DOMAIN, PER_DOMAIN);
	assert_string_equal(full(p), "smtp://[r.test] (nothing); ");
}

/* The store begins again where a commit has failed. */
static void a_claim_that_begins_anew_has_all_its_room_again(void **state)
{
	struct play *p = *state;
	for (int round = 0; round < 2; round++) {
		p->queue->begin(p->queue);
		ask(p, "a.r.test", 4, 4);
		ask(p, "b.r.test", 2, 2);
		assert_int_equal(claim_gate_left_out(p->gate), 1);
	}
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(destinations_of_one_relay_share_what_it_can_hold),
		CASE(those_that_share_nothing_have_their_own_limit),
		CASE(a_hop_that_is_known_has_its_room),
		CASE(a_claim_that_begins_anew_has_all_its_room_again),
	};
	return cmocka_run_group_tests_name("claim_gate", tests, NULL, NULL);
}
