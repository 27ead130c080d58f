#include "delivery/hop.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdlib.h>

struct hop *hop_new(const char *key, unsigned max_sessions, struct scheduler *owner)
{
	struct hop *h = xcalloc(1, sizeof(*h));
	h->owner = owner;
	h->key = xstrdup(key);
	window_init(&h->window, max_sessions);
	h->delivered_ms = -1;
	return h;
}

void hop_free(struct hop *h)
{
	ASSERT(hop_is_empty(h) && !h->waiting);
	free(h->key);
	free(h);
}

bool hop_is_empty(const struct hop *h)
{
	return !h->batches && !h->running && !h->idle;
}

size_t hop_sessions(const struct hop *h)
{
	return h->running + h->idle_count;
}

/* One that waits for its first session is kept as one that has it. */
static size_t share(const struct hop *h)
{
	return hop_sessions(h) ? hop_sessions(h) : 1;
}

static bool holds_more(const struct hop *h, bool with_room)
{
	return with_room && h->delivers;
}

bool hop_is_hungry(const struct hop *h, bool with_room)
{
	size_t low = holds_more(h, with_room) ? HOP_LOW_WITH_ROOM : HOP_LOW_PER_SESSION;
	return (h->due || h->left_out) && h->waiting <= share(h) * low &&
	       hop_appetite(h, with_room) > 0;
}

size_t hop_appetite(const struct hop *h, bool with_room)
{
	size_t each = holds_more(h, with_room) ? HOP_WAITING_WITH_ROOM
					       : HOP_WAITING_PER_SESSION;
	size_t items = share(h) * each;
	size_t bytes = share(h) * HOP_BYTES_PER_SESSION;
	if (h->waiting >= items || h->waiting_bytes >= bytes)
		return 0;
	items -= h->waiting;
	bytes -= h->waiting_bytes;
	size_t fit = h->body_mean ? 1 + bytes / h->body_mean : items;
	return fit < items ? fit : items;
}
