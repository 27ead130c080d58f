#include "delivery/target.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdlib.h>
#include <utlist.h>

static void join(struct target *t, struct hop *h)
{
	ASSERT(h->key || !h->targets);
	t->hop = h;
	h->targets++;
	h->sole = h->key ? NULL : t;
}

static void leave(struct target *t)
{
	t->hop->targets--;
	t->hop->sole = NULL;
}

struct target *target_new(const char *domain, struct hop *hop)
{
	struct target *t = xcalloc(1, sizeof(*t));
	t->domain = xstrdup(domain);
	join(t, hop);
	return t;
}

void target_free(struct target *t)
{
	ASSERT(target_is_empty(t) && !t->is_asked);
	target_set_more_due(t, false);
	leave(t);
	free(t->ring);
	free(t->domain);
	free(t);
}

/* A hop of its own is found through it. */
bool target_is_empty(const struct target *t)
{
	bool is_needed = !t->hop->key && t->hop->idle;
	return !t->waiting && !t->running && !t->finishing && !is_needed;
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
	struct hop *h = t->hop;
	if (t->waiting == t->ring_size)
		enlarge_ring(t);
	if (!t->waiting)
		DL_APPEND2(h->ready, t, prev_ready, next_ready);
	t->ring[(t->first + t->waiting++) % t->ring_size] = item;
	h->waiting++;
	h->waiting_bytes += item->body_len;
	h->body_mean = (3 * h->body_mean + item->body_len) / 4;
}

struct queue_item *target_pop(struct target *t)
{
	struct hop *h = t->hop;
	if (!t->waiting)
		return NULL;
	struct queue_item *item = t->ring[t->first];
	t->first = (t->first + 1) % t->ring_size;
	t->waiting--;
	h->waiting--;
	h->waiting_bytes -= item->body_len;
	DL_DELETE2(h->ready, t, prev_ready, next_ready);
	if (t->waiting)
		DL_APPEND2(h->ready, t, prev_ready, next_ready);
	return item;
}

void target_set_more_due(struct target *t, bool more_due)
{
	struct hop *h = t->hop;
	if (t->more_due == more_due)
		return;
	t->more_due = more_due;
	if (more_due) {
		DL_APPEND2(h->due, t, prev_due, next_due);
		h->due_count++;
	} else {
		DL_DELETE2(h->due, t, prev_due, next_due);
		h->due_count--;
	}
}

static size_t bytes_of(const struct target *t)
{
	size_t bytes = 0;
	for (size_t i = 0; i < t->waiting; i++)
		bytes += t->ring[(t->first + i) % t->ring_size]->body_len;
	return bytes;
}

void target_move(struct target *t, struct hop *to)
{
	struct hop *from = t->hop;
	size_t bytes = bytes_of(t);
	bool more_due = t->more_due;
	target_set_more_due(t, false);
	if (t->waiting) {
		DL_DELETE2(from->ready, t, prev_ready, next_ready);
		DL_APPEND2(to->ready, t, prev_ready, next_ready);
	}
	from->waiting -= t->waiting;
	from->waiting_bytes -= bytes;
	from->asked -= t->is_asked;
	leave(t);
	join(t, to);
	to->waiting += t->waiting;
	to->waiting_bytes += bytes;
	to->asked += t->is_asked;
	target_set_more_due(t, more_due);
}
