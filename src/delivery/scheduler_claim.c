/*
 * What is claimed when.
 *
 * A general claim takes a few items of each destination that is due. Where it
 * may have left some, the destination is refilled by name from then on when its hop
 * needs it, many of them in one claim, and left out of the general claims. Those that
 * share a hop are left out while it has enough, too (claim_gate.h). One claim at a
 * time is under way; where several kinds are wanted they take turns.
 *
 * Destinations that keep sessions waiting in vain do not fill the room of the others:
 * what is known to be slow (health.h) is left out of the general claims, and claimed
 * by name, one item each, as many as its part of the sessions can take. Half of what
 * may be claimed is for those that take mail; where the rest is full, or many wait
 * for a session, they are asked about by name too.
 */
#include "delivery/scheduler_internal.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "delivery/claim_gate.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
	/* Less than a destination may hold for one session, also where their bodies
	 * are as large as they come along with a claim. */
	GENERAL_PER_DOMAIN = 4,
	CLAIM_MAX = 1024,  /* items */
	REFILLS_MAX = 256, /* destinations of one claim */
	RETRY_CLAIM_MS = 1000,
	/* Names left out are copied and sorted: with so many, not all the time. */
	EXCLUDED_MANY = 300,
	GENERAL_PAUSE_MS = 50,
	PASSED_OVER_A_MS = 100, /* destinations, for each ms of pause */
	HOMELESS_PART = 4,      /* of the sessions */
	CLAIM_KINDS = 4,
	KEPT_PART = 2, /* of what may be claimed: for those that take mail */
	SLEEP_MAX_MS = 30 * 1000,
	SLEEP_SLOW_MS = 5 * 1000
};

static void on_claimed(void *arg, struct queue_item **items, size_t count,
	int64_t next_due_ms, const struct err *e);

