/*
 * The store: transactions over groups of requests.
 *
 *	closed --open--> ready --begin--> in transaction --commit--> ready
 *	                                       | commit failed
 *	ready <--reopened and verified-- suspect
 *
 * After an error of fsync a later success of fsync proves nothing: the pages
 * that were not written count as clean. A suspect store therefore closes its
 * connection, reads back what became of the commit, and moves the whole log
 * into the database file, which writes and syncs everything afresh. Until that
 * has succeeded every request fails.
 */
#include "queue/points.h"
#include "queue/sqlite_schema.h"
#include "queue/sqlite_store.h"

#include "base/failpoint.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/timefmt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MARK_KEPT_MS = 60000,  /* longer than a look-up can take */
	LOG_PAGES = 4000,      /* of the log, before they are moved at a commit */
	LOG_PAGES_MAX = 16384, /* 64 MiB: others wait until it starts anew */
	LOG_PAGES_MORE = 4096, /* between two tries of that */
	LOG_WAIT_MS = 500      /* for those who read from it */
};

static const struct request_class {
	int (*run)(struct store *s, struct request *r);
	bool writes;
	bool needs_holder; /* leaves something that goes with this process */
	bool needs_place;  /* begins something: not in a file that nobody else sees */
} classes[] = {
	[REQUEST_STAGE] = { put_stage, true, true, true },
	[REQUEST_UNSTAGE] = { put_unstage, true, false },
	[REQUEST_PUT] = { put_commit, true, false, true },
	[REQUEST_REGISTER] = { NULL, false, false },
	[REQUEST_CLAIM] = { claim_due, true, true, true },
	[REQUEST_BODY] = { body_read, false, false },
	[REQUEST_FINISH] = { finish, true, false },
	[REQUEST_GIVE_BACK] = { item_give_back, true, false },
	[REQUEST_OPERATE] = { operate, true, false },
	[REQUEST_PRUNE] = { prune, true, false },
	[REQUEST_NOTE] = { note_set, true, true },
};
_Static_assert(ARRAY_SIZE(classes) == REQUEST_KIND_COUNT, "every kind has a row");

/* ---- open and close ---- */

static int on_log(void *arg, sqlite3 *handle, const char *name, int pages)
{
	struct store *s = arg;
	(void)handle;
	(void)name;
	s->log_pages = pages;
	return SQLITE_OK;
}

static int open_database(struct store *s, bool create, struct err *e)
{
	const struct queue_options *o = &s->options;
	int rc = schema_open(&s->db, s->path, create, o->busy_timeout_ms, e);
	if (rc == 0)
		sqlite3_wal_hook(s->db.handle, on_log, s);
	if (rc == 0 && o->max_bytes) {
		char sql[80];
		sqlite3_snprintf(sizeof(sql), sql, "PRAGMA max_page_count=%lld",
			(long long)(o->max_bytes / 4096));
		rc = db_exec(&s->db, sql, e);
	}
	return rc;
}

/* A file that was moved or removed stays open and works, but whoever opens the
 * queue from now on has another one: their mail would wait for ever, and without
 * a word. What is under way may still end in the old file. */
static int check_place(struct store *s, struct err *e)
{
	struct stat st;
	if (stat(s->path, &st) == 0 && st.st_dev == s->device && st.st_ino == s->inode)
		return 0;
	return err_set(e, ERR_IO,
		"queue %s was moved, removed or replaced while it is open: put it back, "
		"or "
		"start this process again",
		s->path);
}

static int complain_lock(struct store *s, struct err *e)
{
	if (e->code == ERR_NOT_FOUND && access(s->path, F_OK) != 0) {
		struct db db;
		return schema_open(&db, s->path, false, 0, e); /* the better text */
	}
	return err_context(e, "open queue %s", s->path);
}

/* Several may be about to make it; who finds no such locks goes on. */
static int create_database(struct store *s, struct err *e)
{
	int rc;
	if (lock_take_create(&s->lock, s->options.busy_timeout_ms) == ERR_BUSY)
		rc = err_set(e, ERR_BUSY,
			"open queue %s: another process is opening it; try again",
			s->path);
	else
		rc = open_database(s, true, e);
	lock_drop(&s->lock, 0);
	return rc;
}

/* As a rule it is there, and processes that open it do not wait for each other.
 * One that is being made looks like a foreign file, or like none. */
static int open_or_create(struct store *s, bool exists, struct err *e)
{
	int rc = ERR_NOT_FOUND;
	if (exists || !s->options.create)
		rc = open_database(s, false, e);
	if (s->options.create && (rc == ERR_NOT_FOUND || rc == ERR_INVALID))
		rc = create_database(s, e);
	return rc;
}

