#include "delivery/worker.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/notify.h"
#include "base/timefmt.h"
#include "delivery/lane.h"
#include "delivery/policy_watch.h"
#include "net/loop.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	LEASE_S = 60,
	PRUNE_MIN_MS = 1000,
	PRUNE_MAX_MS = 3600 * 1000,
	PRUNES_A_RETENTION = 10
};

struct worker {
	struct worker_options *options;
	struct queue *queue;
	struct lane **lanes; /* the first one runs in this thread */
	unsigned lane_count;
	struct config_ref *config;
	atomic_uint unfinished; /* lanes, and guests that have started */
	unsigned guest_count;   /* that have started */
	bool is_stopping;
	struct delivery_env *env; /* of the first lane: what there is one of is there */
	struct wake *all_finished;
	struct policy_watch *policy;
	struct signal_watch *on_term, *on_int, *on_hup;
	struct timer *prune;
	struct fd_watch *fifo_watch;
	int fifo;
};

/* ---- what wakes us ---- */

static void wake_lanes(struct worker *w)
{
	for (unsigned i = 0; i < w->lane_count; i++)
		lane_wake(w->lanes[i]);
}

static void on_fifo(void *arg)
{
	struct worker *w = arg;
	queue_wake_drain(w->fifo);
	wake_lanes(w);
}

static void on_one_finished(void *arg);

static void on_stop_signal(void *arg)
{
	struct worker *w = arg;
	if (w->is_stopping)
		return;
	w->is_stopping = true;
	log_info("stopping: finishing what is under way");
	notify_stopping();
	for (unsigned i = 0; i < w->lane_count; i++)
		lane_stop(w->lanes[i], WORKER_GRACE_MS);
	for (unsigned i = 0; i < w->guest_count; i++) {
		const struct worker_guest *guest = &w->options->guests[i];
		guest->stop(guest->arg, WORKER_GRACE_MS, on_one_finished, w);
	}
}

static void put_in_force(struct worker *w, struct config *config)
{
	struct config_ref *ref = config_ref_new(config);
	if (config->workers != w->lane_count)
		log_warning("workers = %u counts when the program is started again",
			config->workers);
	for (unsigned i = 0; i < w->lane_count; i++)
		lane_configure(w->lanes[i], ref);
	for (unsigned i = 0; i < w->guest_count; i++)
		w->options->guests[i].configure(w->options->guests[i].arg, config);
	config_ref_drop(&w->config);
	w->config = ref;
	timer_start(w->prune, 0);
}

static void on_hangup(void *arg)
{
	struct worker *w = arg;
	struct config *config = NULL;
	struct err e = { 0 };
	if (w->is_stopping)
		return; /* nothing is begun any more, and no door opened */
	notify_reloading();
	if (w->options->reload(w->options->arg, &config, &e) != 0) {
		log_error("reload: %s", e.text);
		log_error("reload: the configuration that was in force stays");
	} else {
		put_in_force(w, config);
		policy_watch_restart(w->policy);
		log_info("configuration reloaded");
		wake_lanes(w);
	}
	notify_ready();
}

static void on_policy(void *arg, struct policy_set *set)
{
	struct worker *w = arg;
	for (unsigned i = 0; i < w->lane_count; i++)
		lane_set_policy(w->lanes[i], set);
}

static void on_pruned(void *arg, const struct err *e)
{
	(void)arg;
	if (e)
		log_warning("queue: old records were not removed: %s", e->text);
	/* Of a burst, and of large messages, far more than what is in use may be left. */
	mem_give_back();
}

/* So often that the log is never much longer than it may be. 0 keeps it for ever; then
 * only what is out of date otherwise is removed. */
static int64_t prune_interval_ms(int64_t keep_ms)
{
	int64_t part = keep_ms / PRUNES_A_RETENTION;
	if (keep_ms == 0 || part > PRUNE_MAX_MS)
		return PRUNE_MAX_MS;
	return part < PRUNE_MIN_MS ? PRUNE_MIN_MS : part;
}

static void on_prune(void *arg)
{
	struct worker *w = arg;
	int64_t keep_ms = w->config->config->log_retention_ms;
	int64_t before_ms = keep_ms ? clock_wall_ms() - keep_ms : 0;
	queue_prune(w->env->queue, before_ms, on_pruned, w);
	timer_start(w->prune, prune_interval_ms(keep_ms));
}

/* In the lane's thread, where it is a lane. */
static void on_one_finished(void *arg)
{
	struct worker *w = arg;
	if (atomic_fetch_sub(&w->unfinished, 1) == 1)
		wake_send(w->all_finished);
}

static void on_all_finished(void *arg)
{
	struct worker *w = arg;
	lane_return(w->lanes[0]);
}

/* ---- putting it together ---- */

