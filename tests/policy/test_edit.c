#include "table.h"

#include "fixture.h"

#include "policy/edit.h"

#include <sys/wait.h>

#define BYTES(s) s, sizeof(s) - 1

enum { ADD, REMOVE, APPEND };

/* Byte for byte: the file before, the edit, the file after. */
static const struct edit_case {
	const char *name;
	int what;
	enum policy_file file;
	const char *entry;
	const char *before; /* NULL: no file */
	size_t before_len;
	const char *after; /* NULL: unchanged, and said so */
	size_t after_len;
} edits[] = {
	{ "add to no file", ADD, POLICY_FILE_ALLOW, "example.com", NULL, 0,
		BYTES("example.com\n") },
	{ "add to an empty file", ADD, POLICY_FILE_ALLOW, "example.com", BYTES(""),
		BYTES("example.com\n") },
	{ "add after the last line", ADD, POLICY_FILE_EXCLUDE, ".b.example",
		BYTES("# head\n\n a.example # why\n"),
		BYTES("# head\n\n a.example # why\n.b.example\n") },
	{ "add where the last line lacks its end", ADD, POLICY_FILE_EXCLUDE, "b.example",
		BYTES("a.example"), BYTES("a.example\nb.example\n") },
	{ "add to CRLF", ADD, POLICY_FILE_EXCLUDE, "b.example", BYTES("a.example\r\n"),
		BYTES("a.example\r\nb.example\r\n") },
	{ "add to CRLF without its last end", ADD, POLICY_FILE_EXCLUDE, "b.example",
		BYTES("# x\r\na.example"), BYTES("# x\r\na.example\r\nb.example\r\n") },
	{ "add to mixed line ends", ADD, POLICY_FILE_EXCLUDE, "c.example",
		BYTES("a.example\r\nb.example\n"),
		BYTES("a.example\r\nb.example\nc.example\n") },
	{ "add after a byte order mark", ADD, POLICY_FILE_ALLOW, "例え.jp",
		BYTES("\xef\xbb\xbf# x\n"), BYTES("\xef\xbb\xbf# x\n例え.jp\n") },
	{ "add to UTF-16, little endian", ADD, POLICY_FILE_ALLOW, "例.jp",
		BYTES("\xff\xfe"
		      "a\0\r\0\n\0"),
		BYTES("\xff\xfe"
		      "a\0\r\0\n\0\x8b\x4f.\0j\0p\0\r\0\n\0") },
	{ "add to UTF-16, big endian", ADD, POLICY_FILE_ALLOW, "b", BYTES("\xfe\xff\0a"),
		BYTES("\xfe\xff\0a\0\n\0b\0\n") },
	{ "add a name outside the basic plane to UTF-16", ADD, POLICY_FILE_ALLOW, "𠀋",
		BYTES("\xff\xfe"), BYTES("\xff\xfe\x40\xd8\x0b\xdc\n\0") },
	{ "add what is there", ADD, POLICY_FILE_ALLOW, "example.com",
		BYTES("example.com\n"), NULL, 0 },
	{ "add what is there in another spelling", ADD, POLICY_FILE_ALLOW, "例え.JP.",
		BYTES("xn--r8jz45g.jp # x\n"), NULL, 0 },
	{ "add the exact name beside the bare one", ADD, POLICY_FILE_ALLOW, "[a.example]",
		BYTES("a.example\n"), BYTES("a.example\n[a.example]\n") },
	{ "blanks around the entry are dropped", ADD, POLICY_FILE_ALLOW, "  a.example\t",
		NULL, 0, BYTES("a.example\n") },
	{ "a byte order mark before the entry is dropped", ADD, POLICY_FILE_ALLOW,
		"\xef\xbb\xbf a.example", NULL, 0, BYTES("a.example\n") },
	{ "a comment in another encoding stays", ADD, POLICY_FILE_ALLOW, "b.example",
		BYTES("# \x83\x65\n"), BYTES("# \x83\x65\nb.example\n") },

	{ "remove a line", REMOVE, POLICY_FILE_EXCLUDE, "b.example",
		BYTES("# head\na.example\nb.example # why\nc.example\n"),
		BYTES("# head\na.example\nc.example\n") },
	{ "remove every line that says it", REMOVE, POLICY_FILE_EXCLUDE, "a.example",
		BYTES("a.example\nb.example\r\n A.example.\r\n"),
		BYTES("b.example\r\n") },
	{ "remove the last line without its end", REMOVE, POLICY_FILE_EXCLUDE,
		"b.example", BYTES("a.example\r\nb.example"), BYTES("a.example\r\n") },
	{ "remove the only line: the file stays", REMOVE, POLICY_FILE_ALLOW, "a.example",
		BYTES("a.example\n"), BYTES("") },
	{ "remove keeps the byte order mark", REMOVE, POLICY_FILE_ALLOW, "a.example",
		BYTES("\xef\xbb\xbf"
		      "a.example\n"),
		BYTES("\xef\xbb\xbf") },
	{ "remove from UTF-16", REMOVE, POLICY_FILE_ALLOW, "a",
		BYTES("\xff\xfe"
		      "#\0\x3d\xd8\n\0a\0\n\0b\0"),
		BYTES("\xff\xfe"
		      "#\0\x3d\xd8\n\0b\0") },
	{ "remove what comes with a byte order mark", REMOVE, POLICY_FILE_ALLOW,
		"\xef\xbb\xbf"
		"a.example",
		BYTES("a.example\n"), BYTES("") },
	{ "remove what is not there", REMOVE, POLICY_FILE_ALLOW, "b.example",
		BYTES("a.example\n"), NULL, 0 },
	{ "remove is not by suffix", REMOVE, POLICY_FILE_ALLOW, "example",
		BYTES("a.example\n"), NULL, 0 },
	{ "remove from no file", REMOVE, POLICY_FILE_ALLOW, "b.example", NULL, 0, NULL,
		0 },
	{ "remove can heal a file", REMOVE, POLICY_FILE_PINS, "a.example",
		BYTES("a.example TLS9\nb.example TLS1.2\n"),
		BYTES("b.example TLS1.2\n") },

	{ "add a pin", ADD, POLICY_FILE_PINS, "mx:b.example tls1.3,TLS1.2",
		BYTES("a.example TLS1.2\n"),
		BYTES("a.example TLS1.2\nmx:b.example TLS1.2 TLS1.3\n") },
	{ "a pin that is there", ADD, POLICY_FILE_PINS, "a.example TLS1.3 TLS1.2",
		BYTES("a.example  tls1.2, tls1.3\n"), NULL, 0 },
	{ "other versions for a pin, all else as it was", ADD, POLICY_FILE_PINS,
		"A.example TLS1.3",
		BYTES("# x\r\n  a.example \t TLS1.2,TLS1.1  # why\r\nb TLS1.2"),
		BYTES("# x\r\n  a.example \t TLS1.3  # why\r\nb TLS1.2") },
	{ "other versions in UTF-16", ADD, POLICY_FILE_PINS, "例 TLS1.2",
		BYTES("\xff\xfe \0\x8b\x4f \0T\0L\0S\0"
		      "1\0.\0"
		      "3\0 \0#\0"),
		BYTES("\xff\xfe \0\x8b\x4f \0T\0L\0S\0"
		      "1\0.\0"
		      "2\0 \0#\0") },
	{ "a pin can be healed", ADD, POLICY_FILE_PINS, "a.example TLS1.2",
		BYTES("a.example TLS9 # x\n"), BYTES("a.example TLS1.2 # x\n") },
	{ "remove a pin", REMOVE, POLICY_FILE_PINS, "mx:a.example",
		BYTES("a.example TLS1.2\nmx:a.example TLS1.3\n"),
		BYTES("a.example TLS1.2\n") },

	{ "add a route, at the end", ADD, POLICY_FILE_ROUTES,
		" b.example  smtps://[r.example]:465, mx: order=turn ",
		BYTES("a.example mx:\r\n"),
		BYTES("a.example mx:\r\nb.example  smtps://[r.example]:465, mx: "
		      "order=turn\r\n") },
	{ "a route that is there", ADD, POLICY_FILE_ROUTES, "a.example mx: tls=off",
		BYTES(" a.example mx: tls=off # why\n"), NULL, 0 },
	{ "remove a route", REMOVE, POLICY_FILE_ROUTES, "a.example",
		BYTES("b mx:\na.example mx:,mx:b tls=off\n* discard\na.example "
		      "discard\n"),
		BYTES("b mx:\n* discard\n") },
	{ "remove can heal a route", REMOVE, POLICY_FILE_ROUTES, "a.example",
		BYTES("a.example smtp://\n"), BYTES("") },
	{ "append lines with comments", APPEND, POLICY_FILE_ROUTES,
		"# from 例\n\n[a.example] mx: # x\n", BYTES("* mx:"),
		BYTES("* mx:\n# from 例\n\n[a.example] mx: # x\n") },
	{ "append to CRLF", APPEND, POLICY_FILE_ROUTES, "# x\na mx:\n",
		BYTES("* mx:\r\n"), BYTES("* mx:\r\n# x\r\na mx:\r\n") },
	{ "append to UTF-16", APPEND, POLICY_FILE_ROUTES, "#例\n*\tmx:\n",
		BYTES("\xfe\xff\0#\0\n"),
		BYTES("\xfe\xff\0#\0\n\0#\x4f\x8b\0\n\0*\0\t\0m\0x\0:\0\n") },
	{ "append to no file", APPEND, POLICY_FILE_ROUTES, "* mx:\n", NULL, 0,
		BYTES("* mx:\n") },
	{ "append nothing", APPEND, POLICY_FILE_ROUTES, "", BYTES("* mx:"), NULL, 0 },
};

