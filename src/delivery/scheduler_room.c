/*
 * Who gets a session, and who has to give one up.
 *
 * Where all places are taken, hops wait for their first session. Each kind of health
 * has its part of the places (places.h), and inside that it is first come, first
 * served. An attempt that has held a place for longer than crowded_timeout makes its
 * hop a slow one; and while others wait, slow hops give up what they have taken
 * beyond their part, those first that have it longest. So a host that says nothing
 * may take all the time that RFC 5321 4.5.3.2 gives it while there is room; where there
 * is none it is asked again later, in the part that is for its like.
 */
#include "delivery/scheduler_internal.h"

#include "base/mem.h"
#include "base/timefmt.h"
#include "delivery/attempt.h"

#include <stdio.h>
#include <utlist.h>

enum { CROWD_LOOKS = 4 /* in a crowded_timeout */ };

bool scheduler_has_room(const struct scheduler *s)
{
	size_t limit = s->places.limit;
	return s->running + s->idle.count < limit && s->env->sessions < limit;
}

bool scheduler_may_take(const struct scheduler *s, const struct hop *h)
{
	return scheduler_has_room(s) && places_left(&s->places, h->health) > 0;
}

void scheduler_wait_for_room(struct scheduler *s, struct hop *h)
{
	h->waits_since = s->homeless_ever++;
	DL_APPEND(s->homeless[h->health], h);
	s->places.waiting[h->health]++;
}

void scheduler_wait_no_more(struct scheduler *s, struct hop *h)
{
	DL_DELETE(s->homeless[h->health], h);
	s->places.waiting[h->health]--;
}

struct hop *scheduler_next_homeless(struct scheduler *s)
{
	struct hop *first = NULL;
	for (size_t i = 0; i < HEALTH_COUNT; i++) {
		struct hop *h = s->homeless[i];
		if (h && scheduler_may_take(s, h) &&
			(!first || h->waits_since < first->waits_since))
			first = h;
	}
	return first;
}

static int64_t crowded_timeout_ms(const struct scheduler *s)
{
	return s->env->config->config->crowded_timeout_ms;
}

static bool is_crowded(const struct scheduler *s)
{
	const size_t *waiting = s->places.waiting;
	return waiting[HEALTH_GOOD] + waiting[HEALTH_NEW] > 0;
}

void scheduler_make_room(struct scheduler *s)
{
	size_t homeless = places_wanted(&s->places);
	size_t wanted = homeless + s->lacks_further;
	s->lacks_further = false;
	/* What is kept for a refill that cannot be claimed now may go to those who have
	 * no session at all. */
	while (s->env->quitting < wanted &&
		idle_quit_oldest(
			&s->idle, !s->claim_pending && s->env->quitting < homeless))
		continue;
	if (is_crowded(s) && !s->is_stopping && !timer_is_active(s->crowd_timer))
		timer_start(s->crowd_timer, 1 + crowded_timeout_ms(s) / CROWD_LOOKS);
}

/* ---- health ---- */

void scheduler_begin_health(struct scheduler *s, struct hop *h, const char *domain)
{
	h->health = health_memory_of(s->health, domain, loop_now_ms(s->env->loop));
}

static void set_health(struct scheduler *s, const struct run *run, enum health health)
{
	struct hop *h = run->hop;
	bool waits = h->turn == TURN_WAITS_FOR_ROOM;
	/* One of many destinations of a relay does not answer for the others. */
	if (!h->key || health == HEALTH_GOOD)
		health_memory_note(s->health, run->target->domain, health,
			loop_now_ms(s->env->loop));
	/* What is left of it in the store comes by name, or by a general claim again. */
	s->unasked[HEALTH_SLOW] += health == HEALTH_SLOW && !s->once;
	if (h->health == health)
		return;
	s->more_due |= h->health == HEALTH_SLOW;
	if (waits)
		scheduler_end_turn(s, h);
	s->places.taken[h->health] -= h->running;
	s->places.taken[health] += h->running;
	s->waiting[h->health] -= h->waiting;
	s->waiting[health] += h->waiting;
	h->health = health;
	if (waits)
		scheduler_give_turn(s, h);
	if (health == HEALTH_SLOW && h->sole && !s->once)
		scheduler_give_back_target(s, h->sole);
	else
		scheduler_note_hunger(s, h);
}

static bool has_taken_long(const struct scheduler *s, const struct run *run)
{
	int64_t took_ms = loop_now_ms(s->env->loop) - run->begun_ms;
	return took_ms >= crowded_timeout_ms(s);
}

/* What else the hop takes meanwhile speaks for it: then it is this message, or this
 * session, that takes long. */
static bool is_kept_waiting(const struct scheduler *s, const struct run *run)
{
	return has_taken_long(s, run) && run->hop->delivered_ms < run->begun_ms;
}

static void note_delivered(struct scheduler *s, const struct run *run)
{
	bool is_slow = is_kept_waiting(s, run) && !run->is_large;
	run->hop->delivered_ms = loop_now_ms(s->env->loop);
	set_health(s, run, is_slow ? HEALTH_NEW : HEALTH_GOOD);
}

void scheduler_note_health(struct scheduler *s, const struct run *run, bool delivered)
{
	if (delivered)
		note_delivered(s, run);
	else if (is_kept_waiting(s, run))
		set_health(s, run, HEALTH_SLOW);
	else if (run->hop->health == HEALTH_SLOW)
		set_health(s, run, HEALTH_NEW);
}

/* A large message may take its time, once it is being sent. */
static bool takes_its_time(const struct run *run)
{
	return run->is_large && attempt_is_sending(run->attempt);
}

static void find_slow(struct scheduler *s)
{
	struct run *run;
	DL_FOREACH (s->runs, run) {
		if (!has_taken_long(s, run))
			return;
		if (run->hop && !takes_its_time(run) && run->hop->health != HEALTH_SLOW &&
			is_kept_waiting(s, run))
			set_health(s, run, HEALTH_SLOW);
	}
}

static bool gives_way(struct scheduler *s, struct run *run)
{
	char after[TIMEFMT_MAX], why[128];
	if (!run->hop || takes_its_time(run) || run->hop->health != HEALTH_SLOW)
		return false;
	timefmt_human(loop_now_ms(s->env->loop) - run->begun_ms, after);
	snprintf(why, sizeof(why),
		"given up after %s: others wait for one of max_sessions", after);
	return attempt_give_way(run->attempt, why);
}

/* Those that run longest, and never one that has its message. */
static void make_slow_give_way(struct scheduler *s)
{
	size_t owed = scheduler_next_homeless(s) ? 0 : places_owed(&s->places);
	struct run *run = s->runs;
	while (owed && run && has_taken_long(s, run)) {
		struct run *next = run->next;
		owed -= gives_way(s, run);
		run = next;
	}
}

void scheduler_on_crowd(void *arg)
{
	struct scheduler *s = arg;
	find_slow(s);
	make_slow_give_way(s);
	scheduler_pump(s); /* and looks again */
}
