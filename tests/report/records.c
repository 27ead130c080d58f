#include "records.h"

#include <string.h>

static const char *either(const char *value, const char *ordinary)
{
	if (!value)
		return ordinary;
	return strcmp(value, "-") == 0 ? NULL : value;
}

static void fill_what_was_tried(const struct record_case *c, struct event_attempt *a)
{
	event_set(a, &a->sender, "alice@example.org");
	event_set(a, &a->domain, either(c->domain, "example.com"));
	event_set(a, &a->mx, either(c->mx, "mx1.example.com"));
	event_set(a, &a->address, either(c->address, "192.0.2.1"));
	event_set(a, &a->channel, either(c->channel, "tls"));
	event_set(a, &a->fallback, "alternate");
	event_set(a, &a->rule, either(c->rule, "starttls"));
	event_set(a, &a->rule_text,
		either(c->rule_text, "STARTTLS is used where it is offered"));
	event_set(a, &a->sni, "mx1.example.com");
	event_set(a, &a->tls.version, "TLS1.3");
	event_set(a, &a->tls.cipher, "TLS_AES_256_GCM_SHA384");
	event_set(a, &a->tls.peer, "CN=mx1.example.com");
	a->has_tls = !c->without_tls;
}

void record_fill(const struct record_case *c, struct event_attempt *a)
{
	*a = (struct event_attempt){ .time_ms = RECORD_TIME_S * 1000LL,
		.id = 0x1abcdef,
		.attempt = 2,
		.port = 25,
		.delays = { 1234, 100, 0, 534, 600 },
		.downgraded = c->downgraded };
	fill_what_was_tried(c, a);
	event_set(a, &a->outcome, either(c->outcome, "delivered"));
	event_set(a, &a->failure, c->failure);
	event_set(a, &a->stage, either(c->stage, "final"));
	event_set(a, &a->detail, c->detail);
	event_set(a, &a->then, c->then);
	event_set(a, &a->next_channel, c->next_channel);
	event_set(a, &a->next_reason, c->next_reason);
	if (c->next_in_s)
		a->next_attempt_ms = a->time_ms + c->next_in_s * 1000LL;
	struct event_recipient *r = event_attempt_add_recipient(
		a, either(c->recipient, "bob@example.com"), a->outcome);
	event_reply_set(a, &r->reply, c->code, c->enhanced, c->text);
	if (c->to_session)
		event_reply_set(a, &a->reply, c->code, c->enhanced, c->text);
	if (c->second)
		event_attempt_add_recipient(
			a, c->second, c->second_outcome ? c->second_outcome : a->outcome);
}
