#include "delivery/lane.h"

#include "base/log.h"
#include "base/mem.h"
#include "delivery/certificates.h"
#include "delivery/chunking_memory.h"
#include "delivery/scheduler.h"
#include "dns/dns.h"
#include "net/loop.h"
#include "net/tls.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum {
	DNS_TRIES = 2,
	DNS_CACHE_MAX = 10000 /* of all lanes */
};

/* What a lane is told. References are its own. */
struct letter {
	struct config_ref *config; /* NULL: as before */
	struct policy_set *policy; /* likewise */
	bool wakes, stops;
	int64_t grace_ms;
};

/* Of a lane that runs in its thread. The lock also keeps it from closing `wake`
 * while somebody sends. */
struct mailbox {
	pthread_mutex_t lock;
	struct wake *wake; /* NULL: nobody reads it any more */
	struct letter letter;
};

struct lane {
	struct delivery_env env;
	struct mailbox mail;
	struct wake *store_wake;
	struct turn_watch *turn;
	struct scheduler *scheduler;
	struct err error; /* code 0: none */
	void (*on_finished)(void *arg);
	void *arg;
	bool has_thread;
	pthread_t thread;
};

/* ---- what wakes it ---- */

static void on_store(void *arg)
{
	struct lane *l = arg;
	queue_dispatch(l->env.queue);
}

static void wake_from_store(void *arg)
{
	wake_send(arg);
}

/* One write for the lines of a turn of the loop. */
static void on_turn(void *arg)
{
	(void)arg;
	log_flush();
}

static void on_scheduler_finished(void *arg)
{
	struct lane *l = arg;
	if (scheduler_error(l->scheduler))
		l->error = *scheduler_error(l->scheduler);
	if (l->has_thread)
		loop_stop(l->env.loop);
	l->on_finished(l->arg);
}

/* ---- what it is told ---- */

static void letter_clear(struct letter *letter)
{
	config_ref_drop(&letter->config);
	policy_set_unref(&letter->policy);
	*letter = (struct letter){ 0 };
}

static void letter_add(struct letter *to, struct letter *from)
{
	if (from->config) {
		config_ref_drop(&to->config);
		to->config = MOVE(from->config);
	}
	if (from->policy) {
		policy_set_unref(&to->policy);
		to->policy = MOVE(from->policy);
	}
	to->wakes |= from->wakes;
	if (from->stops) {
		to->stops = true;
		to->grace_ms = from->grace_ms;
	}
}

static void apply(struct lane *l, struct letter *letter)
{
	bool has_news = letter->config || letter->policy;
	if (letter->config) {
		config_ref_drop(&l->env.config);
		l->env.config = MOVE(letter->config);
	}
	if (letter->policy) {
		policy_set_unref(&l->env.policy);
		l->env.policy = MOVE(letter->policy);
	}
	if (has_news)
		scheduler_routes_changed(l->scheduler);
	if (letter->wakes)
		scheduler_wake(l->scheduler);
	if (letter->stops)
		scheduler_stop(l->scheduler, letter->grace_ms);
}

static void on_mail(void *arg)
{
	struct lane *l = arg;
	pthread_mutex_lock(&l->mail.lock);
	struct letter letter = l->mail.letter;
	l->mail.letter = (struct letter){ 0 };
	pthread_mutex_unlock(&l->mail.lock);
	apply(l, &letter);
}

static void tell(struct lane *l, struct letter letter)
{
	if (!l->has_thread) {
		apply(l, &letter);
		return;
	}
	pthread_mutex_lock(&l->mail.lock);
	if (l->mail.wake) {
		letter_add(&l->mail.letter, &letter);
		wake_send(l->mail.wake);
	}
	pthread_mutex_unlock(&l->mail.lock);
	letter_clear(&letter);
}

void lane_configure(struct lane *l, struct config_ref *config)
{
	tell(l, (struct letter){ .config = config_ref_take(config) });
}

void lane_set_policy(struct lane *l, struct policy_set *policy)
{
	tell(l, (struct letter){ .policy = policy_set_ref(policy) });
}

void lane_wake(struct lane *l)
{
	tell(l, (struct letter){ .wakes = true });
}

void lane_stop(struct lane *l, int64_t grace_ms)
{
	tell(l, (struct letter){ .stops = true, .grace_ms = grace_ms });
}

