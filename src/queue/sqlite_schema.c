#include "queue/sqlite_schema.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * message.id is NULL while the content is being staged by `holder`: no query
 * by id sees such a row. chunk.id is message.num << 20 | sequence. A number is
 * never used again: who stages content may come back after it was removed.
 *
 * item.id is message.num << 16 | number in the message, so that the items of a
 * message are a range, and so are the recipients of an item and of a message.
 * recipient.n counts in the message.
 *
 * record.id is the time of its commit in ms << 20, or the last one and one more: it
 * only ever grows, and tells what is old without an index.
 *
 * A claim is a row of `claim`, with the ids of its items, eight octets each: the
 * items' own rows do not change. See sqlite_claims.c.
 *
 * destination keeps the time of its first item that is due and not claimed, so that a
 * claim walks the destinations that have something to do: those that are full cost
 * one step each, however many items they have.
 */
static const char schema[] =
	"CREATE TABLE message (num INTEGER PRIMARY KEY AUTOINCREMENT, id INTEGER UNIQUE,"
	" sender TEXT, envid TEXT, ret INTEGER, arrival_ms INTEGER, size INTEGER,"
	" flags INTEGER, holder INTEGER);"
	"CREATE INDEX message_staged ON message(holder) WHERE holder IS NOT NULL;"
	"CREATE TABLE chunk (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
	"CREATE TABLE destination (id INTEGER PRIMARY KEY, domain TEXT NOT NULL UNIQUE,"
	" next_due_ms INTEGER);"
	"CREATE INDEX destination_due ON destination(next_due_ms)"
	" WHERE next_due_ms IS NOT NULL;"
	"CREATE TABLE item (id INTEGER PRIMARY KEY, destination INTEGER NOT NULL,"
	" state INTEGER NOT NULL, due_ms INTEGER NOT NULL, attempts INTEGER NOT NULL,"
	" next_channel TEXT, channel_reason TEXT, last_host TEXT, last_error TEXT,"
	" was_in_doubt INTEGER NOT NULL, delay_notified INTEGER NOT NULL,"
	" had_by INTEGER);"
	"CREATE INDEX item_due ON item(destination, state, due_ms);"
	"CREATE TABLE claim (id INTEGER PRIMARY KEY, holder INTEGER NOT NULL,"
	" items BLOB NOT NULL);"
	"CREATE TABLE recipient (item INTEGER NOT NULL, n INTEGER NOT NULL,"
	" address TEXT NOT NULL, orcpt TEXT, notify INTEGER NOT NULL,"
	" outcome INTEGER NOT NULL, text TEXT, PRIMARY KEY (item, n)) WITHOUT ROWID;"
	"CREATE TABLE memory (domain TEXT PRIMARY KEY, channel TEXT NOT NULL,"
	" reason TEXT, until_ms INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE record (id INTEGER PRIMARY KEY,"
	" time_ms INTEGER NOT NULL, message_id INTEGER NOT NULL, domain TEXT NOT NULL,"
	" is_failure INTEGER NOT NULL, json TEXT NOT NULL);"
	"CREATE INDEX record_message ON record(message_id);"
	"CREATE INDEX record_domain ON record(domain);"
	"CREATE TABLE holder (slot INTEGER PRIMARY KEY, token INTEGER NOT NULL,"
	" inode INTEGER NOT NULL, lease_s INTEGER NOT NULL,"
	" lease_until_ms INTEGER NOT NULL, journal INTEGER NOT NULL,"
	" boot TEXT NOT NULL);"
	"CREATE TABLE note (name TEXT NOT NULL, holder INTEGER NOT NULL,"
	" value TEXT NOT NULL, PRIMARY KEY (name, holder)) WITHOUT ROWID;"
	/* The transactions of the last minute, to look up whether a commit that
	 * failed took place. */
	"CREATE TABLE mark (num INTEGER PRIMARY KEY, token INTEGER NOT NULL,"
	" serial INTEGER NOT NULL, time_ms INTEGER NOT NULL);";

static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		return xstrdup(".");
	return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

static int complain_missing(const char *path, struct err *e)
{
	OWN(mem_free) char *dir = directory_of(path);
	if (access(dir, F_OK) != 0)
		return err_set(e, ERR_NOT_FOUND,
			"no queue at %s: the directory %s does not exist; make it, "
			"writable for the user of hikyaku only",
			path, dir);
	return err_set(e, ERR_NOT_FOUND,
		"no queue at %s; the first `hikyaku send` or `hikyaku run` makes it",
		path);
}

/* Before SQLite says "unable to open database file": what exactly is wrong. */
static int check_file(const char *path, int mode, struct err *e)
{
	struct stat st;
	if (stat(path, &st) != 0) {
		if (errno == ENOENT)
			return complain_missing(path, e);
		return err_errno(e, errno, "open queue %s", path);
	}
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID,
			"queue %s is no regular file; `queue` in the configuration names "
			"the file of the database",
			path);
	if (faccessat(AT_FDCWD, path, mode, AT_EACCESS) != 0)
		return err_set(e, ERR_PERMISSION,
			"open queue %s: %s; it belongs to the user with id %u", path,
			strerror(errno), (unsigned)st.st_uid);
	return 0;
}

