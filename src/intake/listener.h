/*
 * The listener: the sockets of the option `listen`, and the clients that come to
 * them. On one loop, with a queue port of its own; intake shares the queue's commits
 * with all else that the process stores.
 *
 * Clients on TCP must be in relay_clients, or they are told 554 and closed; a unix
 * socket is guarded by its mode and its directory. Over max_clients, 421.
 */
#ifndef INTAKE_LISTENER_H
#define INTAKE_LISTENER_H

#include "base/err.h"
#include "config/config.h"

#include <stdint.h>

struct queue;
struct uv_loop_s;
struct intake_listener;

/* Opens all of `listen`, or none: the error names the place. Without any it is there
 * all the same, for a configuration that has some. config is borrowed until the next
 * one, and queue until the end. */
int intake_listener_open(struct uv_loop_s *loop, struct queue *queue,
	const struct config *config, struct intake_listener **out, struct err *e);

/* A new configuration: places that are gone are closed, new ones opened; what cannot
 * be opened is logged. Clients keep the limits they began with. */
void intake_listener_configure(struct intake_listener *l, const struct config *config);

/* No new clients. Messages under way may end, for grace_ms at most; then finished is
 * called, from the loop. */
void intake_listener_stop(struct intake_listener *l, int64_t grace_ms,
	void (*finished)(void *arg), void *arg);

/* At once; clients are cut off. What is with the queue is stored. */
void intake_listener_close(struct intake_listener **l);

/* The address of an open place (for a port 0 in tests); false: there is none. */
struct addr;
bool intake_listener_addr(
	const struct intake_listener *l, size_t index, struct addr *out);

#endif
