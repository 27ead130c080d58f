/*
 * One byte stream: TCP, a unix socket, or TLS over any other stream. Asynchronous,
 * on a libuv loop.
 *
 * What the system does not take of a write at once is copied and queued;
 * stream_pending tells how much is waiting, and on_drain runs when it falls to
 * zero. Where nothing had to wait there is no on_drain. Reading is paused until
 * stream_read_start. on_end runs at most once; after it only stream_close is
 * useful. No callback runs after stream_close returns, nor from inside
 * stream_write. Any callback may close the stream it is called for.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "base/addr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct uv_loop_s;
struct stream;

enum stream_end {
	STREAM_END_EOF,       /* orderly close by the peer (TLS: close_notify) */
	STREAM_END_TRUNCATED, /* TLS: the connection closed without close_notify */
	STREAM_END_RESET,     /* reset, unreachable, write failed ... */
	STREAM_END_TLS        /* TLS: alert, bad record */
};

struct stream_events {
	void (*on_data)(void *arg, const char *bytes, size_t len);
	void (*on_end)(void *arg, enum stream_end end, const struct err *e);
	void (*on_drain)(void *arg); /* may be NULL */
	void *arg;
};

/* Hands events to another owner (a kept session, a TLS layer). */
void stream_set_events(struct stream *s, const struct stream_events *events);
void stream_read_start(struct stream *s);
void stream_read_stop(struct stream *s);
void stream_write(struct stream *s, const void *bytes, size_t len);
size_t stream_pending(const struct stream *s);
/* Orderly: TLS sends close_notify. Closing is silent and at once for the
 * caller; what is queued is still sent for up to a second, and what the peer has
 * not taken then is dropped by a reset. Sets *s to NULL. */
void stream_close(struct stream **s);
/* Without ceremony: what is queued is dropped. */
void stream_abort(struct stream **s);

/* Addresses of the connection; false where there is none (a unix socket). */
bool stream_peer(const struct stream *s, struct addr *out);
bool stream_local(const struct stream *s, struct addr *out);

/*
 * Dialling: addresses in the order to try them, the next one started delay_ms
 * after the last (RFC 8305 "happy eyeballs") or at once when it fails; the
 * first connection wins and the rest are closed. TCP_NODELAY is set. With a source
 * address for one family alone, addresses of the other are passed over.
 *
 * With unix_path there is that one place instead, and addresses must not be given.
 * While the queue of its listener is full it is tried again, up to timeout_ms.
 */
struct dial;
enum { DIAL_ADDRS_MAX = 10 };
struct dial_options {
	const struct addr *addrs; /* with ports */
	size_t addr_count;
	const char *unix_path;                /* NULL: addrs */
	int64_t timeout_ms;                   /* for all of it */
	int64_t stagger_ms;                   /* usually 250 */
	const struct addr *bind_v4, *bind_v6; /* source addresses (port 0), or NULL */
};
/* s is NULL when all failed: then e tells of the last one, which is index.
 * Runs once, from the loop; the dial frees itself after it. */
typedef void dial_callback(
	void *arg, struct stream *s, size_t index, const struct err *e);
struct dial *dial_start(struct uv_loop_s *loop, const struct dial_options *options,
	dial_callback *cb, void *arg);
void dial_cancel(struct dial **d); /* no callback after it */

#endif
