/*
 * A file that may hold secrets (credentials, a private key), read whole: one open,
 * which follows no symbolic link, one fstat, one read, so that what was checked is
 * what is used.
 */
#ifndef BASE_SECRET_FILE_H
#define BASE_SECRET_FILE_H

#include "base/err.h"

#include <stddef.h>
#include <sys/stat.h>

enum { SECRET_FILE_MAX = 1024 * 1024 }; /* octets; a larger file is an error */

struct secret_file {
	char *bytes; /* owned; a NUL follows them */
	size_t len;
	struct stat st;
};

/* Returns 0, or a negative result with nothing to clear: ERR_NOT_FOUND,
 * ERR_PERMISSION (also a symbolic link), ERR_INVALID (no regular file), ERR_LIMIT,
 * ERR_BUSY (it changed meanwhile), ERR_IO. The text names the file. */
int secret_file_read(const char *path, struct secret_file *out, struct err *e);

/* Is it closed to others, and may none but its owner write it? ERR_PERMISSION, and the
 * command that helps, where not. */
int secret_file_check_mode(const struct secret_file *f, const char *path, struct err *e);

void secret_file_clear(struct secret_file *f); /* wipes */

#endif
