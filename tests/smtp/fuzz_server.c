#include "fuzz_server.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "smtp/server.h"

#include <string.h>

enum { STEPS_MAX = 20000, ANSWERS_MAX = 512, WRITE_MAX = 128 * 1024 };

/* What a client may say. */
static const char *const words[] = { "EHLO x\r\n", "LHLO x\r\n", "HELO y\r\n",
	"MAIL FROM:<a@b>\r\n", "MAIL FROM:<> SIZE=9\r\n", "MAIL FROM:<a@b> SIZE=99\r\n",
	"RCPT TO:<c@d>\r\n", "RCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\n", "DATA\r\n",
	"DATA\r\n.\r\n", "BDAT 3\r\n", "BDAT 5 LAST\r\n", "BDAT 0 LAST\r\n", "BDAT 0\r\n",
	"BDAT x\r\n", "RSET\r\n", "NOOP\r\n", "QUIT\r\n", "VRFY x\r\n", "FROB\r\n",
	".\r\n", ".\r\n", "\r\n.\r\n", "..\r\n", ".", "\r", "\n", "\r\n", "x", "xyz\r\n",
	"NOOP\n", "MAIL FROM:<\xc3\xa9@b> SMTPUTF8\r\n" };

enum answer { ANSWER_YES, ANSWER_NO };

struct session {
	struct smtp_server *s;
	struct fuzz_server_result *result;
	const struct smtp_server_options *options;
	size_t full_at; /* content is refused there; 0: never */
	enum smtp_server_action asked;
	struct buf content; /* of the transaction */
	bool is_open, is_refused, is_closed;
	unsigned accepted;
	unsigned due, acknowledged; /* replies that a message is stored */
	struct buf written, commits;
};

/* The first run: it is made up, and noted for the second. */
struct script {
	const uint8_t *data;
	size_t len, at;
	struct buf said;
	enum answer answers[ANSWERS_MAX];
	size_t answer_count;
	bool is_shut;
};

static uint8_t take(struct script *script)
{
	return script->at < script->len ? script->data[script->at++] : 0;
}

static bool ends_with_crlf(const struct smtp_server_step *step)
{
	return step->len >= 2 && memcmp(step->bytes + step->len - 2, "\r\n", 2) == 0;
}

static void check_write(struct session *n, const struct smtp_server_step *step)
{
	static const char queued[] = "250 2.0.0 queued";
	const char *at = step->bytes, *end = at + step->len;
	ASSERT(step->len < WRITE_MAX && ends_with_crlf(step));
	for (; at < end; at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1) {
		ASSERT(at[0] >= '2' && at[0] <= '5' && at[3] >= ' ');
		n->acknowledged += (size_t)(end - at) > sizeof(queued) &&
				   memcmp(at, queued, sizeof(queued) - 1) == 0;
	}
	ASSERT(n->acknowledged <= n->due);
	buf_add(&n->written, step->bytes, step->len);
}

static void check_question(struct session *n, enum smtp_server_action action)
{
	ASSERT(n->asked == SMTP_SERVER_READ && smtp_server_is_busy(n->s));
	n->asked = action;
	if (action == SMTP_SERVER_MAIL) {
		ASSERT(!n->is_open);
		n->is_open = true;
		n->is_refused = false;
		n->accepted = 0;
		buf_reset(&n->content);
		return;
	}
	ASSERT(n->is_open && !n->is_refused);
	if (action == SMTP_SERVER_RCPT)
		return;
	ASSERT(n->accepted > 0);
	n->is_open = false;
	n->result->commits++;
	buf_addf(&n->commits, "%zu:", buf_len(&n->content));
	buf_add(&n->commits, buf_bytes(&n->content), buf_len(&n->content));
}

