/*
 * Which item is attempted when: claims what is due, groups it by destination,
 * and starts attempts within the limits.
 *
 * Memory is bounded by max_sessions: some items a session are claimed
 * (HOP_ITEMS_PER_SESSION, and of their bodies HOP_BYTES_MAX), and a destination that
 * does not keep up holds only as many for each session of its own, so that it cannot
 * fill the room of the others. While a destination has more in the store than is
 * claimed, it is left out of the general claims and refilled by name. Destinations that
 * share a hop (hop.h) share its sessions and what is claimed for them, and take turns
 * message by message.
 *
 * A connection costs as much as ten messages. A session is used as long as there
 * is something to send over it; a further one is opened where it helps (window.h)
 * and this machine is not at its limit; kept ones are given up one by one, where
 * their place is needed. A hop's first session goes before all that, and
 * where there is no place for it, those who have several or have used theirs for
 * long make one. Hosts that hold sessions and take nothing cannot take all places from
 * those that take mail (places.h), and give way to those that nothing is known of.
 */
#ifndef DELIVERY_SCHEDULER_H
#define DELIVERY_SCHEDULER_H

#include "delivery/env.h"

#include <stdbool.h>

struct scheduler;

/* on_finished: with once, when everything that was due has had its attempt;
 * else, and after scheduler_stop, when nothing is claimed any more. */
struct scheduler *scheduler_new(
	struct delivery_env *env, bool once, void (*on_finished)(void *arg), void *arg);

/* Something may have become due: look at the store. */
void scheduler_wake(struct scheduler *s);

/* The env has another policy or configuration: mail may go another way. */
void scheduler_routes_changed(struct scheduler *s);

/* No new attempts; those that run may go on for grace_ms, then they are
 * aborted. What was claimed and not begun is given back. */
void scheduler_stop(struct scheduler *s, int64_t grace_ms);
/* Why a claim failed, or NULL: with once there was no second try. */
const struct err *scheduler_error(const struct scheduler *s);
void scheduler_free(struct scheduler **s); /* after on_finished */

#endif