static size_t waiting_bytes_max(const struct scheduler *s)
{
	return delivery_max_sessions(s->env) * HOP_BYTES_MAX;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void send_claim(struct scheduler *s, struct queue_claim *claim)
{
	claim->max_body_bytes = waiting_bytes_max(s) - s->waiting_bytes;
	claim->now_ms = clock_wall_ms();
	claim->share = s->env->share;
	claim->for_once = s->once;
	s->claim_pending = true;
	s->claim_asked = claim->max_items;
	s->was_general = !claim->only_count;
	queue_claim_due(s->env->queue, claim, on_claimed, s);
}

/* ---- refills ---- */

void scheduler_forget_hunger(struct scheduler *s, struct hop *h)
{
	if (h->is_hungry)
		DL_DELETE2(s->hungry, h, prev_hungry, next_hungry);
	h->is_hungry = false;
}

static size_t claimed_max(const struct scheduler *s)
{
	return delivery_max_sessions(s->env) * HOP_ITEMS_PER_SESSION;
}

/* Claimed for hops that do not take mail, or have not yet. */
static size_t held_by_rest(const struct scheduler *s)
{
	return s->waiting[HEALTH_NEW] + s->waiting[HEALTH_SLOW] +
	       s->places.taken[HEALTH_NEW] + s->places.taken[HEALTH_SLOW];
}

/* What may still be claimed for hops of this health. */
static size_t claim_room(const struct scheduler *s, enum health health)
{
	size_t max = claimed_max(s), rest = max - max / KEPT_PART;
	size_t held = held_by_rest(s);
	size_t left = max > s->claimed ? max - s->claimed : 0;
	if (health == HEALTH_GOOD)
		return left;
	return least(left, rest > held ? rest - held : 0);
}

/* It is claimed by name, and not much of it. */
static bool is_rationed(const struct scheduler *s, const struct hop *h)
{
	return h->health == HEALTH_SLOW && h->sole && !s->once;
}

/* Of what may be claimed by those that take mail little is. */
static bool holds_little(const struct scheduler *s)
{
	size_t rest = least(held_by_rest(s), s->claimed);
	return s->claimed - rest < claimed_max(s) / 2;
}

void scheduler_note_hunger(struct scheduler *s, struct hop *h)
{
	if (h->is_hungry || h->asked || s->is_stopping || is_rationed(s, h) ||
		!hop_is_hungry(h, holds_little(s)))
		return;
	if (h->left_out)
		s->more_due = true;
	h->left_out = false;
	if (!h->due)
		return;
	h->is_hungry = true;
	DL_APPEND2(s->hungry, h, prev_hungry, next_hungry);
}

static void ask_for(struct scheduler *s, struct target *t, size_t items)
{
	t->asked = items;
	t->is_asked = true;
	target_hop(t)->asked++;
	DL_APPEND2(s->asked, t, prev_asked, next_asked);
}

/* Those that share a hop get equal parts of what it can hold, and where there are too
 * many for one claim, the others are the first next time. Returns the names. */
static size_t ask_for_all(struct scheduler *s, struct hop *h, size_t appetite,
	struct queue_claim_only *only, size_t names)
{
	size_t each = (appetite + h->due_count - 1) / h->due_count, n = 0;
	for (; appetite && n < names && n < h->due_count; n++) {
		struct target *t = h->due;
		ask_for(s, t, each < appetite ? each : appetite);
		only[n] = (struct queue_claim_only){ t->domain, t->asked };
		appetite -= t->asked;
		DL_DELETE2(h->due, t, prev_due, next_due);
		DL_APPEND2(h->due, t, prev_due, next_due);
	}
	return n;
}

static bool claim_named(
	struct scheduler *s, const struct queue_claim_only *only, size_t n, size_t total)
{
	if (n)
		send_claim(
			s, &(struct queue_claim){
				   .max_items = total, .only = only, .only_count = n });
	return n > 0;
}

/* As many of those that are hungry as fit, those first that are it longest. */
static bool claim_refills(struct scheduler *s)
{
	struct queue_claim_only only[REFILLS_MAX];
	struct hop *h, *next;
	size_t n = 0, total = 0;
	bool with_room = holds_little(s);
	DL_FOREACH_SAFE2(s->hungry, h, next, next_hungry)
	{
		size_t room = least(claim_room(s, h->health), CLAIM_MAX);
		if (total >= room)
			continue;
		size_t appetite = hop_appetite(h, with_room);
		scheduler_forget_hunger(s, h);
		if (!appetite || !h->due)
			continue;
		appetite = least(appetite, room - total);
		size_t names = ask_for_all(s, h, appetite, only + n, REFILLS_MAX - n);
		while (names--)
			total += only[n++].max_items;
		if (n == REFILLS_MAX)
			break;
	}
	return claim_named(s, only, n, total);
}

/* ---- by health ---- */

/* Is all of it that may be claimed now here, or on its way? */
static bool is_served(const struct scheduler *s, const char *domain, size_t each)
{
	const struct target *t;
	HASH_FIND_STR(s->targets, domain, t);
	return t && (t->more_due || t->is_asked || target_waiting(t) >= each ||
			    (each == 1 && t->running));
}

/* The next ones of a kind, each of them for so many items. */
static bool claim_of_health(
	struct scheduler *s, enum health health, size_t names, size_t each)
{
	struct queue_claim_only only[REFILLS_MAX];
	size_t n = 0, room = least(claim_room(s, health), CLAIM_MAX) / each;
	names = least(least(names, room), REFILLS_MAX);
	for (; n < names && s->unasked[health]; s->unasked[health]--) {
		const char *domain = health_memory_next(s->health, health);
		if (!domain || is_served(s, domain, each))
			continue;
		size_t known = HASH_COUNT(s->targets);
		struct target *t = scheduler_target(s, domain);
		t->is_probed = HASH_COUNT(s->targets) > known;
		ask_for(s, t, each);
		only[n++] = (struct queue_claim_only){ t->domain, each };
	}
	return claim_named(s, only, n, n * each);
}

/* Each that is slow gets one session at a time, as their part allows. */
static bool claim_slow(struct scheduler *s)
{
	size_t left = places_left(&s->places, HEALTH_SLOW);
	size_t waiting = s->places.waiting[HEALTH_SLOW];
	return left > waiting && claim_of_health(s, HEALTH_SLOW, left - waiting, 1);
}

/* Not while many wait for room: what there is goes to those who have it. */
static bool is_full(const struct scheduler *s)
{
	size_t homeless = s->places.waiting[HEALTH_NEW] + s->places.waiting[HEALTH_GOOD];
	return homeless > s->places.limit / HOMELESS_PART || !claim_room(s, HEALTH_NEW);
}

/* Those that take mail, whose new mail no general claim may find now. */
static bool claim_good(struct scheduler *s)
{
	return is_full(s) &&
	       claim_of_health(s, HEALTH_GOOD, SIZE_MAX, GENERAL_PER_DOMAIN);
}

static void begin_round(struct scheduler *s)
{
	for (size_t i = 0; i < HEALTH_COUNT; i++)
		s->unasked[i] =
			s->once ? 0 : health_memory_count(s->health, (enum health)i);
}

/* ---- when to look again ---- */

static void sleep_for(struct scheduler *s, int64_t wait_ms)
{
	if (s->is_stopping)
		return;
	s->looks_at_ms = loop_now_ms(s->env->loop) + wait_ms;
	timer_start(s->due_timer, wait_ms);
}

static void sleep_until(struct scheduler *s, int64_t at_ms)
{
	int64_t wait_ms = at_ms - clock_wall_ms();
	/* Not for long: the clock may be set, and another process may put off a message
	 * without telling us. Nor do general claims say when a slow one is due. */
	int64_t max_ms = health_memory_count(s->health, HEALTH_SLOW) ? SLEEP_SLOW_MS
								     : SLEEP_MAX_MS;
	sleep_for(s, wait_ms < 0 ? 0 : wait_ms > max_ms ? max_ms : wait_ms);
}

/* A destination that has nothing more due now may have something due soon: the last
 * general claim left it out, and what it said to be next is not its own. */
static void look_soon(struct scheduler *s)
{
	int64_t at_ms = loop_now_ms(s->env->loop) + RETRY_CLAIM_MS;
	if (!s->once && (!timer_is_active(s->due_timer) || s->looks_at_ms > at_ms))
		sleep_for(s, RETRY_CLAIM_MS);
}

/* ---- general claims ---- */

/* What may come of each hop that is shared. */
static void limit_shared(struct scheduler *s)
{
	struct policy_set *policy = s->env->policy;
	struct hop *h, *next;
	bool with_room = holds_little(s);
	s->gate = NULL;
	if (policy && policy_set_count(policy, POLICY_FILE_ROUTES))
		s->gate = claim_gate_new(
			policy, GENERAL_PER_DOMAIN, HOP_WAITING_PER_SESSION);
	HASH_ITER (hh, s->hops, h, next) {
		h->left_out = false;
		if (s->gate)
			claim_gate_set(s->gate, h->key, hop_appetite(h, with_room));
	}
	s->limits_notices = scheduler_limits_notices(s, &h);
	s->max_notices = s->limits_notices && h ? hop_appetite(h, with_room)
						: HOP_WAITING_PER_SESSION;
}

/* Whom a general claim leaves out; the list is the caller's. */
static const char **list_excluded(struct scheduler *s, size_t *count_out)
{
	size_t n = s->once ? 0 : health_memory_count(s->health, HEALTH_SLOW);
	struct target *t, *next;
	const char **exclude = xcalloc(n + HASH_COUNT(s->targets), sizeof(*exclude));
	if (n)
		health_memory_list(s->health, HEALTH_SLOW, exclude);
	HASH_ITER (hh, s->targets, t, next) {
		if (target_waiting(t) >= GENERAL_PER_DOMAIN)
			target_set_more_due(t, true); /* a claim of its own will tell */
		if (t->more_due)
			exclude[n++] = t->domain;
	}
	*count_out = n;
	return exclude;
}

static bool claim_generally(struct scheduler *s)
{
	size_t n, room = least(claim_room(s, HEALTH_NEW), CLAIM_MAX);
	int64_t pause_ms = s->next_general_ms - loop_now_ms(s->env->loop);
	if (!s->more_due || is_full(s))
		return false;
	if (pause_ms > 0) {
		sleep_for(s, pause_ms);
		return false;
	}
	const char **exclude = list_excluded(s, &n);
	limit_shared(s);
	s->more_due = false;
	s->next_general_ms =
		loop_now_ms(s->env->loop) + (n >= EXCLUDED_MANY ? GENERAL_PAUSE_MS : 0);
	send_claim(s, &(struct queue_claim){ .max_items = room,
			      .max_per_domain = GENERAL_PER_DOMAIN,
			      .gate = s->gate ? claim_gate_queue(s->gate) : NULL,
			      .limits_notices = s->limits_notices,
			      .max_notices = s->max_notices,
			      .exclude = exclude,
			      .exclude_count = n });
	free(exclude);
	return true;
}

void scheduler_claim(struct scheduler *s)
{
	static bool (*const kinds[CLAIM_KINDS])(struct scheduler * s) = { claim_refills,
		claim_generally, claim_good, claim_slow };
	if (s->claim_pending || s->claim_failed || s->is_stopping ||
		s->waiting_bytes >= waiting_bytes_max(s))
		return;
	for (size_t i = 1; i <= CLAIM_KINDS; i++) {
		size_t kind = (s->last_claim + i) % CLAIM_KINDS;
		if (kinds[kind](s)) {
			s->last_claim = kind;
			return;
		}
	}
}

/* ---- what comes ---- */

static void take_items(struct scheduler *s, struct queue_item **items, size_t count)
{
	struct target *t = NULL;
	for (size_t i = 0; i < count; i++) {
		if (!t || strcmp(t->domain, items[i]->domain) != 0)
			t = scheduler_target(s, items[i]->domain);
		struct hop *h = target_push(t, items[i])->hop;
		s->claimed++;
		s->waiting[h->health]++;
		s->waiting_bytes += items[i]->body_len;
		if (t->is_asked)
			t->asked -= t->asked > 0;
		else if (target_waiting(t) >= GENERAL_PER_DOMAIN)
			target_set_more_due(t, true);
		scheduler_note_hunger(s, h);
		scheduler_give_turn(s, h);
	}
}

/* More for it is in the store. */
static void note_left_out(struct scheduler *s, struct hop *h)
{
	if (!h) {
		s->more_due = true;
		return;
	}
	h->left_out = true;
	scheduler_note_hunger(s, h);
}

static void on_full(void *arg, const char *key, bool took_any)
{
	struct scheduler *s = arg;
	struct hop *h;
	HASH_FIND_STR(s->hops, key, h);
	/* Where it had room and got nothing, another worker has what is due. */
	if (took_any || (h && !hop_appetite(h, holds_little(s))))
		note_left_out(s, h);
}

static size_t count_notices(struct queue_item **items, size_t count)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		n += items[i]->envelope.is_notice;
	return n;
}

