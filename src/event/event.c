#include "event/event.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The strings of a record, one behind the other: a record of one recipient fits
 * into the first of these. */
struct event_texts {
	struct event_texts *next;
	size_t used, size;
	char bytes[];
};
enum { TEXTS_SIZE = 1024 - sizeof(struct event_texts) };

static const char *keep(struct event_attempt *a, const char *text)
{
	size_t len = strlen(text) + 1;
	struct event_texts *t = a->texts;
	if (!t || t->size - t->used < len) {
		size_t size = len > TEXTS_SIZE ? len : TEXTS_SIZE;
		t = xmalloc(sizeof(*t) + size);
		*t = (struct event_texts){ .next = a->texts, .size = size };
		a->texts = t;
	}
	char *copy = memcpy(t->bytes + t->used, text, len);
	t->used += len;
	return copy;
}

void event_set(struct event_attempt *a, const char **field, const char *text)
{
	*field = text ? keep(a, text) : NULL;
}

void event_reply_set(struct event_attempt *a, struct event_reply *r, int code,
	const char *enhanced, const char *text)
{
	r->code = code;
	event_set(a, &r->enhanced, enhanced && *enhanced ? enhanced : NULL);
	event_set(a, &r->text, text);
}

struct event_recipient *event_attempt_add_recipient(
	struct event_attempt *a, const char *address, const char *outcome)
{
	a->recipients = xreallocarray(
		a->recipients, a->recipient_count + 1, sizeof(*a->recipients));
	struct event_recipient *r = &a->recipients[a->recipient_count++];
	*r = (struct event_recipient){ 0 };
	event_set(a, &r->address, address);
	event_set(a, &r->outcome, outcome);
	return r;
}

void event_attempt_clear(struct event_attempt *a)
{
	for (struct event_texts *t = a->texts, *next; t; t = next) {
		next = t->next;
		free(t);
	}
	free(a->recipients);
	*a = (struct event_attempt){ 0 };
}

static bool is(const char *text, const char *word)
{
	return text && strcmp(text, word) == 0;
}

bool event_attempt_is_failure(const struct event_attempt *a)
{
	for (size_t i = 0; i < a->recipient_count; i++) {
		if (!is(a->recipients[i].outcome, "delivered"))
			return true;
	}
	return !is(a->outcome, "delivered");
}

static bool begins(const char *text, const char *prefix)
{
	return text && strncmp(text, prefix, strlen(prefix)) == 0;
}

bool event_attempt_is_downgrade(const struct event_attempt *a)
{
	if (!is(a->channel, "plaintext"))
		return false;
	/* A downgrade must not be hidden because a maker forgot to mark it. */
	return a->downgraded || is(a->failure, "starttls_refused") ||
	       begins(a->rule, "fallback") || begins(a->rule_text, "fallback = ");
}

/* What a failure is in RFC 3463, without its class, where no reply tells. */
static const struct {
	const char *failure, *subject;
} subjects[] = {
	{ "starttls_refused", "7.0" },
	{ "tls_init", "7.5" },
	{ "tls_handshake", "7.5" },
	{ "tls_session", "4.2" },
	{ "in_doubt", "4.2" },
	{ "policy", "7.4" },
	{ "connect", "4.1" },
	{ "dns", "4.3" },
	{ "session", "4.2" },
};

static const char *subject_of(const char *failure)
{
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
		if (is(failure, subjects[i].failure))
			return subjects[i].subject;
	}
	return "0.0";
}

static char class_of(const char *outcome)
{
	return is(outcome, "delivered") ? '2' : is(outcome, "bounced") ? '5' : '4';
}

static bool is_status(const char *s)
{
	if (!s || !*s || !strchr("245", *s))
		return false;
	for (int part = 0; part < 2; part++) {
		s++;
		size_t digits = *s == '.' ? strspn(s + 1, "0123456789") : 0;
		if (digits < 1 || digits > 3)
			return false;
		s += digits;
	}
	return !s[1];
}

void event_attempt_status(
	const struct event_attempt *a, size_t recipient, char out[EVENT_STATUS_MAX])
{
	ASSERT(recipient < a->recipient_count);
	const struct event_recipient *r = &a->recipients[recipient];
	/* A verdict of our own has a status, but no reply. */
	bool is_own = r->reply.code || is_status(r->reply.enhanced);
	const char *remote = is_own ? r->reply.enhanced : a->reply.enhanced;
	char class = class_of(r->outcome);
	if (is_status(remote))
		snprintf(out, EVENT_STATUS_MAX, "%c%s", class, remote + 1);
	else if (class == '5' && !is_own && a->failure &&
		 strcmp(subject_of(a->failure), "0.0") != 0)
		/* Nobody said 5xx: it was passing, and given up. RFC 3463 3.5. */
		snprintf(out, EVENT_STATUS_MAX, "5.4.7");
	else if (class == '4')
		snprintf(out, EVENT_STATUS_MAX, "4.%s", subject_of(a->failure));
	else
		snprintf(out, EVENT_STATUS_MAX, "%c.0.0", class);
}

void event_attempt_place(const struct event_attempt *a, struct buf *out)
{
	enum { SMTP_PORT = 25 };
	bool is_literal = a->mx[0] == '[' && a->address;
	if (!is_literal)
		buf_addf(out, "%s%s", a->mx, a->address ? " at " : "");
	if (!a->address)
		return;
	if (a->port == SMTP_PORT)
		buf_addstr(out, a->address);
	else if (strchr(a->address, ':'))
		buf_addf(out, "[%s]:%u", a->address, a->port);
	else
		buf_addf(out, "%s:%u", a->address, a->port);
}

void event_id_format(int64_t id, char out[EVENT_ID_MAX])
{
	static const char digits[] = "0123456789ABCDEF";
	uint64_t rest = (uint64_t)id;
	out[EVENT_ID_MAX - 1] = '\0';
	for (size_t i = EVENT_ID_MAX - 1; i-- > 0; rest >>= 4)
		out[i] = digits[rest & 0xf];
}

void event_hub_add(struct event_hub *hub, const struct event_sink *sink)
{
	ASSERT(hub->count < EVENT_SINKS_MAX);
	hub->sinks[hub->count++] = sink;
}

void event_hub_attempt(const struct event_hub *hub, const struct event_attempt *a)
{
	for (size_t i = 0; i < hub->count; i++) {
		if (hub->sinks[i]->attempt)
			hub->sinks[i]->attempt(hub->sinks[i]->arg, a);
	}
}

void event_hub_handshake(const struct event_hub *hub, const struct event_tls_handshake *h)
{
	for (size_t i = 0; i < hub->count; i++) {
		if (hub->sinks[i]->handshake)
			hub->sinks[i]->handshake(hub->sinks[i]->arg, h);
	}
}
