/* The record, read back from JSON; event_write.c writes it. */
#include "event/event.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/timefmt.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One object under reading; the first field that is wrong is kept. */
struct in {
	struct event_attempt *record; /* to read into */
	json_t *object;
	const char *wrong;
};

/* NULL where the member is missing or null. */
static json_t *member(struct in *in, const char *name)
{
	json_t *value = json_object_get(in->object, name);
	return json_is_null(value) ? NULL : value;
}

static void complain(struct in *in, const char *name)
{
	if (!in->wrong)
		in->wrong = name;
}

/* What we write is clean, but anybody may have written this. */
static void take_text(struct in *in, const char *name, const char **out)
{
	json_t *value = member(in, name);
	if (!value)
		return;
	if (!json_is_string(value)) {
		complain(in, name);
		return;
	}
	size_t size = json_string_length(value) + 1;
	OWN(mem_free) char *text = xmalloc(size);
	text_clean(json_string_value(value), size - 1, text, size);
	event_set(in->record, out, text);
}

static int64_t take_number(struct in *in, const char *name, int64_t max)
{
	json_t *value = member(in, name);
	if (!value)
		return 0;
	json_int_t number = json_integer_value(value);
	if (json_is_integer(value) && number >= 0 && number <= max)
		return number;
	complain(in, name);
	return 0;
}

static bool take_bool(struct in *in, const char *name)
{
	json_t *value = member(in, name);
	if (value && !json_is_boolean(value))
		complain(in, name);
	return json_is_true(value);
}

static int64_t take_time(struct in *in, const char *name)
{
	const char *text = json_string_value(member(in, name));
	int64_t ms = 0;
	if (!member(in, name))
		return 0;
	/* timefmt_parse_instant reads durations as well. */
	if (!text || !strchr(text, 'T') || !timefmt_parse_instant(text, 0, &ms))
		complain(in, name);
	return ms;
}

static int64_t take_id(struct in *in, const char *name)
{
	const char *text = json_string_value(member(in, name));
	if (!text || strlen(text) != EVENT_ID_MAX - 1 ||
		strspn(text, "0123456789ABCDEF") != EVENT_ID_MAX - 1) {
		complain(in, name);
		return 0;
	}
	return (int64_t)strtoull(text, NULL, 16);
}

static void take_reply(struct in *in, struct event_reply *reply)
{
	reply->code = (int)take_number(in, "code", 999);
	take_text(in, "enhanced", &reply->enhanced);
	take_text(in, "text", &reply->text);
}

/* The nested object, or one without members: the caller reads zeros from it. */
static bool enter(struct in *outer, const char *name, struct in *inner)
{
	json_t *value = member(outer, name);
	*inner = (struct in){ .record = outer->record, .object = value };
	if (value && !json_is_object(value))
		complain(outer, name);
	return json_is_object(value);
}

static void take_recipients(struct in *in, struct event_attempt *a)
{
	json_t *list = member(in, "recipients"), *value;
	size_t i;
	if (list && !json_is_array(list))
		complain(in, "recipients");
	json_array_foreach(list, i, value)
	{
		struct in inner = { .record = a, .object = value };
		struct event_recipient *r = event_attempt_add_recipient(a, NULL, NULL);
		take_text(&inner, "address", &r->address);
		take_text(&inner, "outcome", &r->outcome);
		take_reply(&inner, &r->reply);
		if (inner.wrong || !r->address || !r->outcome)
			complain(in, "recipients");
	}
}

static void take_tls(struct in *in, struct event_attempt *a)
{
	struct in tls;
	a->has_tls = enter(in, "tls", &tls);
	take_text(&tls, "version", &a->tls.version);
	take_text(&tls, "cipher", &a->tls.cipher);
	take_text(&tls, "peer", &a->tls.peer);
	a->tls.resumed = take_bool(&tls, "resumed");
	a->tls.verified = take_bool(&tls, "verified");
	if (tls.wrong)
		complain(in, "tls");
}

static void take_delays(struct in *in, struct event_delays *d)
{
	struct in delays;
	enter(in, "delays", &delays);
	d->total_ms = take_number(&delays, "total_ms", INT64_MAX);
	d->before_ms = take_number(&delays, "before_ms", INT64_MAX);
	d->queue_ms = take_number(&delays, "queue_ms", INT64_MAX);
	d->connect_ms = take_number(&delays, "connect_ms", INT64_MAX);
	d->transmit_ms = take_number(&delays, "transmit_ms", INT64_MAX);
	if (delays.wrong)
		complain(in, "delays");
}

static void take_texts(struct in *in, struct event_attempt *a)
{
	const struct {
		const char *name;
		const char **field;
	} texts[] = {
		{ "sender", &a->sender },
		{ "domain", &a->domain },
		{ "mx", &a->mx },
		{ "address", &a->address },
		{ "channel", &a->channel },
		{ "fallback", &a->fallback },
		{ "rule", &a->rule },
		{ "sni", &a->sni },
		{ "outcome", &a->outcome },
		{ "failure", &a->failure },
		{ "stage", &a->stage },
		{ "next_channel", &a->next_channel },
		{ "rule_text", &a->rule_text },
		{ "next_reason", &a->next_reason },
		{ "detail", &a->detail },
		{ "then", &a->then },
	};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		take_text(in, texts[i].name, texts[i].field);
}

static void take_attempt(struct in *in, struct event_attempt *a)
{
	struct in reply;
	if (!member(in, "time"))
		complain(in, "time");
	a->time_ms = take_time(in, "time");
	a->id = take_id(in, "id");
	a->attempt = (unsigned)take_number(in, "attempt", UINT32_MAX);
	a->port = (uint16_t)take_number(in, "port", UINT16_MAX);
	a->policy_generation = (uint64_t)take_number(in, "policy_generation", INT64_MAX);
	a->next_attempt_ms = take_time(in, "next_attempt");
	a->duration_ms = take_number(in, "duration_ms", INT64_MAX);
	a->downgraded = take_bool(in, "downgraded");
	take_texts(in, a);
	take_recipients(in, a);
	take_tls(in, a);
	take_delays(in, &a->delays);
	enter(in, "reply", &reply);
	take_reply(&reply, &a->reply);
	if (reply.wrong)
		complain(in, "reply");
}

/* The library quotes octets of what it read. */
static int fail_json(const json_error_t *error, struct err *e)
{
	char text[JSON_ERROR_TEXT_LENGTH];
	text_clean(error->text, strlen(error->text), text, sizeof(text));
	return err_set(e, ERR_INVALID, "not JSON: %s", text);
}

int event_attempt_from_json(const char *json, struct event_attempt *a, struct err *e)
{
	json_error_t error;
	struct in in = { .record = a,
		.object = json_loads(json, JSON_REJECT_DUPLICATES, &error) };
	int result = 0;
	*a = (struct event_attempt){ 0 };
	if (!in.object)
		return fail_json(&error, e);
	if (!json_is_object(in.object))
		complain(&in, "object");
	else
		take_attempt(&in, a);
	if (in.wrong)
		result = err_set(e, ERR_INVALID,
			"no record of an attempt: bad or missing \"%s\"", in.wrong);
	json_decref(in.object);
	return result;
}
