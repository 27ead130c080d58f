#include "queue/sqlite_db.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/timefmt.h"
#include "queue/queue.h"
#include "queue/sqlite_vfs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* SQLite's own handler waits longer and longer, up to 100 ms: who meets a
 * process that commits all the time hardly ever looks in one of the gaps. Looking
 * costs some microseconds. */
static int on_busy(void *arg, int count)
{
	struct db *db = arg;
	int64_t now_ms = clock_monotonic_ms();
	if (count == 0)
		db->busy_since_ms = now_ms;
	if (now_ms - db->busy_since_ms >= db->busy_timeout_ms)
		return 0;
	const struct timespec pause = { .tv_nsec = 500000 + rng_u32() % 2000000 };
	nanosleep(&pause, NULL);
	return 1;
}

int db_open(struct db *db, const char *path, int flags, int64_t busy_timeout_ms,
	struct err *e)
{
	*db = (struct db){ .path = xstrdup(path), .busy_timeout_ms = busy_timeout_ms };
	/* One thread at a time: SQLite's own mutexes would only cost. */
	int rc = sqlite3_open_v2(path, &db->handle,
		flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, sqlite_vfs_name());
	if (rc != SQLITE_OK) {
		rc = db_fail(db, e, "open");
		db_close(db);
		return rc;
	}
	sqlite3_busy_handler(db->handle, on_busy, db);
	return 0;
}

void db_close(struct db *db)
{
	for (size_t i = 0; i < DB_STATEMENTS_MAX; i++)
		sqlite3_finalize(db->cache[i].stmt); /* NULL is fine */
	sqlite3_close(db->handle);
	free(db->path);
	*db = (struct db){ 0 };
}

struct complaint {
	int rc; /* primary code */
	enum err_code code;
	const char *hint;
};

static const struct complaint complaints[] = {
	{ SQLITE_FULL, ERR_NO_SPACE, "; make room on its file system" },
	{ SQLITE_BUSY, ERR_BUSY,
		"; another process has had it locked for too long: try again" },
	{ SQLITE_LOCKED, ERR_BUSY, "; try again" },
	{ SQLITE_READONLY, ERR_PERMISSION,
		"; the file and its directory must be writable for the user of hikyaku" },
	{ SQLITE_PERM, ERR_PERMISSION, "" },
	{ SQLITE_AUTH, ERR_PERMISSION, "" },
	{ SQLITE_CANTOPEN, ERR_PERMISSION,
		"; the file and its directory must be writable for the user of hikyaku" },
	{ SQLITE_NOTADB, ERR_INVALID,
		"; it is no queue: `queue` in the configuration names another file, or "
		"it was overwritten" },
	{ SQLITE_CORRUPT, ERR_IO,
		"; it is damaged: stop hikyaku, keep a copy, and try sqlite3's "
		".recover" },
	{ SQLITE_CONSTRAINT, ERR_EXISTS, "" },
	{ SQLITE_TOOBIG, ERR_LIMIT, "" },
};

static int complain(struct db *db, struct err *e, const char *doing)
{
	int rc = db->handle ? sqlite3_extended_errcode(db->handle) : SQLITE_NOMEM;
	const char *said = db->handle ? sqlite3_errmsg(db->handle) : "out of memory";
	int errnum = db->handle ? sqlite3_system_errno(db->handle) : 0;
	int primary = rc & 0xff;
	if (primary == SQLITE_NOMEM)
		abort(); /* as xmalloc does */
	if (primary == SQLITE_CANTOPEN && (errnum == EMFILE || errnum == ENFILE))
		return err_errno(e, errnum, "%s queue %s", doing, db->path);
	for (size_t i = 0; i < ARRAY_SIZE(complaints); i++) {
		if (complaints[i].rc == primary)
			return err_set(e, complaints[i].code, "%s queue %s: %s%s", doing,
				db->path, said, complaints[i].hint);
	}
	if (primary == SQLITE_IOERR)
		return err_set(e, ERR_IO, "%s queue %s: %s (%d): %s; look at the disk",
			doing, db->path, said, rc,
			errnum ? strerror(errnum) : "no detail");
	return err_set(e, ERR_IO, "%s queue %s: %s (%d)", doing, db->path, said, rc);
}

int db_fail(struct db *db, struct err *e, const char *doing)
{
	return db->failed = complain(db, e, doing);
}

int db_exec(struct db *db, const char *sql, struct err *e)
{
	if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(db, e, "use");
	return 0;
}

