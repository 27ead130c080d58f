#include "power_disk.h"

#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SECTOR = 512 };

/* A file by its number, whatever its name is now. */
struct content {
	char *bytes;
	size_t len, cap;
	size_t synced; /* events before this one are on the disk */
};

struct build {
	const struct power_cut *cut;
	uint64_t random;
	struct content *contents;
	size_t directory_synced;
	int names[POWER_NAME_COUNT]; /* files; -1: none */
};

/* splitmix64: the same on every machine. */
static uint64_t random_next(struct build *b)
{
	uint64_t x = b->random += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static void set_size(struct content *c, size_t len)
{
	if (len > c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 64 * 1024;
		c->cap = cap < len ? len : cap;
		c->bytes = xrealloc(c->bytes, c->cap);
	}
	if (len > c->len) /* a hole */
		memset(c->bytes + c->len, 0, len - c->len);
	c->len = len;
}

static void write_at(struct content *c, size_t at, const char *bytes, size_t len)
{
	if (at + len > c->len)
		set_size(c, at + len);
	memcpy(c->bytes + at, bytes, len);
}

static void write_torn(struct build *b, struct content *c, const struct power_event *ev)
{
	size_t at = (size_t)ev->at, end = at + ev->len;
	while (at < end) {
		size_t next = (at / SECTOR + 1) * SECTOR;
		next = next < end ? next : end;
		if (random_next(b) & 1)
			write_at(c, at, ev->bytes + (at - (size_t)ev->at), next - at);
		at = next;
	}
}

/* What becomes of something that no sync came after. */
enum fate { LOST, THERE, TORN };

static enum fate fate_of(struct build *b, bool is_synced)
{
	if (is_synced || b->cut->kept == POWER_KEPT_ALL)
		return THERE;
	if (b->cut->kept == POWER_KEPT_NONE)
		return LOST;
	return (enum fate)(random_next(b) % 3);
}

static void find_syncs(struct build *b, const struct power_trace *trace)
{
	for (size_t i = 0; i < b->cut->count; i++) {
		const struct power_event *ev = &trace->events[i];
		if (ev->kind == POWER_SYNC)
			b->contents[ev->file].synced = i;
		else if (ev->kind == POWER_SYNC_DIRECTORY)
			b->directory_synced = i;
	}
}

static void apply(struct build *b, size_t i, const struct power_event *ev)
{
	struct content *c = &b->contents[ev->file];
	enum fate fate;
	switch (ev->kind) {
	case POWER_MAKE:
		if (fate_of(b, i < b->directory_synced) != LOST)
			b->names[ev->name] = (int)ev->file;
		break;
	case POWER_REMOVE:
		if (fate_of(b, i < b->directory_synced) != LOST &&
			b->names[ev->name] == (int)ev->file)
			b->names[ev->name] = -1;
		break;
	case POWER_TRUNCATE:
		if (fate_of(b, i < c->synced) != LOST)
			set_size(c, (size_t)ev->at);
		break;
	case POWER_WRITE:
		fate = fate_of(b, i < c->synced);
		if (fate == THERE)
			write_at(c, (size_t)ev->at, ev->bytes, ev->len);
		else if (fate == TORN)
			write_torn(b, c, ev);
		break;
	case POWER_SYNC:
	case POWER_SYNC_DIRECTORY:
	case POWER_FED:
	case POWER_TOLD:
		break;
	}
}

void power_disk_make(const struct power_trace *trace, const struct power_cut *cut,
	struct power_disk *out)
{
	struct build b = { .cut = cut, .random = cut->seed };
	b.contents = xcalloc(trace->files + 1, sizeof(*b.contents));
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < POWER_NAME_COUNT; i++)
		b.names[i] = -1;
	find_syncs(&b, trace);
	for (size_t i = 0; i < cut->count; i++)
		apply(&b, i, &trace->events[i]);
	for (size_t i = 0; i < POWER_NAME_COUNT; i++) {
		if (b.names[i] < 0)
			continue;
		struct content *c = &b.contents[b.names[i]];
		out->files[i] = (struct power_file){ true, MOVE(c->bytes), c->len };
	}
	for (size_t i = 0; i < trace->files; i++)
		free(b.contents[i].bytes);
	free(b.contents);
}

void power_disk_clear(struct power_disk *disk)
{
	for (size_t i = 0; i < POWER_NAME_COUNT; i++)
		free(disk->files[i].bytes);
	memset(disk, 0, sizeof(*disk));
}

bool power_disk_is_same(const struct power_disk *a, const struct power_disk *b)
{
	for (size_t i = 0; i < POWER_NAME_COUNT; i++) {
		const struct power_file *x = &a->files[i], *y = &b->files[i];
		if (x->exists != y->exists || x->len != y->len ||
			(x->len && memcmp(x->bytes, y->bytes, x->len) != 0))
			return false;
	}
	return true;
}

static void write_file(const char *path, const struct power_file *file)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	for (size_t done = 0; done < file->len;) {
		ssize_t n = write(fd, file->bytes + done, file->len - done);
		assert_true(n > 0);
		done += (size_t)n;
	}
	close(fd);
}

void power_disk_write(const struct power_disk *disk, const char *path)
{
	for (size_t i = 0; i < POWER_NAME_COUNT; i++) {
		OWN(mem_free) char *name = xasprintf("%s%s", path, power_suffixes[i]);
		if (disk->files[i].exists)
			write_file(name, &disk->files[i]);
	}
}
