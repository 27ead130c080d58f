#include "dialog_folder.h"

#include "base/buf.h"
#include "base/mem.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *top_srcdir(void)
{
	const char *top = getenv("TOP_SRCDIR");
	return top ? top : ".";
}

/* The makefile lists the files by name, for the tarball. */
static void check_listed(const char *path)
{
	char *makefile = xasprintf("%s/tests/smtp/smtp_tests.mk", top_srcdir());
	const char *entry = strstr(path, "tests/smtp/");
	struct buf text = BUF_INIT;
	FILE *f = fopen(makefile, "re");
	assert_non_null(f);
	size_t n;
	do {
		n = fread(buf_reserve(&text, 4096), 1, 4096, f);
		buf_commit(&text, n);
	} while (n);
	(void)fclose(f); /* only read */
	if (!strstr(buf_text(&text), entry))
		fail_msg("%s does not name %s: add it there", makefile, entry);
	buf_clear(&text);
	mem_free(&makefile);
}

static int check_and_keep(void **state)
{
	check_listed(*state);
	return 0;
}

static int is_dialog(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);
	return len > 4 && strcmp(entry->d_name + len - 4, ".txt") == 0;
}

int dialog_folder_run(const char *folder, void (*play)(void **state))
{
	struct dirent **entries;
	char *dir = xasprintf("%s/tests/smtp/%s", top_srcdir(), folder);
	int count = scandir(dir, &entries, is_dialog, alphasort);
	if (count <= 0) {
		fprintf(stderr, "no dialogues in %s\n", dir);
		return 99;
	}
	struct CMUnitTest *tests = xcalloc((size_t)count, sizeof(*tests));
	for (int i = 0; i < count; i++) {
		tests[i].name = entries[i]->d_name;
		tests[i].test_func = play;
		tests[i].setup_func = check_and_keep;
		tests[i].initial_state = xasprintf("%s/%s", dir, entries[i]->d_name);
	}
	int failed = _cmocka_run_group_tests(folder, tests, (size_t)count, NULL, NULL);
	for (int i = 0; i < count; i++) {
		mem_free(&tests[i].initial_state);
		free(entries[i]);
	}
	free(entries);
	mem_free(&tests);
	mem_free(&dir);
	return failed;
}
