/*
 * AUTH, RFC 4954: the words of the exchange. What they mean the owner knows.
 *
 * What is sent is a secret: it is put together in memory that is overwritten, and
 * leaves with out_is_secret set.
 */
#include "smtp/client_impl.h"

#include "base/base64.h"
#include "base/err.h"

#include <stdio.h>
#include <string.h>

void smtp_auth_clear(struct smtp_client *c)
{
	buf_clear_secret(&c->auth.initial);
	buf_clear(&c->auth.challenge);
}

enum smtp_state smtp_after_greeting(struct smtp_client *c)
{
	if (!c->options.use_auth)
		return SMTP_STATE_READY;
	if (c->is_tls)
		return SMTP_STATE_AUTH_CHOICE;
	c->says_goodbye = true;
	return smtp_fail(c, SMTP_CAUSE_AUTH_PLAINTEXT, NULL,
		c->offered_starttls
			? "credentials are for TLS only, and the host refused STARTTLS"
			: "credentials are for TLS only, and the host offers no "
			  "STARTTLS");
}

/* ---- what the host lists ---- */

/* The place of a mechanism in the list, or NULL. */
static char *find_mechanism(struct smtp_offer *offer, const char *name, size_t len)
{
	char *s = offer->mechanisms;
	while (*s) {
		size_t word = strcspn(s, " ");
		if (word == len && memcmp(s, name, len) == 0)
			return s;
		s += word + (s[word] == ' ');
	}
	return NULL;
}

/* RFC 4422 3.1: 1*20 of capitals, digits, hyphen, underscore. */
static bool copy_mechanism(
	const char *s, size_t len, char out[SMTP_MECHANISM_LEN_MAX + 1])
{
	if (!len || len > SMTP_MECHANISM_LEN_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		out[i] = text_upper(s[i]);
		if (!text_is_digit(out[i]) && (out[i] < 'A' || out[i] > 'Z') &&
			out[i] != '-' && out[i] != '_')
			return false;
	}
	out[len] = '\0';
	return true;
}

static void add_mechanism(struct smtp_offer *offer, const char *s, size_t len)
{
	char name[SMTP_MECHANISM_LEN_MAX + 1];
	if (offer->mechanism_count == SMTP_MECHANISMS_MAX ||
		!copy_mechanism(s, len, name) || find_mechanism(offer, name, len))
		return;
	size_t at = strlen(offer->mechanisms);
	snprintf(offer->mechanisms + at, sizeof(offer->mechanisms) - at, "%s%s",
		at ? " " : "", name);
	offer->mechanism_count++;
}

void smtp_note_mechanisms(struct smtp_offer *offer, const char *s, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t end = at;
		while (end < len && s[end] != ' ' && s[end] != '\t')
			end++;
		add_mechanism(offer, s + at, end - at);
		at = end + 1;
	}
}

static void strike_mechanism(struct smtp_offer *offer, const char *name)
{
	size_t len = strlen(name);
	char *at = find_mechanism(offer, name, len);
	if (!at)
		return;
	const char *rest = at + len + (at[len] == ' ');
	memmove(at, rest, strlen(rest) + 1);
	size_t left = strlen(offer->mechanisms);
	if (left && offer->mechanisms[left - 1] == ' ')
		offer->mechanisms[left - 1] = '\0';
}

/* ---- what the owner says ---- */

static void send_line(struct smtp_client *c, const char *line, size_t len)
{
	buf_reserve(&c->out, len + 2); /* so that it is not moved, and left behind */
	smtp_command_line(c, line, len);
	c->out_is_secret = true;
}

static void fail_too_long(struct smtp_client *c)
{
	smtp_change_state(c,
		smtp_fail(c, SMTP_CAUSE_AUTH_IMPOSSIBLE, NULL,
			"the credentials are longer than AUTH can carry"),
		"too long");
}

static void send_begin(struct smtp_client *c, const struct buf *initial, bool has_initial)
{
	struct auth *a = &c->auth;
	char line[SMTP_AUTH_COMMAND_MAX];
	int len = snprintf(line, sizeof(line), "AUTH %s", a->mechanism);
	/* RFC 4954 4: an empty response is "=", to be told from none. */
	size_t response_len = buf_len(initial) ? buf_len(initial) : 1;
	bool fits = (size_t)len + 1 + response_len + 2 <= sizeof(line);
	if (has_initial && fits)
		len += snprintf(line + len, sizeof(line) - (size_t)len, " %.*s",
			(int)response_len, buf_len(initial) ? buf_bytes(initial) : "=");
	send_line(c, line, (size_t)len);
	explicit_bzero(line, sizeof(line));
	a->has_initial = has_initial && !fits;
	if (a->has_initial)
		buf_add(&a->initial, buf_bytes(initial), buf_len(initial));
}

void smtp_client_auth_begin(struct smtp_client *c, const char *mechanism,
	const char *response, size_t len, bool is_complete)
{
	struct auth *a = &c->auth;
	struct buf initial = BUF_INIT;
	if (c->state == SMTP_STATE_CLOSED)
		return;
	ASSERT(c->state == SMTP_STATE_AUTH_CHOICE && c->is_tls);
	ASSERT(find_mechanism(&c->offer, mechanism, strlen(mechanism)));
	if (!smtp_is_silent(c))
		return;
	if (response && BASE64_LEN(len) > SMTP_AUTH_LINE_MAX - 2) {
		fail_too_long(c);
		return;
	}
	snprintf(a->mechanism, sizeof(a->mechanism), "%s", mechanism);
	a->is_complete = is_complete;
	a->challenges = 0;
	c->parser.max_line = SMTP_REPLY_AUTH_LINE_MAX;
	if (response)
		base64_encode(response, len, &initial);
	send_begin(c, &initial, response);
	buf_clear_secret(&initial);
	smtp_change_state(c, SMTP_STATE_AUTH, "mechanism chosen");
}

