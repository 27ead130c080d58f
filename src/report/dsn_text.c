#include "report/dsn_text.h"

#include "base/timefmt.h"
#include "policy/types.h"
#include "report/words.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 76, INDENT = 4 };

static void add_paragraph(struct buf *out, unsigned indent, const char *text)
{
	const struct words_wrap how = { indent, indent, WIDTH, "\r\n" };
	buf_addf(out, "%*s", (int)indent, "");
	words_wrap(out, &how, text);
	buf_addstr(out, "\r\n");
}

static void add_phrase(const struct dsn_request *request, struct buf *out,
	unsigned indent, enum dsn_phrase phrase, const char *first, const char *second)
{
	struct buf text = BUF_INIT;
	dsn_phrase_add(&text, request->language, phrase, first, second);
	add_paragraph(out, indent, buf_text(&text));
	buf_clear(&text);
}

static bool ends(const char *text, const char *suffix)
{
	size_t n = strlen(text), m = strlen(suffix);
	return n >= m && strcmp(text + n - m, suffix) == 0;
}

/* The last error of the queue may be the reply once more, "MX said: CODE TEXT",
 * perhaps with the reason for giving up before it. NULL: it is not. */
static const char *find_reply(const struct dsn_recipient *r)
{
	char said[POLICY_NAME_MAX + 32];
	if (!r->detail || !r->reply.code || !r->reply.text ||
		!ends(r->detail, r->reply.text))
		return NULL;
	snprintf(said, sizeof(said), "%s said: %d ", r->mx ? r->mx : "", r->reply.code);
	return strstr(r->detail, said);
}

static void add_said(
	const struct dsn_request *request, const struct dsn_recipient *r, struct buf *out)
{
	struct buf reply = BUF_INIT;
	words_reply(&reply, &r->reply);
	if (r->mx)
		add_phrase(request, out, INDENT, DSN_SAID, r->mx, buf_text(&reply));
	else
		add_phrase(
			request, out, INDENT, DSN_SAID_BY_PEER, buf_text(&reply), NULL);
	buf_clear(&reply);
}

/* The facts: what was said, and what we have to say. */
static void add_facts(
	const struct dsn_request *request, const struct dsn_recipient *r, struct buf *out)
{
	const char *again = find_reply(r);
	if (r->reply.code && (!again || again == r->detail))
		add_said(request, r, out);
	if (r->detail && again != r->detail)
		add_phrase(request, out, INDENT, DSN_REASON, r->detail, NULL);
	if (!r->reply.code && !r->detail && request->kind != DSN_SUCCESS)
		add_phrase(request, out, INDENT, DSN_NO_REASON, NULL, NULL);
}

static void add_success(
	const struct dsn_request *request, const struct dsn_recipient *r, struct buf *out)
{
	if (r->is_final)
		add_phrase(request, out, INDENT, DSN_DELIVERED, NULL, NULL);
	else if (r->mx)
		add_phrase(request, out, INDENT, DSN_RELAYED, r->mx, NULL);
	else
		add_phrase(request, out, INDENT, DSN_RELAYED_NOWHERE, NULL, NULL);
	add_facts(request, r, out);
}

static void add_failure(
	const struct dsn_request *request, const struct dsn_recipient *r, struct buf *out)
{
	struct dsn_meaning meaning = dsn_meaning(request->language, r->status);
	if (meaning.what)
		add_paragraph(out, INDENT, meaning.what);
	add_facts(request, r, out);
	if (r->may_have_arrived)
		add_phrase(request, out, INDENT, DSN_MAY_HAVE_ARRIVED, NULL, NULL);
	else if (meaning.advice)
		add_paragraph(out, INDENT, meaning.advice);
}

static void add_recipient(
	const struct dsn_request *request, const struct dsn_recipient *r, struct buf *out)
{
	struct buf address = BUF_INIT;
	buf_addf(&address, "<%s>", r->address);
	add_paragraph(out, 0, buf_text(&address));
	buf_clear(&address);
	if (request->kind == DSN_SUCCESS)
		add_success(request, r, out);
	else if (request->kind == DSN_FAILURE)
		add_failure(request, r, out);
	else
		add_facts(request, r, out); /* there is nothing to be done yet */
	buf_addstr(out, "\r\n");
}

void dsn_text_before(const struct dsn_request *request, struct buf *out)
{
	static const enum dsn_phrase openings[DSN_KIND_COUNT] = {
		[DSN_FAILURE] = DSN_OPENS_FAILURE,
		[DSN_DELAY] = DSN_OPENS_DELAY,
		[DSN_SUCCESS] = DSN_OPENS_SUCCESS,
	};
	char when[TIMEFMT_MAX];
	words_time(request->envelope->arrival_ms, when);
	add_phrase(request, out, 0, DSN_GREETING, request->hostname, NULL);
	buf_addstr(out, "\r\n");
	add_phrase(request, out, 0,
		request->envelope->sender[0] ? openings[request->kind] : DSN_OPENS_LOST,
		when, NULL);
	buf_addstr(out, "\r\n");
	for (size_t i = 0; i < request->recipient_count; i++)
		add_recipient(request, &request->recipients[i], out);
}

void dsn_text_after(const struct dsn_request *request, struct buf *out)
{
	char when[TIMEFMT_MAX];
	if (request->kind == DSN_DELAY && request->expires_ms) {
		words_time(request->expires_ms, when);
		add_phrase(request, out, 0, DSN_GIVES_UP_ON, when, NULL);
	}
	add_phrase(request, out, 0, DSN_HELP, request->postmaster, NULL);
}
