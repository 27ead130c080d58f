/* From the banner to READY or AUTH: EHLO, HELO and LHLO, what a host offers, STARTTLS. */
#include "smtp/client_impl.h"

#include "base/err.h"

#include <string.h>

static bool is_positive(const struct smtp_reply *r)
{
	return smtp_reply_class(r) == 2;
}

enum smtp_state smtp_on_banner(struct smtp_client *c, const struct smtp_reply *r)
{
	if (!is_positive(r))
		return smtp_fail_refused(c, r);
	return c->is_tls ? SMTP_STATE_EHLO_TLS : SMTP_STATE_EHLO;
}

void smtp_enter_ehlo(struct smtp_client *c)
{
	c->parser.max_lines = SMTP_REPLY_EHLO_LINES_MAX;
	smtp_command(c, "%s %s", c->options.lmtp ? "LHLO" : "EHLO", c->options.hostname);
}

void smtp_enter_helo(struct smtp_client *c)
{
	smtp_command(c, "HELO %s", c->options.hostname);
}

/* "SIZE 1000": a number that does not fit, or is none, is no limit. */
static uint64_t parse_size_limit(const char *s, size_t len)
{
	uint64_t n = 0;
	for (size_t i = 0; i < len; i++) {
		if (!text_is_digit(s[i]) || n > (UINT64_MAX - 9) / 10)
			return 0;
		n = n * 10 + (uint64_t)(s[i] - '0');
	}
	return n;
}

static void note_keyword(struct smtp_offer *offer, const char *s, size_t len)
{
	const struct {
		const char *keyword;
		bool *flag;
	} known[] = {
		{ "STARTTLS", &offer->starttls },
		{ "PIPELINING", &offer->pipelining },
		{ "CHUNKING", &offer->chunking },
		{ "8BITMIME", &offer->eightbitmime },
		{ "SMTPUTF8", &offer->smtputf8 },
		{ "DSN", &offer->dsn },
		{ "SIZE", &offer->size },
	};
	size_t word = 0;
	while (word < len && s[word] != ' ' && s[word] != '\t')
		word++;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strlen(known[i].keyword) == word &&
			text_has_prefix(s, word, known[i].keyword))
			*known[i].flag = true;
	}
	/* "AUTH=" is how it was written before it was a standard; some do to this day. */
	if (len > 5 && text_has_prefix(s, len, "AUTH") && strchr(" \t=", s[4]))
		smtp_note_mechanisms(offer, s + 5, len - 5);
	if (word == 4 && text_has_prefix(s, word, "SIZE"))
		offer->size_limit =
			word == len ? 0 : parse_size_limit(s + word + 1, len - word - 1);
}

/* The first line is the host's name and greeting. */
static void parse_offer(struct smtp_client *c)
{
	const char *line = strchr(smtp_reply_parser_lines(&c->parser), '\n') + 1;
	c->offer = (struct smtp_offer){ 0 };
	while (*line) {
		const char *end = strchr(line, '\n');
		note_keyword(&c->offer, line, (size_t)(end - line));
		line = end + 1;
	}
}

enum smtp_state smtp_on_ehlo(struct smtp_client *c, const struct smtp_reply *r)
{
	c->parser.max_lines = SMTP_REPLY_LINES_MAX;
	/* RFC 5321 3.2: a host that does not know EHLO may know HELO. RFC 2033 4.1: one
	 * that does not know LHLO is none. */
	if (smtp_reply_class(r) == 5 && !c->options.lmtp)
		return c->is_tls ? SMTP_STATE_HELO_TLS : SMTP_STATE_HELO;
	if (!is_positive(r))
		return smtp_fail_refused(c, r);
	parse_offer(c);
	if (c->is_tls)
		return smtp_after_greeting(c); /* STARTTLS in here means nothing */
	c->offered_starttls = c->offer.starttls;
	return c->offer.starttls && c->options.use_starttls ? SMTP_STATE_STARTTLS
							    : smtp_after_greeting(c);
}

enum smtp_state smtp_on_helo(struct smtp_client *c, const struct smtp_reply *r)
{
	return is_positive(r) ? smtp_after_greeting(c) : smtp_fail_refused(c, r);
}

void smtp_enter_starttls(struct smtp_client *c)
{
	smtp_command(c, "STARTTLS");
}

enum smtp_state smtp_on_starttls(struct smtp_client *c, const struct smtp_reply *r)
{
	int class = smtp_reply_class(r);
	if (class == 2)
		return SMTP_STATE_TLS;
	if (class == 3)
		return smtp_fail(
			c, SMTP_CAUSE_PROTOCOL, NULL, "3xx reply where none may be");
	c->refusal = *r;
	c->refusal_at = c->replies;
	/* RFC 3207 4: the session is as it was before the command; not so
	 * after 421, which closes it. */
	if (c->options.plaintext_after_refusal && r->code != 421)
		return smtp_after_greeting(c);
	c->says_goodbye = r->code != 421;
	return smtp_fail(c, SMTP_CAUSE_STARTTLS_REFUSED, r, "host refused STARTTLS");
}

static bool speaks_of_starttls(const char *text)
{
	for (; *text; text++) {
		if (text_has_prefix(text, strlen(text), "STARTTLS"))
			return true;
	}
	return false;
}

/* RFC 3207 4: 530 refuses what was sent in the clear. The same code asks for AUTH
 * (RFC 4954 6), which does not go away with time, hence the look at the rest. */
bool smtp_wants_tls(const struct smtp_client *c, const struct smtp_reply *r)
{
	return r->code == 530 && !c->is_tls &&
	       (c->offered_starttls || speaks_of_starttls(r->text));
}

void smtp_client_tls_done(struct smtp_client *c)
{
	if (c->state == SMTP_STATE_CLOSED)
		return;
	ASSERT(c->state == SMTP_STATE_TLS);
	if (buf_len(&c->in)) {
		smtp_change_state(c,
			smtp_fail(c, SMTP_CAUSE_INJECTED, NULL,
				"input between the reply to STARTTLS and the handshake"),
			"injected input");
		return;
	}
	/* RFC 3207 4.2: what was learnt in the clear counts for nothing. The
	 * parser starts anew with the session. */
	smtp_reply_parser_clear(&c->parser);
	smtp_reply_parser_init(&c->parser);
	c->offer = (struct smtp_offer){ 0 };
	c->last_reply = (struct smtp_reply){ 0 };
	c->is_tls = true;
	smtp_change_state(c,
		c->options.helo_after_starttls && !c->options.lmtp ? SMTP_STATE_HELO_TLS
								   : SMTP_STATE_EHLO_TLS,
		"handshake done");
}
