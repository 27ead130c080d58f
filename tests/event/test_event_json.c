#include "event/event.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

/* 2026-11-21T20:43:00.123Z */
enum { TIME_S = 1795293780 };

static void fill(struct event_attempt *a)
{
	*a = (struct event_attempt){ .time_ms = TIME_S * 1000LL + 123,
		.id = 0x18a2b3c4d5e6f70,
		.attempt = 2,
		.port = 25,
		.policy_generation = 7,
		.has_tls = true,
		.tls = { .resumed = true },
		.next_attempt_ms = (TIME_S + 60) * 1000LL,
		.duration_ms = 1234,
		.delays = { 5000, 100, 20, 600, 4280 } };
	event_set(a, &a->sender, "alice@example.org");
	event_set(a, &a->domain, "example.com");
	event_set(a, &a->mx, "mx1.example.com");
	event_set(a, &a->address, "192.0.2.1");
	event_set(a, &a->channel, "tls");
	event_set(a, &a->fallback, "alternate");
	event_set(a, &a->rule, "default");
	event_set(a, &a->rule_text, "no list names it");
	event_set(a, &a->sni, "mx1.example.com");
	event_set(a, &a->tls.version, "TLS1.3");
	event_set(a, &a->tls.cipher, "TLS_AES_256_GCM_SHA384");
	event_set(a, &a->tls.peer, "CN=mx1.example.com");
	event_set(a, &a->outcome, "deferred");
	event_set(a, &a->failure, "smtp_temporary");
	event_set(a, &a->stage, "rcpt");
	event_reply_set(a, &a->reply, 450, "4.2.0", "greylisted");
	event_set(a, &a->next_channel, "tls");
	event_set(a, &a->next_reason, "the failure says nothing about TLS");
	struct event_recipient *r =
		event_attempt_add_recipient(a, "bob@example.com", "deferred");
	event_reply_set(a, &r->reply, 450, "4.2.0", "greylisted");
	event_attempt_add_recipient(a, "carol@example.com", "deferred");
}

static const char full[] =
	"{\"time\":\"2026-11-21T20:43:00.123Z\",\"id\":\"018A2B3C4D5E6F70\","
	"\"attempt\":2,\"sender\":\"alice@example.org\",\"domain\":\"example.com\","
	"\"recipients\":[{\"address\":\"bob@example.com\",\"outcome\":\"deferred\","
	"\"code\":450,\"enhanced\":\"4.2.0\",\"text\":\"greylisted\"},"
	"{\"address\":\"carol@example.com\",\"outcome\":\"deferred\",\"code\":null,"
	"\"enhanced\":null,\"text\":null}],\"mx\":\"mx1.example.com\","
	"\"address\":\"192.0.2.1\",\"port\":25,\"channel\":\"tls\","
	"\"fallback\":\"alternate\",\"rule\":\"default\",\"policy_generation\":7,"
	"\"sni\":\"mx1.example.com\",\"tls\":{\"version\":\"TLS1.3\","
	"\"cipher\":\"TLS_AES_256_GCM_SHA384\",\"peer\":\"CN=mx1.example.com\","
	"\"resumed\":true,\"verified\":false},\"outcome\":\"deferred\","
	"\"failure\":\"smtp_temporary\",\"stage\":\"rcpt\",\"reply\":{\"code\":450,"
	"\"enhanced\":\"4.2.0\",\"text\":\"greylisted\"},\"next_channel\":\"tls\","
	"\"next_attempt\":\"2026-11-21T20:44:00.000Z\",\"duration_ms\":1234,"
	"\"rule_text\":\"no list names it\","
	"\"next_reason\":\"the failure says nothing about TLS\",\"detail\":null,"
	"\"then\":null,\"delays\":{\"total_ms\":5000,\"before_ms\":100,\"queue_ms\":20,"
	"\"connect_ms\":600,\"transmit_ms\":4280},\"downgraded\":false}";

