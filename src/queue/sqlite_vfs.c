#include "queue/sqlite_vfs.h"

#include "base/err.h"
#include "base/failpoint.h"
#include "base/mem.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	LOG_HEADER = 32,        /* octets */
	GATHER_MIN = 32 * 1024, /* memory for a small commit */
	/* SQLite's VFS for Unix takes no more in a call: it cuts the number of octets
	 * off at 17 bits. A longer commit takes several writes. */
	GATHER_MAX = 128 * 1024 - 1
};

/* A database or its log, opened by the default VFS behind it. */
struct vfs_file {
	sqlite3_file base;     /* first: SQLite knows it as this */
	struct vfs_file *peer; /* of the database its log, and the reverse; or NULL */
	/* Of a log: what waits to be written at `at`. */
	char *bytes;
	size_t len, size;
	sqlite3_int64 at;
	sqlite3_int64 real[]; /* SQLite aligns to 8 octets, no more */
};

/* SQLite keeps the address: no constant. Written once. */
static sqlite3_vfs gathering;

static struct vfs_file *own(sqlite3_file *f)
{
	return (struct vfs_file *)f;
}

static sqlite3_file *real(sqlite3_file *f)
{
	return (sqlite3_file *)own(f)->real;
}

static sqlite3_vfs *behind(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

/* ---- gathering ---- */

static int write_out(struct vfs_file *w)
{
	sqlite3_file *f = (sqlite3_file *)w->real;
	(void)failpoint("queue.log.write");
	return f->pMethods->xWrite(f, w->bytes, (int)w->len, w->at);
}

static int flush(struct vfs_file *w)
{
	int rc = w->len ? write_out(w) : SQLITE_OK;
	w->len = 0;
	return rc;
}

static void make_room(struct vfs_file *w, size_t more)
{
	size_t size = w->size ? w->size : GATHER_MIN;
	while (size < w->len + more)
		size *= 2;
	if (size > w->size)
		w->bytes = xreallocarray(w->bytes, size, 1);
	w->size = size;
}

static int log_write(sqlite3_file *f, const void *bytes, int amount, sqlite3_int64 at)
{
	struct vfs_file *w = own(f);
	size_t more = (size_t)amount;
	bool follows = w->len && at == w->at + (sqlite3_int64)w->len;
	if (!follows || w->len + more > GATHER_MAX) {
		int rc = flush(w);
		if (rc != SQLITE_OK)
			return rc;
		w->at = at;
	}
	make_room(w, more);
	memcpy(w->bytes + w->len, bytes, more);
	w->len += more;
	return SQLITE_OK;
}

static int log_read(sqlite3_file *f, void *bytes, int amount, sqlite3_int64 at)
{
	int rc = flush(own(f));
	return rc ? rc : real(f)->pMethods->xRead(real(f), bytes, amount, at);
}

static int log_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int rc = flush(own(f));
	return rc ? rc : real(f)->pMethods->xTruncate(real(f), size);
}

static int log_sync(sqlite3_file *f, int flags)
{
	int rc = flush(own(f));
	(void)failpoint("queue.log.sync");
	return rc ? rc : real(f)->pMethods->xSync(real(f), flags);
}

static int log_size(sqlite3_file *f, sqlite3_int64 *size_out)
{
	int rc = flush(own(f));
	return rc ? rc : real(f)->pMethods->xFileSize(real(f), size_out);
}

static int log_close(sqlite3_file *f)
{
	struct vfs_file *w = own(f);
	int rc = flush(w), rc_close = real(f)->pMethods->xClose(real(f));
	if (w->peer)
		w->peer->peer = NULL;
	free(w->bytes);
	w->bytes = NULL;
	return rc ? rc : rc_close;
}

/* ---- the database: the locks of the log are its methods ---- */

static int db_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	struct vfs_file *w = own(f)->peer;
	/* What is there is of a transaction that was rolled back: frames that nobody
	 * reads. That they could not be written, on a full disk say, is no error. */
	if (w && (flags & SQLITE_SHM_UNLOCK))
		(void)flush(w);
	return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}

