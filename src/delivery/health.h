/*
 * What is remembered of destinations: which of them take mail, and which keep a
 * session waiting.
 *
 *	GOOD   its last message was delivered, and soon
 *	SLOW   its last attempt took long and came to nothing
 *	NEW    nothing is known, or it is too long ago
 *
 * By name, for an hour, HEALTH_NAMES_MAX of each kind at most: the one that was
 * learnt first makes room. Pure: the time, in milliseconds of a clock that never
 * steps back, comes in. Not for use from several threads.
 */
#ifndef DELIVERY_HEALTH_H
#define DELIVERY_HEALTH_H

#include <stddef.h>
#include <stdint.h>

enum health { HEALTH_NEW, HEALTH_GOOD, HEALTH_SLOW, HEALTH_COUNT };
enum { HEALTH_NAMES_MAX = 2000, HEALTH_MS = 3600 * 1000 };

struct health_memory;

struct health_memory *health_memory_new(void);
void health_memory_free(struct health_memory **m);

/* HEALTH_NEW forgets it. */
void health_memory_note(
	struct health_memory *m, const char *domain, enum health health, int64_t now_ms);
enum health health_memory_of(
	const struct health_memory *m, const char *domain, int64_t now_ms);

size_t health_memory_count(const struct health_memory *m, enum health health);
/* Each of a kind in turn, over and over; NULL: there is none. Good until the next note.
 */
const char *health_memory_next(struct health_memory *m, enum health health);
/* All of a kind, count of them. Borrowed until the next note. */
void health_memory_list(
	const struct health_memory *m, enum health health, const char **names);

#endif
