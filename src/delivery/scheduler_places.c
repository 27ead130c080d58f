/* Which destinations there are, and which hop each of them goes to. */
#include "delivery/scheduler_internal.h"

#include "base/mem.h"
#include "delivery/way.h"

#include <string.h>

/* Of the block that the relay's name has; of several relays the first one's. What
 * destinations of several loops share, the loops divide. */
static unsigned max_sessions(const struct scheduler *s, const struct policy_route *route)
{
	const struct config *config = s->env->config->config;
	const char *name = policy_relay_name(&route->relays[0], "");
	return share_divide(&s->env->share,
		config_destination(config, name)->max_sessions_per_destination);
}

static struct hop *shared_hop(
	struct scheduler *s, const char *key, const struct policy_route *route)
{
	struct hop *h;
	HASH_FIND_STR(s->hops, key, h);
	if (h)
		return h;
	h = hop_new(key, max_sessions(s, route), s);
	HASH_ADD_KEYPTR(hh, s->hops, h->key, strlen(h->key), h);
	return h;
}

static struct hop *own_hop(struct scheduler *s, const char *domain)
{
	const struct config *config = s->env->config->config;
	return hop_new(NULL,
		config_destination(config, domain)->max_sessions_per_destination, s);
}

static struct hop *find_hop(struct scheduler *s, const char *domain)
{
	const struct policy_route *route = way_route_of(s->env->policy, domain);
	OWN(mem_free) char *key = way_hop_key(route);
	return key ? shared_hop(s, key, route) : own_hop(s, domain);
}

struct target *scheduler_target(struct scheduler *s, const char *domain)
{
	struct target *t;
	HASH_FIND_STR(s->targets, domain, t);
	if (t)
		return t;
	t = target_new(domain, find_hop(s, domain));
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

static bool has_key(const struct hop *h, const char *key)
{
	return h->key == key || (h->key && key && strcmp(h->key, key) == 0);
}

/* What waits goes where the policy says now. What runs and what is kept belongs to the
 * hop where it is: that goes with the last of it. */
static void find_place(struct scheduler *s, struct target *t)
{
	struct hop *from = t->hop;
	const struct policy_route *route = way_route_of(s->env->policy, t->domain);
	OWN(mem_free) char *key = way_hop_key(route);
	if (has_key(from, key))
		return;
	target_move(t, key ? shared_hop(s, key, route) : own_hop(s, t->domain));
	if (!from->waiting)
		scheduler_end_turn(s, from);
	if (!from->due)
		scheduler_forget_hunger(s, from);
	if (!from->targets && from->idle)
		idle_quit_hop(from);
	else
		scheduler_drop_hop_if_empty(s, from);
	scheduler_note_hunger(s, t->hop);
	scheduler_give_turn(s, t->hop);
}

void scheduler_policy_changed(struct scheduler *s)
{
	struct target *t, *next;
	HASH_ITER (hh, s->targets, t, next) {
		find_place(s, t);
		scheduler_drop_if_empty(s, t);
	}
	scheduler_pump_soon(s);
}

void scheduler_free_places(struct scheduler *s)
{
	struct target *t, *next;
	HASH_ITER (hh, s->targets, t, next) {
		t->is_asked = false;
		scheduler_drop_if_empty(s, t);
	}
}
