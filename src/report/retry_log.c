/*
 * A paragraph an attempt:
 *
 *	2026-11-21 20:43:00 +0000  attempt 1 to example.com: deferred
 *	    DOWNGRADED: ...
 *	    Host: ...			where, over what
 *	    Why: ...			the rule that chose the channel
 *	    TLS: ...
 *	    Deferred: ...		what was said, for whom
 *	    Next: ...			or Then: ..., within the attempt
 *	    Hint: ...
 */
#include "report/retry_log.h"

#include "base/mem.h"
#include "base/timefmt.h"
#include "report/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { INDENT = 4 };

#define COLOR_BOLD "\033[1m"
#define COLOR_LOUD "\033[1;31m"

/* The outcomes, as words of a heading and of a line, with their colours. */
static const struct outcome_words {
	const char *outcome, *heading, *line, *color;
} outcomes[] = {
	{ "delivered", "delivered", "Delivered", "\033[32m" },
	{ "deferred", "deferred", "Deferred", "\033[33m" },
	{ "bounced", "bounced", "Bounced", "\033[31m" },
	{ "in_doubt", "in doubt", "In doubt", "\033[35m" },
};
static const struct outcome_words unknown_outcome = { "", "unknown", "Unknown", "" };

static const struct outcome_words *words_of(const char *outcome)
{
	for (size_t i = 0; outcome && i < ARRAY_SIZE(outcomes); i++) {
		if (strcmp(outcome, outcomes[i].outcome) == 0)
			return &outcomes[i];
	}
	return &unknown_outcome;
}

static bool is(const char *text, const char *word)
{
	return text && strcmp(text, word) == 0;
}

static void add_wrapped(const struct retry_log_style *style, struct buf *out, unsigned at,
	unsigned indent, const char *text)
{
	const struct words_wrap how = { at, indent, style->width, "\n" };
	words_wrap(out, &how, text);
}

static void set_color(
	const struct retry_log_style *style, struct buf *out, const char *color)
{
	if (style->color && *color)
		buf_addstr(out, color);
}

static void end_color(
	const struct retry_log_style *style, struct buf *out, const char *color)
{
	if (style->color && *color)
		buf_addstr(out, "\033[0m");
}

/* "    Label: text", further lines below the text's first word. Empties text. */
static void add_line(const struct retry_log_style *style, struct buf *out,
	const char *color, const char *label, struct buf *text)
{
	unsigned at = INDENT + (unsigned)strlen(label) + 2;
	buf_addf(out, "%*s", INDENT, "");
	set_color(style, out, color);
	buf_addf(out, "%s: ", label);
	if (strcmp(color, COLOR_LOUD) != 0)
		end_color(style, out, color);
	add_wrapped(style, out, at, INDENT + 4, buf_text(text));
	if (strcmp(color, COLOR_LOUD) == 0)
		end_color(style, out, color);
	buf_addc(out, '\n');
	buf_reset(text);
}

static void tell_header(
	struct retry_log *log, const struct event_attempt *a, struct buf *out)
{
	char id[EVENT_ID_MAX];
	struct buf text = BUF_INIT;
	if (log->has_message && log->id == a->id)
		return;
	event_id_format(a->id, id);
	buf_addf(&text, "Message %s from <%s>", id, a->sender ? a->sender : "");
	buf_addstr(out, log->has_message ? "\n" : "");
	set_color(&log->style, out, COLOR_BOLD);
	add_wrapped(&log->style, out, 0, INDENT, buf_text(&text));
	end_color(&log->style, out, COLOR_BOLD);
	buf_addc(out, '\n');
	buf_clear(&text);
	log->has_message = true;
	log->id = a->id;
	log->why[0] = log->hint[0] = '\0';
}

static void tell_heading(const struct retry_log_style *style,
	const struct event_attempt *a, struct buf *out)
{
	const struct outcome_words *words = words_of(a->outcome);
	char when[TIMEFMT_MAX];
	struct buf text = BUF_INIT;
	words_time(a->time_ms, when);
	buf_addf(&text, "attempt %u to %s:", a->attempt, a->domain ? a->domain : "?");
	buf_addf(out, "%s  ", when);
	add_wrapped(style, out, (unsigned)strlen(when) + 2, INDENT, buf_text(&text));
	buf_addc(out, ' ');
	set_color(style, out, words->color);
	buf_addstr(out, words->heading);
	end_color(style, out, words->color);
	buf_addc(out, '\n');
	buf_clear(&text);
}

/* STARTTLS refused in this very session: the rule did not choose plaintext. */
static bool is_refused(const struct event_attempt *a)
{
	return is(a->failure, "starttls_refused");
}

/* Where a rule stands, if it stands in a file: an option that has its default is
 * named in the sentence. */
static void add_place(struct buf *text, const char *rule)
{
	if (rule && strchr(rule, '/'))
		buf_addf(text, " (%s)", rule);
}