static enum policy_edit_result edit(const struct fixture_dir *d, int what,
	enum policy_file file, const char *entry, struct policy_error *error)
{
	if (what == ADD)
		return policy_edit_add(d->path, file, entry, &fixture_label, error);
	if (what == APPEND)
		return policy_edit_append(
			d->path, file, entry, strlen(entry), &fixture_label, error);
	return policy_edit_remove(d->path, file, entry, &fixture_label, error);
}

static void check_edit(void **state)
{
	const struct edit_case *c = *state;
	struct fixture_dir d;
	struct policy_error error = { 0 };
	char got[256];
	fixture_dir_make(&d);
	const char *file = policy_file_name(c->file);
	if (c->before)
		fixture_write(&d, file, c->before, c->before_len, 0640);
	enum policy_edit_result result = edit(&d, c->what, c->file, c->entry, &error);
	ssize_t len = fixture_read(&d, file, got, sizeof(got));
	struct stat st = { 0 };
	char path[160];
	snprintf(path, sizeof(path), "%s/%s", d.path, file);
	(void)stat(path, &st);
	fixture_dir_remove(&d); /* fails if anything was left in it */
	assert_string_equal(error.text, "");
	assert_int_equal(result, c->after ? POLICY_EDIT_DONE : POLICY_EDIT_UNCHANGED);
	const char *after = c->after ? c->after : c->before;
	size_t after_len = c->after ? c->after_len : c->before_len;
	if (!after) {
		assert_int_equal(len, -1);
		return;
	}
	assert_int_equal(len, after_len);
	assert_memory_equal(got, after, after_len);
	assert_int_equal(st.st_mode & 07777, c->before ? 0640 : 0644);
}

