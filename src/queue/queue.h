/*
 * The queue: what is to be delivered, where it stands, and what happened.
 *
 * Asynchronous. One store thread owns the database and commits in groups;
 * requests go in through a port, completions come back on the thread that owns
 * the port. A port has one owner thread; a queue may have many ports. Several
 * processes may have the same queue open.
 *
 * Unit of scheduling: an ITEM, the recipients of one message at one
 * destination. States of an item (hikyaku-queue(5)):
 *
 *	absent --put--> due --claim--> claimed --mark--> in doubt
 *	   claimed | in doubt --finish--> due | gone      (one transaction)
 *	   claimed | in doubt --lease lost--> due          (logged as in doubt if marked)
 *	   due <--> held;  due | held --remove--> gone
 *
 * A message is gone with its last item. Attempt records stay for log_retention.
 *
 * Bytes and strings in requests are copied before the call returns; those in
 * completions are borrowed for the call back, unless it says otherwise.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "base/err.h"
#include "base/share.h"
#include "mail/envelope.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;
struct queue_item;
struct queue_port;

struct queue_options {
	const char *path;
	bool create;             /* make it if it does not exist */
	int64_t busy_timeout_ms; /* how long to wait for another process's lock */
	size_t group_max;        /* requests of one commit at most */
	size_t inline_body_max;  /* a body up to this size comes along with the claim */
	uint64_t max_bytes;      /* of the database file; 0: what the disk has */
	/* Renders the attempt record of an item that was in doubt when its worker
	 * ended (host NULL: nobody knows where it was sent to); runs on the store thread,
	 * in the transaction that makes the item due again. The attempt was number
	 * item->attempts + 1, the next one is at item->due_ms. Returns a malloc'ed JSON
	 * object, or NULL for no record. Without it `claim` frees such items unrecorded,
	 * and all else leaves them. */
	char *(*lost_record)(void *arg, const struct queue_item *item, const char *host,
		int64_t now_ms);
	void *lost_record_arg;
};
void queue_options_default(struct queue_options *options, const char *path);

/* Opens or creates. Errors say what is wrong with which file and what to do:
 * ERR_NOT_FOUND, ERR_PERMISSION, ERR_VERSION, ERR_NO_SPACE, ERR_BUSY, ERR_IO,
 * ERR_INVALID (not a queue). */
int queue_open(const struct queue_options *options, struct queue **out, struct err *e);
/* Waits until everything under way is committed and its completions are
 * dropped; all ports must be closed before. */
void queue_close(struct queue **q);

/* wake(arg) is called from the store thread when completions wait, with a lock
 * held: it must not call the queue; the owner then calls queue_dispatch on its
 * own thread. wake NULL: queue_wait is used. A call back may close its port. */
struct queue_port *queue_port_new(struct queue *q, void (*wake)(void *arg), void *arg);
/* No call back runs after it. What was asked for is still carried out. */
void queue_port_close(struct queue_port **p);
/* Runs completions; how many. What their call backs ask for goes to the store
 * when all of them have run. */
size_t queue_dispatch(struct queue_port *p);
void queue_wait(struct queue_port *p); /* blocks for one, then dispatches */
size_t queue_port_pending(const struct queue_port *p); /* requests without completion */

/* ---- intake ---- */

struct queue_new_recipient {
	const char *address;
	const char *domain; /* normalized destination; groups recipients into items */
	const char *orcpt;
	unsigned notify;
};

/* A message that comes in piece by piece. Pieces past an in-memory window are
 * staged in the database and are invisible until the commit; what a crash
 * leaves of them is removed later. */
struct queue_put;
struct queue_put *queue_put_begin(struct queue_port *p);
void queue_put_write(struct queue_put *put, const void *bytes, size_t len);
/* Octets that wait to be staged: a caller that cannot stop its source quickly
 * waits for the port when this is over a megabyte. */
size_t queue_put_backlog(const struct queue_put *put);

/* The content written so far, 64 KiB at most, ends with the envelope's id as
 * mail_id_format shows it: should that be taken, a new one is made, and written
 * there. */
void queue_put_mark_id(struct queue_put *put);

/* Commits the message: content, envelope and recipients in one transaction.
 * envelope->id 0: a new id is made; an id that is taken is ERR_EXISTS, unless
 * the content says where it stands.
 * arrival_ms 0: now. content.size_bytes is what was written, whatever the
 * envelope says. cb gets the id after the commit. Takes the put (set to NULL). */
typedef void queue_put_cb(
	void *arg, int64_t id, const struct err *e); /* e NULL: stored */
void queue_put_commit(struct queue_put **put, const struct mail_envelope *envelope,
	const struct queue_new_recipient *recipients, size_t count, queue_put_cb *cb,
	void *arg);