static void add_downgrade_reason(struct buf *text, const struct event_attempt *a)
{
	const char *why = a->rule_text ? a->rule_text : "TLS failed before";
	if (is_refused(a) && !strstr(why, "STARTTLS"))
		why = "the host refused STARTTLS";
	buf_addstr(text, why);
	if (!strstr(why, "fallback = "))
		buf_addf(text, "; fallback = %s", a->fallback ? a->fallback : "unknown");
	add_place(text, a->rule);
}

/* Anything sent in plaintext because TLS failed is said first. */
static void tell_downgrade(const struct retry_log_style *style,
	const struct event_attempt *a, struct buf *out)
{
	struct buf text = BUF_INIT;
	if (!event_attempt_is_downgrade(a))
		return;
	buf_addf(&text, "%s without TLS because ",
		is(a->outcome, "delivered") ? "sent" : "tried");
	add_downgrade_reason(&text, a);
	/* A verdict of "delivered" says nothing of what stood in TLS's way. */
	if (a->detail && is(a->outcome, "delivered"))
		buf_addf(&text, ": %s", a->detail);
	add_line(style, out, COLOR_LOUD, "DOWNGRADED", &text);
	buf_clear(&text);
}

/* Discarded or refused here: nothing was to be sent. */
static bool is_by_route(const struct event_attempt *a)
{
	return is(a->stage, "route");
}

static void add_host(struct buf *text, const struct event_attempt *a)
{
	if (!a->mx && !a->address) {
		buf_addstr(
			text, is_by_route(a) ? "none, by the route" : "none was found");
		return;
	}
	bool has_name = a->mx && (a->mx[0] != '[' || !a->address);
	if (has_name)
		buf_addstr(text, a->mx);
	if (a->address)
		buf_addf(text, "%s[%s]:%u", has_name ? " " : "", a->address, a->port);
}

/* An attempt may be meant for TLS and never get there. */
static void add_channel(struct buf *text, const struct event_attempt *a)
{
	if (is(a->channel, "tls"))
		buf_addstr(text, a->has_tls ? ", with TLS" : ", TLS was not reached");
	else if (is(a->channel, "plaintext"))
		buf_addstr(text, ", in plaintext");
	if (is(a->channel, "plaintext") && is(a->failure, "no_starttls"))
		buf_addstr(text, ": the host offers no STARTTLS");
}

static void tell_host(const struct retry_log_style *style, const struct event_attempt *a,
	struct buf *out)
{
	struct buf text = BUF_INIT;
	add_host(&text, a);
	if (words_has_place(a))
		add_channel(&text, a);
	add_line(style, out, "", "Host", &text);
	buf_clear(&text);
}

static void add_rule(struct buf *text, const struct event_attempt *a)
{
	if (!a->rule_text) {
		buf_addf(text, "decided by %s", a->rule);
		return;
	}
	buf_addstr(text, a->rule_text);
	add_place(text, a->rule);
}

/* What is as it was in the entry before is not told again at length. */
static bool is_news(char told[RETRY_LOG_TOLD_MAX], const char *text)
{
	char now[RETRY_LOG_TOLD_MAX];
	snprintf(now, sizeof(now), "%s", text);
	if (strcmp(told, now) == 0)
		return false;
	memcpy(told, now, sizeof(now));
	return true;
}

static void tell_why(
	struct retry_log *log, const struct event_attempt *a, struct buf *out)
{
	struct buf text = BUF_INIT;
	if (event_attempt_is_downgrade(a)) {
		log->why[0] = '\0'; /* the downgrade said it */
		return;
	}
	if (!a->rule && !a->rule_text)
		return;
	add_rule(&text, a);
	if (!is_news(log->why, buf_text(&text))) {
		buf_reset(&text);
		buf_addstr(&text, "as before");
	}
	add_line(&log->style, out, "", "Why", &text);
	buf_clear(&text);
}

static void tell_tls(const struct retry_log_style *style, const struct event_attempt *a,
	struct buf *out)
{
	struct buf text = BUF_INIT;
	if (!a->has_tls)
		return;
	buf_addf(&text, "%s, %s", a->tls.version ? a->tls.version : "version unknown",
		a->tls.cipher ? a->tls.cipher : "cipher unknown");
	if (a->sni)
		buf_addf(&text, ", SNI %s", a->sni);
	if (a->tls.peer)
		buf_addf(&text, ", certificate %s", a->tls.peer);
	buf_addstr(&text, a->tls.verified ? ", verified" : ", not verified");
	if (a->tls.resumed)
		buf_addstr(&text, ", session resumed");
	add_line(style, out, "", "TLS", &text);
	buf_clear(&text);
}

