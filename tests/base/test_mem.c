#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void nothing_is_still_something(void **state)
{
	(void)state;
	void *all[] = { xmalloc(0), xcalloc(0, 8), xcalloc(8, 0), xmemdup(NULL, 0),
		xrealloc(NULL, 0), xreallocarray(NULL, 0, 8) };
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		assert_non_null(all[i]);
		free(all[i]);
	}
}

static void calloc_gives_zeros(void **state)
{
	(void)state;
	unsigned char *p = xcalloc(100, 3);
	for (size_t i = 0; i < 300; i++)
		assert_int_equal(p[i], 0);
	free(p);
}

static void copies_are_copies(void **state)
{
	(void)state;
	char text[] = "text";
	char *dup = xstrdup(text), *part = xstrndup("textual", 4);
	char *memory = xmemdup("a\0b", 3), *printed = xasprintf("%s-%d", text, 5);
	text[0] = 'n';
	assert_string_equal(dup, "text");
	assert_string_equal(part, "text");
	assert_memory_equal(memory, "a\0b", 3);
	assert_string_equal(printed, "text-5");
	assert_null(xstrdup(NULL));
	free(dup);
	free(part);
	free(memory);
	free(printed);
}

static void an_array_grows_and_keeps_what_it_has(void **state)
{
	(void)state;
	uint32_t *list = NULL;
	for (uint32_t i = 0; i < 100; i++) {
		list = xreallocarray(list, i + 1, sizeof(*list));
		list[i] = i;
	}
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(list[i], i);
	free(list);
}

static void freeing_sets_the_pointer_to_null(void **state)
{
	(void)state;
	char *s = xstrdup("x");
	mem_free(&s);
	assert_null(s);
	mem_free(&s);
}

static char *owned_and_handed_on(bool hand_on)
{
	OWN(mem_free) char *s = xstrdup("handed on");
	return hand_on ? MOVE(s) : NULL;
}

/* The leak checker is the judge of the second half. */
static void what_is_owned_is_freed_unless_it_is_handed_on(void **state)
{
	(void)state;
	char *s = owned_and_handed_on(true);
	assert_string_equal(s, "handed on");
	free(s);
	assert_null(owned_and_handed_on(false));
}

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static long resident_kib(void)
{
	long all = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	if (!f || fscanf(f, "%ld %ld", &all, &resident) != 2)
		resident = 0;
	if (f)
		fclose(f);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void free_memory_goes_back_though_some_behind_it_is_used(void **state)
{
	(void)state;
	enum { BLOCKS = 32 * 1024, SIZE = 1000, KEPT_EACH = 64 };
	char **blocks = xcalloc(BLOCKS, sizeof(*blocks));
	for (size_t i = 0; i < BLOCKS; i++)
		blocks[i] = memset(xmalloc(SIZE), 'x', SIZE);
	for (size_t i = 0; i < BLOCKS; i++) {
		if (i % KEPT_EACH != KEPT_EACH - 1)
			mem_free(&blocks[i]);
	}
	long before_kib = resident_kib();
	mem_give_back();
	assert_true(before_kib - resident_kib() > BLOCKS / 1024 * SIZE / 2);
	for (size_t i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	free(blocks);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_still_something),
		cmocka_unit_test(calloc_gives_zeros),
		cmocka_unit_test(copies_are_copies),
		cmocka_unit_test(an_array_grows_and_keeps_what_it_has),
		cmocka_unit_test(freeing_sets_the_pointer_to_null),
		cmocka_unit_test(what_is_owned_is_freed_unless_it_is_handed_on),
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
		cmocka_unit_test(free_memory_goes_back_though_some_behind_it_is_used),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
