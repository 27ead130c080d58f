/* A transaction up to its content, and the answers of the owner. */
#include "smtp/server_impl.h"

#include "base/err.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 2033 4.2 wants this code in LMTP; RFC 5321 3.3 leaves the choice. */
static int nobody_code(const struct smtp_server *s)
{
	return s->options.is_lmtp ? 503 : 554;
}

/* ---- MAIL and RCPT ---- */

static enum smtp_server_state refuse_syntax(
	struct smtp_server *s, int rc, const struct err *e)
{
	int code = rc == ERR_UNSUPPORTED ? 555 : 501;
	return smtp_server_complain_text(s, code, "5.5.4", e->text);
}

/* What follows "FROM:" or "TO:"; NULL: something else stands there. */
static const char *after(const char *argument, const char *word)
{
	return text_has_prefix(argument, strlen(argument), word) ? argument + strlen(word)
								 : NULL;
}

/* RFC 6531 3.5: not only in the address, ORCPT may have some too. */
static bool needs_smtputf8(const struct smtp_server *s, const char *text)
{
	return !s->transaction.mail.smtputf8 && !text_is_ascii(text, strlen(text));
}

static enum smtp_server_state refuse_utf8(struct smtp_server *s)
{
	smtp_server_say(s, "553 5.6.7 address is not ASCII, and MAIL had no SMTPUTF8");
	return s->state;
}

/* path: with its <>. */
static void note_path(struct smtp_server *s, const char *path, size_t len)
{
	s->transaction.path = path + 1;
	s->transaction.path_len = len - 2;
}

enum smtp_server_state smtp_server_run_mail(struct smtp_server *s, const char *argument)
{
	struct smtp_server_transaction *t = &s->transaction;
	struct err e = { 0 };
	const char *text = after(argument, "FROM:"), *path;
	size_t len;
	if (!*s->client_name)
		return smtp_server_complain(s, s->options.is_lmtp
						       ? "503 5.5.1 LHLO comes first"
						       : "503 5.5.1 EHLO comes first");
	if (s->state != SMTP_SERVER_STATE_COMMAND)
		return smtp_server_complain(s, "503 5.5.1 a message is under way");
	if (!text)
		return smtp_server_complain(s, "501 5.5.4 MAIL FROM:<address> it is");
	int rc = smtp_parse_mail(text, &path, &len, &t->mail, &e);
	if (rc)
		return refuse_syntax(s, rc, &e);
	if (needs_smtputf8(s, text))
		return refuse_utf8(s);
	if (smtp_server_is_over_limit(s, t->mail.size_bytes)) {
		smtp_server_say(s, "552 5.3.4 message is too large");
		return s->state;
	}
	note_path(s, path, len);
	return SMTP_SERVER_STATE_MAIL;
}

/* After a refused MAIL a pipelined flight goes on with as many of these as it had
 * recipients, so that they do not count as bad. */
static enum smtp_server_state refuse_turn(struct smtp_server *s, const char *verb)
{
	char text[60];
	const char *why = s->transaction.has_failed ? "RSET comes first"
			  : s->transaction.is_open  ? "no more in the middle of BDAT"
						    : "MAIL comes first";
	snprintf(text, sizeof(text), "%s: %s", verb, why);
	smtp_server_say_text(s, 503, "5.5.1", text);
	return s->state;
}

enum smtp_server_state smtp_server_run_rcpt(struct smtp_server *s, const char *argument)
{
	struct smtp_server_transaction *t = &s->transaction;
	struct err e = { 0 };
	const char *text = after(argument, "TO:"), *path;
	size_t len;
	if (s->state != SMTP_SERVER_STATE_RCPT)
		return refuse_turn(s, "RCPT");
	if (!text)
		return smtp_server_complain(s, "501 5.5.4 RCPT TO:<address> it is");
	int rc = smtp_parse_rcpt(text, &path, &len, &t->rcpt, &e);
	if (rc)
		return refuse_syntax(s, rc, &e);
	if (needs_smtputf8(s, text))
		return refuse_utf8(s);
	if (s->options.max_recipients && t->accepted >= s->options.max_recipients) {
		smtp_server_say(s, "452 4.5.3 no more recipients in this message");
		return s->state;
	}
	note_path(s, path, len);
	return SMTP_SERVER_STATE_ASKED;
}

/* ---- DATA and BDAT ---- */

/* A client waits for the reply to DATA (RFC 2920 3.1). What came along with it is
 * content if it is accepted, for there is no other way to read it; if not it would
 * be taken for commands, which somebody else may have written: so it is not read. */
static enum smtp_server_state end_if_content_waits(struct smtp_server *s)
{
	if (!buf_len(&s->in))
		return s->state;
	return smtp_server_hang_up(s, "4.7.0", "content came before DATA was answered");
}

enum smtp_server_state smtp_server_run_data(struct smtp_server *s, const char *argument)
{
	if (s->state != SMTP_SERVER_STATE_RCPT)
		(void)refuse_turn(s, "DATA");
	else if (*argument)
		smtp_server_say(s, "501 5.5.4 DATA has no argument");
	else if (!s->transaction.accepted)
		smtp_server_say_text(
			s, nobody_code(s), "5.5.1", "no recipient was accepted");
	else {
		smtp_server_say(s, "354 end with <CR><LF>.<CR><LF>");
		s->transaction.at_line_start = true;
		return SMTP_SERVER_STATE_DATA;
	}
	return end_if_content_waits(s);
}

