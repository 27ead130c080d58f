/*
 * For the tests of the queue: a real database in a directory of its own, and
 * requests that wait for their completion.
 */
#ifndef TESTS_QUEUE_FIXTURE_H
#define TESTS_QUEUE_FIXTURE_H

#include "queue/queue.h"
#include "queue/queue_internal.h"
#include "queue/reader.h"
#include "queue/states.h"

struct fixture {
	char *dir, *path;
	struct queue_options options;
	struct queue *queue;
	struct queue_port *port;
};

/* cmocka's setup and teardown: *state is a struct fixture with an open queue. */
int fixture_setup(void **state);
int fixture_setup_closed(void **state); /* the directory only */
int fixture_teardown(void **state);

void fixture_open(struct fixture *f);
void fixture_close(struct fixture *f);

/* One message to these addresses ("a@b"), NULL at the end of the list. */
int64_t put(struct fixture *f, const char *body, ...) __attribute__((sentinel));
int put_recipients(struct fixture *f, const struct mail_envelope *m,
	const struct queue_new_recipient *list, size_t count, const char *body,
	size_t len, int64_t *id_out, struct err *e);

struct claimed {
	struct queue_item *items[64];
	size_t count;
	int64_t next_due_ms;
	struct err err;
};
void claim_with(struct fixture *f, const struct queue_claim *claim, struct claimed *out);
void claim(struct fixture *f, size_t max, struct claimed *out);       /* due by now */
void claim_later(struct fixture *f, size_t max, struct claimed *out); /* in a day */
void claimed_clear(struct claimed *c);
/* One item, which must be there. */
struct queue_item *claim_one(struct fixture *f);

int mark(struct fixture *f, int64_t item, const char *host);
int give_back(struct fixture *f, int64_t item);
/* All recipients get this outcome. */
int finish_all(
	struct fixture *f, const struct queue_item *item, enum queue_outcome outcome);
int finish_with(struct fixture *f, const struct queue_result *result, struct err *e);
int operate_on(struct fixture *f, enum queue_verb verb, int64_t id, const char *domain,
	size_t *affected, size_t *busy);
int prune_before(struct fixture *f, int64_t before_ms);
char *body_of(struct fixture *f, int64_t message_id, size_t *len_out);

/* A number by SQL, over a connection of its own. */
long long sql(struct fixture *f, const char *text);
/* NULL, or what was wrong, until the next call. Without a row it is -1. */
const char *sql_try(const char *path, const char *text, long long *out);
/* As the reader shows it, an enum item_state; -1: gone. */
int state_of(struct fixture *f, int64_t item);

#endif