static const struct refused_case {
	const char *name;
	int what;
	enum policy_file file;
	const char *entry, *before;
	mode_t mode;
	const char *why;
	bool entry_at_fault;
} refused[] = {
	{ "an entry that is none", ADD, POLICY_FILE_ALLOW, "a..b", "x\n", 0644,
		"empty label", true },
	{ "two lines in one entry", ADD, POLICY_FILE_ALLOW, "a.example\nb.example", "x\n",
		0644, "control character", true },
	{ "an entry with a comment", ADD, POLICY_FILE_ALLOW, "a.example#x", "x\n", 0644,
		"\"#\"", true },
	{ "a pin without versions", ADD, POLICY_FILE_PINS, "a.example", "x TLS1.2\n",
		0644, "needs TLS versions", true },
	{ "a version that the library does not have", ADD, POLICY_FILE_PINS,
		"a.example SSL3.0", "x TLS1.2\n", 0644, "cannot be pinned", true },
	{ "a pattern to remove that is none", REMOVE, POLICY_FILE_ALLOW, "[a", "x\n",
		0644, "bracket", true },
	{ "a file with an error in it", ADD, POLICY_FILE_ALLOW, "a.example", "ok\nb..c\n",
		0644,
		"empty label: two dots in a row, or a dot at the start; the file is left",
		false },
	{ "a route that is none", ADD, POLICY_FILE_ROUTES, "a.example mx", "* mx:\n",
		0644, "no target", true },
	{ "a second route for a pattern", ADD, POLICY_FILE_ROUTES, "A.example discard",
		"a.example mx:\n", 0644, "there is a route for a.example already",
		false },
	{ "a line with an error among those to append", APPEND, POLICY_FILE_ROUTES,
		"b mx:\nc smtp://\n", "a mx:\n", 0644,
		"names no host; the file is left as it was", false },
	{ "a file that others may write", ADD, POLICY_FILE_ALLOW, "a.example", "ok\n",
		0666, "chmod go-w", false },
};

