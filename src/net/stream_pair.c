#include "net/stream_pair.h"

#include "base/buf.h"
#include "base/mem.h"
#include "net/stream_impl.h"

#include <stdlib.h>
#include <uv.h>

struct stream_pair {
	struct stream base;
	uv_timer_t turn;          /* callbacks run from the loop, never from a call */
	struct stream_pair *peer; /* NULL once it is closed */
	struct buf inbox;
	size_t chunk;
	bool has_drained; /* on_drain is due */
	bool is_at_end;   /* the peer is gone: end follows the inbox */
	enum stream_end end;
};

static struct stream_pair *pair_of(struct stream *s)
{
	return (struct stream_pair *)s;
}

static bool has_work(const struct stream_pair *p)
{
	if (p->has_drained)
		return true;
	if (p->base.is_ended)
		return false;
	if (p->is_at_end && p->end == STREAM_END_RESET)
		return true;
	return p->base.is_reading && (buf_len(&p->inbox) || p->is_at_end);
}

static void deliver(struct stream_pair *p)
{
	size_t len = buf_len(&p->inbox);
	if (p->chunk && len > p->chunk)
		len = p->chunk;
	/* The owner may write to itself through an echo: keep the bytes apart. */
	OWN(mem_free) char *bytes = xmemdup(buf_bytes(&p->inbox), len);
	buf_consume(&p->inbox, len);
	stream_emit_data(&p->base, bytes, len);
}

static void on_turn(uv_timer_t *timer);

static void schedule(struct stream_pair *p)
{
	if (p && !stream_is_closed(&p->base) && has_work(p))
		uv_timer_start(&p->turn, on_turn, 0, 0);
}

static void tell_end(struct stream_pair *p)
{
	struct err e;
	if (p->end == STREAM_END_EOF)
		err_set(&e, ERR_NETWORK, "connection closed by the peer");
	else
		err_set(&e, ERR_NETWORK, "connection reset by the peer");
	stream_emit_end(&p->base, p->end, &e);
}

/* One event a turn, so that an owner that closes in it needs no special care. */
static void on_turn(uv_timer_t *timer)
{
	struct stream_pair *p = timer->data;
	if (p->has_drained) {
		p->has_drained = false;
		stream_emit_drain(&p->base);
	} else if (p->is_at_end && p->end == STREAM_END_RESET) {
		tell_end(p);
	} else if (p->base.is_reading && buf_len(&p->inbox)) {
		deliver(p);
		if (p->peer && !buf_len(&p->inbox))
			p->peer->has_drained = true;
		schedule(p->peer);
	} else if (p->base.is_reading && p->is_at_end) {
		tell_end(p);
	}
	schedule(p);
}

static void pair_read_start(struct stream *s)
{
	schedule(pair_of(s));
}

static void pair_read_stop(struct stream *s)
{
	(void)s; /* has_work asks */
}

static void pair_write(struct stream *s, const void *bytes, size_t len)
{
	struct stream_pair *p = pair_of(s);
	if (!p->peer)
		return;
	buf_add(&p->peer->inbox, bytes, len);
	schedule(p->peer);
}

static size_t pair_pending(const struct stream *s)
{
	const struct stream_pair *p = (const struct stream_pair *)s;
	return p->peer ? buf_len(&p->peer->inbox) : 0;
}

static void on_pair_closed(uv_handle_t *handle)
{
	struct stream_pair *p = handle->data;
	buf_clear(&p->inbox);
	free(p);
}

static void pair_close(struct stream *s, bool is_orderly)
{
	struct stream_pair *p = pair_of(s);
	if (p->peer) {
		p->peer->peer = NULL;
		p->peer->is_at_end = true;
		p->peer->end = is_orderly ? STREAM_END_EOF : STREAM_END_RESET;
		schedule(p->peer);
	}
	uv_close((uv_handle_t *)&p->turn, on_pair_closed);
}

static bool pair_address(const struct stream *s, struct addr *out)
{
	(void)s;
	(void)out;
	return false;
}

static const struct stream_kind pair_kind = {
	.name = "pair",
	.read_start = pair_read_start,
	.read_stop = pair_read_stop,
	.write = pair_write,
	.pending = pair_pending,
	.close = pair_close,
	.peer = pair_address,
	.local = pair_address,
};

static struct stream_pair *end_new(struct uv_loop_s *loop, size_t chunk)
{
	struct stream_pair *p = xcalloc(1, sizeof(*p));
	stream_init(&p->base, &pair_kind);
	uv_timer_init(loop, &p->turn);
	p->turn.data = p;
	p->chunk = chunk;
	return p;
}

void stream_pair_new(struct uv_loop_s *loop, size_t chunk, struct stream **a_out,
	struct stream **b_out)
{
	struct stream_pair *a = end_new(loop, chunk), *b = end_new(loop, chunk);
	a->peer = b;
	b->peer = a;
	*a_out = &a->base;
	*b_out = &b->base;
}
