/*
 * The record as JSON, RFC 8259. Written member by member into a buffer: a
 * delivery writes one of these, and a tree of objects made first cost more than
 * all the rest of it. The order below is the order in the log.
 */
#include "event/event.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/timefmt.h"

#include <stdlib.h>
#include <string.h>

/* A record of one recipient has some 900 octets. */
enum { USUAL_SIZE = 2048 };

/* ---- values ---- */

/* Control characters need an escape too, but text without them comes here. */
static void put_escaped(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_addc(out, '\\');
		buf_addc(out, *s);
	}
}

static void put_unplain(struct buf *out, const char *s, size_t len)
{
	if (text_is_clean(s, len)) {
		put_escaped(out, s);
		return;
	}
	OWN(mem_free) char *clean = xmalloc(len + 1);
	text_clean(s, len, clean, len + 1);
	put_escaped(out, clean);
}

static void put_text(struct buf *out, const char *s)
{
	if (!s) {
		buf_addstr(out, "null");
		return;
	}
	size_t len = strlen(s);
	bool is_plain = text_plain_len(s, len) == len && !memchr(s, '"', len) &&
			!memchr(s, '\\', len);
	buf_addc(out, '"');
	if (is_plain)
		buf_add(out, s, len);
	else
		put_unplain(out, s, len);
	buf_addc(out, '"');
}

/* Always with milliseconds, so that records sort as text too. */
static void put_time(struct buf *out, int64_t ms)
{
	char text[TIMEFMT_MAX];
	timefmt_rfc3339(ms, text);
	size_t len = strlen(text);
	buf_addc(out, '"');
	buf_add(out, text, len - 1);
	buf_addstr(out, strchr(text, '.') ? "Z\"" : ".000Z\"");
}

/* A clock that stepped back makes a span negative; the log has none. */
static void put_number(struct buf *out, int64_t value)
{
	buf_addu(out, value < 0 ? 0 : (uint64_t)value);
}

static void put_number_or_null(struct buf *out, int64_t value)
{
	if (value)
		put_number(out, value);
	else
		buf_addstr(out, "null");
}

static void put_bool(struct buf *out, bool value)
{
	buf_addstr(out, value ? "true" : "false");
}

/* ---- members ---- */

/* key: with the punctuation before it, as in ",\"mx\":". Inline, so that its
 * length is known. */
static inline void text_member(struct buf *out, const char *key, const char *value)
{
	buf_addstr(out, key);
	put_text(out, value);
}

static inline void number_member(struct buf *out, const char *key, int64_t value)
{
	buf_addstr(out, key);
	put_number(out, value);
}

static inline void bool_member(struct buf *out, const char *key, bool value)
{
	buf_addstr(out, key);
	put_bool(out, value);
}

static void put_reply(struct buf *out, const struct event_reply *reply)
{
	buf_addstr(out, "\"code\":");
	put_number_or_null(out, reply->code);
	text_member(out, ",\"enhanced\":", reply->enhanced);
	text_member(out, ",\"text\":", reply->text);
	buf_addc(out, '}');
}

static void put_recipients(struct buf *out, const struct event_attempt *a)
{
	buf_addstr(out, ",\"recipients\":[");
	for (size_t i = 0; i < a->recipient_count; i++) {
		const struct event_recipient *r = &a->recipients[i];
		buf_addstr(out, i ? ",{" : "{");
		text_member(out, "\"address\":", r->address);
		text_member(out, ",\"outcome\":", r->outcome);
		buf_addc(out, ',');
		put_reply(out, &r->reply);
	}
	buf_addc(out, ']');
}

static void put_tls(struct buf *out, const struct event_attempt *a)
{
	if (!a->has_tls) {
		buf_addstr(out, ",\"tls\":null");
		return;
	}
	text_member(out, ",\"tls\":{\"version\":", a->tls.version);
	text_member(out, ",\"cipher\":", a->tls.cipher);
	text_member(out, ",\"peer\":", a->tls.peer);
	bool_member(out, ",\"resumed\":", a->tls.resumed);
	bool_member(out, ",\"verified\":", a->tls.verified);
	buf_addc(out, '}');
}

static void put_delays(struct buf *out, const struct event_delays *d)
{
	number_member(out, ",\"delays\":{\"total_ms\":", d->total_ms);
	number_member(out, ",\"before_ms\":", d->before_ms);
	number_member(out, ",\"queue_ms\":", d->queue_ms);
	number_member(out, ",\"connect_ms\":", d->connect_ms);
	number_member(out, ",\"transmit_ms\":", d->transmit_ms);
	buf_addc(out, '}');
}

static void put_what_was_tried(struct buf *out, const struct event_attempt *a)
{
	char id[EVENT_ID_MAX];
	event_id_format(a->id, id);
	buf_addstr(out, "{\"time\":");
	put_time(out, a->time_ms);
	text_member(out, ",\"id\":", id);
	number_member(out, ",\"attempt\":", a->attempt);
	text_member(out, ",\"sender\":", a->sender);
	text_member(out, ",\"domain\":", a->domain);
	put_recipients(out, a);
	text_member(out, ",\"mx\":", a->mx);
	text_member(out, ",\"address\":", a->address);
	buf_addstr(out, ",\"port\":");
	put_number_or_null(out, a->port);
	text_member(out, ",\"channel\":", a->channel);
	text_member(out, ",\"fallback\":", a->fallback);
	text_member(out, ",\"rule\":", a->rule);
	number_member(out, ",\"policy_generation\":", (int64_t)a->policy_generation);
	text_member(out, ",\"sni\":", a->sni);
}

static void put_what_came_of_it(struct buf *out, const struct event_attempt *a)
{
	put_tls(out, a);
	text_member(out, ",\"outcome\":", a->outcome);
	text_member(out, ",\"failure\":", a->failure);
	text_member(out, ",\"stage\":", a->stage);
	buf_addstr(out, ",\"reply\":");
	if (a->reply.code) {
		buf_addc(out, '{');
		put_reply(out, &a->reply);
	} else {
		buf_addstr(out, "null");
	}
	text_member(out, ",\"next_channel\":", a->next_channel);
	buf_addstr(out, ",\"next_attempt\":");
	if (a->next_attempt_ms)
		put_time(out, a->next_attempt_ms);
	else
		buf_addstr(out, "null");
	number_member(out, ",\"duration_ms\":", a->duration_ms);
	text_member(out, ",\"rule_text\":", a->rule_text);
	text_member(out, ",\"next_reason\":", a->next_reason);
	text_member(out, ",\"detail\":", a->detail);
	text_member(out, ",\"then\":", a->then);
	put_delays(out, &a->delays);
	bool_member(out, ",\"downgraded\":", event_attempt_is_downgrade(a));
	buf_addc(out, '}');
}

void event_attempt_write_json(const struct event_attempt *a, struct buf *out)
{
	buf_reserve(out, USUAL_SIZE);
	put_what_was_tried(out, a);
	put_what_came_of_it(out, a);
}

char *event_attempt_to_json(const struct event_attempt *a)
{
	struct buf out = BUF_INIT;
	event_attempt_write_json(a, &out);
	return buf_steal(&out);
}
