#include "intake/xmail_watch.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "intake/message.h"
#include "intake/wait.h"
#include "intake/xmail.h"
#include "intake/xmail_refused.h"
#include "mail/envelope.h"
#include "net/loop.h"
#include "queue/queue.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	SETTLE_MS = 50,           /* so long nothing happens, and then the thread looks */
	DELAY_MAX_MS = 500,       /* and at the latest so long after the first change */
	LOOK_MS = XMAIL_RETRY_MS, /* whatever the loop has seen */
	RETRY_MS = 5000           /* after an error of the directory or of the queue */
};

/* What the thread goes by: its own copy. */
struct settings {
	char *dir;            /* NULL: none */
	struct config config; /* only what intake and xmail_options need */
};

struct xmail_watch {
	struct uv_loop_s *loop;
	struct queue *queue;
	char *queue_path; /* of the queue that is open */
	/* of the loop */
	char *dir; /* NULL: none */
	struct dir_watch *events;
	struct wake *ended;
	struct timer *grace;
	void (*finished)(void *arg); /* when stopping */
	void *finished_arg;
	bool has_thread;
	pthread_t thread;
	/* what the thread is told */
	pthread_mutex_t lock;
	pthread_cond_t told;
	bool looks, stops;
	struct settings *settings; /* new ones */
};

/* What the thread has. */
struct taker {
	struct xmail_watch *watch;
	struct settings *settings;
	struct queue_port *port;
	struct intake *intake;
	struct xmail_refused *refused;
	bool told_full;
	struct err last; /* what was told of the directory or the queue */
};

static void settings_free(struct settings **sp)
{
	struct settings *s = MOVE(*sp);
	if (!s)
		return;
	free(s->dir);
	free(s->config.hostname);
	free(s->config.queue);
	free(s);
}

static struct settings *settings_new(
	const struct xmail_watch *w, const struct config *config)
{
	struct settings *s = xcalloc(1, sizeof(*s));
	s->dir = xstrdup(config->xmail_dir);
	s->config.hostname = xstrdup(config->hostname);
	s->config.queue = xstrdup(w->queue_path);
	s->config.max_message_size = config->max_message_size;
	s->config.max_recipients = config->max_recipients;
	return s;
}

/* ---- the thread: files ---- */

static void on_taken(void *arg, const struct xmail_taken *taken)
{
	char id[MAIL_ID_MAX];
	(void)arg;
	mail_id_format(taken->id, id);
	if (!taken->sender) {
		log_part("xmail", "%s: file=%s: was in the queue already; removed", id,
			taken->path);
		return;
	}
	log_part("xmail", "%s: file=%s, from=<%s>, size=%llu, nrcpt=%zu", id, taken->path,
		taken->sender, (unsigned long long)taken->size_bytes,
		taken->recipient_count);
}

static void on_refused(
	void *arg, const char *path, const struct stat *st, const struct err *e)
{
	struct taker *t = arg;
	bool is_final = e->code == ERR_INVALID || e->code == ERR_LIMIT;
	if (!xmail_refused_add(t->refused, st, is_final, clock_monotonic_ms()))
		return;
	if (!xmail_refused_is_full(t->refused)) {
		log_warning("xmail: %s stays: %s", path, e->text);
		t->told_full = false;
	} else if (!t->told_full) {
		log_warning("xmail: more than %d files are refused; further ones are not "
			    "told of",
			(int)XMAIL_REFUSED_MAX);
		t->told_full = true;
	}
}

static bool is_left_alone(void *arg, const char *path, const struct stat *st)
{
	struct taker *t = arg;
	(void)path;
	return xmail_refused_has(t->refused, st, clock_monotonic_ms());
}

static bool must_stop(void *arg)
{
	struct taker *t = arg;
	pthread_mutex_lock(&t->watch->lock);
	bool stops = t->watch->stops;
	pthread_mutex_unlock(&t->watch->lock);
	return stops;
}

/* What goes on being wrong is told once, and once that it is over. */
static void tell(struct taker *t, const struct err *e)
{
	if (e->code && strcmp(e->text, t->last.text) != 0)
		log_error("xmail: %s; tried again every %d s", e->text, RETRY_MS / 1000);
	else if (!e->code && t->last.code)
		log_info("xmail: files are taken again");
	t->last = *e;
}

static int take_directory(struct taker *t)
{
	struct err e = { 0 };
	struct xmail_options options = {
		.intake = t->intake,
		.config = &t->settings->config,
		.on_taken = on_taken,
		.on_refused = on_refused,
		.is_left_alone = is_left_alone,
		.must_stop = must_stop,
		.arg = t,
	};
	struct xmail *x = xmail_new(&options);
	xmail_refused_begin(t->refused);
	int rc = xmail_take(x, t->settings->dir, &e);
	if (rc == 0)
		rc = xmail_finish(x, &e);
	xmail_free(&x);
	xmail_refused_end(t->refused, rc == 0 && !must_stop(t));
	tell(t, &e);
	return rc;
}

/* ---- the thread: what it is told ---- */

static struct timespec later(int64_t ms)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += ms / 1000;
	at.tv_nsec += ms % 1000 * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return at;
}

