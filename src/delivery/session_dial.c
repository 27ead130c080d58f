/* How a session gets its connection: TCP, from a source address if one is set, or a
 * unix socket. */
#include "delivery/session_internal.h"

#include "base/err.h"

#include <stdio.h>
#include <string.h>

enum { DIAL_STAGGER_MS = 250 }; /* RFC 8305 5: connection attempt delay */

static void note_address(struct session *s, size_t index)
{
	if (!s->addr_count)
		return; /* a path */
	s->addr_count -= index;
	memmove(s->addrs, s->addrs + index, s->addr_count * sizeof(s->addrs[0]));
	s->address = s->addrs[0];
	s->has_address = true;
}

static void begin(struct session *s, struct stream *stream)
{
	s->stream = stream;
	s->phase = SESSION_TALKING;
	if (s->terms->decision.implicit_tls) {
		session_start_tls(s); /* RFC 8314 3.3: before the greeting */
		return;
	}
	session_listen(s);
	stream_read_start(stream);
	session_drive(s);
}

static void on_dialled(
	void *arg, struct stream *stream, size_t index, const struct err *e)
{
	struct session *s = arg;
	session_enter(s);
	s->dial = NULL;
	note_address(s, index);
	if (stream) {
		begin(s, stream);
	} else {
		struct session_failure f = { .phase = SESSION_DIALING };
		snprintf(f.text, sizeof(f.text), "%.310s", e->text);
		session_end(s, &f);
	}
	session_leave(s);
}

/* The policy has checked that it is one. */
static const struct addr *source(const char *text, struct addr *out)
{
	return text && addr_parse(text, 0, out) ? out : NULL;
}

void session_dial(struct session *s)
{
	const struct way *way = &s->terms->way;
	struct addr v4, v6;
	struct dial_options dial = {
		.addrs = s->addrs,
		.addr_count = s->addr_count,
		.unix_path = way->relay->path,
		.timeout_ms = s->terms->settings->connect_timeout_ms,
		.stagger_ms = DIAL_STAGGER_MS,
		.bind_v4 = way->route ? source(way->route->source_v4, &v4) : NULL,
		.bind_v6 = way->route ? source(way->route->source_v6, &v6) : NULL,
	};
	s->phase = SESSION_DIALING;
	s->dial = dial_start(s->env->loop, &dial, on_dialled, s);
}
