#include "queue/journal.h"

#include "base/failpoint.h"
#include "base/mem.h"
#include "base/rng.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MAGIC = 0x48694b44, /* "HiKD" */
	FORMAT = 1,
	GROWTH = 4096, /* entries: 1 MiB */
	ENTRIES_MAX = 64 * GROWTH
};

struct header {
	uint32_t magic, format;
	int64_t token;
	uint64_t device, inode;
	_Atomic uint32_t fenced;
	_Atomic uint32_t used; /* entries; those behind it were never written */
	char unused[216];
};

/* item 0: free. Two places for the host: while one is written the other counts. */
struct entry {
	_Atomic int64_t item;
	_Atomic uint32_t which;
	uint32_t unused;
	char hosts[2][JOURNAL_HOST_MAX];
};
_Static_assert(sizeof(struct header) == 256 && sizeof(struct entry) == 256,
	"the format is what it is");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "other processes look at it");

struct found {
	int64_t item;
	size_t slot;
};

struct journal {
	int fd;
	int64_t token;
	struct header *header; /* the mapping: header and entries */
	struct entry *entries;
	size_t count;
	uint32_t *free; /* slots that were used before */
	size_t free_count;
	struct found *found; /* of another process's, by item */
	size_t found_count;
};

static size_t bytes_of(size_t count)
{
	return sizeof(struct header) + count * sizeof(struct entry);
}

static char *path_of(const char *queue_path, int64_t token)
{
	return xasprintf("%s.doubt.%016" PRIx64, queue_path, (uint64_t)token);
}

void journal_boot(char out[JOURNAL_BOOT_MAX])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, JOURNAL_BOOT_MAX - 1);
	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

static void unmap(struct journal *j)
{
	if (j->header)
		munmap(j->header, bytes_of(j->count));
	j->header = NULL;
}

static int map(struct journal *j, size_t count, bool writable, struct err *e)
{
	void *p = mmap(NULL, bytes_of(count), PROT_READ | (writable ? PROT_WRITE : 0),
		MAP_SHARED, j->fd, 0);
	if (p == MAP_FAILED)
		return err_errno(e, errno, "map a journal of doubt");
	unmap(j);
	j->header = p;
	j->entries = (struct entry *)(void *)((char *)p + sizeof(struct header));
	j->count = count;
	return 0;
}

/* Allocated, so that a store into it never meets a full disk. */
static int grow(struct journal *j, struct err *e)
{
	size_t count = j->count + GROWTH;
	if (count > ENTRIES_MAX)
		return err_set(e, ERR_LIMIT, "too many messages are in doubt at once");
	int errnum = posix_fallocate(j->fd, 0, (off_t)bytes_of(count));
	if (errnum)
		return err_errno(e, errnum, "make room for a journal of doubt");
	int rc = map(j, count, true, e);
	if (rc == 0)
		j->free = xreallocarray(j->free, count, sizeof(*j->free));
	return rc;
}

void journal_close(struct journal **jp)
{
	struct journal *j = *jp;
	if (!j)
		return;
	*jp = NULL;
	unmap(j);
	if (j->fd >= 0)
		close(j->fd);
	free(j->free);
	free(j->found);
	free(j);
}

void journal_remove(const char *queue_path, int64_t token)
{
	OWN(mem_free) char *path = path_of(queue_path, token);
	(void)unlink(path); /* what is left is removed by the next worker */
}

int journal_create(const struct journal_queue *queue, struct journal **out, struct err *e)
{
	OWN(journal_close) struct journal *j = xcalloc(1, sizeof(*j));
	j->token = (int64_t)(rng_u64() >> 1);
	OWN(mem_free) char *path = path_of(queue->path, j->token);
	j->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (j->fd < 0)
		return err_errno(e, errno, "make %s", path);
	(void)failpoint("queue.journal.made");
	int rc = grow(j, e);
	if (rc != 0) {
		(void)unlink(path);
		return err_context(e, "%s", path);
	}
	j->header->magic = MAGIC;
	j->header->format = FORMAT;
	j->header->token = j->token;
	j->header->device = queue->device;
	j->header->inode = queue->inode;
	*out = MOVE(j);
	return 0;
}

