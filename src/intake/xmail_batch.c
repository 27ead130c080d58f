#include "intake/xmail_batch.h"

#include "base/failpoint.h"
#include "base/mem.h"
#include "intake/wait.h"
#include "intake/xmail_file.h"
#include "queue/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILES_MAX = 100,             /* as many descriptors */
	HELD_EACH_MAX = 512 * 1024,  /* the queue stages what is more */
	HELD_MAX = 16 * 1024 * 1024, /* octets in memory */
	LOOKUP_TIMEOUT_MS = 5000     /* for another process's lock */
};

static const char mark[] = ".hikyaku-";

struct file {
	char *base;   /* its name without our mark */
	char *marked; /* with it; NULL: it is kept as it is */
	int fd;       /* with the lock */
	struct stat st;
	int64_t id;
	bool is_marked, is_stored;
	struct intake_message *message; /* until the commit */
	char *sender;                   /* NULL: not known, see xmail_taken */
	size_t recipient_count;
	struct err err; /* of the store */
};

struct xmail_batch {
	struct xmail_options options;
	struct queue_reader *reader; /* once it is needed */
	int dir_fd;
	char *prefix;       /* NULL: no directory yet */
	struct file *files; /* FILES_MAX */
	size_t count, held;
};

struct xmail_batch *xmail_batch_new(const struct xmail_options *options)
{
	struct xmail_batch *b = xcalloc(1, sizeof(*b));
	b->options = *options;
	b->files = xcalloc(FILES_MAX, sizeof(*b->files));
	return b;
}

static void file_clear(struct file *f)
{
	intake_message_free(&f->message);
	if (f->fd >= 0)
		close(f->fd);
	free(f->base);
	free(f->marked);
	free(f->sender);
}

static void forget_files(struct xmail_batch *b)
{
	while (b->count)
		file_clear(&b->files[--b->count]);
	b->held = 0;
}

void xmail_batch_free(struct xmail_batch **bp)
{
	struct xmail_batch *b = MOVE(*bp);
	if (!b)
		return;
	forget_files(b);
	queue_reader_close(&b->reader);
	free(b->files);
	free(b->prefix);
	free(b);
}

int xmail_batch_directory(
	struct xmail_batch *b, int dir_fd, const char *prefix, struct err *e)
{
	if (b->prefix && strcmp(b->prefix, prefix) == 0) {
		b->dir_fd = dir_fd;
		return 0;
	}
	int rc = xmail_batch_flush(b, e);
	free(b->prefix);
	b->prefix = xstrdup(prefix);
	b->dir_fd = dir_fd;
	return rc;
}

static void refuse(struct xmail_batch *b, const struct file *f, const struct err *e)
{
	OWN(mem_free) char *path = xasprintf("%s%s", b->prefix, f->base);
	b->options.on_refused(b->options.arg, path, &f->st, e);
}

static int sync_directory(const struct xmail_batch *b, struct err *e)
{
	if (fsync(b->dir_fd) == 0)
		return 0;
	return err_errno(e, errno, "sync directory %s", *b->prefix ? b->prefix : ".");
}

/* ---- what a crash has left ---- */

/* Is it NAME.hikyaku-ID? Then base is cut. */
static bool take_mark(char *base, int64_t *id_out)
{
	size_t len = strlen(base), tail = strlen(mark) + MAIL_ID_MAX - 1;
	if (len <= tail || strncmp(base + len - tail, mark, strlen(mark)) != 0 ||
		!mail_id_parse(base + len - (MAIL_ID_MAX - 1), id_out))
		return false;
	base[len - tail] = '\0';
	return true;
}

/* In this order: what is gone from the queue by then has left a record. */
static int was_committed(struct xmail_batch *b, int64_t id, bool *out, struct err *e)
{
	struct queue_entry entry;
	const char *json;
	int64_t position;
	int rc = b->reader ? 0
			   : queue_reader_open(b->options.config->queue,
				     LOOKUP_TIMEOUT_MS, &b->reader, e);
	if (rc == 0)
		rc = queue_reader_get(b->reader, id, &entry, e);
	*out = rc == 0;
	if (rc != ERR_NOT_FOUND || !b->reader)
		return rc;
	*e = (struct err){ 0 };
	*out = queue_reader_log(b->reader, &(struct queue_log_query){ .message_id = id },
		&json, &position, e);
	return e->code;
}

