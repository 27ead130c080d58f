/*
 * The disk as it is found after a power cut, from what was recorded before it.
 *
 * What was synced is there: each write to a file that a sync of that file came after,
 * each name that a sync of the directory came after. Of what came later nothing is
 * there, or all, or some of it, whatever the order: a write as a whole or only some of
 * its sectors, each name made or removed, each cut of a file.
 */
#ifndef TESTS_QUEUE_POWER_DISK_H
#define TESTS_QUEUE_POWER_DISK_H

#include "power_trace.h"

#include <stdbool.h>

enum power_kept { POWER_KEPT_NONE, POWER_KEPT_ALL, POWER_KEPT_SOME };

struct power_cut {
	size_t count; /* so many events have happened */
	enum power_kept kept;
	uint64_t seed; /* of SOME */
};

struct power_disk {
	struct power_file {
		bool exists;
		char *bytes; /* owned */
		size_t len;
	} files[POWER_NAME_COUNT];
};

void power_disk_make(const struct power_trace *trace, const struct power_cut *cut,
	struct power_disk *out);
void power_disk_clear(struct power_disk *disk);
bool power_disk_is_same(const struct power_disk *a, const struct power_disk *b);
/* As the files of the queue at this path, of which there are none. */
void power_disk_write(const struct power_disk *disk, const char *path);

#endif
