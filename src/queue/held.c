#include "queue/held.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <uthash.h>

struct held_item {
	int64_t item;
	int64_t slot; /* in the journal; -1: not marked */
	UT_hash_handle hh;
};

struct held {
	pthread_mutex_t mutex;
	struct journal *journal;
	struct held_item *items;
};

struct held *held_new(void)
{
	struct held *h = xcalloc(1, sizeof(*h));
	pthread_mutex_init(&h->mutex, NULL);
	return h;
}

static void drop_all(struct held *h)
{
	struct held_item *i, *next;
	HASH_ITER (hh, h->items, i, next) {
		HASH_DEL(h->items, i);
		free(i);
	}
	journal_close(&h->journal);
}

void held_free(struct held **hp)
{
	struct held *h = *hp;
	if (!h)
		return;
	*hp = NULL;
	drop_all(h);
	pthread_mutex_destroy(&h->mutex);
	free(h);
}

void held_begin(struct held *h, struct journal *journal)
{
	pthread_mutex_lock(&h->mutex);
	drop_all(h);
	h->journal = journal;
	pthread_mutex_unlock(&h->mutex);
}

struct journal *held_journal(const struct held *h)
{
	return h->journal; /* changed by the store thread only, which asks */
}

static struct held_item *find(const struct held *h, int64_t item)
{
	struct held_item *i;
	HASH_FIND(hh, h->items, &item, sizeof(item), i);
	return i;
}

void held_add(struct held *h, int64_t item)
{
	pthread_mutex_lock(&h->mutex);
	struct held_item *i = find(h, item);
	if (i) {
		/* Of a result that was stored, and nobody knew of. */
		journal_clear(h->journal, &i->slot);
	} else {
		i = xcalloc(1, sizeof(*i));
		i->item = item;
		i->slot = -1;
		HASH_ADD(hh, h->items, item, sizeof(i->item), i);
	}
	pthread_mutex_unlock(&h->mutex);
}

void held_drop(struct held *h, int64_t item)
{
	pthread_mutex_lock(&h->mutex);
	struct held_item *i = find(h, item);
	if (i) {
		journal_clear(h->journal, &i->slot);
		HASH_DEL(h->items, i);
		free(i);
	}
	pthread_mutex_unlock(&h->mutex);
}

bool held_is_marked(struct held *h, int64_t item, char host_out[JOURNAL_HOST_MAX])
{
	pthread_mutex_lock(&h->mutex);
	struct held_item *i = find(h, item);
	bool is_marked = i && i->slot >= 0;
	if (is_marked && host_out)
		journal_host(h->journal, i->slot, host_out);
	pthread_mutex_unlock(&h->mutex);
	return is_marked;
}

int held_mark(struct held *h, int64_t item, const char *host, struct err *e)
{
	pthread_mutex_lock(&h->mutex);
	struct held_item *i = find(h, item);
	int rc = i ? journal_mark(h->journal, &i->slot, item, host, e)
		   : err_set(e, ERR_NOT_FOUND, "it is not held by this worker");
	pthread_mutex_unlock(&h->mutex);
	return rc;
}
