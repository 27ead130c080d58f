/*
 * The terms of a connection for an item at a host: what the policy decides, the
 * settings that count, and what the decision was made of. The same again is the
 * same decision (policy_decide is pure), so that the next message over a kept
 * session need not ask for it.
 *
 * With a relay it is its name that the lists, the pins and the destination blocks are
 * asked for, not that of the recipients' domain.
 *
 * Shared by reference count, on one thread: a session holds those that it was
 * last found fit for, a turn those it runs under. Never changed once made.
 */
#ifndef DELIVERY_TERMS_H
#define DELIVERY_TERMS_H

#include "delivery/env.h"
#include "delivery/way.h"
#include "policy/decide.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct terms {
	size_t refs;
	/* What they were made of; both are held, so that neither's place can be
	 * taken by another. */
	struct config_ref *config;
	struct policy_set *policy; /* NULL: there are no files */
	struct way way;            /* of the policy */
	char *destination;         /* what the policy was asked for */
	char *host;                /* NULL: not known yet, or it has no name in DNS */
	char *next_channel;        /* as in the item, NULL too */
	char *channel_reason;      /* likewise */
	unsigned attempts;

	const struct config_destination *settings; /* in the configuration */
	struct policy_decision decision;
};

/* policy: NULL where there are no files; way: of that policy, its relay NULL where the
 * route has none; host: "[...]", a path or NULL where there is no name. The result is
 * never NULL. */
struct terms *terms_decide(struct config_ref *config, struct policy_set *policy,
	const struct way *way, const struct queue_item *item, const char *host);

/* Is that what they were made of? Then terms_decide would come to the same. */
bool terms_still_hold(const struct terms *t, const struct config_ref *config,
	const struct policy_set *policy, const struct way *way,
	const struct queue_item *item, const char *host);

/* Do both open a connection in the same way? */
bool terms_are_alike(const struct terms *a, const struct terms *b);

struct terms *terms_ref(struct terms *t);
void terms_unref(struct terms **t); /* NULL inside is fine */

#endif
