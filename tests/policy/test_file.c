#include "table.h"

#include "fixture.h"

/* What a directory entry does to loading. The file in question is the exclude
 * list. Root may read everything, so the case of a refused read is one apart. */
struct file_case {
	const char *name;
	void (*make)(const struct fixture_dir *d);
	bool loads, exists;
	const char *why;
};

static void path_of(const struct fixture_dir *d, const char *name, char out[160])
{
	snprintf(out, 160, "%s/%s", d->path, name);
}

static void make_nothing(const struct fixture_dir *d)
{
	(void)d;
}

static void make_good(const struct fixture_dir *d)
{
	fixture_write(d, "nomtatsl.txt", "example.com\n", 12, 0644);
}

static void make_private(const struct fixture_dir *d)
{
	fixture_write(d, "nomtatsl.txt", "example.com\n", 12, 0400);
}

static void make_empty(const struct fixture_dir *d)
{
	fixture_write(d, "nomtatsl.txt", "", 0, 0644);
}

static void make_group_writable(const struct fixture_dir *d)
{
	fixture_write(d, "nomtatsl.txt", "example.com\n", 12, 0664);
}

static void make_world_writable(const struct fixture_dir *d)
{
	fixture_write(d, "nomtatsl.txt", "example.com\n", 12, 0646);
}

static void make_link(const struct fixture_dir *d)
{
	char path[160];
	fixture_write(d, "target", "example.com\n", 12, 0644);
	path_of(d, "nomtatsl.txt", path);
	assert_int_equal(symlink("target", path), 0);
}

static void make_dangling_link(const struct fixture_dir *d)
{
	char path[160];
	path_of(d, "nomtatsl.txt", path);
	assert_int_equal(symlink("nowhere", path), 0);
}

static void make_directory(const struct fixture_dir *d)
{
	char path[160];
	path_of(d, "nomtatsl.txt", path);
	assert_int_equal(mkdir(path, 0755), 0);
}

static void make_fifo(const struct fixture_dir *d)
{
	char path[160];
	path_of(d, "nomtatsl.txt", path);
	assert_int_equal(mkfifo(path, 0600), 0);
}

static void make_huge(const struct fixture_dir *d)
{
	char path[160];
	fixture_write(d, "nomtatsl.txt", "", 0, 0644);
	path_of(d, "nomtatsl.txt", path);
	assert_int_equal(truncate(path, 16 * 1024 * 1024 + 1), 0);
}

static const struct file_case files[] = {
	{ "a missing file is no error", make_nothing, true, false, NULL },
	{ "a good file", make_good, true, true, NULL },
	{ "a file for its owner alone", make_private, true, true, NULL },
	{ "an empty file exists", make_empty, true, true, NULL },
	{ "the group may write", make_group_writable, false, false, "chmod go-w" },
	{ "everybody may write", make_world_writable, false, false, "mode 0646" },
	{ "a symbolic link", make_link, false, false, "symbolic link" },
	{ "a dangling link is not a missing file", make_dangling_link, false, false,
		"symbolic link" },
	{ "a directory", make_directory, false, false, "regular file" },
	{ "a FIFO does not block", make_fifo, false, false, "regular file" },
	{ "over 16 MiB", make_huge, false, false, "too large" },
};

static void check_file(void **state)
{
	const struct file_case *c = *state;
	struct fixture_dir d;
	struct policy_errors errors;
	fixture_dir_make(&d);
	c->make(&d);
	struct policy_set *set = policy_set_load(d.path, &fixture_label, 3, &errors);
	fixture_dir_remove(&d);
	assert_int_equal(set != NULL, c->loads);
	if (set) {
		assert_int_equal(
			policy_set_has_file(set, POLICY_FILE_EXCLUDE), c->exists);
		assert_int_equal(policy_set_generation(set), 3);
	} else {
		assert_int_equal(errors.total, 1);
		assert_int_equal(errors.list[0].line, 0);
		assert_non_null(strstr(errors.list[0].file, "/nomtatsl.txt"));
		if (!strstr(errors.list[0].text, c->why))
			fail_msg("\"%s\" is not in \"%s\"", c->why, errors.list[0].text);
	}
	policy_set_unref(&set);
	policy_errors_clear(&errors);
}

static void check_no_directory(void **state)
{
	struct policy_errors errors;
	(void)state;
	struct policy_set *set =
		policy_set_load("no/such/directory", &fixture_label, 1, &errors);
	assert_non_null(set);
	for (int file = 0; file < POLICY_FILE_COUNT; file++)
		assert_false(policy_set_has_file(set, (enum policy_file)file));
	policy_set_unref(&set);
	assert_null(policy_set_load("/dev/null", &fixture_label, 1, &errors));
	assert_int_equal(errors.total, POLICY_FILE_COUNT);
	policy_errors_clear(&errors);
}

/* Not there and not to be read are different things: the one switches a list
 * off, the other must not. */
static void check_refused_read(void **state)
{
	enum { NOBODY = 65534 };
	struct fixture_dir d;
	struct policy_errors errors;
	(void)state;
	fixture_dir_make(&d);
	assert_int_equal(chmod(d.path, 0755), 0);
	fixture_write(&d, "mtatsl.txt", "example.com\n", 12, 0000);
	uid_t me = geteuid();
	assert_int_equal(me == 0 ? seteuid(NOBODY) : 0, 0);
	struct policy_set *set = policy_set_load(d.path, &fixture_label, 1, &errors);
	assert_int_equal(me == 0 ? seteuid(me) : 0, 0);
	fixture_dir_remove(&d);
	assert_null(set);
	assert_true(errors.total >= 1);
	assert_non_null(strstr(errors.list[0].file, "/mtatsl.txt"));
	assert_non_null(strstr(errors.list[0].text, "Permission denied"));
	policy_errors_clear(&errors);
}

static const struct {
	const char *name;
} refused_case[] = { { "a file that may not be read is not a missing file" } };

static const struct {
	const char *name;
} directory_case[] = { { "no directory is no file; a file in its place is an error" } };

int main(void)
{
	const struct table tables[] = {
		TABLE(check_file, files),
		TABLE(check_refused_read, refused_case),
		TABLE(check_no_directory, directory_case),
	};
	return TABLE_RUN_ALL("policy/file", tables);
}
