/*
 * What a queue does to the disk, in order, for power cuts that are simulated from it
 * (power_disk.h, power_cut.h): kill -9 leaves what the kernel has, and cannot show
 * that a sync is missing.
 *
 * SQLite's VFS for Unix, which notes each change of a file before it makes it. It
 * becomes the default one, so power_install comes before the process opens its first
 * queue: the queue's own VFS (queue/sqlite_vfs.h) takes the default for the one behind
 * it. Nothing but what is recorded is synced really.
 *
 * Recorded are the files of one database: itself, its log, its rollback journal. The
 * index of the log is not: it is made anew after a crash. Nor are the lock file and
 * the journals of doubt, of which nothing is expected after a reboot (queue/lock.h,
 * queue/journal.h). The queue syncs the directory too when it has made the file;
 * without that the disks are a little worse than real ones.
 *
 * Any thread; one trace at a time.
 */
#ifndef TESTS_QUEUE_POWER_TRACE_H
#define TESTS_QUEUE_POWER_TRACE_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

enum power_kind {
	POWER_MAKE,   /* a name for a new file, in the directory */
	POWER_REMOVE, /* the name goes */
	POWER_WRITE,
	POWER_TRUNCATE,
	POWER_SYNC,
	POWER_SYNC_DIRECTORY,
	/* No changes of the disk: */
	POWER_FED, /* so many octets of a session; the next one takes its place */
	POWER_TOLD /* what the test calls so was acknowledged */
};

enum power_name { POWER_DATABASE, POWER_LOG, POWER_JOURNAL, POWER_NAME_COUNT };
extern const char *const power_suffixes[POWER_NAME_COUNT]; /* of the queue's path */

struct power_event {
	enum power_kind kind;
	enum power_name name;
	unsigned file; /* a number; a name that is made again is another file */
	int64_t at; /* where it is written; the size it is cut to; what the test says */
	size_t len;
	char *bytes; /* owned */
};

struct power_trace {
	struct power_event *events; /* owned */
	size_t count, cap;
	unsigned files;
};

/* Syncs that are left out of a trace, as if the queue had not made them. */
enum power_lie { POWER_LIE_LOG = 1, POWER_LIE_DATABASE = 2, POWER_LIE_DIRECTORY = 4 };

void power_install(void);
/* From now on; there must be no such database yet. Both must stay until power_stop. */
void power_record(struct power_trace *trace, const char *path);
void power_lie(unsigned lies); /* from now on */
void power_stop(void);
void power_trace_clear(struct power_trace *trace);

void power_fed(int64_t octets);
void power_told(int64_t what);

/* In words: "write 4096 at 32 of -wal". */
void power_describe(const struct power_event *event, struct buf *out);

#endif
