/*
 * Keeps the policy in force up to date while the program runs: watches the
 * policy directory, loads a changed version, and puts it in force if it has no
 * error. A version with an error never replaces a good one: the log names file,
 * line and reason, and a note in the queue tells the other commands.
 */
#ifndef DELIVERY_POLICY_WATCH_H
#define DELIVERY_POLICY_WATCH_H

#include "delivery/env.h"

struct policy_watch;

/* In force from now on; borrowed: a reference keeps it. */
typedef void policy_watch_cb(void *arg, struct policy_set *set);

/* Loads the first version (errors: ERR_INVALID, all of them listed in e, one a
 * line), calls cb with it, and begins to watch: on the env's loop, by its
 * configuration. */
int policy_watch_start(const struct delivery_env *env, policy_watch_cb *cb, void *arg,
	struct policy_watch **out, struct err *e);

/* The configuration was replaced (another directory, other options). */
void policy_watch_restart(struct policy_watch *w);
void policy_watch_stop(struct policy_watch **w);

#endif
