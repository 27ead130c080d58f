/*
 * The watched directory (option xmail_dir): XMail's message files that appear in it are
 * taken into the queue, as `intake xmail` does it, and removed.
 *
 * Renaming, syncing and removing wait for the disk, so all of it is done by a thread of
 * its own with a queue port of its own; the loop only watches the directory and tells the
 * thread to look. What is refused is logged once, and left alone until it changes; what
 * the system refused (permissions, a read error) is tried again now and then.
 */
#ifndef INTAKE_XMAIL_WATCH_H
#define INTAKE_XMAIL_WATCH_H

#include "base/err.h"
#include "config/config.h"

#include <stdint.h>

struct queue;
struct uv_loop_s;
struct xmail_watch;

/* The directory need not exist yet. Without one in the configuration there is no thread,
 * until a configuration names one. Of config all that is needed is copied; queue is
 * borrowed until the end. */
int xmail_watch_open(struct uv_loop_s *loop, struct queue *queue,
	const struct config *config, struct xmail_watch **out, struct err *e);
void xmail_watch_configure(struct xmail_watch *w, const struct config *config);

/* No further file. Those under way are finished; then, or after grace_ms, finished is
 * called, from the loop. */
void xmail_watch_stop(
	struct xmail_watch *w, int64_t grace_ms, void (*finished)(void *arg), void *arg);

/* Waits for the files that are under way. */
void xmail_watch_close(struct xmail_watch **w);

#endif