static void check_refused(void **state)
{
	const struct refused_case *c = *state;
	struct fixture_dir d;
	struct policy_error error = { 0 };
	char got[256];
	fixture_dir_make(&d);
	const char *file = policy_file_name(c->file);
	fixture_write(&d, file, c->before, strlen(c->before), c->mode);
	enum policy_edit_result result = edit(&d, c->what, c->file, c->entry, &error);
	ssize_t len = fixture_read(&d, file, got, sizeof(got));
	fixture_dir_remove(&d);
	assert_int_equal(result, POLICY_EDIT_FAILED);
	assert_int_equal(error.file[0] == '\0', c->entry_at_fault);
	if (!strstr(error.text, c->why))
		fail_msg("\"%s\" is not in \"%s\"", c->why, error.text);
	assert_int_equal(len, strlen(c->before));
	assert_memory_equal(got, c->before, strlen(c->before));
}

static void check_makes_directory(void **state)
{
	struct fixture_dir d;
	struct policy_error error = { 0 };
	char path[160], file[200];
	(void)state;
	fixture_dir_make(&d);
	snprintf(path, sizeof(path), "%s/target", d.path);
	assert_int_equal(
		policy_edit_remove(path, POLICY_FILE_ALLOW, "a", &fixture_label, &error),
		POLICY_EDIT_UNCHANGED);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(
		policy_edit_add(path, POLICY_FILE_ALLOW, "a", &fixture_label, &error),
		POLICY_EDIT_DONE);
	snprintf(file, sizeof(file), "%s/mtatsl.txt", path);
	assert_int_equal(unlink(file), 0);
	fixture_dir_remove(&d);
}

static void check_leftover(void **state)
{
	struct fixture_dir d;
	struct policy_error error = { 0 };
	char got[64];
	(void)state;
	fixture_dir_make(&d);
	fixture_write(&d, ".mtatsl.txt.new", "half", 4, 0600);
	assert_int_equal(
		policy_edit_add(d.path, POLICY_FILE_ALLOW, "a", &fixture_label, &error),
		POLICY_EDIT_DONE);
	assert_int_equal(fixture_read(&d, "mtatsl.txt", got, sizeof(got)), 2);
	assert_int_equal(fixture_read(&d, ".mtatsl.txt.new", got, sizeof(got)), -1);
	fixture_dir_remove(&d);
}

/* Each process adds entries of its own; none is lost. */
static void check_two_editors(void **state)
{
	enum { EDITORS = 4, ENTRIES = 10 };
	struct fixture_dir d;
	struct policy_errors errors;
	pid_t editors[EDITORS];
	(void)state;
	fixture_dir_make(&d);
	for (int i = 0; i < EDITORS; i++) {
		editors[i] = fork();
		assert_true(editors[i] >= 0);
		if (editors[i] > 0)
			continue;
		struct policy_error error;
		char name[64];
		int failed = 0;
		for (int n = 0; n < ENTRIES; n++) {
			snprintf(name, sizeof(name), "e%d-%d.example", i, n);
			failed |= policy_edit_add(d.path, POLICY_FILE_ALLOW, name,
					  &fixture_label, &error) != POLICY_EDIT_DONE;
		}
		_exit(failed);
	}
	for (int i = 0; i < EDITORS; i++) {
		int status = -1;
		assert_int_equal(waitpid(editors[i], &status, 0), editors[i]);
		assert_int_equal(status, 0);
	}
	struct policy_set *set = policy_set_load(d.path, &fixture_label, 1, &errors);
	fixture_dir_remove(&d);
	assert_non_null(set);
	assert_int_equal(policy_set_count(set, POLICY_FILE_ALLOW), EDITORS * ENTRIES);
	policy_set_unref(&set);
}

static const struct {
	const char *name;
} directory_case[] = { { "a missing directory is made by add, not by remove" } },
  editors_case[] = { { "editors at the same time lose nothing" } },
  leftover_case[] = { { "what a crash left behind is no hindrance" } };

int main(void)
{
	const struct table tables[] = {
		TABLE(check_edit, edits),
		TABLE(check_refused, refused),
		TABLE(check_makes_directory, directory_case),
		TABLE(check_leftover, leftover_case),
		TABLE(check_two_editors, editors_case),
	};
	return TABLE_RUN_ALL("policy/edit", tables);
}
