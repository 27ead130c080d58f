#include "queue/lock.h"

#include "base/mem.h"
#include "base/timefmt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int lock_open(struct lock_file *lock, const char *queue_path, int flags, struct err *e)
{
	OWN(mem_free) char *path = xasprintf("%s.lock", queue_path);
	struct stat st;
	lock->inode = 0;
	lock->fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock->fd < 0)
		return err_errno(e, errno, "open lock file %s", path);
	if (fstat(lock->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		lock_close(lock);
		return err_set(e, ERR_INVALID, "%s is no regular file; remove it", path);
	}
	lock->inode = (int64_t)st.st_ino;
	return 0;
}

void lock_close(struct lock_file *lock)
{
	if (lock->fd >= 0)
		close(lock->fd);
	lock->fd = -1;
}

static int set_lock(int fd, int64_t slot, short type)
{
	struct flock fl = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = slot, .l_len = 1
	};
	int rc;
	do {
		rc = fcntl(fd, F_OFD_SETLK, &fl);
	} while (rc != 0 && errno == EINTR);
	if (rc == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? ERR_BUSY : ERR_UNSUPPORTED;
}

int lock_take(struct lock_file *lock, int64_t slot)
{
	return set_lock(lock->fd, slot, F_WRLCK);
}

void lock_drop(struct lock_file *lock, int64_t slot)
{
	(void)set_lock(lock->fd, slot, F_UNLCK); /* closing the file does it too */
}

int lock_take_create(struct lock_file *lock, int64_t timeout_ms)
{
	int64_t until = clock_monotonic_ms() + timeout_ms;
	int rc;
	while ((rc = lock_take(lock, 0)) == ERR_BUSY && clock_monotonic_ms() < until)
		poll(NULL, 0, 5);
	return rc;
}

enum lock_state lock_probe(const struct lock_file *lock, int64_t slot, int64_t inode)
{
	/* Another file: the queue was copied, or somebody removed the lock file
	 * under a process that lives. */
	if (lock->fd < 0 || !inode || inode != lock->inode)
		return LOCK_UNKNOWN;
	struct flock fl = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = slot, .l_len = 1
	};
	if (fcntl(lock->fd, F_OFD_GETLK, &fl) != 0)
		return LOCK_UNKNOWN;
	return fl.l_type == F_UNLCK ? LOCK_FREE : LOCK_HELD;
}