static void db_shm_barrier(sqlite3_file *f)
{
	struct vfs_file *w = own(f)->peer;
	/* Only a commit without a sync leaves something here, and nobody could be
	 * told that it failed: the store has synchronous=FULL. */
	int rc = w ? flush(w) : SQLITE_OK;
	ASSERT(rc == SQLITE_OK);
	real(f)->pMethods->xShmBarrier(real(f));
}

static int db_close_file(sqlite3_file *f)
{
	if (own(f)->peer)
		own(f)->peer->peer = NULL;
	return real(f)->pMethods->xClose(real(f));
}

/* ---- straight through ---- */

static int pass_read(sqlite3_file *f, void *bytes, int amount, sqlite3_int64 at)
{
	return real(f)->pMethods->xRead(real(f), bytes, amount, at);
}

/* Of the database: while the log is moved into it. */
static int pass_write(sqlite3_file *f, const void *bytes, int amount, sqlite3_int64 at)
{
	(void)failpoint("queue.checkpoint.write");
	return real(f)->pMethods->xWrite(real(f), bytes, amount, at);
}

static int pass_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return real(f)->pMethods->xTruncate(real(f), size);
}

static int pass_sync(sqlite3_file *f, int flags)
{
	(void)failpoint("queue.checkpoint.sync");
	return real(f)->pMethods->xSync(real(f), flags);
}

static int pass_size(sqlite3_file *f, sqlite3_int64 *size_out)
{
	return real(f)->pMethods->xFileSize(real(f), size_out);
}

static int pass_lock(sqlite3_file *f, int level)
{
	return real(f)->pMethods->xLock(real(f), level);
}

static int pass_unlock(sqlite3_file *f, int level)
{
	return real(f)->pMethods->xUnlock(real(f), level);
}

static int pass_check_lock(sqlite3_file *f, int *held_out)
{
	return real(f)->pMethods->xCheckReservedLock(real(f), held_out);
}

