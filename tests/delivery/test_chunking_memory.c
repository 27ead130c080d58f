/* What is remembered of hosts that do badly with CHUNKING, and for how many. */
#include "delivery/chunking_memory.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void nothing_learnt_is_no_limit(void **state)
{
	(void)state;
	OWN(chunking_memory_free) struct chunking_memory *m = chunking_memory_new();
	assert_int_equal(chunking_memory_get(m, "mx.test"), CHUNKING_ONE_FLIGHT);
	assert_int_equal(chunking_memory_get(NULL, "mx.test"), CHUNKING_ONE_FLIGHT);
	chunking_memory_limit(NULL, "mx.test", CHUNKING_NEVER);
	chunking_memory_limit(m, "mx.test", CHUNKING_ONE_FLIGHT);
	assert_int_equal(chunking_memory_count(m), 0);
}

static void a_limit_is_the_host_s_own_and_never_rises(void **state)
{
	(void)state;
	OWN(chunking_memory_free) struct chunking_memory *m = chunking_memory_new();
	chunking_memory_limit(m, "mx1.test", CHUNKING_APART);
	assert_int_equal(chunking_memory_get(m, "mx1.test"), CHUNKING_APART);
	assert_int_equal(chunking_memory_get(m, "mx2.test"), CHUNKING_ONE_FLIGHT);
	chunking_memory_limit(m, "mx1.test", CHUNKING_NEVER);
	chunking_memory_limit(m, "mx1.test", CHUNKING_APART);
	assert_int_equal(chunking_memory_get(m, "mx1.test"), CHUNKING_NEVER);
	assert_int_equal(chunking_memory_count(m), 1);
}

static void the_first_one_makes_room(void **state)
{
	(void)state;
	OWN(chunking_memory_free) struct chunking_memory *m = chunking_memory_new();
	for (int i = 0; i <= CHUNKING_HOSTS_MAX; i++) {
		OWN(mem_free) char *name = xasprintf("mx%d.test", i);
		chunking_memory_limit(m, name, CHUNKING_NEVER);
	}
	assert_int_equal(chunking_memory_count(m), CHUNKING_HOSTS_MAX);
	assert_int_equal(chunking_memory_get(m, "mx0.test"), CHUNKING_ONE_FLIGHT);
	assert_int_equal(chunking_memory_get(m, "mx1.test"), CHUNKING_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_learnt_is_no_limit),
		cmocka_unit_test(a_limit_is_the_host_s_own_and_never_rises),
		cmocka_unit_test(the_first_one_makes_room),
	};
	return cmocka_run_group_tests_name("chunking_memory", tests, NULL, NULL);
}