int store_open(const struct queue_options *options, struct store **out, struct err *e)
{
	struct err own = { 0 };
	struct stat st = { 0 };
	struct store *s = xcalloc(1, sizeof(*s));
	e = e ? e : &own;
	s->options = *options;
	s->path = xstrdup(options->path);
	s->options.path = s->path;
	s->lock.fd = -1;
	s->renew_at_ms = INT64_MAX;
	s->token = (int64_t)(rng_u64() >> 1);
	s->held = held_new();
	s->next_claim = (int64_t)(rng_u64() >> 2);
	bool exists = access(s->path, F_OK) == 0;
	int rc = 0;
	if (exists || options->create)
		rc = lock_open(&s->lock, s->path, O_RDWR | O_CREAT, e);
	if (rc != 0)
		rc = complain_lock(s, e);
	else
		rc = open_or_create(s, exists, e);
	if (rc == 0 && stat(s->path, &st) != 0)
		rc = err_errno(e, errno, "open queue %s", s->path);
	if (rc == 0) {
		s->device = st.st_dev;
		s->inode = st.st_ino;
		lease_recover_at_open(s);
		*out = s;
		return 0;
	}
	store_close(&s);
	return rc;
}

void store_close(struct store **sp)
{
	struct store *s = *sp;
	if (!s)
		return;
	*sp = NULL;
	if (s->db.handle)
		lease_unregister(s);
	store_end_chores(s);
	db_close(&s->db);
	lock_close(&s->lock);
	held_free(&s->held);
	id_list_clear(&s->others);
	free(s->touched);
	free(s->path);
	free(s);
}

/* Looks only at what is the same from open to close. */
int store_mark(struct store *s, int64_t item, const char *host, struct err *e)
{
	struct err own = { 0 };
	e = e ? e : &own;
	int rc = check_place(s, e);
	if (rc != 0)
		return rc;
	rc = held_mark(s->held, item, host, e);
	return rc == 0 ? 0
		       : err_context(
				 e, "item %lld of queue %s", (long long)item, s->path);
}

uint64_t store_commits(const struct store *s)
{
	return s->commits;
}

uint64_t store_steps(const struct store *s)
{
	return db_steps(&s->db);
}

/* ---- transactions ---- */

void store_rollback(struct store *s)
{
	if (s->db.handle && !sqlite3_get_autocommit(s->db.handle))
		(void)db_run(&s->db, NULL, "ROLLBACK", "");
}

int store_begin(struct store *s, struct err *e)
{
	s->wakes = false;
	s->useless_count = 0;
	s->now_ms = clock_wall_ms();
	claims_begin(s);
	s->changes_before = sqlite3_total_changes64(s->db.handle);
	int rc = db_run(&s->db, e, "BEGIN IMMEDIATE", "");
	if (rc == 0)
		rc = clock_check(s, e);
	if (rc != 0)
		store_rollback(s);
	return rc;
}

/* A row a transaction: nobody else's commit can hide it. */
static int write_mark(struct store *s, struct err *e)
{
	s->serial++;
	int rc = db_run(&s->db, e,
		"INSERT INTO mark(token, serial, time_ms) VALUES(?1, ?2, ?3)", "iii",
		s->token, s->serial, s->now_ms);
	/* More than one comes: the table shrinks again after a rush. */
	if (rc == 0)
		rc = db_run(&s->db, e,
			"DELETE FROM mark WHERE time_ms < ?1 AND num IN"
			" (SELECT num FROM mark ORDER BY num LIMIT 3)",
			"i", s->now_ms - MARK_KEPT_MS);
	return rc;
}

/* Whether the last transaction that was tried is in the database: 0 or an
 * error: ERR_NOT_FOUND if it is not, another one if nobody knows. */
static int find_mark(struct store *s)
{
	int64_t any;
	return db_value(&s->db, NULL, &any,
		"SELECT 1 FROM mark WHERE token = ?1 AND serial = ?2", "ii", s->token,
		s->serial);
}

/* Writes everything afresh: TRUNCATE waits for the others and starts a new log. */
static int checkpoint_all(struct store *s, struct err *e)
{
	if (sqlite3_wal_checkpoint_v2(s->db.handle, NULL, SQLITE_CHECKPOINT_TRUNCATE,
		    NULL, NULL) != SQLITE_OK)
		return db_fail(&s->db, e, "verify");
	return 0;
}

