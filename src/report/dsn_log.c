#include "report/dsn_log.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "event/event.h"
#include "report/mime.h"
#include "report/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 76, INDENT = 4, VERDICTS_MAX = 10, NAMES_MAX = 5 };

/* ---- what stands around the log, as bytes: language, then strings ---- */

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void dsn_log_pack(const struct dsn_told *told, struct buf *out)
{
	buf_addc(out, (char)told->language);
	buf_add(out, told->before, strlen(told->before) + 1);
	buf_add(out, told->after, strlen(told->after) + 1);
	for (size_t i = 0; i < told->address_count; i++)
		buf_add(out, told->addresses[i], strlen(told->addresses[i]) + 1);
}

static const char *take_string(const char **at, const char *end)
{
	const char *s = *at;
	ASSERT(s < end);
	*at += strlen(s) + 1;
	return s;
}

/* The addresses are sorted, to be looked up; the caller frees their array. */
static void unpack(const char *bytes, size_t len, struct dsn_told *out)
{
	const char *at = bytes, *end = bytes + len;
	size_t cap = 0;
	ASSERT(len && *at >= 0 && *at < DSN_LANGUAGE_COUNT);
	*out = (struct dsn_told){ .language = (enum dsn_language) * at++ };
	out->before = take_string(&at, end);
	out->after = take_string(&at, end);
	while (at < end) {
		if (out->address_count == cap) {
			cap = cap ? 2 * cap : 8;
			out->addresses = xreallocarray(
				out->addresses, cap, sizeof(*out->addresses));
		}
		out->addresses[out->address_count++] = take_string(&at, end);
	}
	if (out->address_count)
		qsort(out->addresses, out->address_count, sizeof(*out->addresses),
			compare);
}

static bool is_told(const struct dsn_told *told, const char *address)
{
	return told->address_count &&
	       bsearch(&address, told->addresses, told->address_count,
		       sizeof(*told->addresses), compare);
}

/* ---- one try ---- */

static void add_line(struct buf *out, unsigned indent, const char *text)
{
	const struct words_wrap how = { indent, indent + INDENT, WIDTH, "\r\n" };
	buf_addf(out, "%*s", (int)indent, "");
	words_wrap(out, &how, text);
	buf_addstr(out, "\r\n");
}

static bool was_reached(const struct event_attempt *a)
{
	return a->address || a->reply.code || !a->failure ||
	       (strcmp(a->failure, "connect") != 0 && strcmp(a->failure, "dns") != 0);
}

static void add_host(
	struct buf *text, enum dsn_language language, const struct event_attempt *a)
{
	struct buf host = BUF_INIT;
	if (a->address)
		words_relay(&host, a);
	else if (a->mx)
		buf_addstr(&host, a->mx);
	const char *name = buf_text(&host);
	if (!*name)
		buf_addstr(text, dsn_phrase(language, DSN_LOG_NO_HOST));
	else if (!was_reached(a))
		dsn_phrase_add(text, language, DSN_LOG_NO_ADDRESS, name, NULL);
	else if (a->has_tls)
		dsn_phrase_add(text, language, DSN_LOG_TLS, name,
			a->tls.version ? a->tls.version : "TLS");
	else if (a->channel && strcmp(a->channel, "plaintext") == 0)
		dsn_phrase_add(text, language, DSN_LOG_PLAINTEXT, name, NULL);
	else
		dsn_phrase_add(text, language, DSN_LOG_NO_TLS_YET, name, NULL);
	buf_clear(&host);
}

static void add_heading(
	struct buf *out, enum dsn_language language, const struct event_attempt *a)
{
	char when[TIMEFMT_MAX], number[16];
	struct buf text = BUF_INIT;
	words_time(a->time_ms, when);
	snprintf(number, sizeof(number), "%u", a->attempt);
	dsn_phrase_add(&text, language, DSN_LOG_HEADING, when, number);
	add_line(out, 0, buf_text(&text));
	buf_reset(&text);
	add_host(&text, language, a);
	add_line(out, INDENT, buf_text(&text));
	buf_clear(&text);
}

/* What the host said to the recipient, or what happened instead. */
static void add_said(struct buf *text, enum dsn_language language,
	const struct event_attempt *a, const struct event_recipient *r)
{
	bool is_delivered = strcmp(r->outcome, "delivered") == 0;
	const struct event_reply *reply = r->reply.code ? &r->reply : &a->reply;
	const char *failure = is_delivered ? "" : dsn_failure(language, a);
	if (reply->code) {
		struct buf said = BUF_INIT;
		words_reply(&said, reply);
		dsn_phrase_add(text, language, DSN_LOG_SAID, buf_text(&said), NULL);
		buf_clear(&said);
		if (*failure && !words_is_told_by_reply(a))
			buf_addf(text, "; %s", failure);
	} else if (*failure) {
		buf_addstr(text, failure);
	} else {
		buf_addstr(text, dsn_phrase(language,
					 is_delivered ? DSN_LOG_TAKEN : DSN_NO_REASON));
	}
	if (words_detail(a) && !is_delivered && !words_is_private(a))
		buf_addf(text, ": %s", words_detail(a));
}

