#include "smtp/server_impl.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { WRITE_ENOUGH = 64 * 1024 }; /* not gathered any further */
enum { BUSY_AT = 64 * 1024 };      /* octets that wait */

static enum smtp_server_state greet(struct smtp_server *s)
{
	buf_addf(&s->out, "220 %s %s\r\n", s->options.hostname,
		s->options.is_lmtp ? "LMTP" : "ESMTP");
	return SMTP_SERVER_STATE_COMMAND;
}

/* question: what the owner is asked as the state begins. take: what is done with
 * what came in. A state has one or the other. */
static const struct row {
	const char *name;
	enum smtp_server_action question;
	enum smtp_server_state (*take)(struct smtp_server *s);
} rows[] = {
	[SMTP_SERVER_STATE_GREETING] = { "greeting", SMTP_SERVER_READ, greet },
	[SMTP_SERVER_STATE_COMMAND] = { "command", SMTP_SERVER_READ,
		smtp_server_take_command },
	[SMTP_SERVER_STATE_MAIL] = { "mail", SMTP_SERVER_MAIL, NULL },
	[SMTP_SERVER_STATE_RCPT] = { "rcpt", SMTP_SERVER_READ, smtp_server_take_command },
	[SMTP_SERVER_STATE_ASKED] = { "asked", SMTP_SERVER_RCPT, NULL },
	[SMTP_SERVER_STATE_DATA] = { "data", SMTP_SERVER_READ, smtp_server_take_data },
	[SMTP_SERVER_STATE_BDAT] = { "bdat", SMTP_SERVER_READ, smtp_server_take_chunk },
	[SMTP_SERVER_STATE_CHUNKS] = { "chunks", SMTP_SERVER_READ,
		smtp_server_take_command },
	[SMTP_SERVER_STATE_COMMIT] = { "commit", SMTP_SERVER_COMMIT, NULL },
	[SMTP_SERVER_STATE_CLOSED] = { "closed", SMTP_SERVER_CLOSE, NULL },
};
_Static_assert(ARRAY_SIZE(rows) == SMTP_SERVER_STATE_COUNT, "one row a state");

/* Where each state may lead; to CLOSED from everywhere. */
#define TO(state) (1U << SMTP_SERVER_STATE_##state)
static const unsigned steps[] = {
	[SMTP_SERVER_STATE_GREETING] = TO(COMMAND),
	[SMTP_SERVER_STATE_COMMAND] = TO(MAIL) | TO(BDAT),
	[SMTP_SERVER_STATE_MAIL] = TO(RCPT) | TO(COMMAND),
	[SMTP_SERVER_STATE_RCPT] = TO(ASKED) | TO(DATA) | TO(BDAT) | TO(COMMAND),
	[SMTP_SERVER_STATE_ASKED] = TO(RCPT),
	[SMTP_SERVER_STATE_DATA] = TO(COMMIT) | TO(COMMAND),
	[SMTP_SERVER_STATE_BDAT] = TO(CHUNKS) | TO(COMMIT) | TO(COMMAND),
	[SMTP_SERVER_STATE_CHUNKS] = TO(BDAT) | TO(COMMAND),
	[SMTP_SERVER_STATE_COMMIT] = TO(COMMAND),
	[SMTP_SERVER_STATE_CLOSED] = 0,
};
_Static_assert(ARRAY_SIZE(steps) == SMTP_SERVER_STATE_COUNT, "steps of every state");

const char *smtp_server_state_name(enum smtp_server_state state)
{
	ASSERT(state < SMTP_SERVER_STATE_COUNT);
	return rows[state].name;
}

void smtp_server_change_state(struct smtp_server *s, enum smtp_server_state to)
{
	ASSERT(to < SMTP_SERVER_STATE_COUNT && s->state != SMTP_SERVER_STATE_CLOSED);
	ASSERT(((steps[s->state] | TO(CLOSED)) & (1U << to)) != 0);
	log_debug("smtp server: %s -> %s", rows[s->state].name, rows[to].name);
	s->is_asked = false;
	s->state = to;
	if (to == SMTP_SERVER_STATE_CLOSED) {
		smtp_server_end_transaction(s);
		buf_clear(&s->in);
		s->piece = 0;
	}
}

void smtp_server_drop(struct smtp_server *s)
{
	s->abort_is_due |= s->transaction.is_owners;
	s->transaction.is_owners = false;
}

void smtp_server_end_transaction(struct smtp_server *s)
{
	smtp_server_drop(s);
	memset(&s->transaction, 0, sizeof(s->transaction));
}

struct smtp_server *smtp_server_new(const struct smtp_server_options *options)
{
	struct smtp_server *s = xcalloc(1, sizeof(*s));
	s->options = *options;
	return s;
}

void smtp_server_free(struct smtp_server **s)
{
	if (!*s)
		return;
	buf_clear(&(*s)->in);
	buf_clear(&(*s)->out);
	mem_free(s);
}

