#include "delivery/scheduler_internal.h"

#include "base/log.h"
#include "base/mem.h"
#include "delivery/attempt.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
	MESSAGES_A_TURN = 10, /* over one session while others wait for room */
	SHARE_OF_ROOM = 4,
	FURTHER_MS = 100, /* until those who could not have a further session ask again */
	IN_VAIN_MAX = 20, /* attempts in that time where nobody is reached */
	BUSY_PERCENT = 70,
	BUSY_RUNNING = 20,
	TIMED_SIZE_MAX = 64 * 1024 /* a larger message tells of the line, not the host */
};

/* ---- turns ---- */

void scheduler_end_turn(struct scheduler *s, struct hop *h)
{
	if (h->turn == TURN_STARTS) {
		DL_DELETE(s->starting, h);
	} else if (h->turn == TURN_WAITS_FOR_ROOM) {
		scheduler_wait_no_more(s, h);
	}
	h->turn = TURN_NONE;
}

static void on_idle_gone(struct hop *h)
{
	struct scheduler *s = h->owner;
	scheduler_give_turn(s, h);
	if (h->sole)
		scheduler_drop_if_empty(s, h->sole);
	else
		scheduler_drop_hop_if_empty(s, h);
}

/* ---- room ---- */

/* We are the bottleneck: the loop has no time, or what runs waits for the store.
 * Not where little runs: its commits are small, and more would share them. */
static bool is_busy(struct scheduler *s)
{
	if (s->running < BUSY_RUNNING)
		return false;
	return loop_load_percent(s->env->loop, &s->load) >= BUSY_PERCENT ||
	       queue_port_pending(s->env->queue) >= s->running / 2;
}

/* The less room is left the fewer sessions a hop has when it may still have another
 * one: those that come to it later find some. */
static bool is_within_share(const struct scheduler *s, const struct hop *h)
{
	size_t limit = delivery_max_sessions(s->env);
	size_t used = s->running + s->idle.count;
	return used < limit && hop_sessions(h) <= SHARE_OF_ROOM * (limit - used);
}

/* Beside the sessions it has; not in the place of a first one elsewhere. */
static bool may_open_further(struct scheduler *s, const struct hop *h)
{
	size_t waiting = h->due || h->left_out ? SIZE_MAX : h->waiting;
	if (!window_may_open(&h->window, hop_sessions(h), waiting))
		return false;
	bool is_free = !places_wanted(&s->places) && !is_busy(s);
	s->lacks_further |= is_free && !scheduler_has_room(s);
	if (is_free && scheduler_may_take(s, h) && is_within_share(s, h))
		return true;
	/* Its own sessions may be stuck when that has changed. */
	if (!timer_is_active(s->further_timer))
		timer_start(s->further_timer, FURTHER_MS);
	return false;
}

/* A host that is not there refuses as quickly as it is asked: thousands of messages for
 * it would be as many connections in a second or two. */
static bool can_start(const struct hop *h)
{
	return h->waiting && h->running < h->window.size && h->in_vain < IN_VAIN_MAX;
}

/* Has a session for a message, or may open one without waiting for room. */
static bool is_placed(struct scheduler *s, const struct hop *h)
{
	return h->idle || (h->running && may_open_further(s, h));
}

void scheduler_give_turn(struct scheduler *s, struct hop *h)
{
	if (h->turn != TURN_NONE || !can_start(h) || s->is_stopping)
		return;
	if (is_placed(s, h)) {
		h->turn = TURN_STARTS;
		DL_APPEND(s->starting, h);
	} else if (!h->running) {
		h->turn = TURN_WAITS_FOR_ROOM;
		scheduler_wait_for_room(s, h);
	}
}

static void on_further_timer(void *arg)
{
	struct scheduler *s = arg;
	struct target *t, *next;
	HASH_ITER (hh, s->targets, t, next) {
		for (size_t i = 0; i < BATCH_COUNT; i++) {
			t->batches[i].hop->in_vain = 0;
			scheduler_give_turn(s, t->batches[i].hop);
		}
	}
	scheduler_pump_soon(s);
}

