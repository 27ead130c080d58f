/*
 * replay DIRECTORY: runs each target on each file of its corpus, DIRECTORY/TARGET/, and
 * on what is left of the file when it is cut off after any octet. Prints TAP; a finding
 * ends it, as libFuzzer would, and the last line tells where.
 */
#include "fuzz.h"

#include "base/mem.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUT_MAX = 2048 };

static bool read_file(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "re");
	size_t n = 1;
	if (!f)
		return false;
	while (n > 0) {
		n = fread(buf_reserve(out, CUT_MAX), 1, CUT_MAX, f);
		buf_commit(out, n);
	}
	bool is_good = !ferror(f);
	(void)fclose(f);
	return is_good;
}

/* Each in memory of its own, so that the sanitizer sees its end. */
static void run_cut(const struct fuzz_target *t, const struct buf *input, size_t len)
{
	OWN(mem_free) uint8_t *copy = xmemdup(buf_bytes(input), len);
	t->run(copy, len);
}

static bool replay_file(const struct fuzz_target *t, const char *path)
{
	struct buf input = BUF_INIT;
	bool is_read = read_file(path, &input);
	printf("# %s\n", path);
	run_cut(t, &input, buf_len(&input));
	for (size_t len = 0; len < buf_len(&input) && len < CUT_MAX; len++)
		run_cut(t, &input, len);
	buf_clear(&input);
	return is_read;
}

/* false: there is nothing, or it cannot be read. */
static bool replay_target(const struct fuzz_target *t, const char *directory)
{
	OWN(mem_free) char *folder = xasprintf("%s/%s", directory, t->name);
	DIR *d = opendir(folder);
	unsigned files = 0;
	bool is_good = true;
	if (!d)
		return false;
	for (struct dirent *entry; (entry = readdir(d));) {
		if (entry->d_name[0] == '.')
			continue;
		OWN(mem_free) char *path = xasprintf("%s/%s", folder, entry->d_name);
		is_good &= replay_file(t, path);
		files++;
	}
	(void)closedir(d); /* it was only read */
	return is_good && files > 0;
}

int main(int argc, char **argv)
{
	unsigned count = 0, failed = 0;
	if (argc != 2) {
		fprintf(stderr, "usage: replay DIRECTORY\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (const struct fuzz_target *t = fuzz_targets; t->name; t++) {
		bool is_good = replay_target(t, argv[1]);
		failed += !is_good;
		printf("%s %u - the corpus of %s replays\n", is_good ? "ok" : "not ok",
			++count, t->name);
	}
	printf("1..%u\n", count);
	return failed != 0;
}
