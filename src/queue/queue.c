/*
 * The front: ports, the mailbox, the store thread, completions.
 *
 *	port thread                          store thread
 *	queue_submit --> waiting list --> take_group --> store_execute
 *	queue_dispatch <-- port->done <-- post       <------'
 *
 * One mutex guards the lists; it is taken once a dispatch and once a group, not
 * once a request: what call backs submit is handed over when all have run. The
 * store runs without it. A port that is closed while requests are under way
 * stays until the last of them is back.
 *
 * Nobody holds a connection while the result of an attempt is stored: results
 * wait a moment for others, or for a request that cannot wait, and are committed
 * with them.
 */
#include "queue/queue_internal.h"

#include "base/mem.h"
#include "base/timefmt.h"
#include "queue/store.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	PAUSE_NS = 3000000, /* between slices: other processes get their turn */
	/* Results wait for so many of them, or so long: well over what a commit
	 * takes, and little beside an attempt. After a crash what waited is told as
	 * in doubt. */
	GATHER_COUNT = 64,
	GATHER_MS = 3
};

struct request_list {
	struct request *head, **tail;
	size_t count;
};

struct queue {
	struct store *store; /* the store thread's, once that runs */
	size_t group_max;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t work; /* for the store thread */
	pthread_cond_t done; /* for those who wait for completions */
	struct request_list waiting;
	size_t urgent;       /* of them: those that do not wait for others */
	int64_t gathered_at; /* when the rest has waited enough (monotonic, ms) */
	bool is_asleep;      /* the store thread: `work` is to be signalled */
	unsigned in_wait;    /* who waits for `done` */
	size_t open_ports;
	uint64_t commits, steps; /* of the store, for tests */
	bool stopping, paused;
};

struct queue_port {
	struct queue *queue;
	void (*wake)(void *arg);
	void *arg;
	struct request_list done;
	size_t under_way; /* handed over, not yet in done */
	bool closed;
	/* the owner thread's alone */
	struct request_list submitted; /* by call backs, not yet handed over */
	size_t pending;                /* not yet delivered */
	bool dispatching;
};

static void list_init(struct request_list *list)
{
	*list = (struct request_list){ .tail = &list->head };
}

static void list_add(struct request_list *list, struct request *r)
{
	r->next = NULL;
	*list->tail = r;
	list->tail = &r->next;
	list->count++;
}

static struct request *list_take(struct request_list *list)
{
	struct request *r = list->head;
	if (!r)
		return NULL;
	list->head = r->next;
	list->count--;
	if (!r->next)
		list->tail = &list->head;
	return r;
}

/* All of `from` behind what is in `to`. */
static void list_move(struct request_list *to, struct request_list *from)
{
	if (!from->head)
		return;
	*to->tail = from->head;
	to->tail = from->tail;
	to->count += from->count;
	list_init(from);
}

void queue_options_default(struct queue_options *options, const char *path)
{
	*options = (struct queue_options){
		.path = path,
		.create = true,
		.busy_timeout_ms = 10000,
		.group_max = 256,
		.inline_body_max = 256 * 1024,
	};
}

/* ---- the store thread ---- */

static bool is_urgent(const struct request *r)
{
	return r->kind != REQUEST_FINISH && r->kind != REQUEST_GIVE_BACK;
}

/* Whether there is a group to be taken now. Mutex held. */
static bool is_ready(const struct queue *q)
{
	if (q->paused || !q->waiting.head)
		return false;
	return q->urgent || q->waiting.count >= GATHER_COUNT || q->stopping ||
	       q->in_wait || clock_monotonic_ms() >= q->gathered_at;
}

/* Until something is submitted, or the time at_ms (monotonic). Mutex held. */
static void sleep_until(struct queue *q, int64_t at_ms)
{
	struct timespec until = { .tv_sec = at_ms / 1000,
		.tv_nsec = at_ms % 1000 * 1000000 };
	q->is_asleep = true;
	if (at_ms == INT64_MAX)
		pthread_cond_wait(&q->work, &q->mutex);
	else
		pthread_cond_timedwait(&q->work, &q->mutex, &until);
	q->is_asleep = false;
}

/* Waits until there is something to do; false: the end. Mutex held. */
static bool wait_for_work(struct queue *q)
{
	while (!is_ready(q)) {
		if (q->stopping && !q->waiting.head)
			return false;
		if (store_has_chores(q->store) && !q->paused)
			return true;
		int64_t at = store_renew_at_ms(q->store);
		if (at != INT64_MAX && clock_monotonic_ms() >= at)
			return true;
		if (q->waiting.head && !q->paused && q->gathered_at < at)
			at = q->gathered_at;
		sleep_until(q, at);
	}
	return true;
}

