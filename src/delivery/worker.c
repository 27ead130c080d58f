#include "delivery/worker.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "delivery/chunking_memory.h"
#include "delivery/policy_watch.h"
#include "delivery/scheduler.h"
#include "dns/dns.h"
#include "net/loop.h"
#include "net/tls.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	LEASE_S = 60,
	DNS_TIMEOUT_MS = 5000,
	DNS_TRIES = 2,
	DNS_CACHE_MAX = 10000,
	PRUNE_EVERY_MS = 3600 * 1000
};

struct worker {
	struct worker_options *options;
	struct delivery_env env;
	struct queue *queue;
	struct wake *store_wake;
	struct turn_watch *turn;
	struct policy_watch *policy;
	struct scheduler *scheduler;
	struct signal_watch *on_term, *on_int, *on_hup;
	struct timer *prune;
	struct fd_watch *fifo_watch;
	int fifo;
};

/* ---- what wakes us ---- */

static void on_store(void *arg)
{
	struct worker *w = arg;
	queue_dispatch(w->env.queue);
}

static void wake_from_store(void *arg)
{
	wake_send(arg);
}

static void on_fifo(void *arg)
{
	struct worker *w = arg;
	queue_wake_drain(w->fifo);
	scheduler_wake(w->scheduler);
}

static void on_stop_signal(void *arg)
{
	struct worker *w = arg;
	log_info("stopping: finishing what is under way");
	scheduler_stop(w->scheduler, WORKER_GRACE_MS);
}

static void on_hangup(void *arg)
{
	struct worker *w = arg;
	struct config *config = NULL;
	struct err e = { 0 };
	if (w->options->reload(w->options->arg, &config, &e) != 0) {
		log_error("reload: %s", e.text);
		log_error("reload: the configuration that was in force stays");
		return;
	}
	config_ref_drop(&w->env.config);
	w->env.config = config_ref_new(config);
	policy_watch_restart(w->policy);
	log_info("configuration reloaded");
	scheduler_wake(w->scheduler);
}

static void on_pruned(void *arg, const struct err *e)
{
	(void)arg;
	if (e)
		log_warning("queue: old records were not removed: %s", e->text);
}

static void on_prune(void *arg)
{
	struct worker *w = arg;
	int64_t keep_ms = w->env.config->config->log_retention_ms;
	queue_prune(w->env.queue, clock_wall_ms() - keep_ms, on_pruned, w);
	timer_start(w->prune, PRUNE_EVERY_MS);
}

/* One write for the lines of a turn of the loop. */
static void on_turn(void *arg)
{
	(void)arg;
	log_flush();
}

static void on_finished(void *arg)
{
	struct worker *w = arg;
	loop_stop(w->env.loop);
}

/* ---- putting it together ---- */

static int open_queue(struct worker *w, struct err *e)
{
	const struct config *config = w->env.config->config;
	struct queue_options options;
	queue_options_default(&options, config->queue);
	options.create = true;
	options.lost_record = w->options->lost_record;
	options.lost_record_arg = w->options->arg;
	int result = queue_open(&options, &w->queue, e);
	if (result != 0)
		return result;
	w->store_wake = wake_new(w->env.loop, on_store, w);
	w->env.queue = queue_port_new(w->queue, wake_from_store, w->store_wake);
	result = queue_worker_register(w->env.queue, LEASE_S, e);
	if (result != 0 || w->options->once)
		return result;
	w->fifo = queue_wake_open(config->queue, e);
	if (w->fifo < 0)
		return w->fifo;
	w->fifo_watch = fd_watch_new(w->env.loop, w->fifo, on_fifo, w);
	return 0;
}

static int open_resolver(struct worker *w, struct err *e)
{
	const struct config *config = w->env.config->config;
	struct dns_options options = {
		.servers = config->dns_servers,
		.server_count = config->dns_server_count,
		.timeout_ms = DNS_TIMEOUT_MS,
		.tries = DNS_TRIES,
		.cache_max = DNS_CACHE_MAX,
	};
	return dns_resolver_new(w->env.loop, &options, &w->env.resolver, e);
}

static int set_up(struct worker *w, struct err *e)
{
	const char *trust = w->env.config->config->trust_file;
	int result = open_queue(w, e);
	if (result == 0)
		result = open_resolver(w, e);
	if (result == 0)
		result = tls_credentials_new(trust, &w->env.credentials, e);
	if (result == 0)
		result = policy_watch_start(&w->env, &w->policy, e);
	if (result != 0)
		return result;
	struct uv_loop_s *loop = w->env.loop;
	w->scheduler = scheduler_new(&w->env, w->options->once, on_finished, w);
	w->on_term = signal_watch_new(loop, SIGTERM, on_stop_signal, w);
	w->on_int = signal_watch_new(loop, SIGINT, on_stop_signal, w);
	w->on_hup = signal_watch_new(loop, SIGHUP, on_hangup, w);
	w->prune = timer_new(loop, on_prune, w);
	timer_start(w->prune, 0);
	return 0;
}

static void tear_down(struct worker *w)
{
	scheduler_free(&w->scheduler);
	signal_watch_close(&w->on_term);
	signal_watch_close(&w->on_int);
	signal_watch_close(&w->on_hup);
	timer_close(&w->prune);
	turn_watch_close(&w->turn);
	fd_watch_close(&w->fifo_watch);
	if (w->fifo >= 0)
		close(w->fifo);
	policy_watch_stop(&w->policy);
	if (w->env.queue)
		queue_port_close(&w->env.queue);
	queue_close(&w->queue);
	wake_close(&w->store_wake);
	dns_resolver_close(&w->env.resolver);
	/* Sessions that say QUIT still use the credentials until the loop ends. */
	loop_free(&w->env.loop);
	tls_credentials_free(&w->env.credentials);
	config_ref_drop(&w->env.config);
	chunking_memory_free(&w->env.chunking);
}

int worker_run(struct worker_options *options, struct err *e)
{
	struct worker w = { .options = options, .fifo = -1 };
	w.env.loop = loop_new();
	w.env.config = config_ref_new(MOVE(options->config));
	w.env.chunking = chunking_memory_new();
	w.env.hub = options->hub;
	w.env.notices = options->notices;
	int result = set_up(&w, e);
	if (result == 0) {
		scheduler_wake(w.scheduler);
		w.turn = turn_watch_new(w.env.loop, on_turn, &w);
		log_hold(true);
		loop_run(w.env.loop);
		if (options->once && scheduler_error(w.scheduler)) {
			*e = *scheduler_error(w.scheduler);
			result = e->code;
		}
	}
	log_hold(false); /* what follows has no turns */
	tear_down(&w);
	return result;
}
