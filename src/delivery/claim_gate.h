/*
 * How much a general claim takes for relays. Its limit is for each destination, and many
 * destinations share a relay: what is due for all of them would fill the room that
 * the others need, too, while the relay is slow.
 *
 * The scheduler makes one for a claim and says how much each shared hop can hold; the
 * store asks it on its thread (struct queue_gate), and then the scheduler is told what
 * was left out. Until the claim's call back it is the store's.
 */
#ifndef DELIVERY_CLAIM_GATE_H
#define DELIVERY_CLAIM_GATE_H

#include "config/config.h"
#include "policy/policy.h"
#include "queue/queue.h"

#include <stdbool.h>
#include <stddef.h>

struct claim_gate;

/* per_domain: the claim's limit for each destination; usual: for hops that are not set.
 * A reference to the policy is taken. */
struct claim_gate *claim_gate_new(
	struct policy_set *policy, size_t per_domain, size_t usual);
void claim_gate_set(struct claim_gate *g, const char *key, size_t room);
struct queue_gate *claim_gate_queue(struct claim_gate *g); /* for the claim */

/* After the claim. */
size_t claim_gate_left_out(const struct claim_gate *g); /* destinations */
/* For each hop that something may have been left out of, by its key; took_any: and
 * something was taken for it. */
typedef void claim_gate_full_cb(void *arg, const char *key, bool took_any);
void claim_gate_each_full(struct claim_gate *g, claim_gate_full_cb *cb, void *arg);

#endif
