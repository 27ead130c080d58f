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
	t->max_sessions = max_sessions ? max_sessions : 1;
	t->window = t->max_sessions < TARGET_WINDOW_FIRST ? t->max_sessions
							  : TARGET_WINDOW_FIRST;
	return t;
}

void target_free(struct target *t)
{
	ASSERT(target_is_empty(t));
	free(t->domain);
	free(t);
}

bool target_is_empty(const struct target *t)
{
	return !t->waiting && !t->running && !t->finishing && !t->idle && !t->is_runnable;
}

void target_push(struct target *t, struct queue_item *item)
{
	struct target_item *node = xcalloc(1, sizeof(*node));
	node->item = item;
	if (t->last)
		t->last->next = node;
	else
		t->first = node;
	t->last = node;
	t->waiting++;
}

struct queue_item *target_pop(struct target *t)
{
	struct target_item *node = t->first;
	if (!node)
		return NULL;
	struct queue_item *item = node->item;
	t->first = node->next;
	if (!t->first)
		t->last = NULL;
	t->waiting--;
	free(node);
	return item;
}

bool target_can_start(const struct target *t)
{
	return t->waiting && t->running < t->window;
}

void target_note_success(struct target *t)
{
	if (t->window < t->max_sessions)
		t->window++;
}

void target_note_no_contact(struct target *t)
{
	if (t->window > 1)
		t->window /= 2;
}