static size_t take_group(struct queue *q, struct request **group)
{
	size_t n = 0;
	struct request *r;
	while (!q->paused && n < q->group_max && (r = list_take(&q->waiting))) {
		q->urgent -= is_urgent(r);
		group[n++] = r;
	}
	return n;
}

static void free_port(struct queue_port *p)
{
	if (p->closed && !p->under_way && !p->dispatching) {
		struct request *r;
		while ((r = list_take(&p->done)))
			request_free(&r);
		free(p);
	}
}

static void post(struct queue *q, struct request *r)
{
	struct queue_port *p = r->port;
	if (r->again) {
		r->again = false;
		list_add(&q->waiting, r);
		q->urgent += is_urgent(r);
		return;
	}
	r->finished = true;
	if (!p)
		return;
	p->under_way--;
	if (p->closed) {
		request_free(&r);
		free_port(p);
		return;
	}
	bool was_empty = !p->done.head;
	list_add(&p->done, r);
	if (was_empty && p->wake)
		p->wake(p->arg);
}

/* A request that comes back for its next slice. */
static bool goes_on(struct request **group, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (group[i]->again)
			return true;
	}
	return false;
}

static void *store_thread(void *arg)
{
	struct queue *q = arg;
	struct request **group = xcalloc(q->group_max, sizeof(struct request *));
	pthread_mutex_lock(&q->mutex);
	while (wait_for_work(q)) {
		size_t n = take_group(q, group);
		pthread_mutex_unlock(&q->mutex);
		if (n)
			store_execute(q->store, group, n);
		if (clock_monotonic_ms() >= store_renew_at_ms(q->store))
			store_renew(q->store);
		if (store_has_chores(q->store))
			store_do_chore(q->store);
		if (store_has_chores(q->store) || goes_on(group, n))
			nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
		pthread_mutex_lock(&q->mutex);
		q->commits = store_commits(q->store);
		q->steps = store_steps(q->store);
		for (size_t i = 0; i < n; i++)
			post(q, group[i]);
		if (n && q->in_wait)
			pthread_cond_broadcast(&q->done);
	}
	pthread_mutex_unlock(&q->mutex);
	free(group);
	return NULL;
}

/* Signals are for the threads that know what to do with them. */
static int start_thread(struct queue *q)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	int rc = pthread_create(&q->thread, NULL, store_thread, q);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static void init_conditions(struct queue *q)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&q->mutex, NULL);
	pthread_cond_init(&q->work, &attr);
	pthread_cond_init(&q->done, &attr);
	pthread_condattr_destroy(&attr);
}

static void destroy(struct queue *q)
{
	store_close(&q->store);
	pthread_cond_destroy(&q->work);
	pthread_cond_destroy(&q->done);
	pthread_mutex_destroy(&q->mutex);
	free(q);
}

int queue_open(const struct queue_options *options, struct queue **out, struct err *e)
{
	struct store *store = NULL;
	*out = NULL;
	int rc = store_open(options, &store, e);
	if (rc != 0)
		return rc;
	struct queue *q = xcalloc(1, sizeof(*q));
	q->store = store;
	q->group_max = options->group_max ? options->group_max : 1;
	list_init(&q->waiting);
	init_conditions(q);
	int errnum = start_thread(q);
	if (errnum) {
		destroy(q);
		return err_errno(
			e, errnum, "start the thread of queue %s", options->path);
	}
	*out = q;
	return 0;
}

void queue_close(struct queue **qp)
{
	struct queue *q = *qp;
	if (!q)
		return;
	*qp = NULL;
	pthread_mutex_lock(&q->mutex);
	ASSERT(q->open_ports == 0);
	q->stopping = true;
	q->paused = false;
	pthread_cond_broadcast(&q->work);
	pthread_mutex_unlock(&q->mutex);
	pthread_join(q->thread, NULL);
	destroy(q);
}

/* ---- ports ---- */

struct queue_port *queue_port_new(struct queue *q, void (*wake)(void *arg), void *arg)
{
	struct queue_port *p = xcalloc(1, sizeof(*p));
	p->queue = q;
	p->wake = wake;
	p->arg = arg;
	list_init(&p->done);
	list_init(&p->submitted);
	pthread_mutex_lock(&q->mutex);
	q->open_ports++;
	pthread_mutex_unlock(&q->mutex);
	return p;
}

/* Hands over a list of requests; port NULL: they come back to nobody's port.
 * The store thread is woken without the mutex, which is the first thing it
 * wants, and only once. */
