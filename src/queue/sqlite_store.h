/*
 * What the files of the SQLite store share: its state, and one function a
 * request. They run inside the transaction of the group, in a savepoint.
 */
#ifndef QUEUE_SQLITE_STORE_H
#define QUEUE_SQLITE_STORE_H

#include "queue/held.h"
#include "queue/lock.h"
#include "queue/sqlite_db.h"
#include "queue/states.h"
#include "queue/store.h"

#include <sys/types.h>

enum recipient_outcome {
	RECIPIENT_QUEUED = 0,
	RECIPIENT_DELIVERED = 1,
	RECIPIENT_BOUNCED = 2
};

enum message_flag { MESSAGE_8BIT = 1, MESSAGE_SMTPUTF8 = 2, MESSAGE_NOTICE = 4 };

enum {
	CHUNK_SEQ_BITS = 20,
	ITEM_BITS = 16, /* of an item's id: its number in the message */
	ITEMS_MAX = 1 << ITEM_BITS,
	LEASE_DEFAULT_S = 60,
	LOST_IN_DOUBT_DELAY_MS = 60000, /* never at once: RFC 1047 */
	DUE_SOON_MS = 30000             /* as long as a worker sleeps without looking */
};

/* The least id of a record that is committed at that time. */
#define RECORD_ID(ms) ((int64_t)((uint64_t)(ms) << 20))

struct id_list {
	int64_t *ids; /* owned */
	size_t count, cap;
};

struct store {
	struct db db;
	struct queue_options options; /* path is owned */
	char *path;
	dev_t device; /* of the database file, as it was opened */
	ino_t inode;
	struct lock_file lock;
	/* Our place among the holders; slot 0: none yet. */
	int64_t slot, token, lease_s, renew_at_ms;
	bool is_worker;
	struct held *held;   /* what we have claimed */
	int64_t useless[16]; /* journals that go with the transaction under way */
	size_t useless_count;
	bool suspect; /* a commit failed: reopen before anything else */
	bool wakes;   /* the transaction under way makes something due soon */
	const struct request *operating; /* whose selection there is */
	bool has_trash;                  /* content to be removed, bit by bit */
	bool may_shrink;                 /* the file, likewise */
	int64_t unused_before;           /* pages in it, when that was last tried */
	uint64_t commits;
	int log_pages, log_pages_tried; /* of the write-ahead log, see move_log */
	int64_t serial;                 /* of the last transaction tried, see mark */
	/* Of the transaction under way: */
	bool is_row_checked, is_row_ours; /* that of holder, see claims_check */
	bool are_others_known;
	int64_t last_record;   /* its id; 0: not looked up */
	struct id_list others; /* what other processes hold, sorted */
	struct touched {       /* destinations that are to be refreshed; owned */
		int64_t destination, next_due_ms;
		size_t order;
		bool is_done;
		enum touch_kind {
			TOUCH_CHANGED, /* anything may have */
			TOUCH_COUNTED, /* claimed from; this is next */
			TOUCH_GONE     /* what was claimed has left */
		} kind;
	} * touched;
	size_t touched_count, touched_cap;
	int64_t next_claim;      /* the id of our next claim */
	bool are_claims_unknown; /* a commit failed, or did not: see claims_reconcile */
	int64_t now_ms;          /* of the transaction */
	/* See sqlite_clock.c: as of the last transaction, and of the one under way. */
	bool is_clock_known;
	int64_t clock_offset_ms, clock_now_ms, clock_step_ms;
	int64_t changes_before; /* as SQLite counts them, when it began */
};

/* queue_sqlite.c */
int store_begin(struct store *s, struct err *e);
int store_commit(struct store *s, struct err *e);
void store_rollback(struct store *s);

/* sqlite_lease.c */
int lease_register(struct store *s, int64_t lease_s, bool is_worker, struct err *e);
void lease_unregister(struct store *s);
/* Whoever took us for dead (stopped for long, lock file gone) has removed our
 * row; what we hold from now on needs one. */
int lease_ensure(struct store *s, struct err *e);
/* Frees what dead holders have left. for_claim: see queue_options.lost_record. */
int lease_recover(struct store *s, bool for_claim, struct err *e);
/* The same in a transaction of its own, if there is anything to do; what fails
 * is left to the next one. */
void lease_recover_at_open(struct store *s);
/* After a commit: journals whose holders it removed. */
void lease_remove_useless(struct store *s);
/* Whether our row is there and our journal not fenced. */
int lease_is_ours(struct store *s, bool *out, struct err *e);
bool lease_is_alive(const struct lock_file *lock, int64_t slot, int64_t inode,
	int64_t lease_until_ms, int64_t now_ms);

/* What the journals of a store's queue belong to. */
static inline struct journal_queue store_journal_queue(const struct store *s)
{
	return (struct journal_queue){ s->path, s->device, s->inode };
}

/* sqlite_chores.c */
/* What is left of them, but for what would take long: whoever stops a process waits. It
 * is left to the next one's pruning. */
