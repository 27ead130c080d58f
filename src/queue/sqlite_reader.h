/*
 * What the files of the reader share: its connection, and the strings and
 * lists that were handed out by the last call.
 */
#ifndef QUEUE_SQLITE_READER_H
#define QUEUE_SQLITE_READER_H

#include "queue/reader.h"
#include "queue/sqlite_schema.h"
#include "queue/sqlite_store.h"

struct queue_reader {
	struct db db;
	struct lock_file lock;
	char **kept; /* owned strings */
	size_t kept_count, kept_cap;
	const char **recipients, **domains; /* the lists are owned */
	size_t recipient_count, recipient_cap, domain_count, domain_cap;
	struct queue_entry_item *items;
	struct queue_entry_recipient **lists; /* of each item */
	size_t item_count;
	struct reader_holder {
		int64_t slot;
		struct id_list items;    /* claimed, sorted; finished ones among them */
		struct journal *journal; /* NULL: none to be trusted, all is in doubt */
	} * holders;                     /* workers, as of this call */
	size_t holder_count;
	bool has_holders;
};

void reader_forget(struct queue_reader *r);
const char *reader_keep(struct queue_reader *r, char *s); /* takes it */
int reader_begin(struct queue_reader *r, struct err *e);  /* a snapshot, if none is */
void reader_end(struct queue_reader *r);

/* sqlite_reader_claims.c: inside a call's transaction. */
void reader_forget_holders(struct queue_reader *r);
/* What to show for an item whose row has this state. */
enum item_state reader_state(struct queue_reader *r, int64_t item, enum item_state state);
/* From those that are due by their rows to those that are claimed or in doubt. */
int reader_count_held(
	struct queue_reader *r, uint64_t counts[ITEM_STATE_COUNT], struct err *e);

#endif
