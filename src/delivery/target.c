#include "delivery/target.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdlib.h>

struct target *target_new(
	const char *domain, unsigned max_sessions, struct scheduler *owner)
{
	struct target *t = xcalloc(1, sizeof(*t));
	t->owner = owner;
	t->domain = xstrdup(domain);
	window_init(&t->window, max_sessions);
	return t;
}

void target_free(struct target *t)
{
	ASSERT(target_is_empty(t));
	free(t->ring);
	free(t->domain);
	free(t);
}

bool target_is_empty(const struct target *t)
{
	return !t->waiting && !t->running && !t->finishing && !t->idle;
}

size_t target_sessions(const struct target *t)
{
	return t->running + t->idle_count;
}

static void enlarge_ring(struct target *t)
{
	size_t size = t->ring_size ? 2 * t->ring_size : 8;
	struct queue_item **ring = xcalloc(size, sizeof(struct queue_item *));
	for (size_t i = 0; i < t->waiting; i++)
		ring[i] = t->ring[(t->first + i) % t->ring_size];
	free(t->ring);
	t->ring = ring;
	t->ring_size = size;
	t->first = 0;
}

void target_push(struct target *t, struct queue_item *item)
{
	if (t->waiting == t->ring_size)
		enlarge_ring(t);
	t->ring[(t->first + t->waiting++) % t->ring_size] = item;
	t->waiting_bytes += item->body_len;
	t->body_mean = (3 * t->body_mean + item->body_len) / 4;
}

struct queue_item *target_pop(struct target *t)
{
	if (!t->waiting)
		return NULL;
	struct queue_item *item = t->ring[t->first];
	t->first = (t->first + 1) % t->ring_size;
	t->waiting--;
	t->waiting_bytes -= item->body_len;
	return item;
}

/* A destination that waits for its first session is kept as one that has it. */
static size_t share(const struct target *t)
{
	return target_sessions(t) ? target_sessions(t) : 1;
}

static bool holds_more(const struct target *t, bool with_room)
{
	return with_room && t->delivers;
}

bool target_is_hungry(const struct target *t, bool with_room)
{
	size_t low =
		holds_more(t, with_room) ? TARGET_LOW_WITH_ROOM : TARGET_LOW_PER_SESSION;
	return t->more_due && t->waiting <= share(t) * low &&
	       target_appetite(t, with_room) > 0;
}

size_t target_appetite(const struct target *t, bool with_room)
{
	size_t each = holds_more(t, with_room) ? TARGET_WAITING_WITH_ROOM
					       : TARGET_WAITING_PER_SESSION;
	size_t items = share(t) * each;
	size_t bytes = share(t) * TARGET_BYTES_PER_SESSION;
	if (t->waiting >= items || t->waiting_bytes >= bytes)
		return 0;
	items -= t->waiting;
	bytes -= t->waiting_bytes;
	size_t fit = t->body_mean ? 1 + bytes / t->body_mean : items;
	return fit < items ? fit : items;
}