/* Those who got the same answer; a few of them by name. */
static void add_names(struct buf *text, const struct dsn_told *told,
	const struct event_attempt *a, size_t first, bool *done)
{
	size_t count = 0;
	for (size_t i = first; i < a->recipient_count; i++) {
		const struct event_recipient *r = &a->recipients[i];
		if (done[i] || !words_is_same_verdict(&a->recipients[first], r) ||
			!is_told(told, r->address))
			continue;
		done[i] = true;
		if (count++ < NAMES_MAX)
			buf_addf(text, "%s<%s>", count > 1 ? ", " : "", r->address);
	}
	if (count > NAMES_MAX) {
		char more[24];
		snprintf(more, sizeof(more), "%zu", count - NAMES_MAX);
		buf_addstr(text, ", ");
		dsn_phrase_add(text, told->language, DSN_LOG_MORE, more, NULL);
	}
	buf_addstr(text, ": ");
}

static void add_verdict(struct buf *out, const struct dsn_told *told,
	const struct event_attempt *a, size_t first, bool *done)
{
	struct buf names = BUF_INIT, text = BUF_INIT;
	add_names(&names, told, a, first, done);
	if (told->address_count > 1)
		buf_addstr(&text, buf_text(&names));
	add_said(&text, told->language, a, &a->recipients[first]);
	add_line(out, INDENT, buf_text(&text));
	buf_clear(&names);
	buf_clear(&text);
}

/* NULL: it does not concern the recipients. */
static char *tell_try(const struct dsn_told *told, const struct event_attempt *a)
{
	struct buf out = BUF_INIT;
	OWN(mem_free) bool *done = xcalloc(a->recipient_count + 1, sizeof(*done));
	size_t verdicts = 0;
	for (size_t i = 0; i < a->recipient_count; i++) {
		if (done[i] || !is_told(told, a->recipients[i].address))
			continue;
		if (!verdicts)
			add_heading(&out, told->language, a);
		if (verdicts++ == VERDICTS_MAX) {
			add_line(&out, INDENT, "...");
			break;
		}
		add_verdict(&out, told, a, i, done);
	}
	return verdicts ? buf_steal(&out) : NULL;
}

/* ---- the log ---- */

struct tries {
	char *texts[DSN_LOG_MAX]; /* owned; the newest first */
	size_t count;
	size_t earlier; /* records that were not looked at */
};

static char *tell_record(const struct dsn_told *told, const char *json)
{
	struct event_attempt a;
	char *text = NULL;
	if (event_attempt_from_json(json, &a, NULL) == 0)
		text = tell_try(told, &a);
	event_attempt_clear(&a);
	return text;
}

static void collect(
	const struct dsn_told *told, struct queue_records *records, struct tries *out)
{
	const char *json;
	size_t seen = 0;
	while (out->count < DSN_LOG_MAX && seen < DSN_LOG_SEARCH_MAX &&
		(json = records->next(records))) {
		seen++;
		out->texts[out->count] = tell_record(told, json);
		if (out->texts[out->count])
			out->count++;
	}
	out->earlier = records->count > seen ? records->count - seen : 0;
}

static void add_earlier(struct buf *out, enum dsn_language language, size_t count)
{
	struct buf text = BUF_INIT;
	char number[24];
	snprintf(number, sizeof(number), "%zu", count);
	dsn_phrase_add(&text, language,
		count == 1 ? DSN_LOG_EARLIER_ONE : DSN_LOG_EARLIER, number, NULL);
	add_line(out, 0, buf_text(&text));
	buf_clear(&text);
}

static void add_log(
	const struct dsn_told *told, struct queue_records *records, struct buf *out)
{
	struct tries tries = { 0 };
	collect(told, records, &tries);
	if (!tries.count)
		return;
	add_line(out, 0, dsn_phrase(told->language, DSN_LOG_TITLE));
	buf_addstr(out, "\r\n");
	if (tries.earlier)
		add_earlier(out, told->language, tries.earlier);
	while (tries.count) {
		char *text = tries.texts[--tries.count];
		buf_addstr(out, text);
		free(text);
	}
	buf_addstr(out, "\r\n");
}

/* Base64 where it is not ASCII: it need not be, wherever the notice comes by. */
static char *encode(const struct buf *text)
{
	struct buf out = BUF_INIT;
	bool is_ascii = text_is_ascii(buf_bytes(text), buf_len(text));
	buf_addf(&out,
		"Content-Type: text/plain; charset=%s\r\n"
		"Content-Transfer-Encoding: %s\r\n\r\n",
		is_ascii ? "us-ascii" : "utf-8", is_ascii ? "7bit" : "base64");
	if (is_ascii)
		buf_add(&out, buf_bytes(text), buf_len(text));
	else
		mime_add_base64(&out, buf_bytes(text), buf_len(text));
	return buf_steal(&out);
}

char *dsn_log_tell(const void *bytes, size_t len, struct queue_records *records)
{
	struct dsn_told told;
	struct buf text = BUF_INIT;
	unpack(bytes, len, &told);
	buf_addstr(&text, told.before);
	add_log(&told, records, &text);
	buf_addstr(&text, told.after);
	char *part = encode(&text);
	buf_clear(&text);
	free(told.addresses);
	return part;
}