/* After a general claim: what it passed over for the sake of others. Walking over many
 * destinations is not for nothing: it is done the less often the more they are. */
static void note_passed_over(struct scheduler *s, size_t notices)
{
	struct hop *h;
	if (s->gate) {
		int64_t pause_ms =
			(int64_t)claim_gate_left_out(s->gate) / PASSED_OVER_A_MS;
		s->next_general_ms += pause_ms;
		claim_gate_each_full(s->gate, on_full, s);
	}
	if (s->limits_notices && notices >= s->max_notices &&
		scheduler_limits_notices(s, &h) && h)
		note_left_out(s, h);
	s->gate = NULL;
}

/* Who got all that was asked for may get more. */
static void end_refills(struct scheduler *s, bool has_failed)
{
	while (s->asked) {
		struct target *t = s->asked;
		DL_DELETE2(s->asked, t, prev_asked, next_asked);
		t->is_asked = false;
		target_hop(t)->asked--;
		target_set_more_due(t, has_failed || !t->asked);
		if (!t->more_due && !t->is_probed)
			look_soon(s);
		t->is_probed = false;
		t->asked = 0;
		scheduler_note_hunger(s, target_hop(t));
		scheduler_drop_if_empty(s, t);
	}
}

static void plan_next(struct scheduler *s, size_t count, int64_t next_due_ms)
{
	int64_t now_ms = clock_wall_ms();
	if (count == s->claim_asked) {
		s->more_due = true;
	} else if (!s->once) {
		/* What is due already belongs to destinations that are full. */
		bool is_due = next_due_ms <= now_ms;
		sleep_until(s, is_due ? now_ms + RETRY_CLAIM_MS : next_due_ms);
	}
}

