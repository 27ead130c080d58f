#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20 };

static int check(const char *path, int fd, struct err *e)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return err_errno(e, errno, "look at configuration %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(
			e, ERR_INVALID, "%s: the configuration is no regular file", path);
	if (st.st_mode & S_IWOTH)
		return err_set(e, ERR_PERMISSION,
			"%s: everybody may write the configuration: chmod o-w it", path);
	return ERR_OK;
}

/* The file may grow while it is read: the limit is on what was read. */
static int read_all(const char *path, int fd, struct buf *out, struct err *e)
{
	enum { STEP = 16384 };
	for (;;) {
		ssize_t n = read(fd, buf_reserve(out, STEP), STEP);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, errno, "read configuration %s", path);
		if (n == 0)
			return ERR_OK;
		buf_commit(out, (size_t)n);
		if (buf_len(out) > FILE_MAX)
			return err_set(e, ERR_INVALID,
				"%s: the configuration is over 1 MiB: use policy files "
				"for long lists of domains",
				path);
	}
}

int config_file_read(const char *path, struct buf *out, struct err *e)
{
	/* O_NONBLOCK: a FIFO must not hang the program before fstat sees it. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return err_errno(e, errno, "open configuration %s", path);
	int code = check(path, fd, e);
	if (code == ERR_OK)
		code = read_all(path, fd, out, e);
	if (code != ERR_OK)
		buf_clear(out);
	close(fd);
	return code;
}
