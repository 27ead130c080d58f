/* Sets made from texts, and directories made for one test. */
#ifndef TESTS_POLICY_FIXTURE_H
#define TESTS_POLICY_FIXTURE_H

#include "policy/set.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIXTURE_MODERN = POLICY_TLS1_0 | POLICY_TLS1_1 | POLICY_TLS1_2 | POLICY_TLS1_3 };

static const struct policy_options fixture_label = { POLICY_MATCH_LABEL, FIXTURE_MODERN };

/* NULL: that file does not exist. Lengths are those of strings. */
struct fixture_files {
	const char *allow, *exclude, *pins, *routes;
};

static inline struct policy_set *fixture_set_of(const struct fixture_files *files,
	const struct policy_options *options, struct policy_errors *errors)
{
	const char *texts[POLICY_FILE_COUNT] = {
		[POLICY_FILE_ALLOW] = files->allow,
		[POLICY_FILE_EXCLUDE] = files->exclude,
		[POLICY_FILE_PINS] = files->pins,
		[POLICY_FILE_ROUTES] = files->routes,
	};
	struct policy_source sources[POLICY_FILE_COUNT];
	char paths[POLICY_FILE_COUNT][32];
	for (int i = 0; i < POLICY_FILE_COUNT; i++) {
		snprintf(paths[i], sizeof(paths[i]), "/p/%s",
			policy_file_name((enum policy_file)i));
		sources[i] = (struct policy_source){ paths[i], texts[i],
			texts[i] ? strlen(texts[i]) : 0 };
	}
	return policy_set_parse(sources, options, 7, errors);
}

/* A set that has no errors. */
static inline struct policy_set *fixture_good_of(
	const struct fixture_files *files, enum policy_match match)
{
	struct policy_options options = { match, FIXTURE_MODERN };
	struct policy_errors errors;
	struct policy_set *set = fixture_set_of(files, &options, &errors);
	if (!set)
		fail_msg("%s:%u: %s", errors.list[0].file, errors.list[0].line,
			errors.list[0].text);
	return set;
}

static inline struct policy_set *fixture_set(const char *allow, const char *exclude,
	const char *pins, const struct policy_options *options,
	struct policy_errors *errors)
{
	struct fixture_files files = { .allow = allow, .exclude = exclude, .pins = pins };
	return fixture_set_of(&files, options, errors);
}

static inline struct policy_set *fixture_good(
	const char *allow, const char *exclude, const char *pins, enum policy_match match)
{
	struct fixture_files files = { .allow = allow, .exclude = exclude, .pins = pins };
	return fixture_good_of(&files, match);
}

static inline struct policy_set *fixture_routes(
	const char *routes, enum policy_match match)
{
	struct fixture_files files = { .routes = routes };
	return fixture_good_of(&files, match);
}

struct fixture_dir {
	char path[64];
};

static inline void fixture_dir_make(struct fixture_dir *d)
{
	strcpy(d->path, "policy-test-XXXXXX");
	assert_non_null(mkdtemp(d->path));
}

static inline void fixture_dir_remove(const struct fixture_dir *d)
{
	static const char *const names[] = { "mtatsl.txt", "nomtatsl.txt", "mtaproto.txt",
		"routes.txt", ".mtatsl.txt.new", "target" };
	char path[160];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", d->path, names[i]);
		(void)unlink(path);
		(void)rmdir(path);
	}
	assert_int_equal(rmdir(d->path), 0);
}

static inline void fixture_write(const struct fixture_dir *d, const char *name,
	const void *bytes, size_t len, mode_t mode)
{
	char path[160];
	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

/* Returns the length; -1: no such file. */
static inline ssize_t fixture_read(
	const struct fixture_dir *d, const char *name, char *out, size_t out_size)
{
	char path[160];
	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	ssize_t n = read(fd, out, out_size);
	assert_int_equal(close(fd), 0);
	return n;
}

#endif
