/*
 * Tables of cases as cmocka tests: each row is a test of its own, with the name
 * that its first member gives it. A runner gets the row as *state.
 */
#ifndef TESTS_POLICY_TABLE_H
#define TESTS_POLICY_TABLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

struct table {
	CMUnitTestFunction run;
	const void *rows; /* each begins with const char *name */
	size_t count, row_size;
};

#define TABLE(run, rows)                                                       \
	{                                                                      \
		run, rows, sizeof(rows) / sizeof((rows)[0]), sizeof((rows)[0]) \
	}

/* Runs all tables as one group; returns the number of failures. */
static inline int table_run_all(
	const char *group, const struct table *tables, size_t table_count)
{
	size_t total = 0, n = 0;
	for (size_t t = 0; t < table_count; t++)
		total += tables[t].count;
	struct CMUnitTest *tests = calloc(total, sizeof(*tests));
	if (!tests)
		return 1;
	for (size_t t = 0; t < table_count; t++) {
		for (size_t i = 0; i < tables[t].count; i++) {
			const char *row =
				(const char *)tables[t].rows + i * tables[t].row_size;
			tests[n++] = (struct CMUnitTest){
				.name = *(const char *const *)(const void *)row,
				.test_func = tables[t].run,
				.initial_state = (void *)(uintptr_t)row,
			};
		}
	}
	int failed = _cmocka_run_group_tests(group, tests, n, NULL, NULL);
	free(tests);
	return failed;
}

#define TABLE_RUN_ALL(group, tables) \
	table_run_all(group, tables, sizeof(tables) / sizeof((tables)[0]))

#endif