static void hand_over(struct queue *q, struct queue_port *p, struct request_list *list)
{
	size_t urgent = 0;
	for (const struct request *r = list->head; r; r = r->next)
		urgent += is_urgent(r);
	pthread_mutex_lock(&q->mutex);
	bool was_empty = !q->waiting.head;
	if (was_empty && !urgent)
		q->gathered_at = clock_monotonic_ms() + GATHER_MS;
	if (p)
		p->under_way += list->count;
	list_move(&q->waiting, list);
	q->urgent += urgent;
	bool wakes =
		q->is_asleep && (was_empty || urgent || q->waiting.count >= GATHER_COUNT);
	if (wakes)
		q->is_asleep = false;
	pthread_mutex_unlock(&q->mutex);
	if (wakes)
		pthread_cond_signal(&q->work);
}

void queue_port_close(struct queue_port **pp)
{
	struct queue_port *p = *pp;
	if (!p)
		return;
	*pp = NULL;
	struct queue *q = p->queue;
	if (p->submitted.head)
		hand_over(q, p, &p->submitted);
	pthread_mutex_lock(&q->mutex);
	p->closed = true;
	q->open_ports--;
	free_port(p);
	pthread_mutex_unlock(&q->mutex);
}

void queue_submit(struct queue_port *p, struct request *r)
{
	r->port = p;
	p->pending++;
	list_add(&p->submitted, r);
	if (!p->dispatching)
		hand_over(p->queue, p, &p->submitted);
}

/* Until the store thread has posted something. Mutex held. */
static void wait_for_done(struct queue *q)
{
	q->in_wait++;
	if (q->is_asleep)
		pthread_cond_signal(&q->work); /* results do not wait for others now */
	pthread_cond_wait(&q->done, &q->mutex);
	q->in_wait--;
}

void queue_submit_and_wait(struct queue_port *p, struct request *r)
{
	struct queue *q = p->queue;
	struct request_list list;
	list_init(&list);
	list_add(&list, r);
	if (p->submitted.head)
		hand_over(q, p, &p->submitted); /* they come first */
	hand_over(q, NULL, &list);
	pthread_mutex_lock(&q->mutex);
	while (!r->finished)
		wait_for_done(q);
	pthread_mutex_unlock(&q->mutex);
}

/* The store pointer stays as long as there is a port, and what is marked has a
 * lock of its own. */
int queue_mark_in_doubt(
	struct queue_port *p, int64_t item_id, const char *host, struct err *e)
{
	return store_mark(p->queue->store, item_id, host, e);
}

void queue_refuse(struct queue_port *p, struct request *r)
{
	ASSERT(r->err.code);
	queue_submit(p, r); /* the store leaves alone what has failed already */
}

size_t queue_dispatch(struct queue_port *p)
{
	struct queue *q = p->queue;
	struct request_list list;
	struct request *r;
	size_t n = 0;
	ASSERT(!p->dispatching);
	list_init(&list);
	/* Only what is there now: a call back that asks again must not keep us.
	 * What comes in meanwhile finds the list empty and wakes us. */
	pthread_mutex_lock(&q->mutex);
	list_move(&list, &p->done);
	pthread_mutex_unlock(&q->mutex);
	p->dispatching = true;
	for (; (r = list_take(&list)); request_free(&r)) {
		if (p->closed)
			continue; /* by a call back, that is by us */
		p->pending--;
		n++;
		request_deliver(r);
	}
	if (p->closed) {
		pthread_mutex_lock(&q->mutex);
		p->dispatching = false; /* from now on the store thread frees it too */
		free_port(p);
		pthread_mutex_unlock(&q->mutex);
		return n;
	}
	p->dispatching = false;
	if (p->submitted.head)
		hand_over(q, p, &p->submitted);
	return n;
}

void queue_wait(struct queue_port *p)
{
	struct queue *q = p->queue;
	if (!p->pending)
		return;
	pthread_mutex_lock(&q->mutex);
	while (!p->done.head)
		wait_for_done(q);
	pthread_mutex_unlock(&q->mutex);
	queue_dispatch(p);
}

size_t queue_port_pending(const struct queue_port *p)
{
	return p->pending;
}

void queue_pause(struct queue *q, bool paused)
{
	pthread_mutex_lock(&q->mutex);
	q->paused = paused;
	pthread_cond_signal(&q->work); /* a test's: not worth a look at is_asleep */
	pthread_mutex_unlock(&q->mutex);
}

uint64_t queue_commits(struct queue *q)
{
	pthread_mutex_lock(&q->mutex);
	uint64_t n = q->commits;
	pthread_mutex_unlock(&q->mutex);
	return n;
}

uint64_t queue_steps(struct queue *q)
{
	pthread_mutex_lock(&q->mutex);
	uint64_t n = q->steps;
	pthread_mutex_unlock(&q->mutex);
	return n;
}
