/*
 * One SQLite connection: opening, statements that are prepared once, errors in
 * words. Knows nothing of mail. Not thread-safe.
 */
#ifndef QUEUE_SQLITE_DB_H
#define QUEUE_SQLITE_DB_H

#include "base/err.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DB_STATEMENTS_MAX = 256 }; /* a power of two; half of them are used at most */

/* Stays where it is while it is open: SQLite has its address. */
struct db {
	sqlite3 *handle;
	char *path; /* owned; for error texts */
	struct db_statement {
		const char *sql; /* the literal's address is the key; NULL: free */
		sqlite3_stmt *stmt;
	} cache[DB_STATEMENTS_MAX]; /* a hash table */
	size_t count;
	int failed; /* the code of the last error */
	int64_t busy_timeout_ms, busy_since_ms;
};

int db_open(struct db *db, const char *path, int flags, int64_t busy_timeout_ms,
	struct err *e);
void db_close(struct db *db);

/* Sets e from what SQLite says: what was done, to which file, and what to do. */
int db_fail(struct db *db, struct err *e, const char *doing);

/* A script, not kept. */
int db_exec(struct db *db, const char *sql, struct err *e);

/* A statement that is prepared once, with its parameters. types has a letter a
 * parameter: i int64_t, t const char * (may be NULL), b const void * and size_t.
 * sql is a literal. Texts must stay until the statement is through.
 * NULL: e is set, and db_step gives the error back. */
sqlite3_stmt *db_query(
	struct db *db, struct err *e, const char *sql, const char *types, ...);
/* 1: a row; 0: no more; negative: an error. Resets at the end and after an
 * error; a caller that stops before it calls db_reset. */
int db_step(struct db *db, sqlite3_stmt *stmt, struct err *e);
void db_reset(sqlite3_stmt *stmt);

/* Query and step to the end. A broken UNIQUE is ERR_EXISTS. */
int db_run(struct db *db, struct err *e, const char *sql, const char *types, ...);
/* The first column of the first row; ERR_NOT_FOUND (e unset) if there is none. */
int db_value(struct db *db, struct err *e, int64_t *out, const char *sql,
	const char *types, ...);

/* Virtual machine instructions of all statements so far. */
uint64_t db_steps(const struct db *db);

int64_t db_int(sqlite3_stmt *stmt, int column);
const char *db_text(sqlite3_stmt *stmt, int column); /* NULL for NULL */
char *db_strdup(sqlite3_stmt *stmt, int column);     /* likewise */

#endif
