/*
 * The tables of the queue, and whether a file is such a queue.
 */
#ifndef QUEUE_SQLITE_SCHEMA_H
#define QUEUE_SQLITE_SCHEMA_H

#include "queue/sqlite_db.h"

enum {
	SCHEMA_APPLICATION_ID = 0x48694b79, /* "HiKy" */
	SCHEMA_VERSION = 2
};

/* Opens the file, which is made (mode 0600) if it is missing and create is set.
 * The caller holds the lock for making it, see lock.h. */
int schema_open(struct db *db, const char *path, bool create, int64_t busy_timeout_ms,
	struct err *e);
/* For reading only. */
int schema_open_reader(
	struct db *db, const char *path, int64_t busy_timeout_ms, struct err *e);

#endif