static const char empty[] =
	"{\"time\":\"1970-01-01T00:00:00.000Z\",\"id\":\"0000000000000000\","
	"\"attempt\":0,\"sender\":null,\"domain\":null,\"recipients\":[],\"mx\":null,"
	"\"address\":null,\"port\":null,\"channel\":null,\"fallback\":null,"
	"\"rule\":null,\"policy_generation\":0,\"sni\":null,\"tls\":null,"
	"\"outcome\":null,\"failure\":null,\"stage\":null,\"reply\":null,"
	"\"next_channel\":null,\"next_attempt\":null,\"duration_ms\":0,"
	"\"rule_text\":null,\"next_reason\":null,\"detail\":null,\"then\":null,"
	"\"delays\":{\"total_ms\":0,\"before_ms\":0,\"queue_ms\":0,\"connect_ms\":0,"
	"\"transmit_ms\":0},\"downgraded\":false}";

static void assert_round_trip(const char *json)
{
	struct event_attempt a;
	struct err e = { 0 };
	if (event_attempt_from_json(json, &a, &e) != 0)
		fail_msg("%s", e.text);
	char *again = event_attempt_to_json(&a);
	assert_string_equal(again, json);
	free(again);
	event_attempt_clear(&a);
}

static void a_record_has_the_promised_fields_in_order(void **state)
{
	(void)state;
	struct event_attempt a;
	fill(&a);
	char *json = event_attempt_to_json(&a);
	assert_string_equal(json, full);
	assert_round_trip(json);
	free(json);
	event_attempt_clear(&a);
}

static void an_empty_record_says_null(void **state)
{
	(void)state;
	struct event_attempt a = { 0 };
	char *json = event_attempt_to_json(&a);
	assert_string_equal(json, empty);
	assert_round_trip(json);
	free(json);
}

static void a_clock_that_stepped_back_leaves_no_negative_span(void **state)
{
	(void)state;
	struct event_attempt a = { .duration_ms = -5, .delays = { .total_ms = -1 } };
	char *json = event_attempt_to_json(&a);
	assert_string_equal(json, empty);
	free(json);
}

struct text_case {
	const char *name, *text, *shown; /* shown: as JSON */
};

static const struct text_case text_cases[] = {
	{ "quotes and backslashes", "\"a\\b\"@x", "\"\\\"a\\\\b\\\"@x\"" },
	{ "characters of other scripts", "例え@例え.jp", "\"例え@例え.jp\"" },
	{ "a line break cannot end the record", "a\r\nb", "\"a b\"" },
	{ "terminal escapes", "\033[31mred", "\"?[31mred\"" },
	{ "eight-bit terminal escapes",
		"\302\233"
		"31m",
		"\"?31m\"" },
	{ "delete", "a\177", "\"a?\"" },
	{ "a stray continuation byte", "a\200b", "\"a?b\"" },
	{ "a sequence cut short", "a\342\202", "\"a??\"" },
	{ "an overlong form", "\300\257", "\"??\"" },
	{ "what looks like JSON", "\",\"outcome\":\"delivered",
		"\"\\\",\\\"outcome\\\":\\\"delivered\"" },
	{ "nothing at all", "", "\"\"" },
};

static void hostile_text_stays_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(text_cases); i++) {
		const struct text_case *c = &text_cases[i];
		struct event_attempt a;
		char expected[256];
		fill(&a);
		event_set(&a, &a.detail, c->text);
		event_reply_set(&a, &a.recipients[0].reply, 450, "4.2.0", c->text);
		char *json = event_attempt_to_json(&a);
		snprintf(expected, sizeof(expected), "\"detail\":%s,", c->shown);
		if (!strstr(json, expected))
			fail_msg("%s: %s", c->name, json);
		snprintf(expected, sizeof(expected),
			"\"enhanced\":\"4.2.0\",\"text\":%s}", c->shown);
		if (!strstr(json, expected) || strchr(json, '\n'))
			fail_msg("%s: %s", c->name, json);
		assert_round_trip(json);
		free(json);
		event_attempt_clear(&a);
	}
}

