/*
 * Content on its way in and out (mail/content.h). The first octet chooses a limit and
 * the size of pieces. Any split gives the same result; what is stored has CRLF line
 * ends; what leaves has besides no line that is too long, and none that is a dot.
 */
#include "fuzz.h"

#include "base/err.h"
#include "mail/content.h"

#include <string.h>

enum { SMALL = 64 };

struct taken {
	int rc;
	struct content_intake state;
	struct buf out;
};

static void take(struct fuzz_input in, uint64_t max, size_t piece, struct taken *t)
{
	struct err e = { 0 };
	content_intake_init(&t->state, max);
	t->rc = 0;
	while (in.len && !t->rc) {
		size_t len = piece && piece < in.len ? piece : in.len;
		t->rc = content_intake_feed(&t->state, in.s, len, &t->out, &e);
		in.s += len;
		in.len -= len;
	}
	if (!t->rc)
		t->rc = content_intake_end(&t->state, &t->out, &e);
	ASSERT(!t->rc == !*e.text);
}

static void check_same(const struct taken *a, const struct taken *b)
{
	const struct content_intake *x = &a->state, *y = &b->state;
	ASSERT(a->rc == b->rc);
	if (a->rc)
		return;
	ASSERT(fuzz_is_equal(&a->out, &b->out));
	ASSERT(x->content.size_bytes == y->content.size_bytes);
	ASSERT(x->content.is_8bit == y->content.is_8bit);
	ASSERT(x->content.needs_smtputf8 == y->content.needs_smtputf8);
	ASSERT(x->received_count == y->received_count);
	ASSERT(x->has_from == y->has_from && x->has_date == y->has_date);
	ASSERT(x->has_message_id == y->has_message_id);
}

static void send(struct fuzz_input in, bool keeps_dots, size_t piece, struct buf *out)
{
	struct content_dotstuff c;
	if (keeps_dots)
		content_unstuffed_init(&c);
	else
		content_dotstuff_init(&c);
	while (in.len) {
		size_t len = piece && piece < in.len ? piece : in.len;
		content_dotstuff_feed(&c, in.s, len, out);
		in.s += len;
		in.len -= len;
	}
	content_dotstuff_end(&c, out);
}

/* Whatever was stored: the dot that is stuffed does not count. */
static void check_sent(struct fuzz_input in, size_t piece)
{
	struct buf whole = BUF_INIT, pieces = BUF_INIT, kept = BUF_INIT;
	send(in, false, 0, &whole);
	send(in, false, piece, &pieces);
	send(in, true, piece, &kept);
	const char *s = buf_bytes(&whole);
	size_t len = buf_len(&whole);
	ASSERT(fuzz_is_equal(&whole, &pieces));
	ASSERT(fuzz_has_good_lines(s, len, CONTENT_LINE_MAX + 1));
	ASSERT(fuzz_has_good_lines(buf_bytes(&kept), buf_len(&kept), CONTENT_LINE_MAX));
	ASSERT(len < 3 || memcmp(s, ".\r\n", 3) != 0);
	ASSERT(!len || !memmem(s, len, "\r\n.\r\n", 5));
	if (content_needs_nothing(in.s, in.len))
		ASSERT(buf_len(&kept) == in.len &&
			memcmp(buf_bytes(&kept), in.s, in.len) == 0);
	buf_clear(&whole);
	buf_clear(&pieces);
	buf_clear(&kept);
}

void fuzz_content(const uint8_t *data, size_t len)
{
	struct fuzz_input in = fuzz_input(data, len);
	struct taken whole = { 0 }, pieces = { 0 };
	uint8_t choice = fuzz_octet(&in);
	uint64_t max = choice & 0x80 ? SMALL : 0;
	size_t piece = (choice & 0x0f) + 1U;
	take(in, max, 0, &whole);
	take(in, max, piece, &pieces);
	check_same(&whole, &pieces);
	if (!whole.rc) {
		const char *s = buf_bytes(&whole.out);
		ASSERT(whole.state.content.size_bytes == buf_len(&whole.out));
		ASSERT(!max || buf_len(&whole.out) <= max);
		ASSERT(fuzz_has_good_lines(s, buf_len(&whole.out), SIZE_MAX));
		check_sent((struct fuzz_input){ s, buf_len(&whole.out) }, piece);
	}
	check_sent(in, piece);
	buf_clear(&whole.out);
	buf_clear(&pieces.out);
}
