/* Which destinations there are, and which hop each of them goes to. */
#include "delivery/scheduler_internal.h"

#include "base/mem.h"

#include <string.h>

static unsigned max_sessions(const struct scheduler *s, const char *name)
{
	const struct config *config = s->env->config->config;
	return config_destination(config, name)->max_sessions_per_destination;
}

struct target *scheduler_target(struct scheduler *s, const char *domain)
{
	struct target *t;
	HASH_FIND_STR(s->targets, domain, t);
	if (t)
		return t;
	t = target_new(domain, hop_new(NULL, max_sessions(s, domain), s));
	HASH_ADD_KEYPTR(hh, s->targets, t->domain, strlen(t->domain), t);
	return t;
}

void scheduler_drop_hop_if_empty(struct scheduler *s, struct hop *h)
{
	if (!hop_is_empty(h))
		return;
	scheduler_forget_hunger(s, h);
	scheduler_end_turn(s, h);
	if (h->key)
		HASH_DELETE(hh, s->hops, h);
	hop_free(h);
}

void scheduler_drop_if_empty(struct scheduler *s, struct target *t)
{
	struct hop *h = t->hop;
	if (!target_is_empty(t) || t->is_asked)
		return;
	if (t->more_due)
		s->more_due = true; /* a general claim finds the rest */
	HASH_DELETE(hh, s->targets, t);
	target_free(t);
	scheduler_drop_hop_if_empty(s, h);
}

void scheduler_free_places(struct scheduler *s)
{
	struct target *t, *next;
	HASH_ITER (hh, s->targets, t, next) {
		t->is_asked = false;
		scheduler_drop_if_empty(s, t);
	}
}
