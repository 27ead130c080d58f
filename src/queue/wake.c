/* The FIFO beside the queue by which a commit wakes workers elsewhere. */
#include "queue/queue.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_fifo(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

int queue_wake_open(const char *path, struct err *e)
{
	OWN(mem_free) char *fifo = xasprintf("%s.wake", path);
	if (mkfifo(fifo, 0600) != 0 && errno != EEXIST)
		return err_errno(e, errno, "make %s", fifo);
	/* For writing too: with a writer of our own there is never an end of file. */
	int fd = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_errno(e, errno, "open %s", fifo);
	if (!is_fifo(fd)) {
		close(fd);
		return err_set(e, ERR_INVALID, "%s is no FIFO; remove it", fifo);
	}
	return fd;
}

void queue_wake_drain(int fd)
{
	char bytes[256];
	ssize_t n;
	do {
		n = read(fd, bytes, sizeof(bytes));
	} while (n > 0 || (n < 0 && errno == EINTR));
}

bool queue_wake_send(const char *path)
{
	OWN(mem_free) char *fifo = xasprintf("%s.wake", path);
	/* Without a reader the open fails with ENXIO. */
	int fd = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	/* A full FIFO is as good as written: somebody is about to look. */
	bool sent = is_fifo(fd) && (write(fd, "w", 1) == 1 || errno == EAGAIN);
	close(fd);
	return sent;
}
