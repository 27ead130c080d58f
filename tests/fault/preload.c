/*
 * Faults for a program that runs, by LD_PRELOAD: the Nth call of a kind on files with
 * a given prefix fails, and the wall clock is set to another time.
 *
 * FAULT_CONTROL names a file of 64-bit words that is shared with the test (see
 * faults.py, which has the same layout); FAULT_PATH is the prefix. Words: the offset
 * of the wall clock in ms; then for each kind the number of calls so far, the first
 * and the last one that fail (0: none), and the errno of those.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum kind { KIND_WRITE, KIND_SYNC, KIND_SIZE, KIND_OPEN, KIND_COUNT };

struct counter {
	_Atomic int64_t calls, first, last, errnum;
};

static struct control {
	_Atomic int64_t clock_ms;
	struct counter counters[KIND_COUNT];
} none, *control = &none;

static const char *prefix = "/nowhere";

#define REAL(name)                                     \
	static __typeof__(name) *real;                 \
	if (!real) {                                   \
		void *found = dlsym(RTLD_NEXT, #name); \
		memcpy(&real, &found, sizeof(real));   \
	}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("FAULT_CONTROL");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p = fd < 0 ? MAP_FAILED
			 : mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE,
				   MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (p != MAP_FAILED)
		control = p;
	if (getenv("FAULT_PATH"))
		prefix = getenv("FAULT_PATH");
}

/* ---- whether a call is to fail ---- */

static bool is_ours(const char *path)
{
	return strncmp(path, prefix, strlen(prefix)) == 0;
}

static bool is_open_ours(int fd)
{
	char link[40], path[4096];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return is_ours(path);
}

/* 0, or the errno. */
static int count(enum kind kind)
{
	struct counter *c = &control->counters[kind];
	int64_t number = atomic_fetch_add(&c->calls, 1) + 1;
	bool fails = number >= c->first && number <= c->last;
	return fails ? (int)c->errnum : 0;
}

static int fault(enum kind kind, int fd)
{
	int before = errno;
	int errnum = is_open_ours(fd) ? count(kind) : 0;
	errno = errnum ? errnum : before;
	return errnum;
}

/* ---- files ---- */

ssize_t write(int fd, const void *bytes, size_t len)
{
	REAL(write)
	return fault(KIND_WRITE, fd) ? -1 : real(fd, bytes, len);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	REAL(pwrite)
	return fault(KIND_WRITE, fd) ? -1 : real(fd, bytes, len, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
	REAL(pwrite64)
	return fault(KIND_WRITE, fd) ? -1 : real(fd, bytes, len, at);
}

int fsync(int fd)
{
	REAL(fsync)
	return fault(KIND_SYNC, fd) ? -1 : real(fd);
}

int fdatasync(int fd)
{
	REAL(fdatasync)
	return fault(KIND_SYNC, fd) ? -1 : real(fd);
}

int ftruncate(int fd, off_t len)
{
	REAL(ftruncate)
	return fault(KIND_SIZE, fd) ? -1 : real(fd, len);
}

int ftruncate64(int fd, off64_t len)
{
	REAL(ftruncate64)
	return fault(KIND_SIZE, fd) ? -1 : real(fd, len);
}

int posix_fallocate(int fd, off_t at, off_t len)
{
	REAL(posix_fallocate)
	int errnum = fault(KIND_SIZE, fd);
	return errnum ? errnum : real(fd, at, len);
}

int posix_fallocate64(int fd, off64_t at, off64_t len)
{
	REAL(posix_fallocate64)
	int errnum = fault(KIND_SIZE, fd);
	return errnum ? errnum : real(fd, at, len);
}

static mode_t mode_of(int flags, va_list ap)
{
	bool has_mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
	return has_mode ? va_arg(ap, mode_t) : 0;
}

static bool fails_to_open(const char *path)
{
	int errnum = is_ours(path) ? count(KIND_OPEN) : 0;
	if (errnum)
		errno = errnum;
	return errnum != 0;
}

int open(const char *path, int flags, ...)
{
	REAL(open)
	va_list ap;
	va_start(ap, flags);
	mode_t mode = mode_of(flags, ap);
	va_end(ap);
	return fails_to_open(path) ? -1 : real(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	REAL(open64)
	va_list ap;
	va_start(ap, flags);
	mode_t mode = mode_of(flags, ap);
	va_end(ap);
	return fails_to_open(path) ? -1 : real(path, flags, mode);
}

/* ---- the clock ---- */

int clock_gettime(clockid_t id, struct timespec *out)
{
	REAL(clock_gettime)
	int rc = real(id, out);
	int64_t ms = control->clock_ms;
	if (rc != 0 || !ms || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
		return rc;
	int64_t ns = out->tv_nsec + ms % 1000 * 1000000 + 1000000000;
	out->tv_sec += ms / 1000 + ns / 1000000000 - 1;
	out->tv_nsec = ns % 1000000000;
	return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	struct timespec now;
	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	*out = (struct timeval){ .tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000 };
	return 0;
}

time_t time(time_t *out)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}
