#include "smtp/client_impl.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { INPUT_MAX = 256 * 1024 };
enum { WRITE_ENOUGH = 64 * 1024 }; /* not gathered any further */
enum { SECOND = 1000, MINUTE = 60 * SECOND };

static enum smtp_state on_unasked(struct smtp_client *c, const struct smtp_reply *r)
{
	int class = smtp_reply_class(r);
	if (class == 4 || class == 5)
		return smtp_fail_reply(c, r);
	return smtp_fail(c, SMTP_CAUSE_PROTOCOL, NULL, "reply that nobody asked for");
}

static void enter_quit(struct smtp_client *c)
{
	smtp_command(c, "QUIT");
}

/* What was delivered is delivered, whatever comes now. */
static enum smtp_state on_quit(struct smtp_client *c, const struct smtp_reply *r)
{
	(void)c;
	(void)r;
	return SMTP_STATE_CLOSED;
}

/* Time limits: RFC 5321 4.5.3.2. action: what the owner is asked for when there
 * is nothing to write. A state with enter sends a command as it begins. */
static const struct row {
	const char *name;
	int64_t timeout_ms;
	enum smtp_action action;
	void (*enter)(struct smtp_client *c);
	enum smtp_state (*on_reply)(struct smtp_client *c, const struct smtp_reply *r);
} rows[] = {
	[SMTP_STATE_BANNER] = { "banner", 5 * MINUTE, SMTP_ACTION_READ, NULL,
		smtp_on_banner },
	[SMTP_STATE_EHLO] = { "ehlo", 5 * MINUTE, SMTP_ACTION_READ, smtp_enter_ehlo,
		smtp_on_ehlo },
	[SMTP_STATE_HELO] = { "helo", 5 * MINUTE, SMTP_ACTION_READ, smtp_enter_helo,
		smtp_on_helo },
	[SMTP_STATE_STARTTLS] = { "starttls", 5 * MINUTE, SMTP_ACTION_READ,
		smtp_enter_starttls, smtp_on_starttls },
	[SMTP_STATE_TLS] = { "tls", 0, SMTP_ACTION_START_TLS, NULL, on_unasked },
	[SMTP_STATE_EHLO_TLS] = { "ehlo_tls", 5 * MINUTE, SMTP_ACTION_READ,
		smtp_enter_ehlo, smtp_on_ehlo },
	[SMTP_STATE_HELO_TLS] = { "helo_tls", 5 * MINUTE, SMTP_ACTION_READ,
		smtp_enter_helo, smtp_on_helo },
	[SMTP_STATE_AUTH_CHOICE] = { "auth_choice", 0, SMTP_ACTION_AUTH, NULL,
		on_unasked },
	[SMTP_STATE_AUTH] = { "auth", 5 * MINUTE, SMTP_ACTION_READ, NULL, smtp_on_auth },
	[SMTP_STATE_AUTH_CHALLENGE] = { "auth_challenge", 0, SMTP_ACTION_CHALLENGE, NULL,
		on_unasked },
	[SMTP_STATE_READY] = { "ready", 0, SMTP_ACTION_READY, NULL, on_unasked },
	[SMTP_STATE_MAIL] = { "mail", 5 * MINUTE, SMTP_ACTION_READ, smtp_enter_mail,
		smtp_on_mail },
	[SMTP_STATE_RCPT] = { "rcpt", 5 * MINUTE, SMTP_ACTION_READ, smtp_enter_rcpt,
		smtp_on_rcpt },
	[SMTP_STATE_DATA] = { "data", 2 * MINUTE, SMTP_ACTION_READ, smtp_enter_data,
		smtp_on_data },
	[SMTP_STATE_BODY] = { "body", 3 * MINUTE, SMTP_ACTION_BODY, NULL, smtp_on_chunk },
	[SMTP_STATE_MARK] = { "mark", 0, SMTP_ACTION_MARK, NULL, smtp_on_chunk },
	[SMTP_STATE_FINAL] = { "final", 10 * MINUTE, SMTP_ACTION_READ, smtp_enter_final,
		smtp_on_final },
	[SMTP_STATE_BDAT] = { "bdat", 10 * MINUTE, SMTP_ACTION_READ, smtp_enter_bdat,
		smtp_on_bdat },
	[SMTP_STATE_RSET] = { "rset", 5 * MINUTE, SMTP_ACTION_READ, smtp_enter_rset,
		smtp_on_rset },
	[SMTP_STATE_QUIT] = { "quit", 5 * SECOND, SMTP_ACTION_READ, enter_quit, on_quit },
	[SMTP_STATE_CLOSED] = { "closed", 0, SMTP_ACTION_CLOSE, NULL, on_unasked },
};
_Static_assert(ARRAY_SIZE(rows) == SMTP_STATE_COUNT, "one row a state");

