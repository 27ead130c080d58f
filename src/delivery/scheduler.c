#include "delivery/scheduler.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "delivery/attempt.h"
#include "delivery/target.h"
#include "net/loop.h"

#include <stdlib.h>
#include <string.h>

enum {
	/* Items claimed at most, for each of max_sessions. A destination gets no more
	 * than that for each of its own sessions: those that answer nothing run out
	 * of sessions before they fill the room of the others. */
	CLAIMED_PER_SESSION = 4,
	WAITING_PER_SESSION = CLAIMED_PER_SESSION - 1,
	GENERAL_PER_DOMAIN = WAITING_PER_SESSION, /* in a general claim */
	CLAIM_MAX = 256,
	MESSAGES_A_TURN = 10, /* over one session while others wait for room */
	IDLE_MS = 2000,       /* a session without a message */
	RETRY_CLAIM_MS = 1000,
	SLEEP_MAX_MS = 30 * 1000
};

/* An attempt that runs. */
struct run {
	struct scheduler *scheduler;
	struct target *target;
	struct attempt *attempt;
	struct run *prev, *next;
};

struct scheduler {
	struct delivery_env *env;
	bool once, is_stopping, is_finished;
	void (*on_finished)(void *arg);
	void *arg;
	struct err last_error; /* of a claim; code 0: none failed */

	struct target *targets; /* by domain */
	struct target *runnable, *runnable_last;
	struct run *runs;
	size_t claimed, running, idle;

	struct target *claim_target; /* of the claim under way, or NULL: general */
	size_t claim_asked;
	bool claim_pending;
	bool claim_failed; /* no further one before due_timer */
	bool more_due;     /* a general claim may find something */
	struct timer *due_timer, *pump_timer, *idle_timer, *grace_timer;
};

static void pump(struct scheduler *s);
static void maybe_claim(struct scheduler *s);

/* ---- targets ---- */

static struct target *find_target(struct scheduler *s, const char *domain)
{
	struct config_destination settings;
	struct target *t;
	HASH_FIND_STR(s->targets, domain, t);
	if (t)
		return t;
	config_for_destination(s->env->config->config, domain, &settings);
	t = target_new(domain, settings.max_sessions_per_destination, s);
	HASH_ADD_KEYPTR(hh, s->targets, t->domain, strlen(t->domain), t);
	return t;
}

static void drop_target_if_empty(struct scheduler *s, struct target *t)
{
	if (!target_is_empty(t) || t == s->claim_target)
		return;
	if (t->more_due)
		s->more_due = true; /* a general claim finds the rest */
	HASH_DELETE(hh, s->targets, t);
	target_free(t);
}

static void make_runnable(struct scheduler *s, struct target *t)
{
	if (t->is_runnable || !target_can_start(t) || s->is_stopping)
		return;
	t->is_runnable = true;
	t->next_runnable = NULL;
	if (s->runnable_last)
		s->runnable_last->next_runnable = t;
	else
		s->runnable = t;
	s->runnable_last = t;
}

static struct target *next_runnable(struct scheduler *s)
{
	struct target *t = s->runnable;
	if (t) {
		s->runnable = t->next_runnable;
		if (!s->runnable)
			s->runnable_last = NULL;
		t->is_runnable = false;
	}
	return t;
}

/* ---- kept sessions ---- */

static void idle_remove(struct target_idle *idle)
{
	struct target *t = idle->target;
	struct target_idle **at = &t->idle;
	while (*at != idle)
		at = &(*at)->next;
	*at = idle->next;
	t->idle_count--;
	free(idle);
}

static void on_idle_failed(void *arg, const struct session_failure *failure)
{
	struct target_idle *idle = arg;
	struct target *t = idle->target;
	struct scheduler *s = t->owner;
	(void)failure;
	session_close(&idle->session);
	idle_remove(idle);
	s->idle--;
	drop_target_if_empty(s, t);
}

static void on_idle_event(void *arg)
{
	(void)arg; /* READY again: still idle */
}

static void keep_idle(struct scheduler *s, struct target *t, struct session *session)
{
	struct target_idle *idle;
	if (s->is_stopping || t->idle_count >= TARGET_IDLE_MAX) {
		session_quit(&session);
		return;
	}
	idle = xcalloc(1, sizeof(*idle));
	idle->target = t;
	idle->session = session;
	idle->since_ms = loop_now_ms(s->env->loop);
	idle->next = t->idle;
	t->idle = idle;
	t->idle_count++;
	s->idle++;
	session_set_events(session, &(struct session_events){ .on_ready = on_idle_event,
					    .on_failed = on_idle_failed,
					    .arg = idle });
	if (!timer_is_active(s->idle_timer))
		timer_start(s->idle_timer, IDLE_MS);
}

static struct session *take_idle(struct scheduler *s, struct target *t)
{
	struct session *session = NULL;
	if (t->idle) {
		session = t->idle->session;
		idle_remove(t->idle);
		s->idle--;
	}
	return session;
}

