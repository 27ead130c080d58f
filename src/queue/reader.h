/*
 * Reading the queue and the retry log, for the short commands: its own
 * read-only connection, blocking. A call sees one moment of the queue and
 * holds nobody up after it: a listing skips what has left meanwhile.
 * Everything handed out is valid until the next call on the same reader.
 */
#ifndef QUEUE_READER_H
#define QUEUE_READER_H

#include "base/err.h"
#include "mail/envelope.h"

#include <stdbool.h>
#include <stdint.h>

struct queue_reader;

/* As queue_open, but never creates. */
int queue_reader_open(const char *path, int64_t busy_timeout_ms,
	struct queue_reader **out, struct err *e);
void queue_reader_close(struct queue_reader **r);

/* One message with its items summed up. state: "due", "claimed", "in_doubt",
 * "held", "mixed". */
struct queue_entry {
	struct mail_envelope envelope;
	const char *state;
	unsigned attempts;             /* the most of its items */
	const char *const *recipients; /* without a final outcome */
	size_t recipient_count;
	const char *const *domains;
	size_t domain_count;
	int64_t next_attempt_ms;  /* the soonest; 0: none */
	const char *next_channel; /* of that item; "tls" before the first attempt */
	const char *last_error;   /* or NULL */
};
/* Messages by arrival, after the id given (0: from the start). false: no more,
 * or an error if e->code is set. */
bool queue_reader_next(
	struct queue_reader *r, int64_t after_id, struct queue_entry *out, struct err *e);
/* ERR_NOT_FOUND if it is not (or no longer) queued. */
int queue_reader_get(
	struct queue_reader *r, int64_t id, struct queue_entry *out, struct err *e);

/* One item of a message, for `queue show` and `policy explain ID`. */
struct queue_entry_item {
	int64_t id;
	const char *domain;
	const char *state;
	unsigned attempts;
	const char *next_channel, *channel_reason, *last_error; /* NULL where unset */
	int64_t next_attempt_ms;
	const struct queue_entry_recipient {
		const char *address;
		const char *outcome; /* "queued", "delivered", "bounced" */
		const char *text;    /* last error, or NULL */
		const char *orcpt;   /* or NULL */
		unsigned notify;     /* enum mail_notify */
	} * recipients;
	size_t recipient_count;
};
int queue_reader_items(struct queue_reader *r, int64_t id,
	const struct queue_entry_item **out, size_t *count_out, struct err *e);

/* What a destination is remembered by (fallback_memory); false: nothing now. */
bool queue_reader_memory(struct queue_reader *r, const char *domain, int64_t now_ms,
	const char **channel_out, const char **reason_out, int64_t *until_ms_out);

/* The stored content, in pieces: 0 at the end, -1 after an error. */
int queue_reader_body(struct queue_reader *r, int64_t id, uint64_t offset,
	const char **bytes_out, size_t *len_out, struct err *e);

/* Attempt records, oldest first. */
struct queue_log_query {
	int64_t message_id; /* 0: any */
	const char *domain; /* NULL: any */
	int64_t since_ms;
	bool failures_only;
	int64_t after; /* position: 0, or the last position_out */
};
bool queue_reader_log(struct queue_reader *r, const struct queue_log_query *query,
	const char **json_out, int64_t *position_out, struct err *e);

/* Notes of living workers, by name. */
bool queue_reader_note(struct queue_reader *r, const char *name, const char **value_out);

/* Counts for the summary line: items by state. */
struct queue_counts {
	uint64_t messages, due, claimed, in_doubt, held;
};
int queue_reader_counts(struct queue_reader *r, struct queue_counts *out, struct err *e);

#endif