/* Where each state may lead; to CLOSED from everywhere. */
#define TO(state) (1U << SMTP_STATE_##state)
static const unsigned steps[] = {
	[SMTP_STATE_BANNER] = TO(EHLO) | TO(EHLO_TLS),
	[SMTP_STATE_EHLO] = TO(HELO) | TO(STARTTLS) | TO(READY),
	[SMTP_STATE_HELO] = TO(READY),
	[SMTP_STATE_STARTTLS] = TO(TLS) | TO(READY),
	[SMTP_STATE_TLS] = TO(EHLO_TLS) | TO(HELO_TLS),
	[SMTP_STATE_EHLO_TLS] = TO(HELO_TLS) | TO(AUTH_CHOICE) | TO(READY),
	[SMTP_STATE_HELO_TLS] = TO(AUTH_CHOICE) | TO(READY),
	[SMTP_STATE_AUTH_CHOICE] = TO(AUTH),
	[SMTP_STATE_AUTH] = TO(AUTH) | TO(AUTH_CHOICE) | TO(AUTH_CHALLENGE) | TO(READY),
	[SMTP_STATE_AUTH_CHALLENGE] = TO(AUTH),
	[SMTP_STATE_READY] = TO(RSET) | TO(MARK) | TO(MAIL) | TO(QUIT),
	[SMTP_STATE_MAIL] = TO(RCPT) | TO(READY),
	[SMTP_STATE_RCPT] = TO(RCPT) | TO(DATA) | TO(BODY) | TO(BDAT) | TO(READY),
	[SMTP_STATE_DATA] = TO(BODY) | TO(FINAL) | TO(READY),
	[SMTP_STATE_BODY] = TO(BODY) | TO(MARK) | TO(FINAL) | TO(BDAT) | TO(READY),
	[SMTP_STATE_MARK] = TO(MARK) | TO(MAIL) | TO(FINAL) | TO(BDAT) | TO(READY),
	[SMTP_STATE_FINAL] = TO(FINAL) | TO(READY),
	[SMTP_STATE_BDAT] = TO(BDAT) | TO(READY),
	[SMTP_STATE_RSET] = TO(MARK) | TO(MAIL),
	[SMTP_STATE_QUIT] = 0,
	[SMTP_STATE_CLOSED] = 0,
};
_Static_assert(ARRAY_SIZE(steps) == SMTP_STATE_COUNT, "steps of every state");

const char *smtp_state_name(enum smtp_state state)
{
	ASSERT(state < SMTP_STATE_COUNT);
	return rows[state].name;
}

void smtp_change_state(struct smtp_client *c, enum smtp_state to, const char *why)
{
	ASSERT(to < SMTP_STATE_COUNT && c->state != SMTP_STATE_CLOSED);
	ASSERT(((steps[c->state] | TO(CLOSED)) & (1U << to)) != 0);
	log_debug("smtp: %s -> %s (%s)", rows[c->state].name, rows[to].name, why);
	c->is_asked &= c->state == to;
	c->state = to;
	if (to == SMTP_STATE_CLOSED) {
		buf_clear(&c->in);
		buf_reset(&c->out);
		c->handed = 0;
		c->unsent = 0;
		if (c->says_goodbye)
			smtp_command(c, "QUIT");
	}
	if (rows[to].enter)
		rows[to].enter(c);
}

/* reply: that ends the session; NULL: none does. */
static bool is_after_refusal(const struct smtp_client *c, const struct smtp_reply *reply)
{
	return c->refusal.code && c->replies - (reply ? 1 : 0) == c->refusal_at;
}