static int reopen(struct store *s, struct err *e)
{
	int errnum = failpoint("queue.reopen");
	if (errnum)
		return err_errno(e, errnum, "open queue %s again", s->path);
	int rc = check_place(s, e);
	if (rc != 0)
		return rc;
	if (s->db.handle)
		db_close(&s->db);
	s->operating = NULL; /* its selection went with the connection */
	rc = open_database(s, false, e);
	if (rc == 0)
		rc = checkpoint_all(s, e);
	if (rc == 0)
		s->suspect = false;
	return rc;
}

static int run_commit(struct store *s, struct err *e)
{
	int errnum = failpoint("queue.commit.before");
	if (errnum)
		return err_errno(e, errnum, "commit to queue %s", s->path);
	sqlite3_stmt *stmt = db_query(&s->db, e, "COMMIT", "");
	int rc = db_step(&s->db, stmt, e);
	errnum = failpoint("queue.commit.after");
	if (rc == 0 && errnum)
		return err_errno(e, errnum, "commit to queue %s", s->path);
	return rc;
}

/* In place of SQLite's own: what is moved at each commit lets the log start anew
 * only if nobody writes before it is through. Where several processes write all
 * the time that hardly ever happens, and the log would grow without end. */
static void move_log(struct store *s)
{
	int mode = SQLITE_CHECKPOINT_PASSIVE;
	int64_t timeout_ms = s->db.busy_timeout_ms;
	if (s->log_pages < LOG_PAGES && !failpoint("queue.checkpoint"))
		return;
	if (s->log_pages < LOG_PAGES_MAX)
		s->log_pages_tried = 0;
	else if (s->log_pages >= s->log_pages_tried + LOG_PAGES_MORE) {
		mode = SQLITE_CHECKPOINT_TRUNCATE;
		s->log_pages_tried = s->log_pages;
	}
	s->db.busy_timeout_ms = timeout_ms < LOG_WAIT_MS ? timeout_ms : LOG_WAIT_MS;
	int rc = sqlite3_wal_checkpoint_v2(s->db.handle, NULL, mode, NULL, NULL) & 0xff;
	s->db.busy_timeout_ms = timeout_ms;
	s->log_pages = 0;
	(void)failpoint("queue.checkpoint.done");
	/* The next group verifies before it goes on, and says what is wrong. */
	if (rc == SQLITE_IOERR || rc == SQLITE_CORRUPT)
		s->suspect = true;
}

/* What became of a commit that failed with e. */
static int resolve_commit(struct store *s, struct err *e)
{
	s->suspect = true;
	int rc = reopen(s, NULL);
	if (rc == 0)
		rc = find_mark(s);
	if (rc == 0) {
		*e = (struct err){ 0 };
	} else if (rc != ERR_NOT_FOUND) {
		s->suspect = true;
		err_set(e, e->code,
			"%s; what was asked for may be stored all the same: look before "
			"it is done again",
			e->text);
	}
	return e->code;
}

int store_commit(struct store *s, struct err *e)
{
	struct err own = { 0 };
	e = e ? e : &own;
	int rc = claims_before_commit(s, e);
	if (rc != 0) {
		/* Not tried: the last mark is that of the commit before. */
		store_rollback(s);
		held_rollback_to(s->held, 0);
		return rc;
	}
	bool changed = sqlite3_total_changes64(s->db.handle) != s->changes_before;
	if (changed)
		rc = write_mark(s, e);
	if (rc == 0)
		rc = run_commit(s, e);
	if (rc != 0) {
		store_rollback(s);
		if (rc != ERR_BUSY && rc != ERR_NO_SPACE) /* the log has no end of it */
			rc = resolve_commit(s, e);
		if (rc != 0) {
			held_rollback_to(s->held, 0);
			s->are_claims_unknown |= s->suspect;
			return rc;
		}
	}
	held_commit(s->held);
	clock_settle(s);
	s->commits += changed;
	if (s->wakes)
		(void)queue_wake_send(s->path); /* nobody listening is fine */
	lease_remove_useless(s);
	move_log(s);
	return 0;
}

/* ---- groups ---- */

static void fail_all(struct request **group, size_t count, const struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		if (!group[i]->err.code)
			group[i]->err = *e;
	}
}

/* Things that have a transaction of their own come before the group's. */
static void prepare_group(struct store *s, struct request **group, size_t count)
{
	struct err place = { 0 };
	bool is_checked = false;
	for (size_t i = 0; i < count; i++) {
		struct request *r = group[i];
		if (!r->err.code && classes[r->kind].needs_place) {
			if (!is_checked)
				(void)check_place(s, &place);
			is_checked = true;
			if (place.code)
				r->err = place;
		}
		if (r->err.code)
			continue;
		if (r->kind == REQUEST_REGISTER)
			(void)lease_register(s, r->reg.lease_s, true, &r->err);
		else if (classes[r->kind].needs_holder && !s->slot)
			(void)lease_register(
				s, LEASE_DEFAULT_S, r->kind == REQUEST_CLAIM, &r->err);
	}
}

