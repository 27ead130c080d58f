#include "base/secret_file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int check_kind(const char *path, const struct stat *st, struct err *e)
{
	if (!S_ISREG(st->st_mode))
		return err_set(e, ERR_INVALID, "%s is not a regular file", path);
	if (st->st_size > SECRET_FILE_MAX)
		return err_set(e, ERR_LIMIT,
			"%s is too large: at most %d octets are read", path,
			SECRET_FILE_MAX);
	return 0;
}

/* One octet more than expected is asked for, so that growth is seen; it becomes the
 * NUL. */
static int read_all(int fd, const char *path, struct secret_file *f, struct err *e)
{
	size_t size = (size_t)f->st.st_size;
	f->bytes = xcalloc(size + 1, 1);
	f->len = size;
	ssize_t n;
	do {
		n = read(fd, f->bytes, size + 1);
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)size)
		return 0;
	int result = n < 0 ? err_errno(e, errno, "read %s", path)
			   : err_set(e, ERR_BUSY,
				     "%s changed while it was read; try again", path);
	f->len++;
	secret_file_clear(f);
	return result;
}

static int fail_open(const char *path, int errnum, struct err *e)
{
	if (errnum == ELOOP)
		return err_set(e, ERR_PERMISSION,
			"%s is a symbolic link, and those are not followed here; name "
			"the "
			"file itself",
			path);
	return err_errno(e, errnum, "open %s", path);
}

int secret_file_read(const char *path, struct secret_file *out, struct err *e)
{
	struct secret_file f = { 0 };
	/* O_NONBLOCK: opening a FIFO must not wait for a writer. */
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fail_open(path, errno, e);
	int result = fstat(fd, &f.st) ? err_errno(e, errno, "examine %s", path)
				      : check_kind(path, &f.st, e);
	if (!result)
		result = read_all(fd, path, &f, e);
	(void)close(fd); /* it was only read */
	if (!result)
		*out = f;
	return result;
}

int secret_file_check_mode(const struct secret_file *f, const char *path, struct err *e)
{
	if (!(f->st.st_mode & (S_IRWXO | S_IWGRP)))
		return 0;
	return err_set(e, ERR_PERMISSION,
		"%s holds a secret, and its mode %04o lets %s; run: chmod g-w,o= %s",
		path, (unsigned)(f->st.st_mode & 07777),
		f->st.st_mode & S_IRWXO ? "others get at it" : "its group change it",
		path);
}

void secret_file_clear(struct secret_file *f)
{
	if (f->bytes)
		explicit_bzero(f->bytes, f->len);
	free(f->bytes);
	*f = (struct secret_file){ 0 };
}