static void note_in_vain(struct scheduler *s, struct hop *h)
{
	if (++h->in_vain == IN_VAIN_MAX && !timer_is_active(s->further_timer))
		timer_start(s->further_timer, FURTHER_MS);
}

/* ---- attempts ---- */

static void finish_if_done(struct scheduler *s)
{
	bool is_drained = !s->claimed && !s->claim_pending;
	bool wants_end = s->is_stopping || (s->once && !s->more_due);
	if (!is_drained || !wants_end || s->is_finished)
		return;
	s->is_finished = true;
	s->is_stopping = true;
	idle_quit_all(&s->idle);
	timer_stop(s->due_timer);
	timer_stop(s->further_timer);
	timer_stop(s->crowd_timer);
	timer_stop(s->grace_timer);
	s->on_finished(s->arg);
}

static void start_attempt(struct scheduler *s, struct hop *h, struct session *kept);

/* Who has several sessions, or has used one for long, gives it to those who have
 * none. */
static bool is_turn_over(
	const struct scheduler *s, const struct hop *h, const struct session *kept)
{
	return s->env->quitting < places_wanted(&s->places) && !scheduler_has_room(s) &&
	       (hop_sessions(h) || session_messages(kept) >= MESSAGES_A_TURN);
}

static void go_on_with(struct scheduler *s, struct hop *h, struct session *kept)
{
	if (s->is_stopping || is_turn_over(s, h, kept))
		session_quit(&kept);
	else if (can_start(h))
		start_attempt(s, h, kept);
	else
		idle_keep(&s->idle, h, kept);
}

static void note_contact(
	struct run *run, const struct session *kept, enum attempt_contact contact)
{
	struct hop *h = run->hop;
	/* Nothing is known of the host where a connection had to be made. */
	bool is_timed = run->session && run->session == kept && !run->is_large;
	int64_t now_ms = loop_now_ms(run->scheduler->env->loop);
	h->delivers = contact == ATTEMPT_DELIVERED;
	if (contact == ATTEMPT_NO_CONTACT)
		note_in_vain(run->scheduler, h);
	else
		h->in_vain = 0;
	if (contact == ATTEMPT_DELIVERED)
		window_note_delivered(&h->window, hop_sessions(h) - h->opening,
			is_timed ? now_ms - run->begun_ms : -1);
	else if (contact == ATTEMPT_NO_CONTACT || contact == ATTEMPT_BUSY)
		window_note_refused(&h->window);
	scheduler_note_health(run->scheduler, run, contact == ATTEMPT_DELIVERED);
}

static void on_session(void *arg, struct session *kept, enum attempt_contact contact)
{
	struct run *run = arg;
	struct scheduler *s = run->scheduler;
	struct hop *h = run->hop;
	h->opening -= !run->session;
	note_contact(run, kept, contact);
	s->places.taken[h->health]--;
	h->running--;
	run->target->running--;
	run->target->finishing++;
	run->hop = NULL;
	s->running--;
	if (kept)
		go_on_with(s, h, kept);
	scheduler_give_turn(s, h);
	scheduler_drop_hop_if_empty(s, h);
	scheduler_pump_soon(s);
}

static void on_done(void *arg, struct attempt *a, const struct err *e)
{
	struct run *run = arg;
	struct scheduler *s = run->scheduler;
	struct target *t = run->target;
	(void)a;
	if (e)
		log_error("queue: %s", e->text);
	DL_DELETE(s->runs, run);
	free(run);
	t->finishing--;
	s->claimed--;
	scheduler_drop_if_empty(s, t);
	scheduler_pump_soon(s);
}

struct queue_item *scheduler_pop(struct scheduler *s, struct batch *b)
{
	struct queue_item *item = batch_pop(b);
	if (item) {
		s->waiting[b->hop->health]--;
		s->waiting_bytes -= item->body_len;
	}
	return item;
}

