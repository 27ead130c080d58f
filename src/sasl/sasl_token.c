/*
 * Mechanisms with an OAuth 2.0 token: OAUTHBEARER (RFC 7628), and XOAUTH2, which is what
 * Google and Microsoft had before it. All is said with the initial response; a
 * challenge says why it is refused, and is only answered for the host's reply to follow.
 */
#include "sasl/sasl_impl.h"

#include <string.h>

/* RFC 6750 2.1; anything else could end the field that it stands in. */
static bool is_token(const char *s)
{
	size_t len = 0;
	for (; s[len]; len++) {
		if (s[len] <= ' ' || s[len] >= 0x7f)
			return false;
	}
	return len > 0;
}

static bool is_user(const char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < ' ')
			return false;
	}
	return true;
}

static int check(const struct sasl *s, struct err *e)
{
	if (!is_token(s->secret))
		return err_set(e, ERR_INVALID,
			"what the token-command wrote is no token: it is empty, or has "
			"blanks or control characters in it");
	if (!is_user(s->user))
		return err_set(e, ERR_INVALID, "the user has control characters in it");
	return 0;
}

/* RFC 5801 4: "saslname". */
static void add_saslname(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == ',')
			buf_addstr(out, "=2C");
		else if (*s == '=')
			buf_addstr(out, "=3D");
		else
			buf_addc(out, *s);
	}
}

static void add_bearer(struct sasl *s)
{
	buf_addstr(&s->out, "\1auth=Bearer ");
	buf_addstr(&s->out, s->secret);
	buf_addstr(&s->out, "\1\1");
	s->is_complete = true;
}

/* So that it does not grow, and leave a copy behind. */
static void make_room(struct sasl *s)
{
	const size_t words = 100;
	buf_reserve(&s->out, 3 * strlen(s->user) + strlen(s->secret) +
				     (s->host ? strlen(s->host) : 0) + words);
}

int sasl_oauthbearer_begin(struct sasl *s, struct err *e)
{
	int rc = check(s, e);
	if (rc)
		return rc;
	make_room(s);
	buf_addstr(&s->out, "n,a=");
	add_saslname(&s->out, s->user);
	buf_addc(&s->out, ',');
	if (s->host) {
		buf_addstr(&s->out, "\1host=");
		buf_addstr(&s->out, s->host);
		buf_addstr(&s->out, "\1port=");
		buf_addu(&s->out, s->port);
	}
	add_bearer(s);
	return 0;
}

int sasl_xoauth2_begin(struct sasl *s, struct err *e)
{
	int rc = check(s, e);
	if (rc)
		return rc;
	make_room(s);
	buf_addstr(&s->out, "user=");
	buf_addstr(&s->out, s->user);
	add_bearer(s);
	return 0;
}

static int note_refusal(struct sasl *s, const char *challenge, size_t len, struct err *e)
{
	if (s->answers > 1)
		return err_set(
			e, ERR_INVALID, "the host goes on asking when all has been said");
	text_clean(challenge, len, s->refusal, sizeof(s->refusal));
	s->is_complete = false; /* what it calls a success now is none */
	return 0;
}

int sasl_oauthbearer_answer(
	struct sasl *s, const char *challenge, size_t len, struct err *e)
{
	buf_addc(&s->out, 1); /* RFC 7628 3.2.3 */
	return note_refusal(s, challenge, len, e);
}

int sasl_xoauth2_answer(struct sasl *s, const char *challenge, size_t len, struct err *e)
{
	return note_refusal(s, challenge, len, e);
}