static void check_content(struct session *n, const struct smtp_server_step *step)
{
	ASSERT(n->is_open && !n->is_refused && n->accepted && step->len);
	buf_add(&n->content, step->bytes, step->len);
	if (n->options->max_message_size)
		ASSERT(buf_len(&n->content) <= n->options->max_message_size);
	if (!n->full_at || buf_len(&n->content) < n->full_at)
		return;
	n->is_refused = true;
	smtp_server_refuse_content(n->s, 452, "4.3.1", "full");
}

static void give_answer(struct session *n, enum answer answer)
{
	enum smtp_server_action asked = n->asked;
	n->asked = SMTP_SERVER_READ;
	if (answer == ANSWER_NO) {
		n->is_open &= asked != SMTP_SERVER_MAIL;
		smtp_server_refuse(n->s, 450, "4.2.0", "no");
	} else if (asked == SMTP_SERVER_COMMIT) {
		n->due += n->options->is_lmtp ? n->accepted : 1;
		n->result->stored++;
		smtp_server_stored(n->s, "1");
	} else {
		n->accepted += asked == SMTP_SERVER_RCPT;
		smtp_server_accept(n->s);
	}
}

/* false: the machine waits, or is at its end. */
static bool step(struct session *n)
{
	struct smtp_server_step st;
	enum smtp_server_action action = smtp_server_next(n->s, &st);
	n->result->states |= 1U << smtp_server_state(n->s);
	switch (action) {
	case SMTP_SERVER_READ:
		return false;
	case SMTP_SERVER_WRITE:
		check_write(n, &st);
		return true;
	case SMTP_SERVER_CONTENT:
		check_content(n, &st);
		return true;
	case SMTP_SERVER_ABORT:
		ASSERT(n->is_open);
		n->is_open = false;
		n->asked = SMTP_SERVER_READ;
		n->result->aborts++;
		return true;
	case SMTP_SERVER_CLOSE:
		ASSERT(!n->is_open);
		n->is_closed = true;
		return false;
	default:
		check_question(n, action);
		return true;
	}
}

static void run_until_rest(struct session *n)
{
	for (int i = 0; step(n); i++)
		ASSERT(i < STEPS_MAX);
}

/* ---- the first run ---- */

static void answer_from_data(struct session *n, struct script *script)
{
	enum answer answer = take(script) < 0xd0 ? ANSWER_YES : ANSWER_NO;
	if (script->answer_count == ANSWERS_MAX)
		answer = ANSWER_NO;
	else
		script->answers[script->answer_count++] = answer;
	give_answer(n, answer);
	run_until_rest(n);
}

/* What a well-behaved client would say, so that sessions get somewhere. */
static const char *fitting_word(const struct session *n, uint8_t choice)
{
	switch (smtp_server_state(n->s)) {
	case SMTP_SERVER_STATE_COMMAND:
		if (!*smtp_server_client_name(n->s))
			return n->options->is_lmtp ? "LHLO x\r\n" : "EHLO x\r\n";
		return "MAIL FROM:<a@b>\r\n";
	case SMTP_SERVER_STATE_RCPT:
		if (!n->accepted || (choice & 1))
			return "RCPT TO:<c@d>\r\n";
		return choice & 2   ? "DATA\r\n"
		       : choice & 4 ? "BDAT 4\r\n"
				    : "BDAT 4 LAST\r\n";
	case SMTP_SERVER_STATE_CHUNKS:
		return choice & 1 ? "BDAT 3\r\nabc" : "BDAT 3 LAST\r\nabc";
	case SMTP_SERVER_STATE_DATA:
		return choice & 1 ? ".\r\n" : choice & 2 ? ".x\r\n" : "x\r\n";
	default:
		return "x";
	}
}

static void say(struct session *n, struct script *script, const char *s, size_t len)
{
	if (buf_len(&script->said) + len > SMTP_SERVER_BACKLOG_MAX)
		return;
	buf_add(&script->said, s, len);
	smtp_server_feed(n->s, s, len);
}

