#include "intake/xmail.h"

#include "base/mem.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How deep in a spool a directory is. */
enum depth { DEPTH_TOP, DEPTH_N, DEPTH_M, DEPTH_MESS };

struct xmail {
	struct xmail_options options;
	struct xmail_batch *batch;
	char *parent; /* of the last single file, with its slash, or "" */
	int parent_fd;
	struct err failure; /* of the queue: nothing more is taken */
	bool has_told;      /* of it */
};

struct xmail *xmail_new(const struct xmail_options *options)
{
	struct xmail *x = xcalloc(1, sizeof(*x));
	x->options = *options;
	x->batch = xmail_batch_new(options);
	x->parent_fd = -1;
	return x;
}

void xmail_free(struct xmail **xp)
{
	struct xmail *x = MOVE(*xp);
	if (!x)
		return;
	xmail_batch_free(&x->batch);
	if (x->parent_fd >= 0)
		close(x->parent_fd);
	free(x->parent);
	free(x);
}

static int tell_failure(struct xmail *x, struct err *e)
{
	if (x->has_told || !x->failure.code)
		return 0;
	x->has_told = true;
	*e = x->failure;
	return e->code;
}

static bool must_stop(const struct xmail *x)
{
	return x->options.must_stop && x->options.must_stop(x->options.arg);
}

static int take_name(struct xmail *x, int dir_fd, const char *prefix, const char *name,
	const struct stat *st)
{
	OWN(mem_free) char *path = xasprintf("%s%s", prefix, name);
	if (x->options.is_left_alone &&
		x->options.is_left_alone(x->options.arg, path, st))
		return 0;
	int rc = xmail_batch_directory(x->batch, dir_fd, prefix, &x->failure);
	return rc ? rc : xmail_batch_add(x->batch, name, st, &x->failure);
}

/* ---- directories ---- */

static bool is_being_written(const char *name)
{
	size_t len = strlen(name);
	return *name == '.' || (len >= 4 && text_equal(name + len - 4, ".tmp"));
}

static bool is_number(const char *s)
{
	size_t len = 0;
	while (text_is_digit(s[len]))
		len++;
	return len && !s[len];
}

static bool is_on_the_way(enum depth depth, const char *name)
{
	if (depth == DEPTH_M)
		return strcmp(name, "mess") == 0;
	return depth != DEPTH_MESS && is_number(name);
}

static int take_directory(
	struct xmail *x, int fd, const char *prefix, enum depth depth, struct err *e);

static int take_inner(struct xmail *x, int dir_fd, const char *prefix, const char *name,
	enum depth depth, struct err *e)
{
	OWN(mem_free) char *inner = xasprintf("%s%s/", prefix, name);
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(e, errno, "open %s", inner);
	return take_directory(x, fd, inner, depth, e);
}

static int take_entry(struct xmail *x, int fd, const char *prefix, const char *name,
	enum depth depth, struct err *e)
{
	struct stat st;
	if (is_being_written(name) ||
		fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) /* gone */
		return 0;
	if (S_ISDIR(st.st_mode))
		return is_on_the_way(depth, name)
			       ? take_inner(x, fd, prefix, name, depth + 1, e)
			       : 0;
	if (depth == DEPTH_TOP || depth == DEPTH_MESS)
		return take_name(x, fd, prefix, name, &st);
	return 0;
}

/* Takes fd. */
static int take_directory(
	struct xmail *x, int fd, const char *prefix, enum depth depth, struct err *e)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *entry = NULL;
	int rc = 0;
	if (!dir) {
		rc = err_errno(e, errno, "read directory %s", prefix);
		close(fd);
		return rc;
	}
	do {
		errno = 0;
		entry = must_stop(x) ? NULL : readdir(dir);
		if (entry)
			rc = take_entry(x, fd, prefix, entry->d_name, depth, e);
		else if (errno)
			rc = err_errno(e, errno, "read directory %s", prefix);
	} while (entry && rc == 0);
	/* The batch has the descriptor until then. */
	if (!x->failure.code)
		(void)xmail_batch_flush(x->batch, &x->failure);
	closedir(dir);
	return rc;
}

/* ---- single files ---- */

/* They are gathered as long as they are in the same directory. */
static int use_parent(struct xmail *x, const char *path, size_t len, struct err *e)
{
	if (x->parent && strncmp(x->parent, path, len) == 0 && !x->parent[len])
		return 0;
	int rc = xmail_batch_flush(x->batch, &x->failure);
	if (rc != 0)
		return rc;
	if (x->parent_fd >= 0)
		close(x->parent_fd);
	free(x->parent);
	x->parent = xstrndup(path, len);
	x->parent_fd = open(len ? x->parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (x->parent_fd >= 0)
		return 0;
	rc = err_errno(e, errno, "open %s", len ? x->parent : ".");
	mem_free(&x->parent);
	return rc;
}

static int take_single(
	struct xmail *x, const char *path, const struct stat *st, struct err *e)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	int rc = use_parent(x, path, (size_t)(name - path), e);
	return rc ? rc : take_name(x, x->parent_fd, x->parent, name, st);
}

static int take_top(struct xmail *x, const char *path, struct err *e)
{
	size_t len = strlen(path);
	if (x->options.keep)
		return err_set(e, ERR_INVALID,
			"%s is a directory: what is to stay can only be taken file by "
			"file",
			path);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, errno, "open %s", path);
	OWN(mem_free)
	char *prefix = xasprintf("%s%s", path, len && path[len - 1] == '/' ? "" : "/");
	return take_directory(x, fd, prefix, DEPTH_TOP, e);
}

int xmail_take(struct xmail *x, const char *path, struct err *e)
{
	struct stat st, target;
	int rc = 0;
	if (lstat(path, &st) != 0)
		return err_errno(e, errno, "look for %s", path);
	/* Whoever names a link to a directory means it. */
	bool is_directory = stat(path, &target) == 0 && S_ISDIR(target.st_mode);
	if (!x->failure.code)
		rc = is_directory ? take_top(x, path, e) : take_single(x, path, &st, e);
	return x->failure.code ? tell_failure(x, e) : rc;
}

int xmail_finish(struct xmail *x, struct err *e)
{
	if (!x->failure.code)
		(void)xmail_batch_flush(x->batch, &x->failure);
	return tell_failure(x, e);
}