static int pass_control(sqlite3_file *f, int op, void *arg)
{
	return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int pass_sector_size(sqlite3_file *f)
{
	return real(f)->pMethods->xSectorSize(real(f));
}

static int pass_characteristics(sqlite3_file *f)
{
	return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static int pass_shm_map(
	sqlite3_file *f, int region, int size, int extend, void volatile **out)
{
	return real(f)->pMethods->xShmMap(real(f), region, size, extend, out);
}

static int pass_shm_unmap(sqlite3_file *f, int remove)
{
	return real(f)->pMethods->xShmUnmap(real(f), remove);
}

static int pass_fetch(sqlite3_file *f, sqlite3_int64 at, int amount, void **out)
{
	return real(f)->pMethods->xFetch(real(f), at, amount, out);
}

static int pass_unfetch(sqlite3_file *f, sqlite3_int64 at, void *p)
{
	return real(f)->pMethods->xUnfetch(real(f), at, p);
}

/* ---- opening ---- */

/* What both tables have in common. */
#define PASSED                                                                           \
	.iVersion = 3, .xLock = pass_lock, .xUnlock = pass_unlock,                       \
	.xCheckReservedLock = pass_check_lock, .xFileControl = pass_control,             \
	.xSectorSize = pass_sector_size, .xDeviceCharacteristics = pass_characteristics, \
	.xShmMap = pass_shm_map, .xShmLock = db_shm_lock, .xShmBarrier = db_shm_barrier, \
	.xShmUnmap = pass_shm_unmap, .xFetch = pass_fetch, .xUnfetch = pass_unfetch

static const sqlite3_io_methods log_methods = {
	PASSED,
	.xClose = log_close,
	.xRead = log_read,
	.xWrite = log_write,
	.xTruncate = log_truncate,
	.xSync = log_sync,
	.xFileSize = log_size,
};

static const sqlite3_io_methods db_methods = {
	PASSED,
	.xClose = db_close_file,
	.xRead = pass_read,
	.xWrite = pass_write,
	.xTruncate = pass_truncate,
	.xSync = pass_sync,
	.xFileSize = pass_size,
};

/* The default VFS syncs the directory with the first sync of each log that it
 * was told to create, and SQLite always tells it so: a sync more for each process
 * that commits once. The header of a log is synced, with the directory, before the
 * first frame is written: a log with frames in it has its entry for good. */
static int open_behind(
	sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *flags_out)
{
	struct stat st;
	if ((flags & SQLITE_OPEN_WAL) && stat(name, &st) == 0 &&
		st.st_size > LOG_HEADER) {
		int rc = behind(vfs)->xOpen(behind(vfs), name, real(f),
			flags & ~SQLITE_OPEN_CREATE, flags_out);
		if (rc == SQLITE_OK)
			return rc;
		real(f)->pMethods = NULL; /* it has just gone, say */
	}
	return behind(vfs)->xOpen(behind(vfs), name, real(f), flags, flags_out);
}

static int open_wrapped(
	sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *flags_out)
{
	struct vfs_file *w = own(f);
	memset(w, 0, sizeof(*w));
	int rc = open_behind(vfs, name, f, flags, flags_out);
	/* After an error too: then SQLite calls xClose if there are methods. */
	if (!real(f)->pMethods)
		return rc;
	ASSERT(real(f)->pMethods->iVersion >= 3);
	bool is_log = flags & SQLITE_OPEN_WAL;
	f->pMethods = is_log ? &log_methods : &db_methods;
	sqlite3_file *db = is_log ? sqlite3_database_file_object(name) : NULL;
	if (db && db->pMethods == &db_methods) {
		w->peer = own(db);
		w->peer->peer = w;
	}
	return rc;
}

static int vfs_open(
	sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *flags_out)
{
	if (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL))
		return open_wrapped(vfs, name, f, flags, flags_out);
	return behind(vfs)->xOpen(behind(vfs), name, f, flags, flags_out);
}

/* All but xOpen are the default VFS's functions: they look at no more of their
 * first argument than its pAppData and mxPathname, and get the original. */
static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	return behind(vfs)->xDelete(behind(vfs), name, sync);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	return behind(vfs)->xAccess(behind(vfs), name, flags, out);
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
	return behind(vfs)->xFullPathname(behind(vfs), name, size, out);
}

static int vfs_randomness(sqlite3_vfs *vfs, int size, char *out)
{
	return behind(vfs)->xRandomness(behind(vfs), size, out);
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
	return behind(vfs)->xSleep(behind(vfs), us);
}

static int vfs_time(sqlite3_vfs *vfs, double *out)
{
	return behind(vfs)->xCurrentTime(behind(vfs), out);
}

static int vfs_error(sqlite3_vfs *vfs, int size, char *out)
{
	return behind(vfs)->xGetLastError(behind(vfs), size, out);
}

static int vfs_time64(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
	return behind(vfs)->xCurrentTimeInt64(behind(vfs), out);
}

static void register_vfs(void)
{
	sqlite3_vfs *usual = sqlite3_vfs_find(NULL);
	ASSERT(usual && usual->iVersion >= 2);
	gathering = (sqlite3_vfs){
		.iVersion = 2, /* without extensions, and tests' system calls */
		.szOsFile = (int)sizeof(struct vfs_file) + usual->szOsFile,
		.mxPathname = usual->mxPathname,
		.zName = "hikyaku",
		.pAppData = usual,
		.xOpen = vfs_open,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_full_path,
		.xRandomness = vfs_randomness,
		.xSleep = vfs_sleep,
		.xCurrentTime = vfs_time,
		.xGetLastError = vfs_error,
		.xCurrentTimeInt64 = vfs_time64,
	};
	int rc = sqlite3_vfs_register(&gathering, 0);
	ASSERT(rc == SQLITE_OK);
}

const char *sqlite_vfs_name(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, register_vfs);
	return gathering.zName;
}