/* The same numbers each time; whatever they are. */
static uint32_t next_number(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Pieces that a string is put together from: what is kept, escaped or cleaned. */
static const char *const pieces[] = { "a", "mx1.example.com", " ", "\"", "\\", "/", "\b",
	"\f", "\n", "\r\n", "\t", "\033[1m", "\001", "\037", "\177", "\303\251",
	"\342\202\254", "\360\237\230\200", "\357\277\277", "\302\205", "\342\200\250",
	"\200", "\303", "\342\202", "\355\240\200", "\300\257", "\364\220\200\200",
	"\377" };

static void random_text(uint32_t *seed, char *out, size_t out_size)
{
	size_t count = next_number(seed) % 12;
	bool is_plain = next_number(seed) % 3 == 0;
	out[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		uint32_t which = next_number(seed) % (is_plain ? 3 : ARRAY_SIZE(pieces));
		size_t len = strlen(out);
		snprintf(out + len, out_size - len, "%s", pieces[which]);
	}
}

/* What a JSON library makes of what it reads of ours is what we wrote. */
static void assert_as_a_library_writes_it(const char *json)
{
	json_error_t error;
	json_t *o = json_loads(json, JSON_REJECT_DUPLICATES, &error);
	if (!o)
		fail_msg("%s: %s", error.text, json);
	char *again = json_dumps(o, JSON_COMPACT);
	assert_string_equal(json, again);
	free(again);
	json_decref(o);
}

static void records_are_written_as_a_json_library_does(void **state)
{
	(void)state;
	uint32_t seed = 1;
	for (int i = 0; i < 3000; i++) {
		struct event_attempt a;
		char text[256];
		fill(&a);
		const char **fields[] = { &a.sender, &a.domain, &a.mx, &a.rule_text,
			&a.tls.peer, &a.detail, &a.then, &a.reply.text,
			&a.recipients[1].address, &a.recipients[1].reply.text };
		for (size_t f = 0; f < ARRAY_SIZE(fields); f++) {
			random_text(&seed, text, sizeof(text));
			event_set(&a, fields[f], next_number(&seed) % 8 ? text : NULL);
		}
		a.port = (uint16_t)(next_number(&seed) % 3);
		a.has_tls = next_number(&seed) % 2;
		a.reply.code = (int)(next_number(&seed) % 2) * 250;
		a.next_attempt_ms = next_number(&seed) % 3 * 1000;
		a.duration_ms = next_number(&seed);
		char *json = event_attempt_to_json(&a);
		assert_as_a_library_writes_it(json);
		free(json);
		event_attempt_clear(&a);
	}
}

struct bad_case {
	const char *name, *json, *error;
};

#define GOOD "\"time\":\"2026-11-21T20:43:00Z\",\"id\":\"0000000000000001\""

static const struct bad_case bad_cases[] = {
	{ "nothing", "", "not JSON" },
	{ "cut off", "{\"time\":", "not JSON" },
	{ "a list", "[]", "object" },
	{ "two things", "{} {}", "not JSON" },
	{ "a NUL inside", "{" GOOD ",\"detail\":\"a\\u0000b\"}", "not JSON" },
	{ "the same field twice", "{" GOOD ",\"detail\":\"a\",\"detail\":\"b\"}",
		"not JSON" },
	{ "no time", "{\"id\":\"0000000000000001\"}", "time" },
	{ "a duration for a time", "{\"time\":\"2h\",\"id\":\"0000000000000001\"}",
		"time" },
	{ "no id", "{\"time\":\"2026-11-21T20:43:00Z\"}", "id" },
	{ "a short id", "{\"time\":\"2026-11-21T20:43:00Z\",\"id\":\"1\"}", "id" },
	{ "an id with a sign",
		"{\"time\":\"2026-11-21T20:43:00Z\",\"id\":\"-000000000000001\"}", "id" },
	{ "a number for a text", "{" GOOD ",\"mx\":1}", "mx" },
	{ "a text for a number", "{" GOOD ",\"attempt\":\"1\"}", "attempt" },
	{ "a negative number", "{" GOOD ",\"duration_ms\":-1}", "duration_ms" },
	{ "a port out of range", "{" GOOD ",\"port\":65536}", "port" },
	{ "a text for the TLS facts", "{" GOOD ",\"tls\":\"TLS1.3\"}", "tls" },
	{ "a number for a truth", "{" GOOD ",\"tls\":{\"resumed\":1}}", "tls" },
	{ "recipients that are no list", "{" GOOD ",\"recipients\":{}}", "recipients" },
	{ "a recipient without an address",
		"{" GOOD ",\"recipients\":[{\"outcome\":\"deferred\"}]}", "recipients" },
	{ "a recipient that is no object", "{" GOOD ",\"recipients\":[1]}",
		"recipients" },
	{ "a reply with a bad code", "{" GOOD ",\"reply\":{\"code\":\"450\"}}", "reply" },
};

static void what_is_no_record_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_cases); i++) {
		const struct bad_case *c = &bad_cases[i];
		struct event_attempt a;
		struct err e = { 0 };
		int result = event_attempt_from_json(c->json, &a, &e);
		if (result != ERR_INVALID || !strstr(e.text, c->error))
			fail_msg("%s: %d %s", c->name, result, e.text);
		event_attempt_clear(&a);
	}
}