/* ---- putting it together ---- */

static int open_resolver(struct lane *l, struct err *e)
{
	const struct config *config = l->env.config->config;
	struct dns_options options = {
		.servers = config->dns_servers,
		.server_count = config->dns_server_count,
		.timeout_ms = (int)config->dns_timeout_ms,
		.tries = DNS_TRIES,
		.cache_max = share_divide(&l->env.share, DNS_CACHE_MAX),
	};
	return dns_resolver_new(l->env.loop, &options, &l->env.resolver, e);
}

static int open_loop(struct lane *l, struct queue *queue, struct err *e)
{
	l->env.loop = loop_new();
	if (l->env.loop) {
		l->store_wake = wake_new(l->env.loop, on_store, l);
		l->mail.wake = wake_new(l->env.loop, on_mail, l);
	}
	if (!l->store_wake || !l->mail.wake)
		return err_set(e, ERR_IO, "no file descriptors are left for a loop");
	l->env.queue = queue_port_new(queue, wake_from_store, l->store_wake);
	return 0;
}

int lane_new(const struct lane_options *options, struct lane **out, struct err *e)
{
	struct lane *l = xcalloc(1, sizeof(*l));
	pthread_mutex_init(&l->mail.lock, NULL);
	l->on_finished = options->on_finished;
	l->arg = options->arg;
	l->env.share = options->share;
	l->env.config = config_ref_take(options->config);
	l->env.chunking = chunking_memory_new();
	l->env.certificates = certificates_new();
	l->env.hub = options->hub;
	l->env.notices = options->notices;
	int result = open_loop(l, options->queue, e);
	if (result == 0)
		result = open_resolver(l, e);
	if (result == 0)
		result = tls_credentials_new(
			l->env.config->config->trust_file, &l->env.credentials, e);
	if (result != 0) {
		lane_free(&l);
		return result;
	}
	l->scheduler = scheduler_new(&l->env, options->once, on_scheduler_finished, l);
	*out = l;
	return 0;
}

static void close_mail(struct mailbox *mail)
{
	pthread_mutex_lock(&mail->lock);
	wake_close(&mail->wake);
	letter_clear(&mail->letter);
	pthread_mutex_unlock(&mail->lock);
}

/* In the thread in which it ran. */
static void tear_down(struct lane *l)
{
	scheduler_free(&l->scheduler);
	close_mail(&l->mail);
	turn_watch_close(&l->turn);
	queue_port_close(&l->env.queue);
	wake_close(&l->store_wake);
	dns_resolver_close(&l->env.resolver);
	/* Sessions that say QUIT still use the rest until the loop ends. */
	loop_free(&l->env.loop);
	tls_credentials_free(&l->env.credentials);
	policy_set_unref(&l->env.policy);
	config_ref_drop(&l->env.config);
	chunking_memory_free(&l->env.chunking);
	certificates_free(&l->env.certificates);
}

void lane_run(struct lane *l)
{
	scheduler_wake(l->scheduler);
	l->turn = turn_watch_new(l->env.loop, on_turn, l);
	log_hold(true);
	loop_run(l->env.loop);
	log_hold(false); /* what follows has no turns */
}

void lane_return(struct lane *l)
{
	loop_stop(l->env.loop);
}

static void *lane_thread(void *arg)
{
	struct lane *l = arg;
	lane_run(l);
	tear_down(l);
	return NULL;
}

/* Signals are for the first thread. */
int lane_start(struct lane *l, struct err *e)
{
	sigset_t all, before;
	sigfillset(&all);
	l->has_thread = true;
	pthread_sigmask(SIG_BLOCK, &all, &before);
	int errnum = pthread_create(&l->thread, NULL, lane_thread, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!errnum)
		return 0;
	l->has_thread = false;
	return err_errno(e, errnum, "start the thread of a loop");
}

void lane_free(struct lane **lp)
{
	struct lane *l = *lp;
	*lp = NULL;
	if (!l)
		return;
	if (l->has_thread)
		pthread_join(l->thread, NULL);
	else
		tear_down(l);
	pthread_mutex_destroy(&l->mail.lock);
	free(l);
}

struct delivery_env *lane_env(struct lane *l)
{
	return &l->env;
}

const struct err *lane_error(const struct lane *l)
{
	return l->error.code ? &l->error : NULL;
}
