/*
 * A socket as a stream: TCP or unix; for src/net only (others dial, listen, or
 * are handed a stream).
 *
 * stream_uv_new gives an unconnected stream, stream_uv_connect or
 * stream_uv_connect_unix connects it. cb runs once from the loop, never from inside
 * the call, and not after stream_close or stream_abort; e is NULL when the stream is
 * connected. When the call itself fails (negative result) cb does not run.
 */
#ifndef NET_STREAM_UV_H
#define NET_STREAM_UV_H

#include "net/stream.h"

typedef void stream_uv_callback(void *arg, const struct err *e);

enum stream_uv_family { STREAM_UV_TCP, STREAM_UV_UNIX };

struct stream *stream_uv_new(struct uv_loop_s *loop, enum stream_uv_family family);

/* TCP. from: source address, with port 0, or NULL. */
int stream_uv_connect(struct stream *s, const struct addr *to, const struct addr *from,
	stream_uv_callback *cb, void *arg, struct err *e);

/* A unix socket. A path that is too long for one is an error. ERR_BUSY in cb: the
 * listener's queue is full, which may pass (with another stream). */
int stream_uv_connect_unix(struct stream *s, const char *path, stream_uv_callback *cb,
	void *arg, struct err *e);

/* Over a connected socket, non-blocking (what a listener has accepted); the stream owns
 * it. NULL: it is closed, and e tells why. */
struct stream *stream_uv_open(
	struct uv_loop_s *loop, enum stream_uv_family family, int fd, struct err *e);

/* ERR_INVALID: no unix socket can have this path, and why. */
int stream_uv_check_path(const char *path, struct err *e);

#endif
