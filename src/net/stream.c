#include "net/stream.h"

#include "base/mem.h"
#include "net/stream_impl.h"

#include <stddef.h>

void stream_init(struct stream *s, const struct stream_kind *kind)
{
	*s = (struct stream){ .kind = kind };
}

bool stream_is_closed(const struct stream *s)
{
	return s->is_closed;
}

void stream_set_events(struct stream *s, const struct stream_events *events)
{
	s->events = *events;
}

void stream_read_start(struct stream *s)
{
	if (s->is_reading || s->is_ended)
		return;
	s->is_reading = true;
	s->kind->read_start(s);
}

void stream_read_stop(struct stream *s)
{
	if (!s->is_reading)
		return;
	s->is_reading = false;
	s->kind->read_stop(s);
}

void stream_write(struct stream *s, const void *bytes, size_t len)
{
	/* The end is news to come, or has been told: either way nobody hears this. */
	if (len && !s->is_ended)
		s->kind->write(s, bytes, len);
}

size_t stream_pending(const struct stream *s)
{
	return s->kind->pending(s);
}

static void close_stream(struct stream **sp, bool is_orderly)
{
	struct stream *s = MOVE(*sp);
	if (!s)
		return;
	ASSERT(!s->is_closed);
	s->is_closed = true;
	s->is_reading = false;
	s->kind->close(s, is_orderly);
}

void stream_close(struct stream **s)
{
	close_stream(s, true);
}

void stream_abort(struct stream **s)
{
	close_stream(s, false);
}

bool stream_peer(const struct stream *s, struct addr *out)
{
	return s->kind->peer(s, out);
}

bool stream_local(const struct stream *s, struct addr *out)
{
	return s->kind->local(s, out);
}

void stream_emit_data(struct stream *s, const char *bytes, size_t len)
{
	if (!s->is_closed && !s->is_ended && s->events.on_data)
		s->events.on_data(s->events.arg, bytes, len);
}

void stream_emit_end(struct stream *s, enum stream_end end, const struct err *e)
{
	if (s->is_closed || s->is_ended)
		return;
	s->is_ended = true;
	if (s->events.on_end)
		s->events.on_end(s->events.arg, end, e);
}

void stream_emit_drain(struct stream *s)
{
	if (!s->is_closed && !s->is_ended && s->events.on_drain)
		s->events.on_drain(s->events.arg);
}