static void start_attempt(struct scheduler *s, struct hop *h, struct session *kept)
{
	struct run *run = xcalloc(1, sizeof(*run));
	struct target *t = h->ready->target;
	struct queue_item *item = scheduler_pop(s, h->ready);
	run->scheduler = s;
	run->target = t;
	run->hop = h;
	run->session = kept;
	run->begun_ms = loop_now_ms(s->env->loop);
	run->is_large = item->envelope.content.size_bytes > TIMED_SIZE_MAX;
	DL_APPEND(s->runs, run);
	t->running++;
	h->running++;
	s->places.taken[h->health]++;
	h->opening += !kept;
	s->running++;
	scheduler_note_hunger(s, h);
	struct attempt_events events = {
		.on_session = on_session, .on_done = on_done, .arg = run
	};
	run->attempt = attempt_start(s->env, item, kept, &events);
}

void scheduler_pump(struct scheduler *s)
{
	struct hop *h;
	while ((h = s->starting)) {
		scheduler_end_turn(s, h);
		if (can_start(h) && is_placed(s, h))
			start_attempt(s, h, idle_take(h));
		scheduler_give_turn(s, h);
	}
	while ((h = scheduler_next_homeless(s))) {
		scheduler_end_turn(s, h);
		start_attempt(s, h, NULL);
		scheduler_give_turn(s, h);
	}
	scheduler_claim(s);
	scheduler_make_room(s);
	finish_if_done(s);
}

static void on_pump_timer(void *arg)
{
	scheduler_pump(arg);
}

void scheduler_pump_soon(struct scheduler *s)
{
	if (!timer_is_active(s->pump_timer))
		timer_start(s->pump_timer, 0);
}

/* Room for a session: somebody may be waiting for it. */
static void on_session_gone(void *arg)
{
	struct scheduler *s = arg;
	if (places_wanted(&s->places))
		scheduler_pump_soon(s);
}

/* ---- life ---- */

static void on_due(void *arg)
{
	scheduler_wake(arg);
}

static void on_grace_over(void *arg)
{
	struct scheduler *s = arg;
	for (struct run *r = s->runs, *next; r; r = next) {
		next = r->next;
		attempt_abort(r->attempt, "the worker is shutting down");
	}
}

struct scheduler *scheduler_new(
	struct delivery_env *env, bool once, void (*on_finished)(void *arg), void *arg)
{
	struct scheduler *s = xcalloc(1, sizeof(*s));
	s->env = env;
	s->once = once;
	s->on_finished = on_finished;
	s->arg = arg;
	s->due_timer = timer_new(env->loop, on_due, s);
	s->pump_timer = timer_new(env->loop, on_pump_timer, s);
	s->further_timer = timer_new(env->loop, on_further_timer, s);
	s->crowd_timer = timer_new(env->loop, scheduler_on_crowd, s);
	s->health = health_memory_new();
	s->places.limit = delivery_max_sessions(env);
	s->grace_timer = timer_new(env->loop, on_grace_over, s);
	idle_init(&s->idle, env->loop, on_idle_gone);
	env->session_gone = on_session_gone;
	env->session_gone_arg = s;
	return s;
}

void scheduler_stop(struct scheduler *s, int64_t grace_ms)
{
	if (s->is_stopping)
		return;
	s->is_stopping = true;
	s->env->is_stopping = true;
	timer_stop(s->due_timer);
	while (s->starting)
		scheduler_end_turn(s, s->starting);
	for (size_t i = 0; i < HEALTH_COUNT; i++) {
		while (s->homeless[i])
			scheduler_end_turn(s, s->homeless[i]);
	}
	scheduler_give_back(s);
	idle_quit_all(&s->idle);
	timer_start(s->grace_timer, grace_ms);
	timer_start(s->pump_timer, 0);
}

const struct err *scheduler_error(const struct scheduler *s)
{
	return s->last_error.code ? &s->last_error : NULL;
}

void scheduler_free(struct scheduler **sp)
{
	struct scheduler *s = *sp;
	*sp = NULL;
	if (!s)
		return;
	scheduler_free_places(s);
	s->env->session_gone = NULL;
	idle_clear(&s->idle);
	timer_close(&s->due_timer);
	timer_close(&s->pump_timer);
	timer_close(&s->further_timer);
	timer_close(&s->crowd_timer);
	timer_close(&s->grace_timer);
	health_memory_free(&s->health);
	free(s);
}
