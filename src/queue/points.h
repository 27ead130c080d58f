/* The fail points around the commit of a group of requests, a pair for each kind of
 * request; see base/failpoint.h. Nothing without --enable-failpoints. */
#ifndef QUEUE_POINTS_H
#define QUEUE_POINTS_H

#include "queue/request.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#ifdef WITH_FAILPOINTS
/* Each kind that is in the group counts once. They only end the process: what fails a
 * commit is "queue.commit.before" and "queue.commit.after". */
void points_pass(struct request *const *group, size_t count, bool is_committed);
#else
#define points_pass(group, count, is_committed) ((void)(group), (void)(count))
#endif

#endif
