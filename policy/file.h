/*
 * One policy file, read whole: one open, one fstat, one read, so that what was
 * checked is what is used. Not for users outside of policy/.
 */
#ifndef POLICY_FILE_H
#define POLICY_FILE_H

#include "policy/types.h"

#include <sys/types.h>

struct policy_file_content {
	bool exists;
	char *bytes; /* owned; NULL if it does not exist */
	size_t len;
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

/* Reads `name` in the directory dirfd (AT_FDCWD: a path). `shown` is how errors
 * call the file. ENOENT alone is "does not exist"; a symbolic link, what is no
 * regular file, a file that group or others may write, and one over 16 MiB
 * are errors. Returns false with error filled and nothing to clear. */
bool policy_file_read(int dirfd, const char *name, const char *shown,
	struct policy_file_content *out, struct policy_error *error);
void policy_file_content_clear(struct policy_file_content *content);

/* Fills an error; file may be longer than it has room for. */
void policy_error_set(struct policy_error *error, const char *file, unsigned line,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
