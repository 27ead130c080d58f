#include "delivery/places.h"

enum { PARTS = 4 };

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t beyond(size_t all, size_t taken)
{
	return all > taken ? all - taken : 0;
}

static size_t part_of_slow(const struct places *p)
{
	return p->limit < PARTS ? 1 : p->limit / PARTS;
}

/* All but what is kept for those that take mail. */
static size_t left_of_rest(const struct places *p)
{
	return beyond(p->limit - p->limit / PARTS,
		p->taken[HEALTH_NEW] + p->taken[HEALTH_SLOW]);
}

size_t places_left(const struct places *p, enum health health)
{
	size_t of_slow = beyond(part_of_slow(p), p->taken[HEALTH_SLOW]);
	switch (health) {
	case HEALTH_NEW:
		return left_of_rest(p);
	case HEALTH_SLOW:
		return least(of_slow, left_of_rest(p));
	case HEALTH_GOOD:
	case HEALTH_COUNT:
		break;
	}
	return p->limit;
}

size_t places_wanted(const struct places *p)
{
	size_t rest = places_left(p, HEALTH_NEW);
	size_t fresh = least(p->waiting[HEALTH_NEW], rest);
	size_t slow = least(p->waiting[HEALTH_SLOW], places_left(p, HEALTH_SLOW));
	return p->waiting[HEALTH_GOOD] + fresh + least(slow, rest - fresh);
}

size_t places_owed(const struct places *p)
{
	return least(p->waiting[HEALTH_GOOD] + p->waiting[HEALTH_NEW],
		beyond(p->taken[HEALTH_SLOW], p->limit / PARTS));
}