/* Lets go of sessions that were idle for age_ms. */
static void quit_idle(struct scheduler *s, int64_t age_ms)
{
	struct target *t, *next;
	int64_t now = loop_now_ms(s->env->loop);
	HASH_ITER (hh, s->targets, t, next) {
		for (struct target_idle *i = t->idle, *after; i; i = after) {
			after = i->next;
			if (now - i->since_ms < age_ms)
				continue;
			struct session *session = i->session;
			idle_remove(i);
			s->idle--;
			session_quit(&session);
		}
		drop_target_if_empty(s, t);
	}
}

static void on_idle_timer(void *arg)
{
	struct scheduler *s = arg;
	quit_idle(s, IDLE_MS);
	if (s->idle)
		timer_start(s->idle_timer, IDLE_MS / 4);
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
	quit_idle(s, 0);
	timer_stop(s->due_timer);
	timer_stop(s->grace_timer);
	s->on_finished(s->arg);
}

static void start_attempt(struct scheduler *s, struct target *t, struct session *kept);

/* Destinations take turns, also where one could use its session for ever. */
static bool is_turn_over(const struct scheduler *s, const struct session *kept)
{
	return s->runnable && session_messages(kept) >= MESSAGES_A_TURN;
}

static void on_session(void *arg, struct session *kept, enum attempt_contact contact)
{
	struct run *run = arg;
	struct scheduler *s = run->scheduler;
	struct target *t = run->target;
	t->running--;
	t->finishing++;
	s->running--;
	if (contact == ATTEMPT_DELIVERED)
		target_note_success(t);
	else if (contact == ATTEMPT_NO_CONTACT)
		target_note_no_contact(t);
	if (kept && target_can_start(t) && !s->is_stopping && !is_turn_over(s, kept))
		start_attempt(s, t, kept);
	else if (kept)
		keep_idle(s, t, kept);
	make_runnable(s, t);
	timer_start(s->pump_timer, 0);
}

static void on_done(void *arg, struct attempt *a, const struct err *e)
{
	struct run *run = arg;
	struct scheduler *s = run->scheduler;
	struct target *t = run->target;
	(void)a;
	if (e)
		log_error("queue: %s", e->text);
	if (run->prev)
		run->prev->next = run->next;
	else
		s->runs = run->next;
	if (run->next)
		run->next->prev = run->prev;
	free(run);
	t->finishing--;
	s->claimed--;
	drop_target_if_empty(s, t);
	timer_start(s->pump_timer, 0);
}

static void start_attempt(struct scheduler *s, struct target *t, struct session *kept)
{
	struct run *run = xcalloc(1, sizeof(*run));
	run->scheduler = s;
	run->target = t;
	run->next = s->runs;
	if (s->runs)
		s->runs->prev = run;
	s->runs = run;
	t->running++;
	s->running++;
	struct attempt_events events = {
		.on_session = on_session, .on_done = on_done, .arg = run
	};
	run->attempt = attempt_start(s->env, target_pop(t), kept, &events);
}

static bool has_room(struct scheduler *s)
{
	size_t limit = s->env->config->config->max_sessions;
	if (s->running + s->idle >= limit && s->idle)
		quit_idle(s, 0);
	return s->running + s->idle < limit && s->env->sessions < limit;
}

static void pump(struct scheduler *s)
{
	struct target *t;
	while (!s->is_stopping && s->runnable) {
		/* A kept session costs no room. */
		if (!s->runnable->idle && !has_room(s))
			break;
		t = next_runnable(s);
		if (target_can_start(t))
			start_attempt(s, t, take_idle(s, t));
		make_runnable(s, t);
		drop_target_if_empty(s, t);
	}
	maybe_claim(s);
	finish_if_done(s);
}

static void on_pump_timer(void *arg)
{
	pump(arg);
}

/* Room for a session: somebody may be waiting for it. */
static void on_session_gone(void *arg)
{
	struct scheduler *s = arg;
	if (s->pump_timer && s->runnable)
		timer_start(s->pump_timer, 0);
}

/* ---- claims ---- */

static void on_claimed(void *arg, struct queue_item **items, size_t count,
	int64_t next_due_ms, const struct err *e);

static void send_claim(struct scheduler *s, struct target *t, size_t room,
	const char **exclude, size_t exclude_count)
{
	size_t most = t ? t->window * WAITING_PER_SESSION - t->waiting : CLAIM_MAX;
	struct queue_claim_only only = { .domain = t ? t->domain : NULL,
		.max_items = most };
	struct queue_claim claim = {
		.now_ms = clock_wall_ms(),
		.max_items = room < most ? room : most,
		.max_per_domain = t ? 0 : GENERAL_PER_DOMAIN,
		.only = &only,
		.only_count = t ? 1 : 0,
		.exclude = exclude,
		.exclude_count = exclude_count,
		.for_once = s->once,
	};
	s->claim_pending = true;
	s->claim_target = t;
	s->claim_asked = claim.max_items;
	queue_claim_due(s->env->queue, &claim, on_claimed, s);
}

