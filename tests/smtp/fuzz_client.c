#include "fuzz_client.h"

#include "base/err.h"
#include "base/mem.h"
#include "smtp/client.h"

#include <stdlib.h>
#include <string.h>

enum {
	RECIPIENTS = 3,
	MESSAGES_MAX = 4,
	WRITE_MAX = 128 * 1024,
	STEPS_MAX = 5000,
	MECHANISM_LEN_MAX = 20
};

/* What a peer may say. */
static const char *const words[] = { "220 x\r\n", "250 x\r\n", "250 x\r\n", "250 x\r\n",
	"250-x\r\n250 PIPELINING\r\n", "250-x\r\n250-PIPELINING\r\n250 STARTTLS\r\n",
	"250-x\r\n250-CHUNKING\r\n250 PIPELINING\r\n", "250-x\r\n250 CHUNKING\r\n",
	"250-x\r\n250 SIZE 99\r\n", "250-", "354 x\r\n", "354 x\r\n", "421 x\r\n",
	"450 4.1.1 x\r\n", "452 x\r\n", "500 x\r\n", "550 5.1.1 x\r\n", "552 x\r\n",
	"503 x\r\n", "235 x\r\n", "334 eA==\r\n", "334 \r\n", "334 x\r\n", "504 x\r\n",
	"535 x\r\n", "250-x\r\n250-AUTH A B\r\n250 AUTH=C \1\r\n", "\r\n", "x", "2",
	"250 x\r\n250 x\r\n354 x\r\n" };

static const char content[] = "From: x\r\n\r\n.\r\n..\r\nx";
enum { CONTENT_LEN = sizeof(content) - 1 };

static const char long_response[1000]; /* more than fits into a command */

struct session {
	const uint8_t *data;
	size_t len, at;
	struct smtp_client *c;
	struct fuzz_client_result *result;
	struct mail_envelope envelope;
	struct mail_recipient recipients[RECIPIENTS];
	bool is_busy; /* a message is under way */
	bool reported[RECIPIENTS];
	size_t again;
	unsigned sent;
	bool is_flight; /* messages come with their body */
	bool uses_chunking;
	bool is_lmtp;
	bool is_tls;
	bool offers_chunking;        /* where the host behaves well */
	bool end_may_go, end_is_out; /* of this message */
	int at_stake;                /* asked about, and no verdict yet */
	bool is_given;               /* the content */
	bool has_failed;
	bool is_over;
};

static uint8_t take(struct session *s)
{
	return s->at < s->len ? s->data[s->at++] : 0;
}

static void start_message(struct session *s)
{
	struct smtp_message m = { .envelope = &s->envelope,
		.recipients = s->recipients,
		.recipient_count = RECIPIENTS,
		.body = s->is_flight ? content : NULL,
		.body_len = s->is_flight ? CONTENT_LEN : 0,
		.use_chunking = s->uses_chunking,
		.may_be_one_flight = s->is_flight };
	s->is_busy = true;
	s->again = 0;
	s->sent++;
	s->end_may_go = s->end_is_out = s->is_given = false;
	s->at_stake = 0;
	memset(s->reported, 0, sizeof(s->reported));
	smtp_client_send(s->c, &m);
}

static void check_recipient(struct session *s, const struct smtp_step *step)
{
	ASSERT(s->is_busy && step->recipient < RECIPIENTS);
	ASSERT(!s->reported[step->recipient]);
	s->reported[step->recipient] = true;
	s->again += step->verdict == SMTP_VERDICT_AGAIN;
	if (step->verdict == SMTP_VERDICT_DELIVERED) {
		ASSERT(s->end_is_out);
		ASSERT(step->reply.code / 100 == 2);
		s->result->delivered++;
	}
	if (step->verdict == SMTP_VERDICT_PERMANENT)
		ASSERT(step->reply.code / 100 == 5);
	s->at_stake -= step->reply.code != 0;
}

static void check_done(struct session *s, const struct smtp_step *step)
{
	ASSERT(s->is_busy && step->undecided == s->again);
	for (size_t i = 0; i < RECIPIENTS; i++)
		ASSERT(s->reported[i]);
	s->is_busy = false;
}

static void check_failed(struct session *s, const struct smtp_failure *f)
{
	ASSERT(!s->has_failed && f->cause != SMTP_CAUSE_NONE && f->text[0]);
	ASSERT(f->state != SMTP_STATE_CLOSED && f->state != SMTP_STATE_QUIT);
	bool is_settled =
		f->cause == SMTP_CAUSE_REPLY && (!s->is_lmtp || f->reply.code != 421);
	ASSERT(f->in_doubt == (s->end_is_out && s->at_stake > 0 && !is_settled));
	ASSERT(f->inside_tls == s->is_tls);
	s->has_failed = true;
	s->is_busy = false;
	s->result->failed++;
	s->result->in_doubt += f->in_doubt;
}