enum smtp_state smtp_fail(struct smtp_client *c, enum smtp_cause cause,
	const struct smtp_reply *reply, const char *text)
{
	if (c->state == SMTP_STATE_QUIT)
		return SMTP_STATE_CLOSED;
	c->failure = (struct smtp_failure){
		.cause = cause,
		.state = c->state,
		.inside_tls = c->is_tls,
		.before_first_tls_reply = c->is_tls && !c->tls_replied,
		.after_refusal = is_after_refusal(c, reply),
		.nothing_sent = smtp_mail_is_unsent(c),
		.in_doubt = smtp_mail_is_in_doubt(c),
	};
	if (c->failure.in_doubt)
		smtp_put_off_rest(c); /* the host does not even know of them */
	if (reply)
		smtp_reply_copy(&c->failure.reply, reply);
	text_clean(text, strlen(text), c->failure.text, sizeof(c->failure.text));
	c->failure_is_due = true;
	return SMTP_STATE_CLOSED;
}

enum smtp_state smtp_fail_reply(struct smtp_client *c, const struct smtp_reply *reply)
{
	char text[64];
	snprintf(text, sizeof(text), "host replied %d in state %s", reply->code,
		rows[c->state].name);
	enum smtp_state next = smtp_fail(c, SMTP_CAUSE_REPLY, reply, text);
	/* The reply answers the final dot: it is a verdict, if not a good one. In LMTP
	 * it is so for one recipient. */
	if (!c->options.lmtp)
		c->failure.in_doubt = false;
	return next;
}

/* RFC 5321 4.1.1.10, 3.1: who is refused says QUIT all the same. Its answer is
 * not waited for: nothing depends on it. */
enum smtp_state smtp_fail_refused(struct smtp_client *c, const struct smtp_reply *reply)
{
	c->says_goodbye = reply->code != 421;
	return smtp_fail_reply(c, reply);
}

void smtp_command_line(struct smtp_client *c, const char *line, size_t len)
{
	ASSERT(!memchr(line, '\r', len) && !memchr(line, '\n', len));
	buf_add(&c->out, line, len);
	buf_add(&c->out, "\r\n", 2);
	c->expected++;
	c->unsent++;
}

void smtp_command(struct smtp_client *c, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	va_start(ap, fmt);
	int len = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	ASSERT(len > 0 && (size_t)len < sizeof(line));
	smtp_command_line(c, line, (size_t)len);
}

static bool is_hostname(const char *s)
{
	size_t i = 0;
	while (s[i] > ' ' && s[i] < 0x7f)
		i++;
	return i > 0 && i <= 255 && s[i] == '\0';
}

struct smtp_client *smtp_client_new(const struct smtp_client_options *options)
{
	ASSERT(options->hostname && is_hostname(options->hostname));
	struct smtp_client *c = xcalloc(1, sizeof(*c));
	c->options = *options;
	c->expected = 1; /* the banner */
	c->is_tls = options->implicit_tls;
	smtp_reply_parser_init(&c->parser);
	return c;
}

void smtp_client_free(struct smtp_client **c)
{
	if (!*c)
		return;
	smtp_mail_clear(*c);
	smtp_auth_clear(*c);
	smtp_reply_parser_clear(&(*c)->parser);
	buf_clear(&(*c)->in);
	if ((*c)->out_is_secret)
		buf_clear_secret(&(*c)->out);
	buf_clear(&(*c)->out);
	mem_free(c);
}

/* One reply out of the input. MORE: it is used up, nothing is whole. */
static enum smtp_parse parse(
	struct smtp_client *c, struct smtp_reply *r, const char **why_out)
{
	size_t used;
	enum smtp_parse result = smtp_reply_feed(
		&c->parser, buf_bytes(&c->in), buf_len(&c->in), &used, r, why_out);
	buf_consume(&c->in, used);
	return result;
}

/* Input is left where none may be: judged as it stands. */
static enum smtp_state judge_leftover(struct smtp_client *c)
{
	struct smtp_reply r;
	const char *why;
	if (parse(c, &r, &why) == SMTP_PARSE_REPLY)
		return on_unasked(c, &r);
	return smtp_fail(c, SMTP_CAUSE_PROTOCOL, NULL, "input that nobody asked for");
}

bool smtp_is_silent(struct smtp_client *c)
{
	if (!buf_len(&c->in) && !smtp_reply_parser_is_midway(&c->parser))
		return true;
	smtp_change_state(c, judge_leftover(c), "input out of turn");
	return false;
}