/* The JSON library quotes what it stumbled over. */
static void nothing_raw_of_a_bad_record_is_in_the_error(void **state)
{
	struct event_attempt a;
	struct err e = { 0 };
	(void)state;
	assert_int_equal(event_attempt_from_json("{" GOOD ",\"mx\":x\033[2J}", &a, &e),
		ERR_INVALID);
	assert_null(strchr(e.text, '\033'));
	assert_int_equal(event_attempt_from_json("{" GOOD ",\"mx\":\"\001\"}", &a, &e),
		ERR_INVALID);
	assert_null(strchr(e.text, '\001'));
	assert_int_equal(
		event_attempt_from_json("{\"mx\":\"x\"\033\023}", &a, &e), ERR_INVALID);
	assert_null(strpbrk(e.text, "\033\023"));
}

/* Whoever wrote it: it is shown on terminals. */
static void nothing_raw_of_a_record_is_kept(void **state)
{
	struct event_attempt a;
	(void)state;
	assert_int_equal(
		event_attempt_from_json("{" GOOD ",\"domain\":\"a\\u001b[2Jb\\r\\nc\","
					"\"reply\":{\"text\":\"\\u0085x\\u007f\"},"
					"\"recipients\":[{\"address\":\"b@例え.jp\","
					"\"outcome\":\"\\t\\u0001\"}]}",
			&a, NULL),
		0);
	assert_string_equal(a.domain, "a?[2Jb c");
	assert_string_equal(a.reply.text, "?x?");
	assert_string_equal(a.recipients[0].address, "b@例え.jp");
	assert_string_equal(a.recipients[0].outcome, " ?");
	event_attempt_clear(&a);
}

static void fields_of_a_later_version_are_skipped(void **state)
{
	(void)state;
	struct event_attempt a;
	assert_int_equal(
		event_attempt_from_json("{" GOOD ",\"moon\":{\"phase\":[1]}}", &a, NULL),
		0);
	assert_int_equal(a.id, 1);
	assert_int_equal(a.time_ms, TIME_S * 1000LL);
	event_attempt_clear(&a);
}

static void every_cut_of_a_record_is_refused(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(full) - 1; len++) {
		char *cut = xstrndup(full, len);
		struct event_attempt a;
		assert_int_equal(event_attempt_from_json(cut, &a, NULL), ERR_INVALID);
		event_attempt_clear(&a);
		free(cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_has_the_promised_fields_in_order),
		cmocka_unit_test(an_empty_record_says_null),
		cmocka_unit_test(a_clock_that_stepped_back_leaves_no_negative_span),
		cmocka_unit_test(hostile_text_stays_text),
		cmocka_unit_test(records_are_written_as_a_json_library_does),
		cmocka_unit_test(what_is_no_record_is_refused),
		cmocka_unit_test(nothing_raw_of_a_bad_record_is_in_the_error),
		cmocka_unit_test(nothing_raw_of_a_record_is_kept),
		cmocka_unit_test(fields_of_a_later_version_are_skipped),
		cmocka_unit_test(every_cut_of_a_record_is_refused),
	};
	return cmocka_run_group_tests_name("event_json", tests, NULL, NULL);
}