/* A line of a write; what BDAT announces must be in the same one. Returns the
 * octets of both. */
static size_t check_line(struct session *s, const char *line, size_t len)
{
	const char *lf = memchr(line, '\n', len);
	size_t used = lf ? (size_t)(lf - line) + 1 : len;
	char *after;
	if (used > 4 && memcmp(line, "RCPT", 4) == 0)
		s->at_stake++;
	if (used > 4 && memcmp(line, "AUTH", 4) == 0)
		ASSERT(s->is_tls);
	if (used < 5 || memcmp(line, "BDAT ", 5) != 0)
		return used;
	size_t announced = strtoul(line + 5, &after, 10);
	if (*after == ' ') {
		ASSERT(s->end_may_go);
		s->end_is_out = true;
	}
	ASSERT(announced <= len - used);
	ASSERT(*after != ' ' || announced == len - used);
	return used + announced;
}

static void check_write(struct session *s, const struct smtp_step *step)
{
	ASSERT(step->len > 0 && step->len < WRITE_MAX);
	for (size_t i = 0; i < step->len; i++) {
		bool is_lf = step->bytes[i] == '\n';
		ASSERT(is_lf == (i > 0 && step->bytes[i - 1] == '\r'));
	}
	for (size_t at = 0; at < step->len;)
		at += check_line(s, step->bytes + at, step->len - at);
	if (s->end_may_go && smtp_client_state(s->c) == SMTP_STATE_FINAL)
		s->end_is_out = true;
}

/* For chunks it is all of it or too little: the one is sent, the other not. */
static void answer_body(struct session *s)
{
	uint8_t choice = take(s);
	if (choice < 0x40 && s->at < s->len)
		smtp_client_body(s->c, content, choice % sizeof(content));
	else if (choice < 0xe0 && !s->is_given)
		smtp_client_body(s->c, content, CONTENT_LEN);
	else if (choice > 0xfc)
		smtp_client_body_failed(s->c, "gone");
	else
		smtp_client_body_end(s->c);
	s->is_given = true;
}

/* Names as in RFC 4422 3.1, one blank between two of them. */
static void check_mechanisms(const char *s)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	while (*s) {
		size_t len = strspn(s, letters);
		ASSERT(len >= 1 && len <= MECHANISM_LEN_MAX);
		s += len;
		ASSERT(!*s || (s[0] == ' ' && s[1]));
		s += *s == ' ';
	}
}

/* Of made-up mechanisms: the machine knows none. */
static void answer_auth(struct session *s, const char *mechanisms)
{
	uint8_t choice = take(s);
	char name[MECHANISM_LEN_MAX + 1];
	size_t len = strcspn(mechanisms, " ");
	check_mechanisms(mechanisms);
	memcpy(name, mechanisms, len);
	name[len] = '\0';
	if (!len || choice > 0xf0)
		smtp_client_auth_none(s->c, "none");
	else if (choice & 1)
		smtp_client_auth_begin(s->c, name, NULL, 0, choice & 2);
	else
		smtp_client_auth_begin(s->c, name, long_response,
			choice & 4 ? sizeof(long_response) : choice, choice & 2);
}

static void answer_challenge(struct session *s)
{
	uint8_t choice = take(s);
	if (choice > 0xf0)
		smtp_client_auth_cancel(s->c, "cancelled");
	else
		smtp_client_auth_answer(s->c, long_response, choice, choice & 1);
}

static bool answer_ready(struct session *s)
{
	uint8_t choice = take(s);
	if (choice & 1)
		return false;
	if (s->sent < MESSAGES_MAX && choice < 0xd0)
		start_message(s);
	else
		smtp_client_quit(s->c);
	return true;
}