/* "N" or "N LAST". */
static bool parse_chunk(const char *argument, uint64_t *octets_out, bool *is_last_out)
{
	char *end;
	if (!text_is_digit(*argument))
		return false;
	errno = 0;
	*octets_out = strtoull(argument, &end, 10);
	if (errno)
		return false;
	*is_last_out = text_equal(end + strspn(end, " \t"), "LAST");
	return !*end || ((*end == ' ' || *end == '\t') && *is_last_out);
}

/* Only after the octets it announces are gone there is an answer: RFC 3030 2. */
static void judge_chunk(struct smtp_server *s)
{
	struct smtp_server_transaction *t = &s->transaction;
	if (t->has_failed)
		t->refusal.code = 0; /* that of the chunk before */
	if (t->has_failed)
		smtp_server_refuse_rest(s, 503, "5.5.1", "BDAT: RSET comes first");
	else if (!t->is_open)
		smtp_server_refuse_rest(s, 503, "5.5.1", "BDAT: MAIL comes first");
	else if (!t->accepted)
		smtp_server_refuse_rest(
			s, nobody_code(s), "5.5.1", "no recipient was accepted");
}

enum smtp_server_state smtp_server_run_bdat(struct smtp_server *s, const char *argument)
{
	struct smtp_server_transaction *t = &s->transaction;
	if (!parse_chunk(argument, &t->chunk_left, &t->is_last_chunk)) {
		/* Nobody knows where its octets end and commands begin. */
		smtp_server_say(s, "501 5.5.4 BDAT has a number of octets, and LAST");
		return SMTP_SERVER_STATE_CLOSED;
	}
	judge_chunk(s);
	return SMTP_SERVER_STATE_BDAT;
}

/* ---- answers ---- */

void smtp_server_accept(struct smtp_server *s)
{
	struct smtp_server_transaction *t = &s->transaction;
	if (s->state == SMTP_SERVER_STATE_CLOSED)
		return;
	ASSERT(s->is_asked && s->state != SMTP_SERVER_STATE_COMMIT);
	if (s->state == SMTP_SERVER_STATE_MAIL) {
		t->is_open = true;
		smtp_server_say(s, "250 2.1.0 Ok");
	} else {
		t->accepted++;
		smtp_server_say(s, "250 2.1.5 Ok");
	}
	smtp_server_change_state(s, SMTP_SERVER_STATE_RCPT);
}

static void set_refusal(
	struct smtp_refusal *r, int code, const char *enhanced, const char *text)
{
	ASSERT(code >= 400 && code <= 599);
	r->code = code;
	snprintf(r->enhanced, sizeof(r->enhanced), "%s", enhanced);
	snprintf(r->text, sizeof(r->text), "%s", text);
}

void smtp_server_refuse(
	struct smtp_server *s, int code, const char *enhanced, const char *text)
{
	struct smtp_refusal r;
	if (s->state == SMTP_SERVER_STATE_CLOSED)
		return;
	ASSERT(s->is_asked);
	set_refusal(&r, code, enhanced, text);
	if (s->state == SMTP_SERVER_STATE_ASKED) {
		smtp_server_say_refusal(s, &r);
		smtp_server_change_state(s, SMTP_SERVER_STATE_RCPT);
		return;
	}
	if (s->state == SMTP_SERVER_STATE_MAIL)
		smtp_server_say_refusal(s, &r);
	else
		smtp_server_answer_content(s, &r);
	s->transaction.is_owners = false; /* it knows */
	smtp_server_end_transaction(s);
	smtp_server_change_state(s, SMTP_SERVER_STATE_COMMAND);
	smtp_server_shut_if_due(s);
}

void smtp_server_refuse_rest(
	struct smtp_server *s, int code, const char *enhanced, const char *text)
{
	struct smtp_server_transaction *t = &s->transaction;
	if (!t->refusal.code)
		set_refusal(&t->refusal, code, enhanced, text);
	smtp_server_drop(s);
}

void smtp_server_refuse_content(
	struct smtp_server *s, int code, const char *enhanced, const char *text)
{
	switch (s->state) {
	case SMTP_SERVER_STATE_DATA:
	case SMTP_SERVER_STATE_BDAT:
	case SMTP_SERVER_STATE_CHUNKS:
		if (s->transaction.is_owners)
			smtp_server_refuse_rest(s, code, enhanced, text);
		break;
	case SMTP_SERVER_STATE_COMMIT:
		smtp_server_refuse(s, code, enhanced, text);
		break;
	default: /* what it is about is over */
		break;
	}
}

void smtp_server_stored(struct smtp_server *s, const char *id)
{
	char text[100];
	if (s->state == SMTP_SERVER_STATE_CLOSED)
		return;
	ASSERT(s->is_asked && s->state == SMTP_SERVER_STATE_COMMIT);
	struct smtp_refusal stored = { .code = 250, .enhanced = "2.0.0" };
	snprintf(text, sizeof(text), "queued as %.60s", id);
	snprintf(stored.text, sizeof(stored.text), "%s", text);
	smtp_server_answer_content(s, &stored);
	s->errors = 0;
	smtp_server_end_transaction(s);
	smtp_server_change_state(s, SMTP_SERVER_STATE_COMMAND);
	smtp_server_shut_if_due(s);
}
