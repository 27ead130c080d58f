/* Every file of tests/smtp/dialogs, whole, octet by octet, and cut off. */
#include "dialog.h"

#include "base/mem.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Long dialogues are cut after the first octets and then now and again. */
enum { CUT_EVERY_UP_TO = 2500, CUTS_MAX = 400 };

static void play(struct dialog *d, const char *path, const struct dialog_mode *mode)
{
	struct err e = { 0 };
	if (dialog_play(d, mode, &e) == 0)
		return;
	if (mode->is_cut)
		fail_msg("%s: cut after %zu octets: %s", path, mode->cut_after, e.text);
	fail_msg("%s: %s: %s", path, mode->piece ? "in pieces" : "whole", e.text);
}

/* The makefile lists the files by name, for the tarball. */
static void check_listed(const char *top, const char *name)
{
	char *path = xasprintf("%s/tests/smtp/smtp_tests.mk", top);
	char *entry = xasprintf("/%s", name);
	struct buf text = BUF_INIT;
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	size_t n;
	do {
		n = fread(buf_reserve(&text, 4096), 1, 4096, f);
		buf_commit(&text, n);
	} while (n);
	(void)fclose(f); /* only read */
	if (!strstr(buf_text(&text), entry))
		fail_msg("%s does not name %s: add it there", path, name);
	buf_clear(&text);
	mem_free(&entry);
	mem_free(&path);
}

static const char *top_srcdir(void)
{
	const char *top = getenv("TOP_SRCDIR");
	return top ? top : ".";
}

static void play_every_way(void **state)
{
	const char *path = *state;
	struct err e = { 0 };
	OWN(dialog_free) struct dialog *d = dialog_read(path, &e);
	if (!d)
		fail_msg("%s", e.text);
	check_listed(top_srcdir(), strrchr(path, '/') + 1);
	play(d, path, &(struct dialog_mode){ 0 });
	if (!d->only_whole) {
		play(d, path, &(struct dialog_mode){ .piece = 1 });
		play(d, path, &(struct dialog_mode){ .piece = 7 });
	}
	size_t stride =
		d->server_bytes > CUT_EVERY_UP_TO ? d->server_bytes / CUTS_MAX : 1;
	for (size_t cut = 0; cut <= d->server_bytes; cut += stride) {
		play(d, path,
			&(struct dialog_mode){
				.piece = stride, .is_cut = true, .cut_after = cut });
	}
}

static int is_dialog(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);
	return len > 4 && strcmp(entry->d_name + len - 4, ".txt") == 0;
}

int main(void)
{
	struct dirent **entries;
	char *dir = xasprintf("%s/tests/smtp/dialogs", top_srcdir());
	int count = scandir(dir, &entries, is_dialog, alphasort);
	if (count <= 0) {
		fprintf(stderr, "no dialogues in %s\n", dir);
		return 99;
	}
	struct CMUnitTest *tests = xcalloc((size_t)count, sizeof(*tests));
	for (int i = 0; i < count; i++) {
		tests[i].name = entries[i]->d_name;
		tests[i].test_func = play_every_way;
		tests[i].initial_state = xasprintf("%s/%s", dir, entries[i]->d_name);
	}
	int failed = _cmocka_run_group_tests("dialogs", tests, (size_t)count, NULL, NULL);
	for (int i = 0; i < count; i++) {
		mem_free(&tests[i].initial_state);
		free(entries[i]);
	}
	free(entries);
	mem_free(&tests);
	mem_free(&dir);
	return failed;
}