/* ---- actions ---- */

static enum smtp_server_action write_action(
	struct smtp_server *s, struct smtp_server_step *step)
{
	step->bytes = buf_bytes(&s->out);
	step->len = s->handed = buf_len(&s->out);
	return SMTP_SERVER_WRITE;
}

static enum smtp_server_action content_action(
	struct smtp_server *s, struct smtp_server_step *step)
{
	step->bytes = buf_bytes(&s->in);
	step->len = s->piece;
	return SMTP_SERVER_CONTENT;
}

static enum smtp_server_action ask(struct smtp_server *s, struct smtp_server_step *step)
{
	struct smtp_server_transaction *t = &s->transaction;
	enum smtp_server_action question = rows[s->state].question;
	s->is_asked = true;
	/* From MAIL on the owner has something to forget; with COMMIT it is told
	 * what becomes of that. */
	t->is_owners = question != SMTP_SERVER_COMMIT;
	if (question == SMTP_SERVER_COMMIT)
		return question;
	step->path = t->path;
	step->path_len = t->path_len;
	if (question == SMTP_SERVER_MAIL)
		step->mail = &t->mail;
	else
		step->rcpt = &t->rcpt;
	return question;
}

/* false: nothing can be done before more comes in. */
static bool take_input(struct smtp_server *s)
{
	s->needs_input = false;
	enum smtp_server_state to = rows[s->state].take(s);
	if (to != s->state)
		smtp_server_change_state(s, to);
	return !s->needs_input;
}

enum smtp_server_action smtp_server_next(
	struct smtp_server *s, struct smtp_server_step *step)
{
	*step = (struct smtp_server_step){ 0 };
	buf_consume(&s->out, s->handed);
	buf_consume(&s->in, s->piece);
	s->handed = s->piece = 0;
	for (;;) {
		bool is_closed = s->state == SMTP_SERVER_STATE_CLOSED;
		if (s->abort_is_due) {
			s->abort_is_due = false;
			return SMTP_SERVER_ABORT;
		}
		if (buf_len(&s->out) >= (is_closed ? 1 : WRITE_ENOUGH))
			return write_action(s, step);
		if (is_closed)
			return SMTP_SERVER_CLOSE;
		/* What is gathered waits for the answer, and leaves with it. */
		if (s->is_asked)
			return SMTP_SERVER_READ;
		if (!rows[s->state].take)
			return ask(s, step);
		if (take_input(s)) {
			if (s->piece)
				return content_action(s, step);
			continue;
		}
		if (s->is_lost) {
			smtp_server_change_state(s, SMTP_SERVER_STATE_CLOSED);
			continue;
		}
		return buf_len(&s->out) ? write_action(s, step) : SMTP_SERVER_READ;
	}
}

/* ---- input ---- */

void smtp_server_feed(struct smtp_server *s, const char *bytes, size_t len)
{
	if (s->state == SMTP_SERVER_STATE_CLOSED || s->is_lost || s->shut_is_due)
		return;
	if (len > SMTP_SERVER_BACKLOG_MAX - buf_len(&s->in)) {
		smtp_server_shut(s, "4.7.0", "too much input at once");
		return;
	}
	buf_add(&s->in, bytes, len);
}

void smtp_server_lost(struct smtp_server *s)
{
	s->is_lost = true;
}

void smtp_server_shut(struct smtp_server *s, const char *enhanced, const char *why)
{
	if (s->state == SMTP_SERVER_STATE_CLOSED || s->shut_is_due)
		return;
	snprintf(s->shut_enhanced, sizeof(s->shut_enhanced), "%s", enhanced);
	snprintf(s->shut_text, sizeof(s->shut_text), "%s", why);
	s->shut_is_due = true;
	if (s->state != SMTP_SERVER_STATE_COMMIT)
		smtp_server_shut_if_due(s);
}

void smtp_server_shut_if_due(struct smtp_server *s)
{
	if (s->shut_is_due)
		smtp_server_change_state(
			s, smtp_server_hang_up(s, s->shut_enhanced, s->shut_text));
}

/* ---- facts ---- */

enum smtp_server_state smtp_server_state(const struct smtp_server *s)
{
	return s->state;
}

bool smtp_server_is_busy(const struct smtp_server *s)
{
	return s->is_asked || buf_len(&s->in) >= BUSY_AT;
}

const char *smtp_server_client_name(const struct smtp_server *s)
{
	return s->client_name;
}

const char *smtp_server_protocol(const struct smtp_server *s)
{
	bool is_utf8 = s->transaction.mail.smtputf8;
	if (s->options.is_lmtp)
		return is_utf8 ? "UTF8LMTP" : "LMTP";
	if (is_utf8)
		return "UTF8SMTP";
	return s->is_extended ? "ESMTP" : "SMTP";
}