int64_t journal_token(const struct journal *j)
{
	return j->token;
}

bool journal_is_fenced(const struct journal *j)
{
	return atomic_load(&j->header->fenced);
}

/* ---- marks ---- */

static int take_slot(struct journal *j, int64_t *slot, struct err *e)
{
	uint32_t used = atomic_load(&j->header->used);
	if (j->free_count) {
		*slot = j->free[--j->free_count];
		return 0;
	}
	int rc = used == j->count ? grow(j, e) : 0;
	if (rc != 0)
		return rc;
	atomic_store(&j->header->used, used + 1);
	*slot = used;
	return 0;
}

int journal_mark(
	struct journal *j, int64_t *slot, int64_t item, const char *host, struct err *e)
{
	int errnum = failpoint("queue.journal");
	if (errnum)
		return err_errno(e, errnum, "mark a message as in doubt");
	int rc = *slot < 0 ? take_slot(j, slot, e) : 0;
	if (rc != 0)
		return rc;
	struct entry *entry = &j->entries[*slot];
	uint32_t which = !atomic_load(&entry->which);
	snprintf(entry->hosts[which], JOURNAL_HOST_MAX, "%s", host);
	atomic_store(&entry->which, which);
	atomic_store(&entry->item, item);
	(void)failpoint("queue.journal.marked");
	if (!journal_is_fenced(j))
		return 0;
	journal_clear(j, slot);
	return err_set(e, ERR_NOT_FOUND, "another process has taken it over");
}

void journal_host(const struct journal *j, int64_t slot, char out[JOURNAL_HOST_MAX])
{
	const struct entry *entry = &j->entries[slot];
	uint32_t which = atomic_load(&entry->which) & 1;
	memcpy(out, entry->hosts[which], JOURNAL_HOST_MAX);
	out[JOURNAL_HOST_MAX - 1] = '\0';
}

void journal_clear(struct journal *j, int64_t *slot)
{
	if (*slot < 0)
		return;
	atomic_store(&j->entries[*slot].item, 0);
	j->free[j->free_count++] = (uint32_t)*slot;
	*slot = -1;
}

/* ---- those of others ---- */

static int compare_found(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	return (x->item > y->item) - (x->item < y->item);
}

static void read_entries(struct journal *j)
{
	size_t used = atomic_load(&j->header->used);
	used = used < j->count ? used : j->count;
	j->found = xcalloc(used + 1, sizeof(*j->found));
	for (size_t i = 0; i < used; i++) {
		int64_t item = atomic_load(&j->entries[i].item);
		if (item)
			j->found[j->found_count++] = (struct found){ item, i };
	}
	if (j->found_count)
		qsort(j->found, j->found_count, sizeof(*j->found), compare_found);
}

/* What this process lacks says nothing about the journal. */
static bool may_pass(int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM;
}

static int complain_unusable(const char *path, struct err *e)
{
	return err_set(e, ERR_INVALID, "%s is no journal of this queue", path);
}

static int check_header(const struct journal *j, const struct journal_queue *queue)
{
	const struct header *h = j->header;
	bool is_ours = h->magic == MAGIC && h->format == FORMAT && h->token == j->token &&
		       h->device == queue->device && h->inode == queue->inode;
	return is_ours ? 0 : ERR_INVALID;
}

/* ---- whether it is as it was left ---- */

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* A flag a page. Must be asked before anything is read: that brings pages in. */
static unsigned char *pages_in_memory(const struct journal *j)
{
	size_t len = bytes_of(j->count), count = (len + page_size() - 1) / page_size();
	unsigned char *pages = xcalloc(count, 1);
	if (mincore(j->header, len, pages) != 0)
		memset(pages, 0, count);
	return pages;
}

