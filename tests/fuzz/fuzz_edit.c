/*
 * Edits of policy files (policy/edit.h), on a file in memory: the first octet chooses
 * the file; the first text is an entry, the second the file, in UTF-8 or UTF-16. What is
 * added is there, once, and behind what was there before; what is removed is gone; an
 * edit that fails changes nothing.
 */
#include "fuzz.h"

#include "base/err.h"
#include "base/mem.h"
#include "policy/edit.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const struct policy_options options = { .versions_available =
						       POLICY_VERSIONS_DEFAULT };

static char *path_of(enum policy_file file)
{
	return xasprintf("%s/%s", fuzz_directory(), policy_file_name(file));
}

static void write_file(enum policy_file file, struct fuzz_input text)
{
	OWN(mem_free) char *path = path_of(file);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT(fd >= 0 && write(fd, text.s, text.len) == (ssize_t)text.len);
	(void)close(fd); /* it is in memory */
}

static void read_file(enum policy_file file, struct buf *out)
{
	enum { PIECE = 4096 };
	OWN(mem_free) char *path = path_of(file);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	ASSERT(fd >= 0);
	buf_reset(out);
	while ((n = read(fd, buf_reserve(out, PIECE), PIECE)) > 0)
		buf_commit(out, (size_t)n);
	ASSERT(n == 0);
	(void)close(fd); /* it was only read */
}

static size_t count_entries(enum policy_file file)
{
	struct policy_errors errors = { 0 };
	struct policy_set *set = policy_set_load(fuzz_directory(), &options, 1, &errors);
	ASSERT(set);
	size_t count = policy_set_count(set, file);
	policy_set_unref(&set);
	return count;
}

static bool begins_with(const struct buf *b, struct fuzz_input text)
{
	return buf_len(b) >= text.len &&
	       (!text.len || memcmp(buf_bytes(b), text.s, text.len) == 0);
}

static void check_failed(enum policy_file file, struct fuzz_input old,
	const struct policy_error *error, struct buf *text)
{
	read_file(file, text);
	ASSERT(buf_len(text) == old.len && begins_with(text, old));
	ASSERT(*error->text && !strpbrk(error->text, "\r\n"));
}

static void check_added(
	enum policy_file file, struct fuzz_input old, const char *entry, struct buf *text)
{
	struct policy_error error = { 0 };
	size_t count = count_entries(file);
	read_file(file, text);
	ASSERT(count > 0);
	ASSERT(file == POLICY_FILE_PINS || begins_with(text, old));
	ASSERT(policy_edit_add(fuzz_directory(), file, entry, &options, &error) ==
		POLICY_EDIT_UNCHANGED);
	/* Versions may stand behind a comma. */
	const char *ends = file == POLICY_FILE_PINS ? " \t," : " \t";
	OWN(mem_free) char *pattern = xstrndup(entry, strcspn(entry, ends));
	ASSERT(policy_edit_remove(fuzz_directory(), file, pattern, &options, &error) ==
		POLICY_EDIT_DONE);
	ASSERT(count_entries(file) < count);
	ASSERT(policy_edit_remove(fuzz_directory(), file, pattern, &options, &error) ==
		POLICY_EDIT_UNCHANGED);
}

/* The blanks before an entry, and a byte order mark before them. */
static const char *skip_front(const char *entry)
{
	static const char mark[] = "\xef\xbb\xbf";
	if (strncmp(entry, mark, sizeof(mark) - 1) == 0)
		entry += sizeof(mark) - 1;
	return entry + strspn(entry, " \t");
}

void fuzz_edit(const uint8_t *data, size_t len)
{
	struct fuzz_input in = fuzz_input(data, len);
	struct policy_error error = { 0 };
	struct buf text = BUF_INIT;
	enum policy_file file = fuzz_octet(&in) % POLICY_FILE_COUNT;
	OWN(mem_free) char *entry = fuzz_string(&in);
	write_file(file, in);
	switch (policy_edit_add(fuzz_directory(), file, entry, &options, &error)) {
	case POLICY_EDIT_DONE:
		check_added(file, in, skip_front(entry), &text);
		break;
	case POLICY_EDIT_FAILED:
		check_failed(file, in, &error, &text);
		break;
	case POLICY_EDIT_UNCHANGED:
		read_file(file, &text);
		ASSERT(begins_with(&text, in) && buf_len(&text) == in.len);
	}
	OWN(mem_free) char *path = path_of(file);
	(void)unlink(path);
	buf_clear(&text);
}