static bool is_to_run(const struct request *r)
{
	return r->kind != REQUEST_REGISTER && !r->err.code;
}

/* One request in its savepoint. false: SQLite has rolled everything back. */
static bool run_one(struct store *s, struct request *r)
{
	if (!is_to_run(r))
		return true;
	size_t place = held_place(s->held);
	int rc = db_run(&s->db, &r->err, "SAVEPOINT request", "");
	if (rc == 0)
		rc = classes[r->kind].run(s, r);
	if (rc != 0 && !r->err.code)
		err_set(&r->err, rc, "use queue %s", s->path);
	if (sqlite3_get_autocommit(s->db.handle))
		return false;
	if (rc != 0) {
		r->again = false;
		(void)db_run(&s->db, NULL, "ROLLBACK TO request", "");
		claims_roll_back(s, place);
	}
	(void)db_run(&s->db, NULL, "RELEASE request", "");
	return true;
}

static bool group_writes(struct store *s, struct request **group, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct request *r = group[i];
		if (r->err.code)
			continue;
		if (r->kind == REQUEST_OPERATE ? operate_writes(s, r)
					       : classes[r->kind].writes)
			return true;
	}
	return false;
}

static void run_reads(struct store *s, struct request **group, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!group[i]->err.code && classes[group[i]->kind].run)
			classes[group[i]->kind].run(s, group[i]);
	}
}

static void reset_answers(struct request **group, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		request_reset_answer(group[i]);
		group[i]->again = false;
	}
}

/* false: a request took the whole transaction with it; it has its error, the
 * others are as before and are to be tried again. */
static bool run_each(struct store *s, struct request **group, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!run_one(s, group[i])) {
			reset_answers(group, count);
			return false;
		}
	}
	return true;
}

/* With a savepoint open SQLite keeps a copy of each page as it was. As long as
 * all goes well nobody needs it. false: something did not; nothing has been
 * done, and nobody has an error from it. */
static bool run_together(struct store *s, struct request **group, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct request *r = group[i];
		if (!is_to_run(r) || classes[r->kind].run(s, r) == 0)
			continue;
		store_rollback(s);
		r->err.code = ERR_OK;
		reset_answers(group, count);
		return false;
	}
	return true;
}

/* together: try it without savepoints. false: it is to be tried again, with
 * them. */
static bool run_writes(
	struct store *s, struct request **group, size_t count, bool together)
{
	struct err e = { 0 };
	const struct request *operating = s->operating;
	if (store_begin(s, &e) != 0) {
		fail_all(group, count, &e);
		return true;
	}
	if (!(together ? run_together : run_each)(s, group, count)) {
		s->operating = operating; /* its selection went with the transaction */
		return false;
	}
	points_pass(group, count, false);
	if (store_commit(s, &e) != 0) {
		reset_answers(group, count);
		fail_all(group, count, &e);
	} else {
		points_pass(group, count, true);
	}
	return true;
}

/* What the requests of one incoming message have to know of each other: one piece that is
 * missing, for whatever reason, and nothing of it may be stored. */
static void settle_stages(struct request **group, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct request *r = group[i];
		if (r->kind != REQUEST_STAGE)
			continue;
		struct stage *stage = r->put.stage;
		if (r->err.code && !stage->err.code)
			stage->err = r->err;
		stage->committed_num = stage->num;
	}
}

/* Whether anything can be done at all. */
static int get_ready(struct store *s, struct err *e)
{
	int rc = s->suspect || !s->db.handle ? reopen(s, e) : 0;
	return rc == 0 && s->are_claims_unknown ? claims_reconcile(s, e) : rc;
}

static void run_group(struct store *s, struct request **group, size_t count)
{
	bool together = true;
	prepare_group(s, group, count);
	if (!group_writes(s, group, count)) {
		run_reads(s, group, count);
		return;
	}
	/* Each round but the first that fails has one request less to try. */
	while (!run_writes(s, group, count, together))
		together = false;
}

/* Whatever became of them. */
static void settle_group(struct store *s, struct request **group, size_t count)
{
	settle_stages(group, count);
	for (size_t i = 0; i < count; i++) {
		if (group[i]->kind == REQUEST_OPERATE)
			operate_settle(s, group[i]);
	}
}

void store_execute(struct store *s, struct request **group, size_t count)
{
	struct err e = { 0 };
	if (get_ready(s, &e) == 0)
		run_group(s, group, count);
	else
		fail_all(group, count, &e);
	settle_group(s, group, count);
}