/* Until there is something to do, or wait_ms are over. false: the end. */
static bool await(struct taker *t, int64_t wait_ms)
{
	struct xmail_watch *w = t->watch;
	struct timespec at = later(wait_ms);
	struct settings *news;
	int rc = 0;
	pthread_mutex_lock(&w->lock);
	while (!w->looks && !w->stops && !w->settings && rc == 0)
		rc = pthread_cond_timedwait(&w->told, &w->lock, &at);
	bool goes_on = !w->stops;
	w->looks = false;
	news = MOVE(w->settings);
	pthread_mutex_unlock(&w->lock);
	if (news) {
		intake_configure(t->intake, &news->config);
		settings_free(&t->settings);
		t->settings = news;
		/* Everything anew: limits may have changed. */
		xmail_refused_free(&t->refused);
		t->refused = xmail_refused_new();
	}
	return goes_on;
}

static void *watch_thread(void *arg)
{
	struct xmail_watch *w = arg;
	struct taker t = { .watch = w };
	t.port = queue_port_new(w->queue, NULL, NULL);
	t.intake = intake_new(NULL, t.port); /* settings are there already */
	int64_t wait_ms = 0;
	while (await(&t, wait_ms)) {
		int rc = t.settings && t.settings->dir ? take_directory(&t) : 0;
		wait_ms = rc ? RETRY_MS : LOOK_MS;
	}
	queue_port_close(&t.port);
	intake_free(&t.intake);
	xmail_refused_free(&t.refused);
	settings_free(&t.settings);
	wake_send(w->ended);
	return NULL;
}

/* ---- the loop ---- */

static void on_change(void *arg)
{
	struct xmail_watch *w = arg;
	pthread_mutex_lock(&w->lock);
	w->looks = true;
	pthread_cond_signal(&w->told);
	pthread_mutex_unlock(&w->lock);
}

/* Signals are for the first thread. */
static int start_thread(struct xmail_watch *w, struct err *e)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	int errnum = pthread_create(&w->thread, NULL, watch_thread, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (errnum)
		return err_errno(e, errnum, "start the thread for xmail_dir");
	w->has_thread = true;
	return 0;
}

static void watch_directory(struct xmail_watch *w, const char *dir)
{
	if (text_same(w->dir, dir))
		return;
	dir_watch_close(&w->events);
	free(w->dir);
	w->dir = xstrdup(dir);
	if (w->dir)
		w->events = dir_watch_new(
			w->loop, w->dir, SETTLE_MS, DELAY_MAX_MS, on_change, w);
}

static int apply(struct xmail_watch *w, const struct config *config, struct err *e)
{
	if (!config->xmail_dir && !w->has_thread)
		return 0;
	/* Before the thread reads it: what comes in between is seen twice, not never. */
	watch_directory(w, config->xmail_dir);
	pthread_mutex_lock(&w->lock);
	settings_free(&w->settings);
	w->settings = settings_new(w, config);
	pthread_cond_signal(&w->told);
	pthread_mutex_unlock(&w->lock);
	return w->has_thread ? 0 : start_thread(w, e);
}

void xmail_watch_configure(struct xmail_watch *w, const struct config *config)
{
	struct err e = { 0 };
	if (!w->finished && apply(w, config, &e) != 0)
		log_error("%s", e.text);
}

/* From the loop, and once. */
static void on_end(void *arg)
{
	struct xmail_watch *w = arg;
	void (*finished)(void *arg) = MOVE(w->finished);
	if (finished)
		finished(w->finished_arg);
}

int xmail_watch_open(struct uv_loop_s *loop, struct queue *queue,
	const struct config *config, struct xmail_watch **out, struct err *e)
{
	struct xmail_watch *w = *out = xcalloc(1, sizeof(*w));
	pthread_condattr_t monotonic;
	w->loop = loop;
	w->queue = queue;
	w->queue_path = xstrdup(config->queue);
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&w->told, &monotonic);
	pthread_condattr_destroy(&monotonic);
	w->ended = wake_new(loop, on_end, w);
	w->grace = timer_new(loop, on_end, w);
	int rc = w->ended ? apply(w, config, e)
			  : err_set(e, ERR_IO, "no file descriptors are left");
	if (rc != 0)
		xmail_watch_close(out);
	return rc;
}

static void tell_to_stop(struct xmail_watch *w)
{
	dir_watch_close(&w->events);
	pthread_mutex_lock(&w->lock);
	w->stops = true;
	pthread_cond_signal(&w->told);
	pthread_mutex_unlock(&w->lock);
}

void xmail_watch_stop(
	struct xmail_watch *w, int64_t grace_ms, void (*finished)(void *arg), void *arg)
{
	w->finished = finished;
	w->finished_arg = arg;
	tell_to_stop(w);
	timer_start(w->grace, w->has_thread ? grace_ms : 0);
}

void xmail_watch_close(struct xmail_watch **wp)
{
	struct xmail_watch *w = MOVE(*wp);
	if (!w)
		return;
	tell_to_stop(w);
	if (w->has_thread)
		pthread_join(w->thread, NULL);
	wake_close(&w->ended);
	timer_close(&w->grace);
	settings_free(&w->settings);
	pthread_cond_destroy(&w->told);
	pthread_mutex_destroy(&w->lock);
	free(w->queue_path);
	free(w->dir);
	free(w);
}
