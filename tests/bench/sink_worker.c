/* The receiver's epoll loop. See sink_worker.h. */
#include "sink_worker.h"

#include "base/mem.h"

#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_AT_ONCE = 256 };

/* Memory of a connection is kept for the next one and never freed, so that a
 * deadline may point to one that is gone: its serial tells. */
struct conn {
	int is_listener; /* 0; what an event points to begins with this */
	bool is_open, is_tarpit, is_dripping;
	bool starts_tls, quits; /* when `pending` has left */
	bool wants_write;       /* as epoll knows it */
	uint64_t serial;
	struct channel channel;
	struct sink sink;
	struct buf pending; /* replies that have not left; plaintext */
	struct conn *next_free;
};

struct door {
	int is_listener; /* 1 */
	struct sink_listener listener;
};

/* When len octets of the replies of a connection may leave. */
struct deadline {
	struct conn *conn;
	uint64_t serial;
	uint64_t due_ns;
	size_t len;
};

/* All deadlines of a queue are equally far away, so that it is in order. */
struct deadlines {
	uint64_t delay_ns;
	struct deadline *ring;
	size_t first, count, cap;
};

struct worker {
	const struct sink_settings *settings;
	struct counters *counters;
	int epoll;
	uint64_t serial;
	struct conn *free;
	struct deadlines replies, drips;
	struct channel_scratch scratch;
	char plain[65536];
};

static void deadlines_add(struct deadlines *d, struct conn *c, size_t len)
{
	if (d->count == d->cap) {
		size_t cap = d->cap ? 2 * d->cap : 64;
		struct deadline *ring = xreallocarray(NULL, cap, sizeof(*ring));
		for (size_t i = 0; i < d->count; i++)
			ring[i] = d->ring[(d->first + i) % d->cap];
		free(d->ring);
		d->ring = ring;
		d->cap = cap;
		d->first = 0;
	}
	d->ring[(d->first + d->count++) % d->cap] = (struct deadline){
		.conn = c,
		.serial = c->serial,
		.due_ns = counters_now_ns() + d->delay_ns,
		.len = len,
	};
}

static void close_conn(struct worker *w, struct conn *c)
{
	atomic_fetch_sub(c->is_tarpit ? &w->counters->tarpitted : &w->counters->open, 1);
	channel_close(&c->channel);
	buf_reset(&c->pending);
	c->is_open = false;
	c->serial = ++w->serial;
	c->next_free = w->free;
	w->free = c;
}

static void watch(struct worker *w, struct conn *c, bool wants_write, int operation)
{
	struct epoll_event event = {
		.events = EPOLLIN | (wants_write ? EPOLLOUT : 0),
		.data.ptr = c,
	};
	c->wants_write = wants_write;
	if (epoll_ctl(w->epoll, operation, c->channel.fd, &event) != 0)
		err(1, "epoll_ctl");
}

static bool flush(struct worker *w, struct conn *c)
{
	int rc = channel_flush(&c->channel);
	if (rc < 0)
		return false;
	if (c->wants_write != (rc == 0))
		watch(w, c, rc == 0, EPOLL_CTL_MOD);
	return true;
}

/* Sends the first len octets of the pending replies, and does what was to be done
 * behind them. Returns false when the connection is at its end. */
static bool release(struct worker *w, struct conn *c, size_t len)
{
	if (channel_write(&c->channel, buf_bytes(&c->pending), len) != 0)
		return false;
	buf_consume(&c->pending, len);
	bool is_all = buf_len(&c->pending) == 0;
	if (!flush(w, c) || (is_all && c->quits))
		return false;
	if (is_all && c->starts_tls) {
		c->starts_tls = false;
		sink_forget(&c->sink);
		return channel_start_tls(&c->channel, w->settings->tls, CHANNEL_SERVER) ==
		       0;
	}
	return true;
}

/* Replies have come to the pending ones: now, later, in drops, or never. */
static bool schedule(struct worker *w, struct conn *c, size_t len, bool has_greeted)
{
	if (c->is_tarpit && has_greeted) {
		if (w->settings->drip_ms && !c->is_dripping)
			deadlines_add(&w->drips, c, 1);
		c->is_dripping = true;
		return true;
	}
	if (w->settings->latency_ms == 0)
		return release(w, c, len);
	deadlines_add(&w->replies, c, len);
	return true;
}

/* The deadlines that have passed; returns milliseconds to the next, -1 for none. */
static int run_deadlines(struct worker *w, struct deadlines *d)
{
	uint64_t now = d->count ? counters_now_ns() : 0;
	while (d->count && d->ring[d->first].due_ns <= now) {
		struct deadline due = d->ring[d->first];
		d->first = (d->first + 1) % d->cap;
		d->count--;
		if (due.conn->serial != due.serial)
			continue;
		if (!release(w, due.conn, due.len)) {
			close_conn(w, due.conn);
		} else if (due.conn->is_dripping) {
			due.conn->is_dripping = buf_len(&due.conn->pending) > 0;
			if (due.conn->is_dripping)
				deadlines_add(d, due.conn, 1);
		}
	}
	if (!d->count)
		return -1;
	return (int)((d->ring[d->first].due_ns - now + 999999) / 1000000);
}