static int open_queue(struct worker *w, const struct config *config, struct err *e)
{
	struct queue_options options;
	queue_options_default(&options, config->queue);
	options.create = true;
	options.lost_record = w->options->lost_record;
	options.lost_record_arg = w->options->arg;
	return queue_open(&options, &w->queue, e);
}

static int open_lanes(struct worker *w, struct config_ref *config, struct err *e)
{
	unsigned count = config->config->workers;
	struct lane_options options = { .queue = w->queue,
		.config = config,
		.once = w->options->once,
		.hub = w->options->hub,
		.notices = w->options->notices,
		.on_finished = on_one_finished,
		.arg = w };
	int result = 0;
	w->lanes = xcalloc(count, sizeof(struct lane *));
	for (unsigned i = 0; i < count && result == 0; i++) {
		options.share = (struct share){ i, count };
		result = lane_new(&options, &w->lanes[i], e);
		w->lane_count += result == 0;
	}
	atomic_init(&w->unfinished, w->lane_count);
	if (result == 0)
		w->env = lane_env(w->lanes[0]);
	return result;
}

/* The lease is the queue's, whichever port asks for it. */
static int open_fifo(struct worker *w, struct err *e)
{
	int result = queue_worker_register(w->env->queue, LEASE_S, e);
	if (result != 0 || w->options->once)
		return result;
	w->fifo = queue_wake_open(w->env->config->config->queue, e);
	if (w->fifo < 0)
		return w->fifo;
	w->fifo_watch = fd_watch_new(w->env->loop, w->fifo, on_fifo, w);
	return 0;
}

static int set_up(struct worker *w, struct config_ref *config, struct err *e)
{
	int result = open_queue(w, config->config, e);
	if (result == 0)
		result = open_lanes(w, config, e);
	if (result == 0)
		result = open_fifo(w, e);
	if (result == 0)
		result = policy_watch_start(w->env, on_policy, w, &w->policy, e);
	if (result != 0)
		return result;
	struct uv_loop_s *loop = w->env->loop;
	w->all_finished = wake_new(loop, on_all_finished, w);
	if (!w->all_finished)
		return err_set(e, ERR_IO, "no file descriptors are left");
	w->on_term = signal_watch_new(loop, SIGTERM, on_stop_signal, w);
	w->on_int = signal_watch_new(loop, SIGINT, on_stop_signal, w);
	w->on_hup = signal_watch_new(loop, SIGHUP, on_hangup, w);
	w->prune = timer_new(loop, on_prune, w);
	timer_start(w->prune, 0);
	return 0;
}

static int start_guests(struct worker *w, struct err *e)
{
	const struct worker_options *o = w->options;
	for (size_t i = 0; i < o->guest_count && !o->once; i++) {
		int result = o->guests[i].start(
			o->guests[i].arg, w->env->loop, w->queue, w->config->config, e);
		if (result != 0)
			return result;
		w->guest_count++;
		atomic_fetch_add(&w->unfinished, 1);
	}
	return 0;
}

static int start_lanes(struct worker *w, struct err *e)
{
	for (unsigned i = 1; i < w->lane_count; i++) {
		int result = lane_start(w->lanes[i], e);
		if (result == 0)
			continue;
		while (--i > 0)
			lane_stop(w->lanes[i], 0);
		return result;
	}
	return 0;
}

/* The first one that failed tells, with once; else a claim is tried again. */
static int result_of(const struct worker *w, struct err *e)
{
	for (unsigned i = 0; w->options->once && i < w->lane_count; i++) {
		const struct err *error = lane_error(w->lanes[i]);
		if (error) {
			*e = *error;
			return e->code;
		}
	}
	return 0;
}

static void tear_down(struct worker *w)
{
	for (unsigned i = 1; i < w->lane_count; i++)
		lane_free(&w->lanes[i]);
	for (size_t i = 0; i < w->options->guest_count; i++)
		w->options->guests[i].close(w->options->guests[i].arg);
	wake_close(&w->all_finished);
	signal_watch_close(&w->on_term);
	signal_watch_close(&w->on_int);
	signal_watch_close(&w->on_hup);
	timer_close(&w->prune);
	fd_watch_close(&w->fifo_watch);
	if (w->fifo >= 0)
		close(w->fifo);
	policy_watch_stop(&w->policy);
	if (w->lane_count)
		lane_free(&w->lanes[0]);
	free(w->lanes);
	queue_close(&w->queue);
	config_ref_drop(&w->config);
}

int worker_run(struct worker_options *options, struct err *e)
{
	struct worker w = { .options = options, .fifo = -1 };
	w.config = config_ref_new(MOVE(options->config));
	int result = set_up(&w, w.config, e);
	/* Before any thread runs, which an error would have to stop. */
	if (result == 0)
		result = start_guests(&w, e);
	if (result == 0)
		result = start_lanes(&w, e);
	if (result == 0) {
		notify_ready();
		lane_run(w.lanes[0]);
		result = result_of(&w, e);
	}
	tear_down(&w);
	return result;
}