/* Marks are stored in memory, and come to the disk some time later, if at all. A file
 * system that broke down, was repaired and mounted again has a journal as it was before
 * the last ones, which looks right. It is not in memory then. Nor is one that the kernel
 * has let go of since its worker died; which of both it is nobody can tell. */
static bool is_as_left(const struct journal *j)
{
	OWN(mem_free) unsigned char *pages = pages_in_memory(j);
	if (!(pages[0] & 1))
		return false;
	size_t used = atomic_load(&j->header->used);
	size_t end = bytes_of(used < j->count ? used : j->count);
	for (size_t i = 0; i * page_size() < end; i++) {
		if (!(pages[i] & 1))
			return false;
	}
	return true;
}

int journal_open(const struct journal_queue *queue, int64_t token, bool fence,
	struct journal **out, struct err *e)
{
	OWN(mem_free) char *path = path_of(queue->path, token);
	OWN(journal_close) struct journal *j = xcalloc(1, sizeof(*j));
	struct stat st;
	j->token = token;
	/* O_NONBLOCK: a FIFO in its place must not hold us up. */
	j->fd = open(
		path, (fence ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (j->fd < 0 && may_pass(errno))
		return err_errno(e, errno, "open %s", path);
	if (j->fd < 0 || fstat(j->fd, &st) != 0 || !S_ISREG(st.st_mode) ||
		st.st_size < (off_t)bytes_of(GROWTH) ||
		st.st_size > (off_t)bytes_of(ENTRIES_MAX))
		return complain_unusable(path, e);
	int rc = map(
		j, ((size_t)st.st_size - bytes_of(0)) / sizeof(struct entry), fence, e);
	if (rc != 0)
		return rc;
	if (!is_as_left(j))
		return err_set(e, ERR_INVALID,
			"%s is not in memory any more: its last marks may be missing",
			path);
	if (check_header(j, queue) != 0)
		return complain_unusable(path, e);
	if (fence)
		atomic_store(&j->header->fenced, 1);
	(void)failpoint("queue.journal.fenced");
	read_entries(j);
	*out = MOVE(j);
	return 0;
}

bool journal_find(const struct journal *j, int64_t item, char host_out[JOURNAL_HOST_MAX])
{
	struct found key = { .item = item };
	const struct found *f = j->found_count ? bsearch(&key, j->found, j->found_count,
							 sizeof(key), compare_found)
					       : NULL;
	if (!f)
		return false;
	if (host_out)
		journal_host(j, (int64_t)f->slot, host_out);
	return true;
}

size_t journal_count(const struct journal *j)
{
	return j->found_count;
}

/* ---- what is left lying about ---- */

static void remove_if_left(const char *queue_path, const char *name, size_t prefix,
	bool (*is_known)(void *arg, int64_t token), void *arg)
{
	char *end;
	uint64_t token = strtoull(name + prefix, &end, 16);
	if (strlen(name + prefix) == 16 && !*end && !is_known(arg, (int64_t)token))
		journal_remove(queue_path, (int64_t)token);
}

void journal_remove_leftovers(
	const char *queue_path, bool (*is_known)(void *arg, int64_t token), void *arg)
{
	const char *slash = strrchr(queue_path, '/');
	OWN(mem_free)
	char *dir = slash ? xstrndup(queue_path, (size_t)(slash - queue_path + 1))
			  : xstrdup(".");
	OWN(mem_free)
	char *prefix = xasprintf("%s.doubt.", slash ? slash + 1 : queue_path);
	size_t len = strlen(prefix);
	DIR *d = opendir(dir);
	struct dirent *entry;
	while (d && (entry = readdir(d))) {
		if (strncmp(entry->d_name, prefix, len) == 0)
			remove_if_left(queue_path, entry->d_name, len, is_known, arg);
	}
	if (d)
		closedir(d);
}
