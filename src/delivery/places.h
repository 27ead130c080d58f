/*
 * How the sessions that there may be are divided among hops that take mail and
 * hops that do not, or have not yet.
 *
 * A quarter is kept for those that have taken mail: whatever else there is, it goes
 * on. Those that have kept a session waiting in vain share another quarter, where
 * they may take all the time that they need. So half is there for whoever is new.
 * Where there are less than four places, none is kept, and those that are slow may have
 * one while nobody else wants it.
 *
 * Pure numbers; the scheduler keeps them.
 */
#ifndef DELIVERY_PLACES_H
#define DELIVERY_PLACES_H

#include "delivery/health.h"

#include <stddef.h>

struct places {
	size_t limit;                 /* of all */
	size_t taken[HEALTH_COUNT];   /* attempts, by the health of their hops */
	size_t waiting[HEALTH_COUNT]; /* hops that have no session and want one */
};

/* What hops of this health may take beside what they have, as far as the others'
 * parts are concerned. That a place is free is another matter. */
size_t places_left(const struct places *p, enum health health);
/* Those that wait and may have a place as soon as one is free. */
size_t places_wanted(const struct places *p);
/* Attempts at slow hops that should give their places to those that wait, who are not
 * slow. */
size_t places_owed(const struct places *p);

#endif
