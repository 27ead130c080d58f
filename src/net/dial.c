/*
 * Happy eyeballs (RFC 8305): one try an address, started one after the other.
 *
 *   waiting --stagger timer or a failed try--> next try ... --connected--> won
 *                      no address left and no try open, or deadline --> lost
 *
 * A unix socket is one try; while the listener's queue is full it is begun again:
 *
 *   waiting --stagger timer--> try --queue is full--> waiting
 */
#include "net/loop.h"
#include "net/stream.h"
#include "net/stream_uv.h"

#include "base/mem.h"
#include "base/timefmt.h"

#include <stdlib.h>
#include <string.h>

enum { FULL_QUEUE_WAIT_MS = 20 };

struct dial_try {
	struct dial *dial;
	struct stream *stream; /* NULL: not begun, failed, or handed over */
};

struct dial {
	struct uv_loop_s *loop;
	struct addr addrs[DIAL_ADDRS_MAX];
	struct dial_try tries[DIAL_ADDRS_MAX];
	size_t addr_count;
	char *unix_path; /* owned; NULL: addrs */
	size_t next;
	size_t open_count; /* tries under way */
	struct addr bind_v4, bind_v6;
	bool has_bind_v4, has_bind_v6;
	int64_t stagger_ms;
	int64_t timeout_ms;
	struct timer *stagger;
	struct timer *deadline;
	bool has_failed;   /* an address that was tried, not one passed over */
	struct err last;   /* of the failures ... */
	size_t last_index; /* ... and its address */
	dial_callback *cb;
	void *arg;
};

static void dial_free(struct dial *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(d->tries); i++)
		stream_abort(&d->tries[i].stream);
	timer_close(&d->stagger);
	timer_close(&d->deadline);
	free(d->unix_path);
	free(d);
}

/* The dial is gone before the caller hears, so that it may dial again. */
static void finish(struct dial *d, struct stream *s, size_t index)
{
	dial_callback *cb = d->cb;
	void *arg = d->arg;
	struct err e = d->last;
	dial_free(d);
	cb(arg, s, index, s ? NULL : &e);
}

static const struct addr *bind_address(const struct dial *d, const struct addr *to)
{
	if (addr_family(to) == AF_INET6)
		return d->has_bind_v6 ? &d->bind_v6 : NULL;
	return d->has_bind_v4 ? &d->bind_v4 : NULL;
}

static void on_try_done(void *arg, const struct err *e);

static void note_failure(struct dial *d, size_t i, const struct err *e)
{
	d->has_failed = true;
	d->last = *e;
	d->last_index = i;
}

/* From another address than the one that was asked for nothing is sent. */
static bool pass_over(struct dial *d, size_t i)
{
	const struct addr *to = &d->addrs[i];
	char text[ADDR_TEXT_MAX];
	if (bind_address(d, to) || !(d->has_bind_v4 || d->has_bind_v6))
		return false;
	addr_format(to, text);
	if (!d->has_failed) {
		err_set(&d->last, ERR_NETWORK,
			"%s is not tried: there is no source address for %s", text,
			addr_family(to) == AF_INET6 ? "IPv6" : "IPv4");
		d->last_index = i;
	}
	return true;
}

/* false: this address fails at once (no route, no such family ...). */
static bool begin_try(struct dial *d, size_t i)
{
	struct dial_try *t = &d->tries[i];
	const struct addr *to = &d->addrs[i];
	struct err e;
	if (pass_over(d, i))
		return false;
	t->dial = d;
	t->stream = stream_uv_new(d->loop, STREAM_UV_TCP);
	if (stream_uv_connect(t->stream, to, bind_address(d, to), on_try_done, t, &e) !=
		0) {
		note_failure(d, i, &e);
		stream_abort(&t->stream);
		return false;
	}
	d->open_count++;
	return true;
}

