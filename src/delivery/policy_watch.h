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

/* Loads the first version into env->policy (errors: ERR_INVALID, all of them
 * listed in e, one a line) and begins to watch. */
int policy_watch_start(
	struct delivery_env *env, struct policy_watch **out, struct err *e);

/* The configuration was replaced (another directory, other options). */
void policy_watch_restart(struct policy_watch *w);
void policy_watch_stop(struct policy_watch **w);

#endif
