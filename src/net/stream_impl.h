/*
 * What the kinds of stream share; for src/net only.
 *
 * A kind embeds struct stream as its first member and fills in a table. The
 * calls in stream.h check what holds for all kinds (silence after close, at
 * most one on_end) so that a kind need not. An object is freed only in a libuv
 * close callback, which never runs under one of its own functions: whatever a
 * callback closes, the frames below it still see valid memory and have to ask
 * stream_is_closed before they go on.
 */
#ifndef NET_STREAM_IMPL_H
#define NET_STREAM_IMPL_H

#include "net/stream.h"

struct stream_kind {
	const char *name;
	void (*read_start)(struct stream *s);
	void (*read_stop)(struct stream *s);
	void (*write)(struct stream *s, const void *bytes, size_t len);
	size_t (*pending)(const struct stream *s);
	/* The owner is gone; frees the object when its handles are closed. */
	void (*close)(struct stream *s, bool is_orderly);
	bool (*peer)(const struct stream *s, struct addr *out);
	bool (*local)(const struct stream *s, struct addr *out);
};

struct stream {
	const struct stream_kind *kind;
	struct stream_events events;
	bool is_reading; /* wished for by the owner */
	bool is_ended;   /* on_end has run */
	bool is_closed;  /* the owner has let go: no more callbacks */
};

void stream_init(struct stream *s, const struct stream_kind *kind);
bool stream_is_closed(const struct stream *s);

/* Tell the owner. Each may close s. Nothing happens after close or end. */
void stream_emit_data(struct stream *s, const char *bytes, size_t len);
void stream_emit_end(struct stream *s, enum stream_end end, const struct err *e);
void stream_emit_drain(struct stream *s);

#endif
