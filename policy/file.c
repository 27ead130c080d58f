#include "policy/file.h"

#include "policy/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_SIZE_MAX = 16 * 1024 * 1024 };

void policy_error_set(
	struct policy_error *error, const char *file, unsigned line, const char *fmt, ...)
{
	char text[POLICY_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	policy_text(error->file, sizeof(error->file), "%s", file);
	policy_text(error->text, sizeof(error->text), "%s", text);
	error->line = line;
}

static bool check_stat(
	const struct stat *st, const char *shown, struct policy_error *error)
{
	if (!S_ISREG(st->st_mode))
		policy_error_set(error, shown, 0,
			"is not a regular file; remove it or "
			"put a text file in its place");
	else if (st->st_mode & (S_IWGRP | S_IWOTH))
		policy_error_set(error, shown, 0,
			"others than its owner may write it (mode %04o), so anybody "
			"among them could switch TLS off; run: chmod go-w %s",
			(unsigned)(st->st_mode & 07777), shown);
	else if (st->st_size > FILE_SIZE_MAX)
		policy_error_set(error, shown, 0,
			"is too large: %lld octets, at most %d are read",
			(long long)st->st_size, FILE_SIZE_MAX);
	else
		return true;
	return false;
}

/* One octet more than expected is asked for, so that growth is seen. */
static bool read_all(int fd, size_t size, const char *shown,
	struct policy_file_content *out, struct policy_error *error)
{
	char *bytes = policy_xcalloc(size + 1, 1);
	ssize_t n;
	do {
		n = read(fd, bytes, size + 1);
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)size) {
		out->bytes = bytes;
		out->len = size;
		return true;
	}
	if (n < 0)
		policy_error_set(error, shown, 0, "cannot be read: %s", strerror(errno));
	else
		policy_error_set(error, shown, 0,
			"changed while it was read; try again when it is at rest");
	free(bytes);
	return false;
}

static bool fail_open(int errnum, const char *shown, struct policy_error *error)
{
	if (errnum == ELOOP)
		policy_error_set(error, shown, 0,
			"is a symbolic link, and those are not followed; put the file "
			"itself here");
	else
		policy_error_set(
			error, shown, 0, "cannot be opened: %s", strerror(errnum));
	return false;
}

bool policy_file_read(int dirfd, const char *name, const char *shown,
	struct policy_file_content *out, struct policy_error *error)
{
	struct stat st;
	*out = (struct policy_file_content){ 0 };
	/* O_NONBLOCK: opening a FIFO must not wait for a writer. */
	int fd = openat(
		dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT || fail_open(errno, shown, error);
	bool ok = false;
	if (fstat(fd, &st) != 0)
		policy_error_set(
			error, shown, 0, "cannot be examined: %s", strerror(errno));
	else if (check_stat(&st, shown, error))
		ok = read_all(fd, (size_t)st.st_size, shown, out, error);
	(void)close(fd); /* it was only read */
	if (!ok)
		return false;
	out->exists = true;
	out->mode = st.st_mode & 07777;
	out->uid = st.st_uid;
	out->gid = st.st_gid;
	return true;
}

void policy_file_content_clear(struct policy_file_content *content)
{
	free(content->bytes);
	*content = (struct policy_file_content){ 0 };
}
