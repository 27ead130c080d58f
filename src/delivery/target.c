#include "delivery/target.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdlib.h>
#include <utlist.h>

static void join(struct batch *b, struct hop *h)
{
	ASSERT(h->key || !h->sole || h->sole == b->target);
	b->hop = h;
	h->batches++;
	h->sole = h->key ? NULL : b->target;
}

static void leave(struct batch *b)
{
	if (!--b->hop->batches)
		b->hop->sole = NULL;
}

struct target *target_new(const char *domain, struct hop *mail, struct hop *notices)
{
	struct target *t = xcalloc(1, sizeof(*t));
	t->domain = xstrdup(domain);
	t->batches[BATCH_MAIL].target = t->batches[BATCH_NOTICES].target = t;
	join(&t->batches[BATCH_MAIL], mail);
	join(&t->batches[BATCH_NOTICES], notices ? notices : mail);
	return t;
}

void target_free(struct target *t)
{
	ASSERT(target_is_empty(t) && !t->is_asked);
	target_set_more_due(t, false);
	for (size_t i = 0; i < BATCH_COUNT; i++) {
		leave(&t->batches[i]);
		free(t->batches[i].ring);
	}
	free(t->domain);
	free(t);
}

size_t target_waiting(const struct target *t)
{
	return t->batches[BATCH_MAIL].waiting + t->batches[BATCH_NOTICES].waiting;
}

struct hop *target_hop(const struct target *t)
{
	return t->batches[t->last].hop;
}

/* A hop of its own is found through it. */
bool target_is_empty(const struct target *t)
{
	const struct hop *h = t->batches[BATCH_MAIL].hop;
	bool is_needed = !h->key && h->idle;
	return !target_waiting(t) && !t->running && !t->finishing && !is_needed;
}

/* ---- what the claims know ---- */

static void list_due(struct target *t, struct hop *h)
{
	DL_APPEND2(h->due, t, prev_due, next_due);
	h->due_count++;
}

static void unlist_due(struct target *t, struct hop *h)
{
	DL_DELETE2(h->due, t, prev_due, next_due);
	h->due_count--;
}

void target_set_more_due(struct target *t, bool more_due)
{
	if (t->more_due == more_due)
		return;
	t->more_due = more_due;
	if (more_due)
		list_due(t, target_hop(t));
	else
		unlist_due(t, target_hop(t));
}

/* It is known there and not here any more. */
static void be_known_at(struct target *t, struct hop *from, struct hop *to)
{
	if (from == to)
		return;
	from->asked -= t->is_asked;
	to->asked += t->is_asked;
	if (t->more_due) {
		unlist_due(t, from);
		list_due(t, to);
	}
}

/* ---- items ---- */

static void enlarge_ring(struct batch *b)
{
	size_t size = b->ring_size ? 2 * b->ring_size : 8;
	struct queue_item **ring = xcalloc(size, sizeof(struct queue_item *));
	for (size_t i = 0; i < b->waiting; i++)
		ring[i] = b->ring[(b->first + i) % b->ring_size];
	free(b->ring);
	b->ring = ring;
	b->ring_size = size;
	b->first = 0;
}

struct batch *target_push(struct target *t, struct queue_item *item)
{
	enum batch_kind kind = item->envelope.is_notice ? BATCH_NOTICES : BATCH_MAIL;
	struct batch *b = &t->batches[kind];
	struct hop *h = b->hop;
	if (b->waiting == b->ring_size)
		enlarge_ring(b);
	if (!b->waiting)
		DL_APPEND2(h->ready, b, prev_ready, next_ready);
	b->ring[(b->first + b->waiting++) % b->ring_size] = item;
	h->waiting++;
	h->waiting_bytes += item->body_len;
	h->body_mean = (3 * h->body_mean + item->body_len) / 4;
	be_known_at(t, target_hop(t), h);
	t->last = kind;
	return b;
}

struct queue_item *batch_pop(struct batch *b)
{
	struct hop *h = b->hop;
	if (!b->waiting)
		return NULL;
	struct queue_item *item = b->ring[b->first];
	b->first = (b->first + 1) % b->ring_size;
	b->waiting--;
	h->waiting--;
	h->waiting_bytes -= item->body_len;
	DL_DELETE2(h->ready, b, prev_ready, next_ready);
	if (b->waiting)
		DL_APPEND2(h->ready, b, prev_ready, next_ready);
	return item;
}

static size_t bytes_of(const struct batch *b)
{
	size_t bytes = 0;
	for (size_t i = 0; i < b->waiting; i++)
		bytes += b->ring[(b->first + i) % b->ring_size]->body_len;
	return bytes;
}

static void move_batch(struct batch *b, struct hop *to)
{
	struct hop *from = b->hop;
	size_t bytes = bytes_of(b);
	if (from == to)
		return;
	if (b->waiting) {
		DL_DELETE2(from->ready, b, prev_ready, next_ready);
		DL_APPEND2(to->ready, b, prev_ready, next_ready);
	}
	from->waiting -= b->waiting;
	from->waiting_bytes -= bytes;
	to->waiting += b->waiting;
	to->waiting_bytes += bytes;
	leave(b);
	join(b, to);
}

void target_move(struct target *t, struct hop *mail, struct hop *notices)
{
	struct hop *known_at = target_hop(t);
	move_batch(&t->batches[BATCH_MAIL], mail);
	move_batch(&t->batches[BATCH_NOTICES], notices ? notices : mail);
	be_known_at(t, known_at, target_hop(t));
}
