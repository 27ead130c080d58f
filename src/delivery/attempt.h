/*
 * One attempt: one item of the queue, at the hosts of its destination, until it
 * is delivered, refused, in doubt, or no host is left.
 *
 *	ROUTE -> HOST -> ADDRESSES -> SESSION -> MESSAGE -> result
 *	           ^________________________|  next host, next address, or the
 *	                                       same address in plaintext
 *
 * The attempt owns its item. It ends with one queue_finish (results, records,
 * bounces, next channel and time: one transaction); after the commit its events
 * go out and on_done runs. A session that is still good afterwards is handed
 * back for the next message.
 */
#ifndef DELIVERY_ATTEMPT_H
#define DELIVERY_ATTEMPT_H

#include "delivery/env.h"
#include "delivery/session.h"

struct attempt;

/* What the attempt says of the destination's health. */
enum attempt_contact {
	ATTEMPT_NO_CONTACT, /* no host could be talked to */
	ATTEMPT_BUSY,       /* the last one that was has enough of us: 421 */
	ATTEMPT_CONTACT,    /* some host was */
	ATTEMPT_DELIVERED   /* and took the message for somebody */
};

struct attempt_events {
	/* The work at the hosts is over, once: the connection is free for another
	 * message (kept: READY; the callee owns it) or gone (NULL). Runs before on_done.
	 */
	void (*on_session)(void *arg, struct session *kept, enum attempt_contact contact);
	/* Committed, or (e) the store failed: the item's lease will give it back. The
	 * attempt is freed when this returns. */
	void (*on_done)(void *arg, struct attempt *a, const struct err *e);
	void *arg;
};

/* kept: a session of the same destination to use if the policy agrees, or NULL;
 * it is taken either way. */
struct attempt *attempt_start(struct delivery_env *env, struct queue_item *item,
	struct session *kept, const struct attempt_events *events);

/* Gives up: the session is closed; recipients without a verdict are deferred, and
 * what the store refuses now is not kept for later. An attempt that nothing came
 * of yet is given back as if it had not begun. on_done runs as ever. */
void attempt_abort(struct attempt *a, const char *why);

/* Gives up for the sake of others, where that does no harm: the message is deferred, no
 * other host is tried, and why is told. It is we who broke off: that is no failure of
 * TLS. false: it goes on, since it is done with hosts, or one may have the message. */
bool attempt_give_way(struct attempt *a, const char *why);

/* The content is on its way, or all of it is there and its verdict is to come. */
bool attempt_is_sending(const struct attempt *a);

#endif