/* Begins the next address that can be begun. The last thing a caller does with d. */
static void advance(struct dial *d)
{
	while (d->next < d->addr_count) {
		if (begin_try(d, d->next++)) {
			timer_start(d->stagger, d->stagger_ms);
			return;
		}
	}
	timer_stop(d->stagger);
	if (!d->open_count)
		finish(d, NULL, d->last_index);
}

static void on_unix_done(void *arg, const struct err *e);

static void begin_unix(struct dial *d)
{
	struct dial_try *t = &d->tries[0];
	t->dial = d;
	t->stream = stream_uv_new(d->loop, STREAM_UV_UNIX);
	if (stream_uv_connect_unix(t->stream, d->unix_path, on_unix_done, t, &d->last))
		finish(d, NULL, 0);
}

static void on_unix_done(void *arg, const struct err *e)
{
	struct dial_try *t = arg;
	struct dial *d = t->dial;
	if (!e) {
		finish(d, MOVE(t->stream), 0);
		return;
	}
	d->last = *e;
	err_context(&d->last, "connect to %s", d->unix_path);
	if (e->code == ERR_BUSY) {
		stream_abort(&t->stream);
		timer_start(d->stagger, FULL_QUEUE_WAIT_MS);
	} else {
		finish(d, NULL, 0);
	}
}

static void on_stagger(void *arg)
{
	struct dial *d = arg;
	if (d->unix_path)
		begin_unix(d);
	else
		advance(d);
}

static void on_try_done(void *arg, const struct err *e)
{
	struct dial_try *t = arg;
	struct dial *d = t->dial;
	size_t i = (size_t)(t - d->tries);
	d->open_count--;
	if (!e) {
		finish(d, MOVE(t->stream), i);
		return;
	}
	note_failure(d, i, e);
	stream_abort(&t->stream);
	advance(d);
}

static void on_deadline(void *arg)
{
	struct dial *d = arg;
	char limit[TIMEFMT_MAX];
	timefmt_duration(d->timeout_ms, limit);
	if (d->unix_path)
		err_set(&d->last, ERR_TIMEOUT,
			"connect to %s: its queue of connections was full for %s",
			d->unix_path, limit);
	else
		err_set(&d->last, ERR_TIMEOUT, "no answer within %s", limit);
	for (size_t i = d->next; i-- > 0;) {
		if (!d->tries[i].stream)
			continue;
		d->last_index = i;
		break;
	}
	finish(d, NULL, d->last_index);
}

static void copy_options(struct dial *d, const struct dial_options *options)
{
	ASSERT(options->addr_count <= (options->unix_path ? 0 : DIAL_ADDRS_MAX));
	d->unix_path = xstrdup(options->unix_path);
	d->addr_count = options->addr_count;
	if (d->addr_count)
		memcpy(d->addrs, options->addrs, d->addr_count * sizeof(d->addrs[0]));
	d->stagger_ms = options->stagger_ms;
	d->timeout_ms = options->timeout_ms;
	d->has_bind_v4 = options->bind_v4;
	d->has_bind_v6 = options->bind_v6;
	if (options->bind_v4)
		d->bind_v4 = *options->bind_v4;
	if (options->bind_v6)
		d->bind_v6 = *options->bind_v6;
}

struct dial *dial_start(struct uv_loop_s *loop, const struct dial_options *options,
	dial_callback *cb, void *arg)
{
	struct dial *d = xcalloc(1, sizeof(*d));
	d->loop = loop;
	d->cb = cb;
	d->arg = arg;
	copy_options(d, options);
	err_set(&d->last, ERR_INVALID, "no address to connect to");
	d->stagger = timer_new(loop, on_stagger, d);
	d->deadline = timer_new(loop, on_deadline, d);
	timer_start(d->deadline, d->timeout_ms);
	/* The first try begins from the loop, so that cb never runs in this call. */
	timer_start(d->stagger, 0);
	return d;
}

void dial_cancel(struct dial **d)
{
	struct dial *cancelled = MOVE(*d);
	if (cancelled)
		dial_free(cancelled);
}