void store_end_chores(struct store *s);

/* sqlite_clock.c */
/* At the begin of each transaction: moves the times in the queue with the clock. */
int clock_check(struct store *s, struct err *e);
void clock_settle(struct store *s); /* when it is committed */

/* sqlite_put.c */
int put_stage(struct store *s, struct request *r);
int put_unstage(struct store *s, struct request *r);
int put_commit(struct store *s, struct request *r);
/* A bounce. */
int put_message(struct store *s, const struct queue_new_message *m, struct err *e);

/* sqlite_body.c */
struct chunk_writer {
	struct store *store;
	int64_t num;
	uint32_t seq;
	char *pending; /* QUEUE_CHUNK octets; owned */
	size_t pending_len;
	uint64_t size;
};
int chunk_insert(struct store *s, int64_t num, uint32_t seq, const char *bytes,
	size_t len, struct err *e);
/* Overwrites octets of the first chunk. */
int chunk_patch(struct store *s, int64_t num, size_t at, const char *bytes, size_t len,
	struct err *e);
int chunk_write(struct chunk_writer *w, const char *bytes, size_t len, struct err *e);
int chunk_flush(struct chunk_writer *w, struct err *e);
void chunk_writer_clear(struct chunk_writer *w);
int chunk_copy(struct chunk_writer *w, int64_t from_num, bool header_only, struct err *e);
int body_load(struct db *db, int64_t num, uint64_t offset, size_t max, char **out,
	size_t *len_out, struct err *e); /* malloc'ed */
int body_read(struct store *s, struct request *r);
#define SIZE_UNKNOWN UINT64_MAX
/* The message with its content, of that size (content.size_bytes). Much content only
 * becomes trash, which body_remove_trash removes a piece a call; has_trash says whether
 * to go on. */
int body_remove_message(struct store *s, int64_t num, uint64_t size, struct err *e);
int body_remove_trash(struct store *s, struct err *e);

/* sqlite_item.c */
static inline int64_t item_first(int64_t message)
{
	return (int64_t)((uint64_t)message << ITEM_BITS);
}
static inline int64_t item_message(int64_t id)
{
	return id >> ITEM_BITS;
}
int item_load(struct store *s, int64_t id, struct queue_item **out, struct err *e);
/* A destination of which something changed: its next_due_ms, which counts what is
 * due and not busy, is brought up to date, or it is removed with its last item. */
void item_touch_destination(struct store *s, int64_t destination);
/* It lost an item that was busy. */
void item_touch_gone(struct store *s, int64_t destination);
/* What is due next in it is known already, unless it changes later. */
void item_touch_counted(struct store *s, int64_t destination, int64_t next_due_ms);
int item_touch(struct store *s, int64_t id, struct err *e); /* of that item, if any */
int item_refresh_touched(struct store *s, struct err *e);
/* After a savepoint was rolled back: what was made of them is not known any more. */
void item_touch_again(struct store *s);
/* With its message, of that size, if it is the last one of it. */
int item_remove(struct store *s, int64_t id, uint64_t size, struct err *e);
int item_complain(struct store *s, int64_t id, const char *why, struct err *e);
int item_give_back(struct store *s, struct request *r);

/* sqlite_claims.c */
enum { CLAIM_ID_BYTES = 8 };
void id_list_add(struct id_list *list, int64_t id);
void id_list_clear(struct id_list *list);
void id_list_sort(struct id_list *list);
bool id_list_has(const struct id_list *sorted, int64_t id);
/* With each transaction. */
void claims_begin(struct store *s);
int claims_before_commit(struct store *s, struct err *e);
/* To the savepoint that was at this place of held. */
void claims_roll_back(struct store *s, size_t place);
/* Once a transaction: what we hold is ours still, or nothing is held any more. */
int claims_check(struct store *s, struct err *e);
int claims_is_busy(struct store *s, int64_t item, bool *out, struct err *e);
int claims_insert(
	struct store *s, const struct id_list *items, int64_t *id_out, struct err *e);
/* What is left of it; the row goes with the last one. */
int claims_update(
	struct store *s, int64_t id, const struct id_list *items, struct err *e);
void claims_unpack(sqlite3_stmt *stmt, int column, struct id_list *out); /* adds */
/* After a commit whose outcome was not known, in a transaction of its own: brings
 * what is held in line with what is stored. */
int claims_reconcile(struct store *s, struct err *e);

/* sqlite_claim.c */
int claim_due(struct store *s, struct request *r);

/* sqlite_finish.c */
int finish(struct store *s, struct request *r);
int finish_record(struct store *s, const struct queue_record *record, struct err *e);

/* sqlite_operate.c */
int operate(struct store *s, struct request *r);
/* Whether its next run changes the queue; after each commit; see there. */
bool operate_writes(const struct store *s, const struct request *r);
void operate_settle(struct store *s, struct request *r);
int prune(struct store *s, struct request *r);
int note_set(struct store *s, struct request *r);

#endif