static enum smtp_state judge_reply(struct smtp_client *c, const struct smtp_reply *r)
{
	bool is_asked = c->expected > c->unsent;
	if (!is_asked)
		return on_unasked(c, r);
	c->expected--;
	if (c->state == SMTP_STATE_QUIT || c->state == SMTP_STATE_STARTTLS)
		return rows[c->state].on_reply(c, r);
	if (r->code == 421) {
		if (c->options.lmtp && c->mail.end_was_handed)
			smtp_settle_next(c, r);
		return smtp_fail_reply(c, r);
	}
	if (smtp_reply_class(r) == 3 && c->state != SMTP_STATE_DATA &&
		c->state != SMTP_STATE_AUTH)
		return smtp_fail(
			c, SMTP_CAUSE_PROTOCOL, NULL, "3xx reply where none may be");
	return rows[c->state].on_reply(c, r);
}

static void handle_reply(struct smtp_client *c, const struct smtp_reply *r)
{
	if (c->is_tls)
		c->tls_replied = true;
	enum smtp_state to = judge_reply(c, r);
	/* A command must not go out while a reply to none is waiting: from then on
	 * every reply would be taken for an answer to the next command. */
	if (rows[to].enter && !c->expected && buf_len(&c->in))
		to = judge_leftover(c);
	smtp_change_state(c, to, "reply");
}

/* true: something happened. */
static bool take_input(struct smtp_client *c)
{
	const char *why;
	if (!buf_len(&c->in))
		return false;
	if (c->state == SMTP_STATE_TLS) {
		smtp_change_state(c,
			smtp_fail(c, SMTP_CAUSE_INJECTED, NULL,
				"input between the reply to STARTTLS and the handshake"),
			"injected input");
		return true;
	}
	switch (parse(c, &c->last_reply, &why)) {
	case SMTP_PARSE_MORE:
		return false;
	case SMTP_PARSE_REPLY:
		c->replies++;
		handle_reply(c, &c->last_reply);
		return true;
	case SMTP_PARSE_ERROR:
	default:
		smtp_change_state(
			c, smtp_fail(c, SMTP_CAUSE_PROTOCOL, NULL, why), "not SMTP");
		return true;
	}
}

static enum smtp_action close_action(struct smtp_client *c, struct smtp_step *step)
{
	if (!c->failure_is_due)
		return SMTP_ACTION_CLOSE;
	c->failure_is_due = false;
	step->failure = c->failure;
	return SMTP_ACTION_FAILED;
}

/* What was handed out has been written. */
static void forget_written(struct smtp_client *c)
{
	if (c->out_is_secret)
		buf_consume_secret(&c->out, c->handed);
	else
		buf_consume(&c->out, c->handed);
	c->out_is_secret &= buf_len(&c->out) > 0;
	c->handed = 0;
}

static enum smtp_action write_action(struct smtp_client *c, struct smtp_step *step)
{
	step->bytes = buf_bytes(&c->out);
	step->len = c->handed = buf_len(&c->out);
	c->unsent = 0;
	c->mail.end_was_handed = c->mail.end_is_queued;
	return SMTP_ACTION_WRITE;
}

static bool is_question(enum smtp_action action)
{
	return action == SMTP_ACTION_BODY || action == SMTP_ACTION_MARK ||
	       action == SMTP_ACTION_AUTH || action == SMTP_ACTION_CHALLENGE;
}

/* What the owner is to do, when there is nothing to write. It is asked once: if
 * it has to fetch the answer, what there is does not wait for that. */
static enum smtp_action owner_action(const struct smtp_client *c)
{
	enum smtp_action action = rows[c->state].action;
	if (is_question(action) && (c->is_asked || smtp_waits_for_chunk(c)))
		return SMTP_ACTION_READ;
	return action;
}

static enum smtp_action ask_owner(
	struct smtp_client *c, enum smtp_action action, struct smtp_step *step)
{
	if (action == SMTP_ACTION_AUTH)
		step->mechanisms = c->offer.mechanisms;
	if (action == SMTP_ACTION_CHALLENGE) {
		step->bytes = buf_bytes(&c->auth.challenge);
		step->len = buf_len(&c->auth.challenge);
	}
	return action;
}

/* All of it but the texts, which are long and end where they begin. */
static void clear_step(struct smtp_step *step)
{
	step->bytes = step->mechanisms = NULL;
	step->len = step->recipient = step->undecided = 0;
	step->verdict = SMTP_VERDICT_DELIVERED;
	step->verdict_state = SMTP_STATE_BANNER;
	step->hint = NULL;
	step->reply.code = 0;
	step->reply.enhanced[0] = step->reply.text[0] = '\0';
	step->failure.cause = SMTP_CAUSE_NONE;
}

