/*
 * Between the front of the queue (ports, requests, the store thread) and the
 * database behind it. Everything here runs on the store thread, or before it
 * starts and after it ends. A store keeps its place: after an I/O error it
 * reopens the database and acknowledges nothing until that has succeeded.
 */
#ifndef QUEUE_STORE_H
#define QUEUE_STORE_H

#include "queue/request.h"

struct store;

int store_open(const struct queue_options *options, struct store **out, struct err *e);
/* Gives back what is still claimed. */
void store_close(struct store **s);

/* See queue_mark_in_doubt: from any thread. */
int store_mark(struct store *s, int64_t item, const char *host, struct err *e);

/* Runs the requests in one transaction and commits. Each has its own result in
 * r->err: a request that fails alone undoes only itself, a failed commit fails
 * all of them. */
void store_execute(struct store *s, struct request **group, size_t count);

/* The lease: when it is to be renewed next (monotonic), INT64_MAX: no lease. */
int64_t store_renew_at_ms(const struct store *s);
void store_renew(struct store *s);

/* Work that may wait and is done bit by bit: whether there is any; one bit. */
bool store_has_chores(const struct store *s);
void store_do_chore(struct store *s);

/* Write transactions committed so far. */
uint64_t store_commits(const struct store *s);
/* Instructions that the database's machine has run for us: what a request
 * costs, without a clock. */
uint64_t store_steps(const struct store *s);

#endif
