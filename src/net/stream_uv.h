/*
 * TCP as a stream; for src/net only (others dial, or are handed a stream).
 *
 * stream_uv_new gives an unconnected stream, stream_uv_connect connects it.
 * cb runs once from the loop, never from inside the call, and not after
 * stream_close or stream_abort; e is NULL when the stream is connected. When
 * the call itself fails (negative result) cb does not run.
 */
#ifndef NET_STREAM_UV_H
#define NET_STREAM_UV_H

#include "net/stream.h"

typedef void stream_uv_callback(void *arg, const struct err *e);

struct stream *stream_uv_new(struct uv_loop_s *loop);

/* from: source address, or NULL. */
int stream_uv_connect(struct stream *s, const struct addr *to, const struct addr *from,
	stream_uv_callback *cb, void *arg, struct err *e);

/* A connected socket becomes a stream, which owns fd from then on (on failure
 * too). NULL: e tells why. */
struct stream *stream_uv_open(struct uv_loop_s *loop, int fd, struct err *e);

#endif