/* A directory entry is durable when its directory is. */
static int sync_directory(const char *path, struct err *e)
{
	OWN(mem_free) char *dir = directory_of(path);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	if (fd < 0)
		return err_errno(e, errno, "open directory %s", dir);
	if (fsync(fd) != 0 && errno != EINVAL)
		rc = err_errno(e, errno, "sync directory %s", dir);
	close(fd);
	return rc;
}

/* SQLite would make it with the umask's mode, and readable mail is a leak. */
static int make_file(const char *path, struct err *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return 0;
	if (fd < 0 && errno == ENOENT)
		return complain_missing(path, e);
	if (fd < 0)
		return err_errno(e, errno, "make queue %s", path);
	/* Nobody has it open yet: SQLite's POSIX locks cannot be lost by this. */
	close(fd);
	return sync_directory(path, e);
}

/* Sets how the file is; must come before its first table. */
static int create_tables(struct db *db, struct err *e)
{
	char sql[200];
	/* So that it can shrink again after a burst, see store_do_chore. */
	int rc =
		db_exec(db, "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL", e);
	if (rc == 0)
		rc = db_exec(db, "BEGIN IMMEDIATE", e);
	if (rc == 0)
		rc = db_exec(db, schema, e);
	sqlite3_snprintf(sizeof(sql), sql,
		"PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
		SCHEMA_APPLICATION_ID, SCHEMA_VERSION);
	if (rc == 0)
		rc = db_exec(db, sql, e);
	return rc;
}

static int complain_foreign(const char *path, struct err *e)
{
	return err_set(e, ERR_INVALID,
		"%s is a database, but no queue; `queue` in the configuration names "
		"another file, or another program's",
		path);
}

/* Before its first commit, or for ever where that failed. */
static int complain_empty(const char *path, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND,
		"queue %s is empty: it is being made, or that was interrupted; the next "
		"`hikyaku send` or `hikyaku run` makes it",
		path);
}

/* Says in empty_out whether it is a database without anything in it. */
static int check_format(struct db *db, bool *empty_out, struct err *e)
{
	int64_t id = 0, version = 0, objects = 0;
	int rc = db_value(db, e, &id, "PRAGMA application_id", "");
	if (rc == 0)
		rc = db_value(db, e, &version, "PRAGMA user_version", "");
	if (rc == 0)
		rc = db_value(db, e, &objects, "SELECT count(*) FROM sqlite_schema", "");
	if (rc != 0)
		return rc;
	*empty_out = objects == 0 && id == 0;
	if (*empty_out)
		return 0;
	if (id != SCHEMA_APPLICATION_ID)
		return complain_foreign(db->path, e);
	if (version != SCHEMA_VERSION)
		return err_set(e, ERR_VERSION,
			"queue %s has format %lld, this program reads and writes format "
			"%d; use the version of hikyaku that made it, or let that "
			"deliver what is in it",
			db->path, (long long)version, SCHEMA_VERSION);
	return 0;
}

/* A queue whose beginning was overwritten is no database any more. Where it has a log it
 * was one: what is wrong is the disk, or a hand that slipped, and not the configuration.
 */
static void tell_overwritten(struct db *db, struct err *e)
{
	OWN(mem_free) char *log = xasprintf("%s-wal", db->path);
	if (sqlite3_errcode(db->handle) != SQLITE_NOTADB || access(log, F_OK) != 0)
		return;
	err_set(e, ERR_IO,
		"queue %s was overwritten: it is no database any more, and %s is still "
		"there; stop hikyaku, keep a copy of both, and put a copy back that is "
		"whole",
		db->path, log);
}

static int open_checked(struct db *db, const char *path, int flags, bool create,
	int64_t busy_timeout_ms, struct err *e)
{
	bool is_empty = false;
	int rc = db_open(db, path, flags, busy_timeout_ms, e);
	if (rc != 0)
		return rc;
	/* Before anything is written; sqlite_vfs.h counts on it too. */
	rc = db_exec(db, "PRAGMA synchronous=FULL", e);
	if (rc == 0)
		rc = check_format(db, &is_empty, e);
	if (rc == 0 && is_empty)
		rc = create ? create_tables(db, e) : complain_empty(path, e);
	if (rc == ERR_INVALID && e) {
		tell_overwritten(db, e);
		rc = e->code;
	}
	if (rc != 0)
		db_close(db);
	return rc;
}

int schema_open(struct db *db, const char *path, bool create, int64_t busy_timeout_ms,
	struct err *e)
{
	int rc = create ? make_file(path, e) : 0;
	if (rc == 0)
		rc = check_file(path, R_OK | W_OK, e);
	if (rc == 0)
		rc = open_checked(
			db, path, SQLITE_OPEN_READWRITE, create, busy_timeout_ms, e);
	if (rc != 0)
		return rc;
	rc = db_exec(db,
		"PRAGMA temp_store=MEMORY; PRAGMA secure_delete=FAST;"
		"PRAGMA cache_size=-8000; PRAGMA journal_size_limit=67108864;"
		"CREATE TEMP TABLE selected (item INTEGER PRIMARY KEY)",
		e);
	if (rc != 0)
		db_close(db);
	return rc;
}

int schema_open_reader(
	struct db *db, const char *path, int64_t busy_timeout_ms, struct err *e)
{
	int rc = check_file(path, R_OK, e);
	if (rc == 0)
		rc = open_checked(
			db, path, SQLITE_OPEN_READONLY, false, busy_timeout_ms, e);
	return rc;
}