/* What the host said to the recipient, or what happened instead. */
static void add_reason(
	struct buf *text, const struct event_attempt *a, const struct event_recipient *r)
{
	const struct event_reply *reply = r->reply.code ? &r->reply : &a->reply;
	const char *command = words_command(a->stage);
	bool is_delivered = is(r->outcome, "delivered");
	/* A delivered recipient owes nothing to the failure of the session. */
	const char *failure = is_delivered ? "" : words_failure(a);
	if (is_by_route(a)) {
		buf_addstr(text, a->detail ? a->detail : "no reason known");
		return;
	}
	if (reply->code) {
		buf_addstr(text, "the host said \"");
		words_reply(text, reply);
		buf_addc(text, '"');
		if (command && !is_delivered)
			buf_addf(text, " to our %s", command);
		if (*failure && !words_is_told_by_reply(a))
			buf_addf(text, "; %s", failure);
	} else {
		buf_addstr(text, *failure       ? failure
				 : is_delivered ? "the host took it"
						: "no reason known");
	}
	if (words_detail(a) && !is_delivered)
		buf_addf(text, ": %s", words_detail(a));
}

/* Recipients with one verdict share a line. */
static void tell_verdict(const struct retry_log_style *style,
	const struct event_attempt *a, size_t first, bool *told, struct buf *out)
{
	const struct event_recipient *r = &a->recipients[first];
	const struct outcome_words *words = words_of(r->outcome);
	struct buf text = BUF_INIT;
	for (size_t i = first; i < a->recipient_count; i++) {
		if (told[i] || !words_is_same_verdict(r, &a->recipients[i]))
			continue;
		buf_addf(&text, "%s<%s>", i == first ? "" : ", ",
			a->recipients[i].address);
		told[i] = true;
	}
	buf_addstr(&text, ": ");
	add_reason(&text, a, r);
	add_line(style, out, words->color, words->line, &text);
	buf_clear(&text);
}

static void tell_verdicts(const struct retry_log_style *style,
	const struct event_attempt *a, struct buf *out)
{
	OWN(mem_free) bool *told = xcalloc(a->recipient_count, sizeof(*told));
	for (size_t i = 0; i < a->recipient_count; i++) {
		if (!told[i])
			tell_verdict(style, a, i, told, out);
	}
}

static bool has_open_recipient(const struct event_attempt *a)
{
	for (size_t i = 0; i < a->recipient_count; i++) {
		if (is(a->recipients[i].outcome, "deferred") ||
			is(a->recipients[i].outcome, "in_doubt"))
			return true;
	}
	return false;
}

static void add_next(struct buf *text, const struct event_attempt *a)
{
	char when[TIMEFMT_MAX], span[TIMEFMT_MAX];
	buf_addstr(text, "another attempt");
	if (a->next_channel)
		buf_addf(text, " %s",
			is(a->next_channel, "tls")         ? "with TLS"
			: is(a->next_channel, "plaintext") ? "in plaintext"
							   : a->next_channel);
	if (a->next_attempt_ms) {
		words_time(a->next_attempt_ms, when);
		timefmt_human(a->next_attempt_ms - a->time_ms, span);
		buf_addf(text, " at %s, %s after this one", when, span);
	}
	if (a->next_reason)
		buf_addf(text, "; %s", a->next_reason);
}

static void tell_next(const struct retry_log_style *style, const struct event_attempt *a,
	struct buf *out)
{
	struct buf text = BUF_INIT;
	if (words_then(a)) {
		buf_addf(&text, "%s, within this attempt", words_then(a));
		add_line(style, out, "", "Then", &text);
	} else if (a->next_attempt_ms || a->next_channel) {
		add_next(&text, a);
		add_line(style, out, "", "Next", &text);
	} else if (has_open_recipient(a)) {
		buf_addstr(&text, "nothing: it was given up");
		add_line(style, out, "", "Next", &text);
	}
	buf_clear(&text);
}

/* The command first: it has what differs. */
static const char *join(struct buf *text, struct buf *command, char *out)
{
	snprintf(out, RETRY_LOG_TOLD_MAX, "%s %s", buf_text(command), buf_text(text));
	return out;
}

/* The command stands alone on its line, to be taken with the mouse. */
static void tell_hint(
	struct retry_log *log, const struct event_attempt *a, struct buf *out)
{
	struct buf text = BUF_INIT, command = BUF_INIT;
	char both[RETRY_LOG_TOLD_MAX];
	if (event_attempt_is_failure(a) && !words_then(a) &&
		words_hint(a, &text, &command) &&
		is_news(log->hint, join(&text, &command, both))) {
		add_line(&log->style, out, COLOR_BOLD, "Hint", &text);
		if (buf_len(&command))
			buf_addf(out, "%*s%s\n", 2 * INDENT, "", buf_text(&command));
	}
	buf_clear(&text);
	buf_clear(&command);
}

void retry_log_init(struct retry_log *log, const struct retry_log_style *style)
{
	*log = (struct retry_log){ .style = *style };
	tzset();
}

void retry_log_tell(struct retry_log *log, const struct event_attempt *a, struct buf *out)
{
	const struct retry_log_style *style = &log->style;
	tell_header(log, a, out);
	tell_heading(style, a, out);
	tell_downgrade(style, a, out);
	tell_host(style, a, out);
	tell_why(log, a, out);
	tell_tls(style, a, out);
	tell_verdicts(style, a, out);
	tell_next(style, a, out);
	tell_hint(log, a, out);
}
