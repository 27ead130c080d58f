/*
 * Which of several shares a name belongs to: the loops of a worker divide the
 * destinations among them by this, each for itself and without asking the others.
 */
#ifndef BASE_SHARE_H
#define BASE_SHARE_H

#include <stdbool.h>

/* index < count; of zeros: the only share, which has every name. */
struct share {
	unsigned index, count;
};

/* Of the octets as they are: normalize names before. Always the same for the same
 * count, in every process; about as many names in one share as in another. */
unsigned share_of(const char *name, unsigned count);
bool share_has(const struct share *share, const char *name);

/* This share's part of a limit for all of them: they add up to it, but none is
 * without any. */
unsigned share_divide(const struct share *share, unsigned limit);

#endif
