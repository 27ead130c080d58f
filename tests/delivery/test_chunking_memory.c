/* Which hosts are trusted with CHUNKING, and for how many that is known. */
#include "delivery/chunking_memory.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void nobody_is_trusted_unseen(void **state)
{
	(void)state;
	OWN(chunking_memory_free) struct chunking_memory *m = chunking_memory_new();
	assert_false(chunking_memory_is_trusted(m, "mx1.test"));
	chunking_memory_trust(m, "mx1.test");
	assert_true(chunking_memory_is_trusted(m, "mx1.test"));
	assert_false(chunking_memory_is_trusted(m, "mx2.test"));
}

static void distrust_stays(void **state)
{
	(void)state;
	OWN(chunking_memory_free) struct chunking_memory *m = chunking_memory_new();
	chunking_memory_trust(m, "mx1.test");
	chunking_memory_distrust(m, "mx1.test");
	chunking_memory_distrust(m, "mx2.test");
	chunking_memory_trust(m, "mx1.test");
	chunking_memory_trust(m, "mx2.test");
	assert_false(chunking_memory_is_trusted(m, "mx1.test"));
	assert_false(chunking_memory_is_trusted(m, "mx2.test"));
	assert_int_equal(chunking_memory_count(m), 2);
}

static void the_first_one_makes_room(void **state)
{
	(void)state;
	OWN(chunking_memory_free) struct chunking_memory *m = chunking_memory_new();
	for (int i = 0; i <= CHUNKING_HOSTS_MAX; i++) {
		OWN(mem_free) char *name = xasprintf("mx%d.test", i);
		chunking_memory_trust(m, name);
	}
	assert_int_equal(chunking_memory_count(m), CHUNKING_HOSTS_MAX);
	assert_false(chunking_memory_is_trusted(m, "mx0.test"));
	assert_true(chunking_memory_is_trusted(m, "mx1.test"));
}

static void without_a_memory_nobody_is_trusted(void **state)
{
	(void)state;
	chunking_memory_trust(NULL, "mx.test");
	chunking_memory_distrust(NULL, "mx.test");
	assert_false(chunking_memory_is_trusted(NULL, "mx.test"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_trusted_unseen),
		cmocka_unit_test(distrust_stays),
		cmocka_unit_test(the_first_one_makes_room),
		cmocka_unit_test(without_a_memory_nobody_is_trusted),
	};
	return cmocka_run_group_tests_name("chunking_memory", tests, NULL, NULL);
}