static struct target *hungry_target(struct scheduler *s)
{
	struct target *t, *next;
	HASH_ITER (hh, s->targets, t, next) {
		if (t->more_due && t->waiting <= t->window)
			return t;
	}
	return NULL;
}

static void claim_generally(struct scheduler *s, size_t room)
{
	size_t n = 0;
	struct target *t, *next;
	const char **exclude = xcalloc(HASH_COUNT(s->targets), sizeof(*exclude));
	HASH_ITER (hh, s->targets, t, next) {
		if (t->waiting >= GENERAL_PER_DOMAIN)
			t->more_due = true; /* maybe: a claim of its own will tell */
		if (t->more_due)
			exclude[n++] = t->domain;
	}
	s->more_due = false;
	send_claim(s, NULL, room, exclude, n);
	free(exclude);
}

static void maybe_claim(struct scheduler *s)
{
	size_t cap = (size_t)s->env->config->config->max_sessions * CLAIMED_PER_SESSION;
	if (s->claim_pending || s->claim_failed || s->is_stopping || s->claimed >= cap)
		return;
	struct target *t = hungry_target(s);
	if (s->more_due)
		claim_generally(s, cap - s->claimed);
	else if (t)
		send_claim(s, t, cap - s->claimed, NULL, 0);
}

static void sleep_until(struct scheduler *s, int64_t at_ms)
{
	int64_t wait_ms = at_ms - clock_wall_ms();
	if (s->is_stopping)
		return;
	/* Not for long: the clock may be set, and another process may put off a
	 * message without telling us. */
	timer_start(s->due_timer, wait_ms < 0              ? 0
				  : wait_ms > SLEEP_MAX_MS ? SLEEP_MAX_MS
							   : wait_ms);
}

static void take_items(struct scheduler *s, struct queue_item **items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct target *t = find_target(s, items[i]->domain);
		target_push(t, items[i]);
		s->claimed++;
		if (!s->claim_target && t->waiting >= GENERAL_PER_DOMAIN)
			t->more_due = true;
		make_runnable(s, t);
	}
}

static void on_given_back(void *arg, const struct err *e)
{
	struct scheduler *s = arg;
	if (e)
		log_error("queue: %s", e->text);
	timer_start(s->pump_timer, 0);
}

static void give_back(struct scheduler *s)
{
	struct target *t, *next;
	struct queue_item *item;
	HASH_ITER (hh, s->targets, t, next) {
		t->more_due = false;
		while ((item = target_pop(t))) {
			queue_give_back(s->env->queue, &item->id, 1, on_given_back, s);
			queue_item_free(&item);
			s->claimed--;
		}
	}
}

static void on_claimed(void *arg, struct queue_item **items, size_t count,
	int64_t next_due_ms, const struct err *e)
{
	struct scheduler *s = arg;
	struct target *t = s->claim_target;
	s->claim_pending = false;
	take_items(s, items, count);
	s->claim_target = NULL;
	if (e) {
		log_error("queue: %s", e->text);
		s->claim_failed = true;
		s->last_error = *e;
		sleep_until(s, clock_wall_ms() + RETRY_CLAIM_MS);
	} else if (t) {
		t->more_due = count == s->claim_asked;
		drop_target_if_empty(s, t);
	} else if (count == s->claim_asked) {
		s->more_due = true;
	} else if (!s->once) {
		/* What is due already belongs to destinations that are full. */
		int64_t soon_ms = clock_wall_ms() + RETRY_CLAIM_MS;
		sleep_until(s, next_due_ms < soon_ms && next_due_ms <= clock_wall_ms()
				       ? soon_ms
				       : next_due_ms);
	}
	if (s->is_stopping)
		give_back(s);
	pump(s);
}

static void on_due(void *arg)
{
	scheduler_wake(arg);
}

void scheduler_wake(struct scheduler *s)
{
	if (s->is_stopping)
		return;
	s->more_due = true;
	s->claim_failed = false;
	maybe_claim(s);
}

/* ---- life ---- */

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
	s->idle_timer = timer_new(env->loop, on_idle_timer, s);
	s->grace_timer = timer_new(env->loop, on_grace_over, s);
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
	while (next_runnable(s))
		continue;
	give_back(s);
	quit_idle(s, 0);
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
	struct target *t, *next;
	*sp = NULL;
	if (!s)
		return;
	HASH_ITER (hh, s->targets, t, next) {
		HASH_DELETE(hh, s->targets, t);
		target_free(t);
	}
	s->env->session_gone = NULL;
	timer_close(&s->due_timer);
	timer_close(&s->pump_timer);
	timer_close(&s->idle_timer);
	timer_close(&s->grace_timer);
	free(s);
}
