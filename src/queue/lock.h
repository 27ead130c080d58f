/*
 * The lock file beside the queue ("PATH.lock"): one byte a process that holds
 * claims or staged content. The kernel drops a lock when its process ends,
 * however it ends; that is how the others see it. Byte 0 is for making the
 * database. Locks belong to the open file, not to the process, so two queues
 * in one process see each other.
 */
#ifndef QUEUE_LOCK_H
#define QUEUE_LOCK_H

#include "base/err.h"

#include <stdint.h>

struct lock_file {
	int fd;        /* -1: not open */
	int64_t inode; /* a row names it: a lock tells only about its own file */
};

enum lock_state { LOCK_FREE, LOCK_HELD, LOCK_UNKNOWN };

/* For reading only it is not made if it is missing: ERR_NOT_FOUND. */
int lock_open(struct lock_file *lock, const char *queue_path, int flags, struct err *e);
void lock_close(struct lock_file *lock);

/* 0, ERR_BUSY (somebody has it), or ERR_UNSUPPORTED (no such locks here). */
int lock_take(struct lock_file *lock, int64_t slot);
void lock_drop(struct lock_file *lock, int64_t slot);
/* As lock_take for byte 0, waiting so long for it. */
int lock_take_create(struct lock_file *lock, int64_t timeout_ms);

/* Whether somebody else holds the slot; inode: of the file it was taken in. */
enum lock_state lock_probe(const struct lock_file *lock, int64_t slot, int64_t inode);

#endif