/* ---- one file ---- */

/* Is it what stands under the name? */
static bool is_at(const struct xmail_batch *b, const char *name, const struct file *f)
{
	struct stat now;
	return fstatat(b->dir_fd, name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       now.st_dev == f->st.st_dev && now.st_ino == f->st.st_ino;
}

/* Is it ours alone, and still there? */
static bool lock(const struct xmail_batch *b, const char *name, const struct file *f)
{
	return flock(f->fd, LOCK_EX | LOCK_NB) == 0 && is_at(b, name, f);
}

static int read_file(struct xmail_batch *b, struct file *f, struct err *e)
{
	struct intake_message *m = f->message = intake_message_new(b->options.intake);
	if (!f->id)
		f->id = intake_envelope(m)->id;
	if (!b->options.keep)
		intake_require_id(m, f->id);
	int rc = xmail_file_read(m, b->options.config, f->fd, e);
	if (rc != 0)
		return rc;
	f->sender = xstrdup(intake_envelope(m)->sender);
	f->recipient_count = intake_recipient_count(m);
	return 0;
}

/* Returns an error of the queue; false in *is_in: the file is not for this batch. */
static int prepare(struct xmail_batch *b, const char *name, struct file *f, bool *is_in,
	struct err *e)
{
	struct err why = { 0 };
	*is_in = false;
	f->fd = xmail_file_open(b->dir_fd, name, &why);
	if (f->fd < 0) {
		if (why.code != ERR_NOT_FOUND) /* else somebody has taken it */
			refuse(b, f, &why);
		return 0;
	}
	if (!b->options.keep && !lock(b, name, f))
		return 0;
	if (f->is_marked) {
		int rc = was_committed(b, f->id, &f->is_stored, e);
		*is_in = f->is_stored;
		if (rc != 0 || f->is_stored)
			return rc;
	}
	*is_in = read_file(b, f, &why) == 0;
	if (!*is_in)
		refuse(b, f, &why);
	return 0;
}

int xmail_batch_add(
	struct xmail_batch *b, const char *name, const struct stat *st, struct err *e)
{
	struct file *f = &b->files[b->count];
	bool is_in;
	*f = (struct file){ .base = xstrdup(name), .fd = -1, .st = *st };
	if (!b->options.keep)
		f->is_marked = take_mark(f->base, &f->id);
	int rc = prepare(b, name, f, &is_in, e);
	if (rc != 0 || !is_in) {
		file_clear(f);
		return rc;
	}
	if (!b->options.keep) {
		char id[MAIL_ID_MAX];
		mail_id_format(f->id, id);
		f->marked = xasprintf("%s%s%s", f->base, mark, id);
	}
	b->count++;
	b->held += st->st_size < HELD_EACH_MAX ? (size_t)st->st_size : HELD_EACH_MAX;
	if (b->count == FILES_MAX || b->held > HELD_MAX)
		return xmail_batch_flush(b, e);
	return 0;
}

/* ---- all of them ---- */

/* Whoever writes files under a name that is there already has put another one in its
 * place: that has our mark now, with an id that is in no queue, and its turn comes. */
static void leave_to_next_time(struct xmail_batch *b, struct file *f)
{
	struct err why;
	err_set(&why, ERR_BUSY,
		"another file has taken its place while it was read; run this again");
	refuse(b, f, &why);
	intake_message_free(&f->message);
}

/* The new name counts as a change of the file: were it refused by its old time, it would
 * be news at the next look. */
static void note_change(struct file *f)
{
	struct stat now;
	if (fstat(f->fd, &now) == 0)
		f->st.st_ctim = now.st_ctim;
}

/* The mark is on disk before the commit can be. */
static int mark_files(struct xmail_batch *b, struct err *e)
{
	bool any = false;
	for (size_t i = 0; i < b->count; i++) {
		struct file *f = &b->files[i];
		struct err why = { 0 };
		if (f->is_marked || !f->marked)
			continue;
		if (renameat(b->dir_fd, f->base, b->dir_fd, f->marked) != 0) {
			err_errno(&why, errno, "rename");
			refuse(b, f, &why);
			intake_message_free(&f->message);
			continue;
		}
		f->is_marked = any = true;
		if (is_at(b, f->marked, f))
			note_change(f);
		else
			leave_to_next_time(b, f);
	}
	int errnum = failpoint("xmail.marked");
	if (errnum)
		return err_errno(e, errnum, "sync directory %s", b->prefix);
	return any ? sync_directory(b, e) : 0;
}

static void on_stored(void *arg, int64_t id, const struct err *e)
{
	struct file *f = arg;
	if (e) {
		f->err = *e;
		return;
	}
	f->id = id;
	f->is_stored = true;
}

static void commit_files(struct xmail_batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		struct file *f = &b->files[i];
		if (f->message)
			(void)intake_commit(&f->message, on_stored, f, &f->err);
	}
	intake_wait_all(b->options.intake);
}

