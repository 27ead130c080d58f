/*
 * Some of XMail's files in one directory, taken into the queue together, each exactly
 * once: one sync of the directory, one commit, one more sync for many files. Waits for
 * the disk and the queue: for commands, and for a thread of its own.
 *
 *	FILE --add--> checked, content with the store
 *	     --flush--> FILE.hikyaku-ID --commit--> queued --> removed
 *
 * The id is chosen before and stands in the name, on disk, before the commit. What a
 * crash leaves as FILE.hikyaku-ID was either not committed, and is, under that very id;
 * or it was, and the queue or the retry log knows the id: then it is only removed. (Not
 * if the message has left both meanwhile: log_retention, or `queue remove`.) What is
 * refused keeps its name. A lock on the file (flock) is held from before it is read to
 * its end: two who look at the same directory do not meet.
 */
#ifndef INTAKE_XMAIL_BATCH_H
#define INTAKE_XMAIL_BATCH_H

#include "base/err.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct intake;
struct stat;

struct xmail_taken {
	const char *path; /* without our mark */
	int64_t id;
	/* NULL: it was in the queue already (a crash, or it could not be removed), and
	 * what follows is unknown. */
	const char *sender;
	size_t recipient_count;
	uint64_t size_bytes;
};

struct xmail_options {
	struct intake *intake;
	const struct config *config; /* max_recipients, and the queue to ask for ids */
	bool keep; /* files stay as they are: nothing tells that they were taken */
	/* After the commit, before the file is removed: a crash in between repeats it.
	 * Of what was in the queue already: once the file is gone. */
	void (*on_taken)(void *arg, const struct xmail_taken *taken);
	/* The file stays: ERR_INVALID or ERR_LIMIT: it would be refused again; else: it
	 * could not be read, or not be marked or removed (then it is in the queue, and
	 * the text says so). */
	void (*on_refused)(
		void *arg, const char *path, const struct stat *st, const struct err *e);
	bool (*is_left_alone)(void *arg, const char *path, const struct stat *st);
	bool (*must_stop)(void *arg); /* asked between files */
	void *arg;
};

struct xmail_batch;
struct xmail_batch *xmail_batch_new(const struct xmail_options *options);
void xmail_batch_free(struct xmail_batch **b); /* what was not flushed is forgotten */

/* Files are of this directory from now on, until the next one; borrowed. prefix: what
 * their paths begin with: "" or "dir/". Flushes when it is another one. */
int xmail_batch_directory(
	struct xmail_batch *b, int dir_fd, const char *prefix, struct err *e);

/* One file, st by lstat. Flushes when enough have come together. What is wrong with the
 * file itself goes to on_refused. An error returned is the directory's or the queue's:
 * going on makes no sense. */
int xmail_batch_add(
	struct xmail_batch *b, const char *name, const struct stat *st, struct err *e);
int xmail_batch_flush(struct xmail_batch *b, struct err *e);

#endif