enum smtp_action smtp_client_next(struct smtp_client *c, struct smtp_step *step)
{
	enum smtp_action action;
	clear_step(step);
	forget_written(c);
	for (;;) {
		if (smtp_report(c, step, &action))
			return action;
		if (c->state == SMTP_STATE_CLOSED && buf_len(&c->out))
			return write_action(c, step);
		if (c->state == SMTP_STATE_CLOSED)
			return close_action(c, step);
		if (take_input(c))
			continue;
		if (c->ending.cause) {
			smtp_change_state(c,
				smtp_fail(c, c->ending.cause, NULL, c->ending.text),
				"end of input");
			continue;
		}
		action = owner_action(c);
		/* It may have more for the same write. */
		c->is_asked |= is_question(action) && buf_len(&c->out) < WRITE_ENOUGH;
		if (buf_len(&c->out) && !(is_question(action) && c->is_asked))
			return write_action(c, step);
		return ask_owner(c, action, step);
	}
}

void smtp_client_feed(struct smtp_client *c, const char *bytes, size_t len)
{
	if (c->state == SMTP_STATE_CLOSED || c->ending.cause || !len)
		return;
	if (buf_len(&c->in) + len > INPUT_MAX) {
		smtp_change_state(c,
			smtp_fail(c, SMTP_CAUSE_PROTOCOL, NULL, "too much input"),
			"too much input");
		return;
	}
	buf_add(&c->in, bytes, len);
}

static void end_after_input(
	struct smtp_client *c, enum smtp_cause cause, const char *text)
{
	if (c->ending.cause)
		return;
	c->ending.cause = cause;
	snprintf(c->ending.text, sizeof(c->ending.text), "%s", text);
}

void smtp_client_lost(struct smtp_client *c, const char *why)
{
	end_after_input(c, SMTP_CAUSE_LOST, why);
}

void smtp_client_timed_out(struct smtp_client *c)
{
	char text[64];
	snprintf(text, sizeof(text), "timed out in state %s", rows[c->state].name);
	end_after_input(c, SMTP_CAUSE_TIMEOUT, text);
}

void smtp_client_abort(struct smtp_client *c, const char *why)
{
	if (c->state != SMTP_STATE_CLOSED)
		smtp_change_state(
			c, smtp_fail(c, SMTP_CAUSE_ABORTED, NULL, why), "abort");
}

void smtp_client_quit(struct smtp_client *c)
{
	if (c->state == SMTP_STATE_CLOSED)
		return;
	ASSERT(c->state == SMTP_STATE_READY);
	if (smtp_is_silent(c))
		smtp_change_state(c, SMTP_STATE_QUIT, "quit");
}

enum smtp_state smtp_client_state(const struct smtp_client *c)
{
	return c->state;
}

int64_t smtp_client_timeout_ms(const struct smtp_client *c)
{
	const struct row *row = &rows[c->state];
	int64_t limit_ms = c->options.reply_timeout_ms;
	if (c->state == SMTP_STATE_FINAL || c->state == SMTP_STATE_BDAT)
		limit_ms = c->options.data_timeout_ms;
	else if (c->state == SMTP_STATE_BODY || !row->timeout_ms)
		limit_ms = 0;
	/* Nothing depends on the answer to QUIT: never wait longer for it. */
	if (c->state == SMTP_STATE_QUIT && limit_ms > row->timeout_ms)
		limit_ms = 0;
	return limit_ms ? limit_ms : row->timeout_ms;
}

bool smtp_client_is_tls(const struct smtp_client *c)
{
	return c->is_tls;
}

bool smtp_client_offered_starttls(const struct smtp_client *c)
{
	return c->offered_starttls;
}

size_t smtp_client_reply_count(const struct smtp_client *c)
{
	return c->replies;
}

const struct smtp_reply *smtp_client_last_reply(const struct smtp_client *c)
{
	return &c->last_reply;
}

bool smtp_client_is_in_doubt(const struct smtp_client *c)
{
	return c->state != SMTP_STATE_CLOSED && smtp_mail_is_in_doubt(c);
}

bool smtp_client_offers_chunking(const struct smtp_client *c)
{
	return c->offer.chunking;
}

bool smtp_client_offers_dsn(const struct smtp_client *c)
{
	return c->offer.dsn;
}

bool smtp_client_refused_chunking(const struct smtp_client *c)
{
	return c->refused_chunking;
}

const struct smtp_reply *smtp_client_starttls_refusal(const struct smtp_client *c)
{
	return &c->refusal;
}