/* The place of this statement, or the one where it belongs. */
static struct db_statement *look_up(struct db *db, const char *sql)
{
	/* Fibonacci hashing: the upper bits of the product are the good ones. */
	uint64_t at = (uintptr_t)sql * UINT64_C(0x9e3779b97f4a7c15) >> 32;
	struct db_statement *found;
	do {
		found = &db->cache[at++ % DB_STATEMENTS_MAX];
	} while (found->sql && found->sql != sql);
	return found;
}

static sqlite3_stmt *prepare(struct db *db, const char *sql, struct err *e)
{
	struct db_statement *place = look_up(db, sql);
	if (place->sql)
		return place->stmt;
	sqlite3_stmt *stmt = NULL;
	ASSERT(db->count < DB_STATEMENTS_MAX / 2);
	if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt,
		    NULL) != SQLITE_OK) {
		db_fail(db, e, "use");
		return NULL;
	}
	*place = (struct db_statement){ sql, stmt };
	db->count++;
	return stmt;
}

static sqlite3_stmt *query(
	struct db *db, struct err *e, const char *sql, const char *types, va_list ap)
{
	sqlite3_stmt *stmt = prepare(db, sql, e);
	if (!stmt)
		return NULL;
	ASSERT(sqlite3_bind_parameter_count(stmt) == (int)strlen(types));
	int rc = SQLITE_OK;
	for (int i = 0; types[i] && rc == SQLITE_OK; i++) {
		if (types[i] == 'i') {
			rc = sqlite3_bind_int64(stmt, i + 1, va_arg(ap, int64_t));
		} else if (types[i] == 't') {
			rc = sqlite3_bind_text(
				stmt, i + 1, va_arg(ap, const char *), -1, SQLITE_STATIC);
		} else {
			const void *bytes = va_arg(ap, const void *);
			size_t len = va_arg(ap, size_t);
			rc = sqlite3_bind_blob64(stmt, i + 1, bytes, len, SQLITE_STATIC);
		}
	}
	if (rc != SQLITE_OK) {
		db_fail(db, e, "use");
		return NULL;
	}
	return stmt;
}

sqlite3_stmt *db_query(
	struct db *db, struct err *e, const char *sql, const char *types, ...)
{
	va_list ap;
	va_start(ap, types);
	sqlite3_stmt *stmt = query(db, e, sql, types, ap);
	va_end(ap);
	return stmt;
}

int db_step(struct db *db, sqlite3_stmt *stmt, struct err *e)
{
	if (!stmt)
		return db->failed;
	int rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		return 1;
	int result = rc == SQLITE_DONE ? 0 : db_fail(db, e, "use");
	sqlite3_reset(stmt);
	return result;
}

void db_reset(sqlite3_stmt *stmt)
{
	sqlite3_reset(stmt);
}

int db_run(struct db *db, struct err *e, const char *sql, const char *types, ...)
{
	va_list ap;
	va_start(ap, types);
	sqlite3_stmt *stmt = query(db, e, sql, types, ap);
	va_end(ap);
	int rc = db_step(db, stmt, e);
	if (rc == 1)
		db_reset(stmt);
	return rc < 0 ? rc : 0;
}

int db_value(struct db *db, struct err *e, int64_t *out, const char *sql,
	const char *types, ...)
{
	va_list ap;
	va_start(ap, types);
	sqlite3_stmt *stmt = query(db, e, sql, types, ap);
	va_end(ap);
	int rc = db_step(db, stmt, e);
	if (rc == 0)
		return ERR_NOT_FOUND;
	if (rc < 0)
		return rc;
	*out = db_int(stmt, 0);
	db_reset(stmt);
	return 0;
}

uint64_t db_steps(const struct db *db)
{
	uint64_t n = 0;
	for (size_t i = 0; i < DB_STATEMENTS_MAX; i++) {
		if (db->cache[i].stmt)
			n += (unsigned)sqlite3_stmt_status(
				db->cache[i].stmt, SQLITE_STMTSTATUS_VM_STEP, 0);
	}
	return n;
}

int64_t db_int(sqlite3_stmt *stmt, int column)
{
	return sqlite3_column_int64(stmt, column);
}

const char *db_text(sqlite3_stmt *stmt, int column)
{
	return (const char *)sqlite3_column_text(stmt, column);
}

char *db_strdup(sqlite3_stmt *stmt, int column)
{
	return xstrdup(db_text(stmt, column));
}

const char *queue_library_version(void)
{
	return sqlite3_libversion();
}

const char *queue_library_built(void)
{
	return SQLITE_VERSION;
}
