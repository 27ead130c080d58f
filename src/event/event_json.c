/*
 * The record as JSON and back. Two tables say which field of the struct has
 * which name; objects keep the order in which members are set, so the order
 * below is the order in the log.
 */
#include "event/event.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/timefmt.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- out ---- */

static bool is_fit(const char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = text_utf8_len(s + i, len - i);
		unsigned char a = (unsigned char)s[i];
		if (!n || a < 0x20 || a == 0x7f)
			return false;
		if (n == 2 && a == 0xc2 && (unsigned char)s[i + 1] < 0xa0)
			return false; /* C1: an escape for some terminals */
		i += n;
	}
	return true;
}

static json_t *from_text(const char *s)
{
	if (!s)
		return json_null();
	size_t len = strlen(s);
	if (is_fit(s, len))
		return json_stringn(s, len);
	OWN(mem_free) char *clean = xmalloc(len + 1);
	text_clean(s, len, clean, len + 1);
	return json_string(clean);
}

/* Always with milliseconds, so that records sort as text too. */
static json_t *from_time(int64_t ms)
{
	char text[TIMEFMT_MAX], whole[TIMEFMT_MAX + 4];
	timefmt_rfc3339(ms, text);
	size_t len = strlen(text);
	if (strchr(text, '.'))
		return json_string(text);
	snprintf(whole, sizeof(whole), "%.*s.000Z", (int)(len - 1), text);
	return json_string(whole);
}

/* A clock that stepped back makes a span negative; the log has none. */
static json_t *from_number(int64_t value)
{
	return json_integer(value < 0 ? 0 : value);
}

/* Out of memory is the only way in which jansson can fail here. */
static void put(json_t *object, const char *name, json_t *value)
{
	int failed = json_object_set_new(object, name, value);
	ASSERT(!failed);
}

static void put_reply(json_t *object, const struct event_reply *reply)
{
	put(object, "code", reply->code ? from_number(reply->code) : json_null());
	put(object, "enhanced", from_text(reply->enhanced));
	put(object, "text", from_text(reply->text));
}

static json_t *from_recipients(const struct event_attempt *a)
{
	json_t *list = json_array();
	for (size_t i = 0; i < a->recipient_count; i++) {
		json_t *o = json_object();
		put(o, "address", from_text(a->recipients[i].address));
		put(o, "outcome", from_text(a->recipients[i].outcome));
		put_reply(o, &a->recipients[i].reply);
		int failed = json_array_append_new(list, o);
		ASSERT(!failed);
	}
	return list;
}

static json_t *from_reply(const struct event_reply *reply)
{
	if (!reply->code)
		return json_null();
	json_t *o = json_object();
	put_reply(o, reply);
	return o;
}

static json_t *from_tls(const struct event_attempt *a)
{
	if (!a->has_tls)
		return json_null();
	json_t *o = json_object();
	put(o, "version", from_text(a->tls.version));
	put(o, "cipher", from_text(a->tls.cipher));
	put(o, "peer", from_text(a->tls.peer));
	put(o, "resumed", json_boolean(a->tls.resumed));
	put(o, "verified", json_boolean(a->tls.verified));
	return o;
}

static json_t *from_delays(const struct event_delays *d)
{
	json_t *o = json_object();
	put(o, "total_ms", from_number(d->total_ms));
	put(o, "before_ms", from_number(d->before_ms));
	put(o, "queue_ms", from_number(d->queue_ms));
	put(o, "connect_ms", from_number(d->connect_ms));
	put(o, "transmit_ms", from_number(d->transmit_ms));
	return o;
}

static void put_what_was_tried(json_t *o, const struct event_attempt *a)
{
	char id[EVENT_ID_MAX];
	event_id_format(a->id, id);
	put(o, "time", from_time(a->time_ms));
	put(o, "id", json_string(id));
	put(o, "attempt", from_number(a->attempt));
	put(o, "sender", from_text(a->sender));
	put(o, "domain", from_text(a->domain));
	put(o, "recipients", from_recipients(a));
	put(o, "mx", from_text(a->mx));
	put(o, "address", from_text(a->address));
	put(o, "port", a->port ? from_number(a->port) : json_null());
	put(o, "channel", from_text(a->channel));
	put(o, "fallback", from_text(a->fallback));
	put(o, "rule", from_text(a->rule));
	put(o, "policy_generation", from_number((int64_t)a->policy_generation));
	put(o, "sni", from_text(a->sni));
}

static void put_what_came_of_it(json_t *o, const struct event_attempt *a)
{
	put(o, "tls", from_tls(a));
	put(o, "outcome", from_text(a->outcome));
	put(o, "failure", from_text(a->failure));
	put(o, "stage", from_text(a->stage));
	put(o, "reply", from_reply(&a->reply));
	put(o, "next_channel", from_text(a->next_channel));
	put(o, "next_attempt",
		a->next_attempt_ms ? from_time(a->next_attempt_ms) : json_null());
	put(o, "duration_ms", from_number(a->duration_ms));
	put(o, "rule_text", from_text(a->rule_text));
	put(o, "next_reason", from_text(a->next_reason));
	put(o, "detail", from_text(a->detail));
	put(o, "then", from_text(a->then));
	put(o, "delays", from_delays(&a->delays));
	put(o, "downgraded", json_boolean(event_attempt_is_downgrade(a)));
}

char *event_attempt_to_json(const struct event_attempt *a)
{
	json_t *o = json_object();
	put_what_was_tried(o, a);
	put_what_came_of_it(o, a);
	char *text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	ASSERT(text);
	return text;
}

/* ---- in ---- */

/* One object under reading; the first field that is wrong is kept. */
struct in {
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

static void take_text(struct in *in, const char *name, char **out)
{
	json_t *value = member(in, name);
	if (value && !json_is_string(value))
		complain(in, name);
	else if (value)
		event_set(out, json_string_value(value));
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
	uint64_t id = 0;
	int end = 0;
	if (!text || strlen(text) != EVENT_ID_MAX - 1 ||
		strspn(text, "0123456789ABCDEF") != EVENT_ID_MAX - 1 ||
		sscanf(text, "%16" SCNx64 "%n", &id, &end) != 1)
		complain(in, name);
	return (int64_t)id;
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
	*inner = (struct in){ .object = value };
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
		struct in inner = { .object = value };
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
		char **field;
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

int event_attempt_from_json(const char *json, struct event_attempt *a, struct err *e)
{
	json_error_t error;
	struct in in = { .object = json_loads(json, JSON_REJECT_DUPLICATES, &error) };
	int result = 0;
	*a = (struct event_attempt){ 0 };
	if (!in.object)
		return err_set(e, ERR_INVALID, "not JSON: %s", error.text);
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
