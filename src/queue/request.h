/*
 * A request on its way from a port to the store and back, inside the queue.
 *
 * The front makes it with copies of all that the caller handed over, the store
 * thread runs it and puts the answer in, the front delivers the answer on the
 * port's thread and frees it. One thread has it at a time: no locks.
 */
#ifndef QUEUE_REQUEST_H
#define QUEUE_REQUEST_H

#include "queue/queue.h"

#include <stdatomic.h>
#include <stddef.h>

enum {
	QUEUE_CHUNK = 65536, /* octets of a content row; all but the last are full */
	REQUEST_OWN = 1536   /* the result of an attempt fits, with its record */
};

enum request_kind {
	REQUEST_STAGE,
	REQUEST_UNSTAGE,
	REQUEST_PUT,
	REQUEST_REGISTER,
	REQUEST_CLAIM,
	REQUEST_BODY,
	REQUEST_FINISH,
	REQUEST_GIVE_BACK,
	REQUEST_OPERATE,
	REQUEST_PRUNE,
	REQUEST_NOTE,
	REQUEST_KIND_COUNT
};

/* What the requests of one incoming message share. backlog is for both threads,
 * the rest belongs to the store thread. */
struct stage {
	atomic_uint refs;
	atomic_size_t backlog; /* octets under way */
	int64_t num;           /* of the staged message; 0: nothing staged yet */
	int64_t committed_num; /* the same as of the last commit */
	struct err err;        /* code: staging failed, the message is lost */
};
void stage_unref(struct stage *stage);

struct request {
	struct request *next;
	struct queue_port *port; /* NULL: somebody waits for `finished` */
	enum request_kind kind;
	bool finished;
	bool again;              /* not done: run it once more in a later commit */
	struct request_mem *mem; /* what the fields below point to, see request_alloc */
	size_t used;             /* octets of own */
	void (*cb)(void);        /* of the type that belongs to the kind; or NULL */
	void *arg;
	union {
		struct {
			struct stage *stage;
			uint32_t seq; /* chunk number of the first octet */
			char *bytes;
			size_t len;
			uint64_t size; /* of the whole content (put) */
			size_t id_at;  /* of the id in the content, or 0 */
			struct mail_envelope envelope;
			struct queue_new_recipient *recipients;
			size_t count;
			int64_t id; /* answer */
		} put;
		struct {
			int64_t lease_s;
		} reg;
		struct {
			struct queue_claim claim;
			struct queue_item **items; /* answer, as the next two */
			size_t count;
			int64_t next_due_ms;
		} claim;
		struct {
			int64_t message_id;
			uint64_t offset;
			size_t max;
			char *bytes; /* answer */
			size_t len;
		} body;
		struct queue_result result;
		struct {
			int64_t *ids;
			size_t count;
		} give_back;
		struct {
			enum queue_verb verb;
			struct queue_selection selection;
			size_t affected, busy;               /* answer */
			size_t affected_before, busy_before; /* as of the last commit */
			bool has_begun;                      /* likewise: selected */
		} operate;
		struct {
			int64_t before_ms;
		} prune;
		struct {
			const char *name, *value;
		} note;
	};
	/* From here on nothing is zeroed but the code: it is a kilobyte and more. */
	struct err err;                              /* code 0: carried out */
	_Alignas(max_align_t) char own[REQUEST_OWN]; /* most need no more memory */
};

struct request *request_new(enum request_kind kind, void (*cb)(void), void *arg);
void request_free(struct request **r);
void request_deliver(struct request *r);      /* runs the call back */
void request_reset_answer(struct request *r); /* as before it was run */

/* Memory that goes with the request. */
void *request_alloc(struct request *r, size_t size) __attribute__((returns_nonnull));
void *request_copy(struct request *r, const void *bytes, size_t len);
char *request_strdup(struct request *r, const char *s); /* NULL stays NULL */
struct queue_new_recipient *request_copy_recipients(
	struct request *r, const struct queue_new_recipient *list, size_t count);

#endif