void queue_put_abort(struct queue_put **put);

/* ---- work ---- */

/* What is remembered of a message and destination between attempts. The
 * channel and failure are the policy's words as text: the queue only keeps them. */
struct queue_item {
	int64_t id; /* of the item */
	struct mail_envelope envelope;
	char *domain;
	struct mail_recipient *recipients; /* those without a final outcome */
	size_t recipient_count;
	unsigned attempts;    /* made so far */
	char *next_channel;   /* "tls", "plaintext", or NULL before the first attempt */
	char *channel_reason; /* why that channel is due, or NULL */
	bool channel_from_memory; /* next_channel is what the destination is remembered by
				   */
	char *last_host;          /* MX host of the attempt in doubt; NULL: unknown */
	int64_t due_ms;
	bool was_in_doubt; /* the last attempt ended in doubt */
	bool delay_notified;
	int64_t clock_offset_ms; /* when it was loaded; see queue_item_arrival_ms */
	char *body; /* the stored content if small, else NULL: queue_body_read */
	size_t body_len;
};
void queue_item_free(struct queue_item **item);
/* When it came in, by the clock as it is now: the queue moves its times when the clock
 * is set, and does not know of those that are claimed. */
int64_t queue_item_arrival_ms(const struct queue_item *item);

/* A worker: its claims are leased to it. While the process lives its leases
 * hold; when it ends, however it ends, they are free at once on this machine
 * (and after lease_s where its end cannot be seen). */
int queue_worker_register(
	struct queue_port *p, int64_t lease_s, struct err *e); /* blocks */

/* A destination to claim from, and how much of it. */
struct queue_claim_only {
	const char *domain;
	size_t max_items; /* 0: no limit */
};

/* Has a say in how much of a destination a claim takes that names none. It runs on the
 * store's thread; free on whatever thread, when the claim's call back has returned or
 * will not run. */
struct queue_gate {
	void (*begin)(struct queue_gate *g); /* the claim begins, perhaps once more */
	/* How many of its items may be taken; 0: it is left out, as in exclude. Asked
	 * once for each destination that is due and not excluded. */
	size_t (*room)(struct queue_gate *g, const char *domain);
	void (*took)(struct queue_gate *g, size_t count); /* of the one just asked for */
	void (*free)(struct queue_gate *g);
};

struct queue_claim {
	int64_t now_ms;
	size_t max_items;
	size_t max_per_domain;
	/* Bodies come along up to so many octets in all; what follows comes without,
	 * see queue_body_read. */
	size_t max_body_bytes;
	/* Only these destinations, each once, in this order; exclude is not looked at. */
	const struct queue_claim_only *only;
	size_t only_count;          /* 0: whatever is due */
	const char *const *exclude; /* destinations that are full; up to some thousands */
	size_t exclude_count;
	struct queue_gate *gate; /* taken; NULL: none */
	/* Of notices that were made here (envelope.is_notice) no more than max_notices.
	 */
	bool limits_notices;
	size_t max_notices;
	struct share share; /* its destinations alone; `only` names those anyway */
	bool for_once; /* run --once: as now, but never an item this worker had before */
};
/* items are the callback's to keep (it frees each; the array is borrowed).
 * next_due_ms: when the next item is due that was not claimed now, INT64_MAX:
 * none; <= now: there is more. Excluded destinations are left out of it, those of
 * other shares, what the gate or max_notices held back, and with for_once what this
 * worker had. With `only` it is INT64_MAX where
 * there is no more now, whatever is due later. Claims free what dead workers held first.
 * max_items, max_per_domain, max_body_bytes 0: no limit. */
typedef void queue_claim_cb(void *arg, struct queue_item **items, size_t count,
	int64_t next_due_ms, const struct err *e);
void queue_claim_due(struct queue_port *p, const struct queue_claim *claim,
	queue_claim_cb *cb, void *arg);

typedef void queue_done_cb(void *arg, const struct err *e); /* e NULL: committed */

/* Content in pieces, from offset; an empty piece is the end. max: 1 MiB at most. */
typedef void queue_body_cb(void *arg, const char *bytes, size_t len, const struct err *e);
void queue_body_read(struct queue_port *p, int64_t message_id, uint64_t offset,
	size_t max, queue_body_cb *cb, void *arg);

/* The mark is made when this returns 0: the final dot for this item may be sent
 * to host from now on. Does not wait for the disk: should the machine go down, all
 * that was claimed is in doubt. Marking again names another host. Any error: the dot
 * must not be sent; ERR_NOT_FOUND, here and in finish: this worker does not hold
 * the item. */
int queue_mark_in_doubt(
	struct queue_port *p, int64_t item_id, const char *host, struct err *e);

/* ---- results ---- */

