/*
 * The journal of doubt: which messages a worker is about to end with the final
 * dot, or has ended and not yet stored the result of. A file a worker beside the
 * queue, PATH.doubt.TOKEN, that is mapped into its memory: a mark is a store of
 * some octets, and the kernel keeps it when the process is killed.
 *
 *	free --mark--> in doubt --clear (the result is committed)--> free
 *	mark, where somebody has fenced it: refused, stays free
 *
 * Whoever takes over what a worker held fences its journal before it reads it. A
 * worker marks before it looks for the fence: so either the mark is seen, or it is
 * refused, and the message is not sent.
 *
 * A power cut loses marks. The holder's row therefore names the boot it belongs to,
 * and of another boot, or of a journal that cannot be trusted, all is in doubt: the
 * file itself need not reach the disk. So does a file system that breaks down and is
 * mounted again: a journal whose pages are not in memory is not trusted either.
 *
 * Not thread-safe: held.h guards the one of this process.
 */
#ifndef QUEUE_JOURNAL_H
#define QUEUE_JOURNAL_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	JOURNAL_HOST_MAX = 120, /* with the NUL; a longer name is cut */
	JOURNAL_BOOT_MAX = 40
};

struct journal;

/* What a journal belongs to. */
struct journal_queue {
	const char *path; /* of the database; not kept */
	dev_t device;
	ino_t inode;
};

/* Makes the file, with a token of its own. */
int journal_create(
	const struct journal_queue *queue, struct journal **out, struct err *e);
int64_t journal_token(const struct journal *j);
/* The file stays. */
void journal_close(struct journal **j);
void journal_remove(const char *queue_path, int64_t token);

/* Marks the item in an entry of its own, which slot names from then on; slot < 0:
 * it has none yet. Marking again names another host. ERR_NOT_FOUND: fenced. */
int journal_mark(
	struct journal *j, int64_t *slot, int64_t item, const char *host, struct err *e);
void journal_clear(struct journal *j, int64_t *slot);
void journal_host(const struct journal *j, int64_t slot, char out[JOURNAL_HOST_MAX]);
bool journal_is_fenced(const struct journal *j);

/* Another process's, as it stands now. fence: it must not mark any more.
 * ERR_INVALID: there is none that can be trusted. Other errors are of this process
 * and may pass. */
int journal_open(const struct journal_queue *queue, int64_t token, bool fence,
	struct journal **out, struct err *e);
/* Whether the item was marked when it was opened. host_out may be NULL. */
bool journal_find(const struct journal *j, int64_t item, char host_out[JOURNAL_HOST_MAX]);
size_t journal_count(const struct journal *j);

/* Removes journals of the queue that nobody has: is_known says whose there are. */
void journal_remove_leftovers(
	const char *queue_path, bool (*is_known)(void *arg, int64_t token), void *arg);

/* The running system's boot; empty: it does not say, which is like any other. */
void journal_boot(char out[JOURNAL_BOOT_MAX]);

#endif
