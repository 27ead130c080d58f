/*
 * The content. After DATA it is taken apart where it lies in the input: what is
 * handed out are the longest runs between two dots that were put there. Octets
 * whose meaning depends on the next one (a CR, a dot and its CR at a line's start)
 * stay in the input until that has come, so that no state is needed for them.
 */
#include "smtp/server_impl.h"

#include <string.h>

bool smtp_server_is_over_limit(const struct smtp_server *s, uint64_t octets)
{
	return s->options.max_message_size && octets > s->options.max_message_size;
}

/* The next octets of the input are content. */
static void give(struct smtp_server *s, size_t len)
{
	struct smtp_server_transaction *t = &s->transaction;
	t->content_bytes += len;
	if (smtp_server_is_over_limit(s, t->content_bytes))
		smtp_server_refuse_rest(s, 552, "5.3.4", "message is too large");
	if (t->refusal.code)
		buf_consume(&s->in, len);
	else
		s->piece = len;
}

void smtp_server_answer_content(struct smtp_server *s, const struct smtp_refusal *r)
{
	unsigned replies = s->options.is_lmtp ? s->transaction.accepted : 1;
	do
		smtp_server_say_refusal(s, r);
	while (replies && --replies);
}

static enum smtp_server_state end_content(struct smtp_server *s)
{
	if (!s->transaction.refusal.code)
		return SMTP_SERVER_STATE_COMMIT;
	smtp_server_answer_content(s, &s->transaction.refusal);
	smtp_server_end_transaction(s);
	return SMTP_SERVER_STATE_COMMAND;
}

/* ---- after DATA ---- */

enum dot { DOT_NONE, DOT_STUFFED, DOT_END, DOT_UNKNOWN };

/* At a line's start. */
static enum dot judge_dot(const char *p, size_t len)
{
	static const char end[] = ".\r\n";
	size_t n = len < 3 ? len : 3;
	if (*p != '.')
		return DOT_NONE;
	if (memcmp(p, end, n) != 0)
		return DOT_STUFFED;
	return n == 3 ? DOT_END : DOT_UNKNOWN;
}

/* Goes before any other refusal: which of them is seen first depends on the pieces. */
static void refuse_bare(struct smtp_server *s)
{
	s->transaction.refusal.code = 0;
	smtp_server_refuse_rest(
		s, 550, "5.6.0", "lines of a message end with CR LF, both of them");
}

/* Octets of a line, or of what there is of it, that can be handed out. */
static size_t take_line(struct smtp_server *s, const char *p, size_t len)
{
	const char *lf = memchr(p, '\n', len);
	size_t used = lf ? (size_t)(lf - p) + 1 : len;
	bool is_whole = lf && lf > p && lf[-1] == '\r';
	if (!lf && p[used - 1] == '\r')
		used--;
	if ((lf && !is_whole) || memchr(p, '\r', is_whole ? used - 2 : used))
		refuse_bare(s);
	s->transaction.at_line_start = is_whole;
	return used;
}

enum smtp_server_state smtp_server_take_data(struct smtp_server *s)
{
	struct smtp_server_transaction *t = &s->transaction;
	const char *p = buf_bytes(&s->in);
	size_t len = buf_len(&s->in), at = 0, used;
	while (at < len) {
		enum dot dot = t->at_line_start ? judge_dot(p + at, len - at) : DOT_NONE;
		if (dot == DOT_UNKNOWN || (dot != DOT_NONE && at))
			break;
		if (dot == DOT_END) {
			buf_consume(&s->in, 3);
			return end_content(s);
		}
		if (dot == DOT_STUFFED) {
			buf_consume(&s->in, 1);
			p++;
			len--;
			t->at_line_start = false;
			continue;
		}
		used = take_line(s, p + at, len - at);
		if (!used)
			break;
		at += used;
	}
	s->needs_input = !at;
	if (at)
		give(s, at);
	return SMTP_SERVER_STATE_DATA;
}

/* ---- in chunks ---- */

static enum smtp_server_state end_chunk(struct smtp_server *s)
{
	struct smtp_server_transaction *t = &s->transaction;
	if (t->is_last_chunk)
		return end_content(s);
	if (!t->refusal.code) {
		smtp_server_say(s, "250 2.0.0 Ok");
		return SMTP_SERVER_STATE_CHUNKS;
	}
	smtp_server_say_refusal(s, &t->refusal);
	if (!t->is_open) {
		smtp_server_end_transaction(s);
		return SMTP_SERVER_STATE_COMMAND;
	}
	t->has_failed = true;
	return SMTP_SERVER_STATE_CHUNKS;
}

enum smtp_server_state smtp_server_take_chunk(struct smtp_server *s)
{
	struct smtp_server_transaction *t = &s->transaction;
	size_t len = buf_len(&s->in);
	if (!t->chunk_left)
		return end_chunk(s);
	if (len > t->chunk_left)
		len = (size_t)t->chunk_left;
	t->chunk_left -= len;
	s->needs_input = !len;
	if (len)
		give(s, len);
	return SMTP_SERVER_STATE_BDAT;
}
