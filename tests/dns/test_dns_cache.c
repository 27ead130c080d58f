#include "dns/dns_cache.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MAX = 3 };

static void put(struct dns_cache *c, const char *name, enum dns_type type,
	enum dns_status status, uint32_t ttl_s, int64_t now_ms)
{
	struct dns_reply *r = dns_reply_new(status);
	r->answer.ttl_s = ttl_s;
	dns_cache_put(c, name, type, r, now_ms);
	dns_reply_unref(&r);
}

/* The seconds left, or -1. */
static int64_t get(
	struct dns_cache *c, const char *name, enum dns_type type, int64_t now_ms)
{
	uint32_t ttl_s = 0;
	struct dns_reply *r = dns_cache_get(c, name, type, now_ms, &ttl_s);
	if (!r)
		return -1;
	dns_reply_unref(&r);
	return ttl_s;
}

/* One step on one cache; what a get expects is in seconds. */
struct step {
	enum { PUT, PUT_TEMPORARY, PUT_ABSENT, GET, COUNT } op;
	const char *name;
	enum dns_type type;
	int64_t at_ms;
	int64_t value; /* TTL of a put; expected of a get or count */
};

static const struct {
	const char *name;
	struct step steps[10];
} stories[] = {
	{ "an answer is kept for its TTL, to the millisecond",
		{ { PUT, "a", DNS_TYPE_MX, 1000, 10 },
			{ GET, "a", DNS_TYPE_MX, 1000, 10 },
			{ GET, "a", DNS_TYPE_MX, 5500, 6 },
			{ GET, "a", DNS_TYPE_MX, 10999, 1 },
			{ GET, "a", DNS_TYPE_MX, 11000, -1 }, { COUNT, "", 0, 0, 0 } } },
	{ "names have no case, types differ",
		{ { PUT, "Ab", DNS_TYPE_MX, 0, 10 }, { GET, "aB", DNS_TYPE_MX, 0, 10 },
			{ GET, "ab", DNS_TYPE_A, 0, -1 },
			{ GET, "abc", DNS_TYPE_MX, 0, -1 } } },
	{ "a newer answer replaces the older one",
		{ { PUT, "a", DNS_TYPE_MX, 0, 10 }, { PUT, "a", DNS_TYPE_MX, 0, 99 },
			{ GET, "a", DNS_TYPE_MX, 0, 99 }, { COUNT, "", 0, 0, 1 } } },
	{ "an absence is kept", { { PUT_ABSENT, "a", DNS_TYPE_MX, 0, 60 },
					{ GET, "a", DNS_TYPE_MX, 0, 60 } } },
	{ "a TTL of 0 is not kept",
		{ { PUT, "a", DNS_TYPE_MX, 0, 0 }, { GET, "a", DNS_TYPE_MX, 0, -1 } } },
	{ "a temporary failure is not kept, and drops nothing",
		{ { PUT_TEMPORARY, "a", DNS_TYPE_MX, 0, 60 },
			{ GET, "a", DNS_TYPE_MX, 0, -1 },
			{ PUT, "b", DNS_TYPE_MX, 0, 60 },
			{ PUT_TEMPORARY, "b", DNS_TYPE_MX, 0, 60 },
			{ GET, "b", DNS_TYPE_MX, 0, 60 } } },
	{ "when it is full the one not asked for longest goes",
		{ { PUT, "a", DNS_TYPE_MX, 0, 10 }, { PUT, "b", DNS_TYPE_MX, 0, 10 },
			{ PUT, "c", DNS_TYPE_MX, 0, 10 },
			{ GET, "a", DNS_TYPE_MX, 0, 10 },
			{ PUT, "d", DNS_TYPE_MX, 0, 10 }, { COUNT, "", 0, 0, MAX },
			{ GET, "b", DNS_TYPE_MX, 0, -1 },
			{ GET, "a", DNS_TYPE_MX, 0, 10 },
			{ GET, "c", DNS_TYPE_MX, 0, 10 },
			{ GET, "d", DNS_TYPE_MX, 0, 10 } } },
};

static int64_t run_step(struct dns_cache *c, const struct step *s)
{
	static const enum dns_status statuses[] = { [PUT] = DNS_OK,
		[PUT_TEMPORARY] = DNS_TEMPORARY,
		[PUT_ABSENT] = DNS_NO_NAME };
	if (s->op == GET)
		return get(c, s->name, s->type, s->at_ms);
	if (s->op == COUNT)
		return (int64_t)dns_cache_count(c);
	put(c, s->name, s->type, statuses[s->op], (uint32_t)s->value, s->at_ms);
	return s->value;
}

static void stories_go_as_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(stories); i++) {
		struct dns_cache *c = dns_cache_new(MAX, 12345);
		const struct step *s = stories[i].steps;
		for (size_t n = 0; n < ARRAY_SIZE(stories[i].steps) && s[n].name; n++) {
			int64_t got = run_step(c, &s[n]);
			if (got != s[n].value)
				fail_msg("%s: step %zu gives %lld", stories[i].name,
					n + 1, (long long)got);
		}
		dns_cache_free(&c);
		assert_null(c);
	}
}

static void a_cache_of_nothing_keeps_nothing(void **state)
{
	(void)state;
	struct dns_cache *c = dns_cache_new(0, 1);
	put(c, "a", DNS_TYPE_MX, DNS_OK, 60, 0);
	assert_int_equal(get(c, "a", DNS_TYPE_MX, 0), -1);
	dns_cache_free(&c);
}

static void a_reply_outlives_its_entry(void **state)
{
	(void)state;
	uint32_t ttl_s;
	struct dns_cache *c = dns_cache_new(1, 1);
	put(c, "a", DNS_TYPE_MX, DNS_NO_DATA, 60, 0);
	struct dns_reply *r = dns_cache_get(c, "a", DNS_TYPE_MX, 0, &ttl_s);
	put(c, "b", DNS_TYPE_MX, DNS_OK, 60, 0);
	dns_cache_free(&c);
	assert_int_equal(r->answer.status, DNS_NO_DATA);
	assert_int_equal(r->refs, 1);
	dns_reply_unref(&r);
}

static void it_stays_bounded_under_many_names(void **state)
{
	(void)state;
	enum { KEPT = 64, NAMES = 5000 };
	char name[32];
	struct dns_cache *c = dns_cache_new(KEPT, 99);
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "host%d.test", i);
		put(c, name, DNS_TYPE_A, DNS_OK, 60, i);
		assert_true(dns_cache_count(c) <= KEPT);
	}
	for (int i = NAMES - KEPT; i < NAMES; i++) {
		snprintf(name, sizeof(name), "host%d.test", i);
		assert_true(get(c, name, DNS_TYPE_A, NAMES) > 0);
	}
	dns_cache_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stories_go_as_told),
		cmocka_unit_test(a_cache_of_nothing_keeps_nothing),
		cmocka_unit_test(a_reply_outlives_its_entry),
		cmocka_unit_test(it_stays_bounded_under_many_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