enum queue_outcome {
	QUEUE_OUTCOME_DELIVERED,
	QUEUE_OUTCOME_DEFERRED,
	QUEUE_OUTCOME_BOUNCED
};

struct queue_recipient_result {
	int64_t recipient_id;
	enum queue_outcome outcome;
	const char *text; /* last error, as shown by `queue show`; NULL when delivered */
};

/* An attempt record as the retry log keeps it: JSON made by event/, with the
 * fields that it is looked up by. */
struct queue_record {
	int64_t time_ms;
	int64_t message_id;
	const char *domain;
	bool is_failure;
	const char *json;
};

/* The records of a message at a destination, one at a time. */
struct queue_records {
	size_t count; /* of them all */
	/* The newest, then those before it; JSON, valid until the next call. NULL: no
	 * more. */
	const char *(*next)(struct queue_records *r);
};

/* A part of a new message that only the store can write, for it has the records. */
struct queue_story {
	/* On the store thread, in the transaction, when the result's own records are in:
	 * must not call the queue. Returns malloc'ed text, or NULL for none. */
	char *(*tell)(const void *told, size_t told_len, struct queue_records *records);
	const void *told; /* for tell; copied as it is */
	size_t told_len;
	const char *domain; /* the records are of append_message_id at this destination */
	size_t at;          /* where in body the text goes */
};

/* A message that goes in together with a result: a bounce. */
struct queue_new_message {
	struct mail_envelope envelope; /* id 0 */
	const struct queue_new_recipient *recipients;
	size_t recipient_count;
	const char *body; /* CRLF line ends */
	size_t body_len;
	struct queue_story story; /* tell NULL: none */
	/* After body comes the content of the message below, whole or its header
	 * only, copied inside the store (never in memory as a whole); then tail. */
	enum { QUEUE_APPEND_NOTHING, QUEUE_APPEND_HEADER, QUEUE_APPEND_MESSAGE } append;
	int64_t append_message_id;
	const char *tail;
	size_t tail_len;
};

struct queue_result {
	int64_t item_id;
	const struct queue_recipient_result *recipients; /* of all that were claimed */
	size_t recipient_count;
	/* false: what is left goes back untouched (shutdown): time, channel, count. */
	bool count_attempt;
	int64_t next_attempt_ms;  /* for the deferred ones */
	const char *next_channel; /* likewise */
	const char *channel_reason;
	bool in_doubt;
	bool delay_notified;
	/* fallback_memory = destination: what other messages to it start on. NULL:
	 * leave it; memory_until_ms 0: forget it. */
	const char *memory_channel;
	const char *memory_reason;
	int64_t memory_until_ms;
	const struct queue_record *records;
	size_t record_count;
	const struct queue_new_message *messages; /* bounces */
	size_t message_count;
};
/* One transaction for all of it. */
void queue_finish(struct queue_port *p, const struct queue_result *result,
	queue_done_cb *cb, void *arg);

/* Gives claimed items back as they were, not counted as attempts. */
void queue_give_back(struct queue_port *p, const int64_t *item_ids, size_t count,
	queue_done_cb *cb, void *arg);

/* ---- operators ---- */

enum queue_verb { QUEUE_RETRY, QUEUE_HOLD, QUEUE_RELEASE, QUEUE_REMOVE };
struct queue_selection {
	int64_t id;         /* one message, or 0 */
	const char *domain; /* one destination, or NULL; both unset: all */
};
/* affected: items. Claimed items are left alone and counted in busy.
 * ERR_NOT_FOUND: no such message in the queue. */
typedef void queue_operate_cb(
	void *arg, size_t affected, size_t busy, const struct err *e);
void queue_operate(struct queue_port *p, enum queue_verb verb,
	const struct queue_selection *selection, queue_operate_cb *cb, void *arg);

/* Removes attempt records older than before_ms and staged leftovers. */
void queue_prune(struct queue_port *p, int64_t before_ms, queue_done_cb *cb, void *arg);

/* A small fact kept in the queue for others to see (a worker's policy state);
 * value NULL removes it. It goes with the worker that set it. */
void queue_set_note(struct queue_port *p, const char *name, const char *value);

/* ---- waking workers in other processes ---- */

/* Every commit that makes items due within half a minute writes to the queue's FIFO
 * ("PATH.wake"). A worker makes and opens it and watches the descriptor; a byte
 * means: look again. What another process deferred further is found by looking
 * now and then. Returns a descriptor (close it) or a negative error. */
int queue_wake_open(const char *path, struct err *e);
void queue_wake_drain(int fd);
/* For commands that only want to wake a worker. false: none is listening. */
bool queue_wake_send(const char *path);

/* Versions of the library behind it: the one that runs, and the one built with. */
const char *queue_library_version(void);
const char *queue_library_built(void);

#endif