static bool shake_hands(struct worker *w, struct conn *c)
{
	int rc = channel_handshake(&c->channel);
	if (rc < 0)
		w->counters->tls_failed++;
	if (rc > 0) {
		w->counters->tls_sessions++;
		if (gnutls_session_is_resumed(c->channel.tls))
			w->counters->tls_resumed++;
	}
	return flush(w, c) && rc >= 0;
}

/* Without an answer the kernel would wait with its acknowledgement, and a sender that
 * waits for it (Nagle) with the rest. */
static void acknowledge(struct conn *c)
{
	int on = 1;
	setsockopt(c->channel.fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

static bool on_readable(struct worker *w, struct conn *c)
{
	channel_begin(&c->channel);
	if (c->channel.is_handshaking) {
		if (!shake_hands(w, c))
			return false;
		if (c->channel.is_handshaking)
			return true;
	}
	size_t before = buf_len(&c->pending);
	bool has_greeted = c->sink.has_greeted;
	ssize_t n;
	while ((n = channel_read(&c->channel, w->plain, sizeof(w->plain))) > 0) {
		if (c->starts_tls || c->quits)
			continue; /* nothing may follow: thrown away */
		enum sink_result result =
			sink_feed(&c->sink, w->plain, (size_t)n, &c->pending);
		c->starts_tls = result == SINK_STARTTLS;
		c->quits = result == SINK_QUIT;
	}
	if (n < 0)
		return false;
	size_t len = buf_len(&c->pending) - before;
	if (len == 0)
		acknowledge(c);
	return len == 0 || schedule(w, c, len, has_greeted);
}

static void on_event(struct worker *w, struct conn *c, uint32_t events)
{
	bool is_alive = c->is_open;
	if (is_alive && (events & EPOLLOUT))
		is_alive = flush(w, c);
	if (is_alive && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		is_alive = on_readable(w, c);
	if (c->is_open && !is_alive)
		close_conn(w, c);
}

static struct conn *new_conn(struct worker *w, int fd, bool is_tarpit)
{
	struct conn *c = w->free;
	if (c)
		w->free = c->next_free;
	else
		c = xcalloc(1, sizeof(*c));
	c->is_open = true;
	c->is_tarpit = is_tarpit;
	c->is_dripping = c->starts_tls = c->quits = false;
	c->serial = ++w->serial;
	channel_open(&c->channel, fd, &w->scratch);
	return c;
}

static void accept_all(struct worker *w, const struct sink_listener *listener)
{
	static const struct sink_offer plain = { .pipelining = true };
	int on = 1, fd;
	while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >=
		0) {
		struct conn *c = new_conn(w, fd, listener->is_tarpit);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		acknowledge(c);
		if (c->is_tarpit)
			atomic_fetch_add(&w->counters->tarpitted, 1);
		else
			counters_connection(w->counters);
		sink_init(&c->sink, c->is_tarpit ? &plain : &w->settings->offer,
			w->counters);
		watch(w, c, false, EPOLL_CTL_ADD);
		sink_greet(&c->pending);
		if (!schedule(w, c, buf_len(&c->pending), false))
			close_conn(w, c);
	}
	if (errno == EMFILE || errno == ENFILE)
		warn("accept");
}

static void open_doors(struct worker *w, const struct sink_listener *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct door *door = xcalloc(1, sizeof(*door));
		door->is_listener = 1;
		door->listener = list[i];
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = door };
		if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, list[i].fd, &event) != 0)
			err(1, "epoll_ctl");
	}
}

static int sooner(int a, int b)
{
	if (a < 0 || b < 0)
		return a > b ? a : b;
	return a < b ? a : b;
}

void sink_worker_run(const struct sink_settings *settings,
	const struct sink_listener *list, size_t count, struct counters *counters)
{
	struct worker *w = xcalloc(1, sizeof(*w));
	w->settings = settings;
	w->counters = counters;
	w->replies.delay_ns = settings->latency_ms * 1000000ULL;
	w->drips.delay_ns = settings->drip_ms * 1000000ULL;
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll < 0)
		err(1, "epoll_create1");
	open_doors(w, list, count);
	for (;;) {
		struct epoll_event events[EVENTS_AT_ONCE];
		int wait_ms = sooner(
			run_deadlines(w, &w->replies), run_deadlines(w, &w->drips));
		int n = epoll_wait(w->epoll, events, EVENTS_AT_ONCE, wait_ms);
		for (int i = 0; i < n; i++) {
			struct door *door = events[i].data.ptr;
			if (door->is_listener)
				accept_all(w, &door->listener);
			else
				on_event(w, events[i].data.ptr, events[i].events);
		}
	}
}