static void let_something_happen(struct session *n, struct script *script)
{
	uint8_t choice = take(script);
	if (n->asked != SMTP_SERVER_READ && choice < 0xc0) {
		answer_from_data(n, script);
		return;
	}
	if (choice < 0x90) {
		const char *word = fitting_word(n, choice);
		say(n, script, word, strlen(word));
	} else if (choice < 0xe0) {
		const char *word = words[choice % ARRAY_SIZE(words)];
		say(n, script, word, strlen(word));
	} else if (choice < 0xfe) {
		size_t len = choice & 7U, left = script->len - script->at;
		len = len > left ? left : len;
		say(n, script, (const char *)script->data + script->at, len);
		script->at += len;
	} else if (choice == 0xff) {
		script->is_shut = true;
		n->result->shut++;
		smtp_server_shut(n->s, "4.3.2", "enough");
	}
	if (choice & 1) /* sometimes more comes before the machine runs */
		run_until_rest(n);
}

static void end_first(struct session *n, struct script *script)
{
	smtp_server_lost(n->s);
	run_until_rest(n);
	while (n->asked != SMTP_SERVER_READ)
		answer_from_data(n, script);
}

/* ---- the second run ---- */

static void run_second(struct session *n, const struct script *script)
{
	size_t at = 0;
	run_until_rest(n);
	smtp_server_feed(n->s, buf_bytes(&script->said), buf_len(&script->said));
	smtp_server_lost(n->s);
	run_until_rest(n);
	while (n->asked != SMTP_SERVER_READ) {
		give_answer(
			n, at < script->answer_count ? script->answers[at] : ANSWER_NO);
		at++;
		run_until_rest(n);
	}
}

static bool is_equal(const struct buf *a, const struct buf *b)
{
	return buf_len(a) == buf_len(b) &&
	       memcmp(buf_bytes(a), buf_bytes(b), buf_len(a)) == 0;
}

static bool has_text(const struct buf *b, const char *text)
{
	return memmem(buf_bytes(b), buf_len(b), text, strlen(text)) != NULL;
}

/* Only whether content was there before the 354 was depends on when it came. */
static void compare(struct session *a, struct session *b, const struct script *script)
{
	if (script->is_shut || has_text(&a->written, "before DATA was answered") ||
		has_text(&b->written, "before DATA was answered"))
		return;
	ASSERT(is_equal(&a->written, &b->written));
	ASSERT(is_equal(&a->commits, &b->commits));
	a->result->compared++;
}

static void check_end(struct session *n)
{
	ASSERT(n->is_closed && smtp_server_state(n->s) == SMTP_SERVER_STATE_CLOSED);
	ASSERT(n->acknowledged == n->due);
}

static void begin(struct session *n, const struct smtp_server_options *options,
	uint8_t choice, struct fuzz_server_result *result)
{
	*n = (struct session){
		.s = smtp_server_new(options),
		.options = options,
		.result = result,
		/* Which limit is met first depends on the pieces. */
		.full_at = (choice & 10) == 8 ? 6 : 0,
		.asked = SMTP_SERVER_READ,
	};
}

static void end(struct session *n)
{
	check_end(n);
	smtp_server_free(&n->s);
	buf_clear(&n->content);
	buf_clear(&n->written);
	buf_clear(&n->commits);
}

void fuzz_server_run(const uint8_t *data, size_t len, struct fuzz_server_result *result)
{
	struct script script = { .data = data, .len = len };
	struct session first, second;
	uint8_t choice = take(&script);
	const struct smtp_server_options options = {
		.hostname = "mx.example.org",
		.is_lmtp = choice & 1,
		.max_message_size = choice & 2 ? 12 : 0,
		.max_recipients = choice & 4 ? 2 : 0,
	};
	begin(&first, &options, choice, result);
	run_until_rest(&first);
	while (script.at < len && !first.is_closed)
		let_something_happen(&first, &script);
	end_first(&first, &script);
	begin(&second, &options, choice, result);
	run_second(&second, &script);
	compare(&first, &second, &script);
	end(&first);
	end(&second);
	buf_clear(&script.said);
}
