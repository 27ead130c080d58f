#include "queue/held.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* Ids are numbers in a row, looked for more than once a message. */
#undef HASH_FUNCTION
#define HASH_FUNCTION(key, len, out) ((out) = hash_id(*(const int64_t *)(key)))

static unsigned hash_id(int64_t id)
{
	return (unsigned)((uint64_t)id * 0x9e3779b97f4a7c15 >> 32);
}

/* What the transaction under way did, to be taken back. */
struct change {
	struct held_item *item;
	bool is_release; /* else it was added */
};

struct held {
	pthread_mutex_t mutex; /* for the table, the slots and the journal */
	struct journal *journal;
	struct held_item *items; /* the table: all but those released */
	struct held_claim *claims;
	struct change *changes;
	size_t change_count, change_cap;
};

struct held *held_new(void)
{
	struct held *h = xcalloc(1, sizeof(*h));
	pthread_mutex_init(&h->mutex, NULL);
	return h;
}

/* Mutex held. Its mark is what others go by, should it not have been settled. */
static void forget(struct held *h, struct held_item *i)
{
	struct held_claim *claim = i->claim;
	if (!i->is_released)
		HASH_DEL(h->items, i);
	DL_DELETE(claim->items, i);
	if (--claim->count == 0) {
		DL_DELETE(h->claims, claim);
		free(claim);
	}
	free(i);
}

static void drop_all(struct held *h)
{
	while (h->claims)
		forget(h, h->claims->items);
	journal_close(&h->journal);
	h->change_count = 0;
}

void held_free(struct held **hp)
{
	struct held *h = *hp;
	if (!h)
		return;
	*hp = NULL;
	drop_all(h);
	pthread_mutex_destroy(&h->mutex);
	free(h->changes);
	free(h);
}

void held_begin(struct held *h, struct journal *journal)
{
	pthread_mutex_lock(&h->mutex);
	drop_all(h);
	h->journal = journal;
	pthread_mutex_unlock(&h->mutex);
}

int64_t held_journal_token(const struct held *h)
{
	/* Changed by the store thread only, which asks. */
	return h->journal ? journal_token(h->journal) : 0;
}

bool held_is_fenced(struct held *h)
{
	/* Who marks may move the mapping. */
	pthread_mutex_lock(&h->mutex);
	bool is_fenced = h->journal && journal_is_fenced(h->journal);
	pthread_mutex_unlock(&h->mutex);
	return is_fenced;
}

/* ---- along with a transaction ---- */

struct held_item *held_find(const struct held *h, int64_t item)
{
	struct held_item *i;
	HASH_FIND(hh, h->items, &item, sizeof(item), i);
	return i;
}

static void note(struct held *h, struct held_item *item, bool is_release)
{
	if (h->change_count == h->change_cap) {
		h->change_cap = h->change_cap ? 2 * h->change_cap : 64;
		h->changes =
			xreallocarray(h->changes, h->change_cap, sizeof(*h->changes));
	}
	h->changes[h->change_count++] = (struct change){ item, is_release };
}

struct held_claim *held_add(struct held *h, struct held_claim *claim, int64_t claim_id,
	const struct held_item *item, const int64_t *recipients)
{
	size_t len = item->recipient_count * sizeof(*recipients);
	struct held_item *i = xmalloc(sizeof(*i) + len);
	*i = (struct held_item){ .item = item->item,
		.destination = item->destination,
		.size = item->size,
		.slot = -1,
		.recipient_count = item->recipient_count };
	if (len)
		memcpy(i->recipients, recipients, len);
	pthread_mutex_lock(&h->mutex);
	if (!claim) {
		claim = xcalloc(1, sizeof(*claim));
		claim->id = claim_id;
		DL_APPEND(h->claims, claim);
	}
	i->claim = claim;
	claim->count++;
	DL_APPEND(claim->items, i);
	ASSERT(!held_find(h, i->item));
	HASH_ADD(hh, h->items, item, sizeof(i->item), i);
	pthread_mutex_unlock(&h->mutex);
	note(h, i, false);
	return claim;
}

void held_release(struct held *h, struct held_item *item, bool stays)
{
	ASSERT(!item->is_released);
	pthread_mutex_lock(&h->mutex);
	HASH_DEL(h->items, item); /* the same transaction may claim it again */
	pthread_mutex_unlock(&h->mutex);
	item->is_released = true;
	item->stays = stays;
	item->claim->released++;
	item->claim->staying += stays;
	note(h, item, true);
}

size_t held_place(const struct held *h)
{
	return h->change_count;
}

void held_rollback_to(struct held *h, size_t place)
{
	pthread_mutex_lock(&h->mutex);
	while (h->change_count > place) {
		struct change *c = &h->changes[--h->change_count];
		if (c->is_release) {
			c->item->is_released = false;
			HASH_ADD(hh, h->items, item, sizeof(c->item->item), c->item);
			c->item->claim->released--;
			c->item->claim->staying -= c->item->stays;
			c->item->claim->is_written = false;
		} else {
			journal_clear(h->journal, &c->item->slot);
			forget(h, c->item);
		}
	}
	pthread_mutex_unlock(&h->mutex);
}

void held_commit(struct held *h)
{
	pthread_mutex_lock(&h->mutex);
	for (size_t n = 0; n < h->change_count; n++) {
		struct held_item *i = h->changes[n].item;
		if (!h->changes[n].is_release)
			continue;
		i->claim->released--;
		i->claim->staying -= i->stays;
		i->claim->is_written = false;
		journal_clear(h->journal, &i->slot);
		forget(h, i);
	}
	h->change_count = 0;
	pthread_mutex_unlock(&h->mutex);
}

int held_write_claims(struct held *h,
	int (*write)(void *arg, struct held_claim *claim, struct err *e), void *arg,
	struct err *e)
{
	int rc = 0;
	for (size_t n = 0; n < h->change_count && rc == 0; n++) {
		struct held_claim *claim = h->changes[n].item->claim;
		if (!h->changes[n].is_release || claim->is_written)
			continue;
		claim->is_written = true;
		rc = write(arg, claim, e);
	}
	return rc;
}

struct held_claim *held_claims(const struct held *h)
{
	return h->claims;
}

void held_drop(struct held *h, struct held_item *item)
{
	pthread_mutex_lock(&h->mutex);
	journal_clear(h->journal, &item->slot);
	forget(h, item);
	pthread_mutex_unlock(&h->mutex);
}

/* ---- marks ---- */

bool held_is_marked(struct held *h, int64_t item, char host_out[JOURNAL_HOST_MAX])
{
	pthread_mutex_lock(&h->mutex);
	struct held_item *i = held_find(h, item);
	bool is_marked = i && i->slot >= 0;
	if (is_marked && host_out)
		journal_host(h->journal, i->slot, host_out);
	pthread_mutex_unlock(&h->mutex);
	return is_marked;
}

int held_mark(struct held *h, int64_t item, const char *host, struct err *e)
{
	pthread_mutex_lock(&h->mutex);
	struct held_item *i = held_find(h, item);
	int rc = i ? journal_mark(h->journal, &i->slot, item, host, e)
		   : err_set(e, ERR_NOT_FOUND, "it is not held by this worker");
	pthread_mutex_unlock(&h->mutex);
	return rc;
}
