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
	struct hop *h = hop_new(NULL,
		config_destination(config, domain)->max_sessions_per_destination, s);
	scheduler_begin_health(s, h, domain);
	return h;
}

/* Where the mail of a domain goes. have: its hop so far, or NULL; that again where
 * nothing has changed. */
static struct hop *find_hop(struct scheduler *s, const char *domain, struct hop *have)
{
	const struct policy_route *route =
		way_route_of(s->env->config->config, s->env->policy, domain, false);
	OWN(mem_free) char *key = way_hop_key(route);
	if (key)
		return shared_hop(s, key, route);
	return have && !have->key ? have : own_hop(s, domain);
}

/* NULL: notices go where other mail goes, or have no relay to share. */
static struct hop *find_notice_hop(struct scheduler *s)
{
	const struct policy_route *route = s->env->config->config->bounce_route;
	OWN(mem_free) char *key = way_hop_key(route);
	return key ? shared_hop(s, key, route) : NULL;
}

bool scheduler_limits_notices(const struct scheduler *s, struct hop **hop_out)
{
	OWN(mem_free) char *key = way_hop_key(s->env->config->config->bounce_route);
	if (!key)
		return false;
	HASH_FIND_STR(s->hops, key, *hop_out);
	return true;
}

struct target *scheduler_target(struct scheduler *s, const char *domain)
{
	struct target *t;
	HASH_FIND_STR(s->targets, domain, t);
	if (t)
		return t;
	t = target_new(domain, find_hop(s, domain, NULL), find_notice_hop(s));
	HASH_ADD_KEYPTR(hh, s->targets, t->domain, strlen(t->domain), t);
	return t;
}

void scheduler_drop_hop_if_empty(struct scheduler *s, struct hop *h)
{
	if (!hop_is_empty(h))
		return;
	if (h->left_out)
		s->more_due = true; /* a general claim finds the rest */
	scheduler_forget_hunger(s, h);
	scheduler_end_turn(s, h);
	if (h->key)
		HASH_DELETE(hh, s->hops, h);
	hop_free(h);
}

void scheduler_drop_if_empty(struct scheduler *s, struct target *t)
{
	struct hop *mail = t->batches[BATCH_MAIL].hop;
	struct hop *notices = t->batches[BATCH_NOTICES].hop;
	if (!target_is_empty(t) || t->is_asked)
		return;
	if (t->more_due)
		s->more_due = true; /* a general claim finds the rest */
	HASH_DELETE(hh, s->targets, t);
	target_free(t);
	if (notices != mail)
		scheduler_drop_hop_if_empty(s, notices);
	scheduler_drop_hop_if_empty(s, mail);
}

/* A batch has left it, perhaps the only one. What runs and what is kept belongs to it
 * still, and it goes with the last of that. */
static void leave_hop(struct scheduler *s, struct hop *h)
{
	if (!h->waiting)
		scheduler_end_turn(s, h);
	if (!h->due)
		scheduler_forget_hunger(s, h);
	if (!h->batches && h->idle)
		idle_quit_hop(h);
	else
		scheduler_drop_hop_if_empty(s, h);
}

static void join_hop(struct scheduler *s, struct hop *h)
{
	scheduler_note_hunger(s, h);
	scheduler_give_turn(s, h);
}

static void count_waiting(struct scheduler *s, const struct target *t, bool joins)
{
	for (size_t i = 0; i < BATCH_COUNT; i++) {
		const struct batch *b = &t->batches[i];
		size_t *waiting = &s->waiting[b->hop->health];
		*waiting = joins ? *waiting + b->waiting : *waiting - b->waiting;
	}
}

/* What waits goes where the policy says now. */
static void find_place(struct scheduler *s, struct target *t)
{
	struct hop *mail = t->batches[BATCH_MAIL].hop;
	struct hop *notices = t->batches[BATCH_NOTICES].hop;
	struct hop *new_mail = find_hop(s, t->domain, mail);
	struct hop *new_notices = find_notice_hop(s);
	count_waiting(s, t, false);
	target_move(t, new_mail, new_notices);
	count_waiting(s, t, true);
	bool has_left = t->batches[BATCH_NOTICES].hop != notices;
	if (new_mail != mail || (has_left && notices == mail))
		leave_hop(s, mail);
	if (has_left && notices != mail)
		leave_hop(s, notices);
	join_hop(s, t->batches[BATCH_MAIL].hop);
	join_hop(s, t->batches[BATCH_NOTICES].hop);
}

void scheduler_routes_changed(struct scheduler *s)
{
	struct target *t, *next;
	struct hop *h, *next_hop;
	s->places.limit = delivery_max_sessions(s->env);
	HASH_ITER (hh, s->hops, h, next_hop) {
		s->more_due |= h->left_out; /* it may go elsewhere */
		h->left_out = false;
	}
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