/* By chance another message has the id that was chosen for this one, or the marked name
 * is not from here: it gets another one next time. */
static void give_back_name(struct xmail_batch *b, struct file *f)
{
	if (renameat(b->dir_fd, f->marked, b->dir_fd, f->base) == 0)
		note_change(f);
	err_set(&f->err, ERR_BUSY, "its queue id is in use already; run this again");
	refuse(b, f, &f->err);
}

/* Returns what keeps the queue from taking any file. */
static int check_files(struct xmail_batch *b, struct err *e)
{
	for (size_t i = 0; i < b->count; i++) {
		struct file *f = &b->files[i];
		if (!f->err.code)
			continue;
		if (f->err.code == ERR_EXISTS)
			give_back_name(b, f);
		else if (f->err.code == ERR_INVALID || f->err.code == ERR_LIMIT)
			refuse(b, f, &f->err);
		else
			*e = f->err;
	}
	return e->code;
}

static void tell(struct xmail_batch *b, const struct file *f)
{
	OWN(mem_free) char *path = xasprintf("%s%s", b->prefix, f->base);
	b->options.on_taken(
		b->options.arg, &(struct xmail_taken){ .path = path,
					.id = f->id,
					.sender = f->sender,
					.recipient_count = f->recipient_count,
					.size_bytes = (uint64_t)f->st.st_size });
}

static bool remove_file(struct xmail_batch *b, const struct file *f)
{
	struct err why = { 0 };
	char id[MAIL_ID_MAX];
	int errnum = failpoint("xmail.remove");
	if (!errnum && unlinkat(b->dir_fd, f->marked, 0) != 0)
		errnum = errno;
	if (!errnum || errnum == ENOENT)
		return true;
	mail_id_format(f->id, id);
	err_errno(&why, errnum,
		"queued as %s, but %s cannot be removed, and would be queued again when "
		"the retry log has forgotten it",
		id, f->marked);
	refuse(b, f, &why);
	return false;
}

/* Of what is stored. What has been in the queue before is news only once it is gone. */
static int remove_files(struct xmail_batch *b, struct err *e)
{
	bool any = false;
	for (size_t i = 0; i < b->count; i++) {
		if (b->files[i].is_stored && b->files[i].sender)
			tell(b, &b->files[i]);
	}
	for (size_t i = 0; i < b->count; i++) {
		const struct file *f = &b->files[i];
		if (!f->is_stored || !f->marked)
			continue;
		any = true;
		if (remove_file(b, f) && !f->sender)
			tell(b, f);
	}
	return any ? sync_directory(b, e) : 0;
}

int xmail_batch_flush(struct xmail_batch *b, struct err *e)
{
	struct err queue_error = { 0 };
	int rc = b->count ? mark_files(b, e) : 0;
	if (rc == 0 && b->count) {
		commit_files(b);
		check_files(b, &queue_error);
		rc = remove_files(b, e);
	}
	forget_files(b);
	if (queue_error.code) {
		*e = queue_error;
		rc = e->code;
	}
	return rc;
}