static void on_claimed(void *arg, struct queue_item **items, size_t count,
	int64_t next_due_ms, const struct err *e)
{
	struct scheduler *s = arg;
	size_t notices = count_notices(items, count);
	s->claim_pending = false;
	if (!e && trouble_ends(&s->env->claim_trouble, loop_now_ms(s->env->loop)))
		log_info("queue: mail is taken up for delivery again");
	take_items(s, items, count);
	end_refills(s, e != NULL);
	if (e) {
		if (trouble_begins(
			    &s->env->claim_trouble, e->code, loop_now_ms(s->env->loop)))
			log_error("queue: nothing can be taken up for delivery: %s",
				e->text);
		s->claim_failed = true;
		s->last_error = *e;
		sleep_until(s, clock_wall_ms() + RETRY_CLAIM_MS);
	} else if (s->was_general) {
		note_passed_over(s, notices);
		plan_next(s, count, next_due_ms);
	}
	if (s->is_stopping)
		scheduler_give_back(s);
	scheduler_pump(s);
}

void scheduler_wake(struct scheduler *s)
{
	if (s->is_stopping)
		return;
	s->more_due = true;
	begin_round(s);
	s->claim_failed = false;
	scheduler_claim(s);
}

/* ---- what is not begun ---- */

static void on_given_back(void *arg, const struct err *e)
{
	struct scheduler *s = arg;
	if (e)
		log_error("queue: %s", e->text);
	scheduler_pump_soon(s);
}

/* One request for each item: one that is gone must not keep the others. */
static void give_back(struct scheduler *s, struct batch *b)
{
	struct queue_item *item;
	while ((item = scheduler_pop(s, b))) {
		queue_give_back(s->env->queue, &item->id, 1, on_given_back, s);
		queue_item_free(&item);
		s->claimed--;
	}
}

void scheduler_give_back_target(struct scheduler *s, struct target *t)
{
	for (size_t i = 0; i < BATCH_COUNT; i++) {
		struct hop *h = t->batches[i].hop;
		give_back(s, &t->batches[i]);
		if (!h->waiting)
			scheduler_end_turn(s, h);
	}
}

void scheduler_give_back(struct scheduler *s)
{
	struct target *t, *next;
	HASH_ITER (hh, s->targets, t, next) {
		target_set_more_due(t, false);
		for (size_t i = 0; i < BATCH_COUNT; i++)
			give_back(s, &t->batches[i]);
		scheduler_drop_if_empty(s, t);
	}
}
