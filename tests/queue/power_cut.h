/*
 * Power cuts at each moment of a trace (power_trace.h): what the disk may hold then
 * (power_disk.h) is opened as a queue, read, and used further.
 *
 * Looked at are the disks before each change and at the end: an octet of a session
 * that changes nothing on the disk leaves the one before it, and what is owed only
 * grows, so these stand for every octet. Of what was not synced each disk has nothing,
 * all, or some: HIKYAKU_POWER_ROUNDS random choices each (1).
 *
 * Whatever was under way, the queue opens, is sound, shows what `judge` allows, gives
 * out every message that it shows, with its content and to all of its recipients,
 * and nothing else; what somebody had is in doubt; it takes a new message; and what
 * was staged is gone when its holder is.
 */
#ifndef TESTS_QUEUE_POWER_CUT_H
#define TESTS_QUEUE_POWER_CUT_H

#include "power_trace.h"

#include "base/err.h"

#include <stdbool.h>

/* What a reader shows. */
struct power_message {
	int64_t id;
	struct buf text; /* envelope, items and recipients in words, and the content */
	size_t content_at;
	size_t queued; /* recipients that are to be delivered to */
};

struct power_snapshot {
	struct power_message *messages; /* owned, by id */
	size_t count;
	struct buf log; /* records of attempts, one a line */
	size_t busy;    /* items that somebody has */
};

int power_snapshot_take(const char *path, struct power_snapshot *out, struct err *e);
void power_snapshot_clear(struct power_snapshot *s);
const struct power_message *power_snapshot_find(
	const struct power_snapshot *s, int64_t id);
/* Whoever has which of it. */
bool power_snapshot_is_same(
	const struct power_snapshot *a, const struct power_snapshot *b);

struct power_trial {
	const struct power_trace *trace;
	/* Its lock file may have reached the disk, or not. No such queue is open. */
	const char *path;
	/* When the first `count` events have happened. false: why says what is wrong. */
	bool (*judge)(void *arg, size_t count, const struct power_snapshot *found,
		struct buf *why);
	void *arg;
};

/* How many disks were looked at; 0: one was wrong, and why says how. */
size_t power_try(const struct power_trial *trial, struct buf *why);

/* For `judge` where only messages come in: what was told (power_told, with its id) is
 * there once, and all that is there is one of `all` as it stands there. */
struct power_intake {
	const struct power_trace *trace;
	struct power_snapshot all; /* when everything had come in */
};
bool power_judge_intake(
	void *arg, size_t count, const struct power_snapshot *found, struct buf *why);

#endif
