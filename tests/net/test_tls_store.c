#include "net/tls_store.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct tls_key key_of(char name)
{
	struct tls_key key;
	memset(key.octets, name, sizeof(key.octets));
	return key;
}

static void put(struct tls_store *s, char name, const char *text, int64_t now_ms,
	int64_t until_ms)
{
	struct tls_key key = key_of(name);
	tls_store_put(s, &key, text, strlen(text), now_ms, until_ms);
}

/* NULL: there must be none. */
static void assert_get(struct tls_store *s, char name, int64_t now_ms, const char *text)
{
	struct tls_key key = key_of(name);
	size_t len = 99;
	const char *got = tls_store_get(s, &key, now_ms, &len);
	assert_int_equal(len, text ? strlen(text) : 0);
	if (text)
		assert_memory_equal(got, text, len);
	else
		assert_null(got);
}

static void assert_take(struct tls_store *s, char name, int64_t now_ms, const char *text,
	int64_t until_ms)
{
	struct tls_key key = key_of(name);
	size_t len = 99;
	int64_t until = 0;
	void *got = tls_store_take(s, &key, now_ms, &len, &until);
	assert_int_equal(len, text ? strlen(text) : 0);
	if (text) {
		assert_memory_equal(got, text, len);
		assert_int_equal(until, until_ms);
	} else {
		assert_null(got);
	}
	tls_store_wipe(got, len);
}

static struct tls_store *store_of(size_t values, size_t octets)
{
	struct tls_store_limits limits = { .values = values, .octets = octets };
	return tls_store_new(&limits);
}

static void a_value_is_good_until_its_time(void **state)
{
	(void)state;
	struct tls_store *s = store_of(8, 100);
	put(s, 'a', "one", 1000, 2000);
	assert_get(s, 'a', 1000, "one");
	assert_get(s, 'a', 1999, "one");
	assert_get(s, 'b', 1500, NULL);
	assert_get(s, 'a', 2000, NULL);
	assert_int_equal(tls_store_count(s), 0);
	assert_int_equal(tls_store_octets(s), 0);
	put(s, 'a', "late", 2000, 2000);
	assert_int_equal(tls_store_count(s), 0);
	tls_store_free(&s);
	assert_null(s);
	tls_store_free(&s);
}

static void a_clock_that_steps_back_lengthens_no_life(void **state)
{
	(void)state;
	struct tls_store *s = store_of(8, 100);
	put(s, 'a', "one", 1000, 2000);
	assert_get(s, 'a', 999, NULL);
	tls_store_free(&s);
}

static void what_is_taken_is_gone_the_newest_first(void **state)
{
	(void)state;
	struct tls_store *s = store_of(8, 100);
	put(s, 'a', "old", 0, 50);
	put(s, 'a', "new", 1, 40);
	put(s, 'b', "other", 1, 60);
	assert_take(s, 'a', 2, "new", 40);
	assert_take(s, 'a', 2, "old", 50);
	assert_take(s, 'a', 2, NULL, 0);
	assert_take(s, 'b', 2, "other", 60);
	assert_int_equal(tls_store_octets(s), 0);
	tls_store_free(&s);
}

static void dropping_drops_all_of_one_key(void **state)
{
	(void)state;
	struct tls_store *s = store_of(8, 100);
	put(s, 'a', "1", 0, 50);
	put(s, 'b', "2", 0, 50);
	put(s, 'a', "3", 0, 50);
	struct tls_key key = key_of('a');
	tls_store_drop(s, &key);
	assert_get(s, 'a', 1, NULL);
	assert_get(s, 'b', 1, "2");
	tls_store_free(&s);
}

static void the_least_recently_used_goes_when_there_are_too_many(void **state)
{
	(void)state;
	struct tls_store *s = store_of(2, 100);
	put(s, 'a', "1", 0, 50);
	put(s, 'b', "2", 0, 50);
	assert_get(s, 'a', 1, "1");
	put(s, 'c', "3", 0, 50);
	assert_int_equal(tls_store_count(s), 2);
	assert_get(s, 'a', 1, "1");
	assert_get(s, 'b', 1, NULL);
	assert_get(s, 'c', 1, "3");
	tls_store_free(&s);
}

static void octets_are_bounded_too(void **state)
{
	(void)state;
	struct tls_store *s = store_of(8, 10);
	put(s, 'a', "1234", 0, 50);
	put(s, 'b', "5678", 0, 50);
	put(s, 'c', "abc", 0, 50);
	assert_int_equal(tls_store_octets(s), 7);
	assert_get(s, 'a', 1, NULL);
	put(s, 'd', "longer than that", 0, 50);
	assert_get(s, 'd', 1, NULL);
	assert_get(s, 'b', 1, "5678");
	put(s, 'e', "exactly 10", 0, 50);
	assert_int_equal(tls_store_count(s), 1);
	assert_get(s, 'e', 1, "exactly 10");
	tls_store_free(&s);
}

static void a_store_of_nothing_keeps_nothing(void **state)
{
	(void)state;
	struct tls_store *s = store_of(0, 10);
	put(s, 'a', "1", 0, 50);
	assert_get(s, 'a', 1, NULL);
	tls_store_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_good_until_its_time),
		cmocka_unit_test(a_clock_that_steps_back_lengthens_no_life),
		cmocka_unit_test(what_is_taken_is_gone_the_newest_first),
		cmocka_unit_test(dropping_drops_all_of_one_key),
		cmocka_unit_test(the_least_recently_used_goes_when_there_are_too_many),
		cmocka_unit_test(octets_are_bounded_too),
		cmocka_unit_test(a_store_of_nothing_keeps_nothing),
	};
	return cmocka_run_group_tests_name("net/tls_store", tests, NULL, NULL);
}