/* false: the machine waits for the peer, or is at its end. */
static bool step(struct session *s)
{
	struct smtp_step st;
	enum smtp_action action = smtp_client_next(s->c, &st);
	s->result->states |= 1U << smtp_client_state(s->c);
	switch (action) {
	case SMTP_ACTION_WRITE:
		check_write(s, &st);
		return true;
	case SMTP_ACTION_RECIPIENT:
		check_recipient(s, &st);
		return true;
	case SMTP_ACTION_MESSAGE_DONE:
		check_done(s, &st);
		return true;
	case SMTP_ACTION_FAILED:
		check_failed(s, &st.failure);
		return true;
	case SMTP_ACTION_START_TLS:
		if (take(s) & 1)
			return false;
		s->is_tls = true;
		smtp_client_tls_done(s->c);
		return true;
	case SMTP_ACTION_AUTH:
		answer_auth(s, st.mechanisms);
		return take(s) < 0xf0;
	case SMTP_ACTION_CHALLENGE:
		answer_challenge(s);
		return take(s) < 0xf0;
	case SMTP_ACTION_READY:
		return answer_ready(s);
	case SMTP_ACTION_BODY:
		answer_body(s);
		return take(s) < 0xf0;
	case SMTP_ACTION_MARK:
		s->end_may_go = true;
		smtp_client_marked(s->c);
		return true;
	case SMTP_ACTION_CLOSE:
		s->is_over = true;
		return false;
	case SMTP_ACTION_READ:
	default:
		return false;
	}
}

static void run_until_rest(struct session *s)
{
	for (int i = 0; step(s); i++)
		ASSERT(i < STEPS_MAX);
}

/* What a well-behaved peer would say, so that sessions get somewhere. */
static const char *fitting_word(const struct session *s)
{
	switch (smtp_client_state(s->c)) {
	case SMTP_STATE_EHLO:
		return "250-x\r\n250-STARTTLS\r\n250 PIPELINING\r\n";
	case SMTP_STATE_EHLO_TLS:
		return s->offers_chunking ? "250-x\r\n250-AUTH A\r\n250-CHUNKING\r\n250 "
					    "PIPELINING\r\n"
					  : "250-x\r\n250 AUTH A B\r\n";
	case SMTP_STATE_AUTH:
		return s->len & 1 ? "235 x\r\n" : "334 \r\n";
	case SMTP_STATE_AUTH_CHOICE:
	case SMTP_STATE_AUTH_CHALLENGE:
	case SMTP_STATE_DATA:
		return "354 x\r\n";
	case SMTP_STATE_TLS:
	case SMTP_STATE_READY:
	case SMTP_STATE_BODY:
	case SMTP_STATE_MARK:
		return "";
	default:
		return "250 x\r\n";
	}
}

static void let_something_happen(struct session *s)
{
	uint8_t choice = take(s);
	size_t n;
	if (choice < 0xe0) {
		const char *word = choice < 0xb0 ? fitting_word(s)
						 : words[choice % ARRAY_SIZE(words)];
		smtp_client_feed(s->c, word, strlen(word));
	} else if (choice < 0xfa) {
		n = choice & 7U;
		n = n > s->len - s->at ? s->len - s->at : n;
		smtp_client_feed(s->c, (const char *)s->data + s->at, n);
		s->at += n;
	} else if (choice < 0xfd) {
		smtp_client_lost(s->c, "lost");
	} else if (choice == 0xfd) {
		smtp_client_timed_out(s->c);
	} else if (choice == 0xfe) {
		smtp_client_abort(s->c, "aborted");
	}
	if (choice & 0x10) /* sometimes more comes before the machine runs */
		run_until_rest(s);
}

void fuzz_client_run(const uint8_t *data, size_t len, struct fuzz_client_result *result)
{
	struct session s = { .data = data, .len = len, .result = result };
	uint8_t options = take(&s), more = take(&s);
	const struct smtp_client_options o = {
		.hostname = "client.example",
		.use_starttls = options & 1,
		.helo_after_starttls = options & 2,
		.plaintext_after_refusal = options & 4,
		.max_recipients = options & 8 ? 2 : 0,
		.lmtp = more & 1,
		.implicit_tls = (more & 6) == 6,
		.use_auth = (more & 24) == 24,
	};
	s.is_lmtp = o.lmtp;
	s.is_tls = o.implicit_tls;
	s.offers_chunking = options & 16;
	s.is_flight = options & 32;
	s.uses_chunking = (options & 0xc0) != 0xc0;
	char sender[] = "a@b", one[] = "b@c", two[] = "c@d", three[] = "d@e";
	s.envelope.sender = sender;
	s.envelope.content.size_bytes = CONTENT_LEN;
	s.recipients[0].address = one;
	s.recipients[1].address = two;
	s.recipients[2].address = three;
	s.c = smtp_client_new(&o);
	run_until_rest(&s);
	while (s.at < len && !s.is_over) {
		let_something_happen(&s);
		run_until_rest(&s);
	}
	smtp_client_lost(s.c, "end");
	run_until_rest(&s);
	ASSERT(smtp_client_state(s.c) == SMTP_STATE_CLOSED && !s.is_busy);
	smtp_client_free(&s.c);
}