static enum smtp_state fail_impossible(struct smtp_client *c, const char *why)
{
	c->says_goodbye = true;
	return smtp_fail(c, SMTP_CAUSE_AUTH_IMPOSSIBLE, NULL, why);
}

void smtp_client_auth_none(struct smtp_client *c, const char *why)
{
	if (c->state == SMTP_STATE_CLOSED)
		return;
	ASSERT(c->state == SMTP_STATE_AUTH_CHOICE);
	if (smtp_is_silent(c))
		smtp_change_state(c,
			c->auth.refusal.code ? smtp_fail_refused(c, &c->auth.refusal)
					     : fail_impossible(c, why),
			"no mechanism");
}

static void answer(struct smtp_client *c, const char *line, size_t len)
{
	send_line(c, line, len);
	smtp_change_state(c, SMTP_STATE_AUTH, "answer");
}

void smtp_client_auth_answer(
	struct smtp_client *c, const char *response, size_t len, bool is_complete)
{
	struct buf line = BUF_INIT;
	if (c->state == SMTP_STATE_CLOSED)
		return;
	ASSERT(c->state == SMTP_STATE_AUTH_CHALLENGE);
	if (!smtp_is_silent(c))
		return;
	if (BASE64_LEN(len) > SMTP_AUTH_LINE_MAX - 2) {
		fail_too_long(c);
		return;
	}
	c->auth.is_complete = is_complete;
	base64_encode(response, len, &line);
	answer(c, buf_bytes(&line), buf_len(&line));
	buf_clear_secret(&line);
}

void smtp_client_auth_cancel(struct smtp_client *c, const char *why)
{
	if (c->state == SMTP_STATE_CLOSED)
		return;
	ASSERT(c->state == SMTP_STATE_AUTH_CHALLENGE);
	if (!smtp_is_silent(c))
		return;
	c->auth.is_cancelled = true;
	snprintf(c->auth.why, sizeof(c->auth.why), "%s", why);
	answer(c, "*", 1);
}

/* ---- what the host says ---- */

static enum smtp_state on_success(struct smtp_client *c)
{
	if (c->auth.is_cancelled)
		return fail_impossible(c, c->auth.why);
	if (!c->auth.is_complete)
		return fail_impossible(
			c, "host reports success before the exchange is over");
	c->auth.is_done = true;
	return SMTP_STATE_READY;
}

/* One line of base64: the reply's text is cleaned, so it is taken from the lines. */
static bool decode_challenge(struct smtp_client *c)
{
	const char *s = smtp_reply_parser_lines(&c->parser);
	size_t len = strcspn(s, "\n");
	buf_reset(&c->auth.challenge);
	return s[len] && !s[len + 1] && base64_decode(s, len, &c->auth.challenge);
}

static enum smtp_state on_challenge(struct smtp_client *c, const struct smtp_reply *r)
{
	struct auth *a = &c->auth;
	if (r->code != 334)
		return smtp_fail(
			c, SMTP_CAUSE_PROTOCOL, NULL, "3xx reply where none may be");
	if (a->is_cancelled || ++a->challenges > SMTP_CHALLENGES_MAX)
		return smtp_fail(c, SMTP_CAUSE_PROTOCOL, NULL,
			a->is_cancelled ? "334 to a cancelled AUTH"
					: "more challenges than any mechanism has");
	if (!decode_challenge(c))
		return smtp_fail(c, SMTP_CAUSE_PROTOCOL, NULL, "challenge is not base64");
	if (!a->has_initial)
		return SMTP_STATE_AUTH_CHALLENGE;
	if (buf_len(&a->challenge))
		return smtp_fail(c, SMTP_CAUSE_PROTOCOL, NULL,
			"challenge where the mechanism has none");
	a->has_initial = false;
	send_line(c, buf_bytes(&a->initial), buf_len(&a->initial));
	buf_clear_secret(&a->initial);
	return SMTP_STATE_AUTH;
}

/* RFC 4954 4, 6, RFC 5248: not these credentials, but this way of showing them. */
static bool refuses_mechanism(const struct smtp_reply *r)
{
	return r->code == 504 || r->code == 534 || strcmp(r->enhanced, "5.5.4") == 0 ||
	       strcmp(r->enhanced, "5.7.9") == 0;
}

static enum smtp_state on_refusal(struct smtp_client *c, const struct smtp_reply *r)
{
	if (c->auth.is_cancelled)
		return fail_impossible(c, c->auth.why);
	if (!refuses_mechanism(r))
		return smtp_fail_refused(c, r);
	strike_mechanism(&c->offer, c->auth.mechanism);
	c->auth.refusal = *r;
	return SMTP_STATE_AUTH_CHOICE;
}

enum smtp_state smtp_on_auth(struct smtp_client *c, const struct smtp_reply *r)
{
	if (smtp_reply_class(r) == 3)
		return on_challenge(c, r);
	c->parser.max_line = SMTP_REPLY_LINE_MAX;
	c->auth.has_initial = false;
	buf_clear_secret(&c->auth.initial);
	return smtp_reply_class(r) == 2 ? on_success(c) : on_refusal(c, r);
}

const char *smtp_client_auth_mechanism(const struct smtp_client *c)
{
	return c->auth.is_done ? c->auth.mechanism : NULL;
}
