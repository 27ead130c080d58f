/*
 * Sessions that are kept for the next message that goes to their hop: the pool of
 * all hops, in the order in which they were kept.
 *
 * A session listens for its end and is let go after a while. Of one hop the one kept
 * last is taken first, so that those it has too many of grow old.
 */
#ifndef DELIVERY_IDLE_H
#define DELIVERY_IDLE_H

#include "delivery/hop.h"
#include "delivery/session.h"

#include <stdbool.h>
#include <stddef.h>

struct idle_pool {
	struct uv_loop_s *loop;
	struct timer *timer;
	struct idle_session *first; /* kept longest */
	size_t count;
	/* A session of this hop is gone, by its age or by itself. It may free the hop. */
	void (*on_gone)(struct hop *h);
};

void idle_init(
	struct idle_pool *pool, struct uv_loop_s *loop, void (*on_gone)(struct hop *h));
void idle_clear(struct idle_pool *pool); /* it must be empty */

void idle_keep(struct idle_pool *pool, struct hop *h, struct session *session);
struct session *idle_take(struct hop *h); /* NULL: none */

/* QUIT to the one that is kept longest, of a hop that has no more mail as far as we
 * know, or also_hungry: whose refill is not under way. false: none. */
bool idle_quit_oldest(struct idle_pool *pool, bool also_hungry);
void idle_quit_hop(struct hop *h); /* to all of it */
void idle_quit_all(struct idle_pool *pool);

#endif
