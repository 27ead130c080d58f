/*
 * The parser of replies (smtp/reply.h). The first octet chooses the limits. The rest is
 * read at once and an octet at a time: the replies are the same ones, they are clean,
 * and nothing that is kept grows beyond its limits.
 */
#include "fuzz.h"

#include "base/err.h"
#include "smtp/reply.h"

#include <string.h>

static void check(const struct smtp_reply *r, struct smtp_reply_parser *p)
{
	char status[SMTP_ENHANCED_MAX];
	ASSERT(r->code >= 200 && r->code <= 599);
	ASSERT(!*r->enhanced || r->enhanced[0] - '0' == r->code / 100);
	ASSERT(strlen(r->text) <= TEXT_REMOTE_MAX && fuzz_is_clean(r->text, ""));
	ASSERT(strlen(smtp_reply_parser_lines(p)) <= SMTP_REPLY_BYTES_MAX);
	smtp_reply_status(r, status);
	ASSERT(status[1] == '.');
}

static void note(const struct smtp_reply *r, struct buf *out)
{
	buf_addf(out, "%d %s %s\n", r->code, r->enhanced, r->text);
}

/* In pieces; 0: all at once. */
static void run(struct fuzz_input in, uint8_t limits, size_t piece, struct buf *out)
{
	struct smtp_reply_parser p;
	struct smtp_reply r;
	const char *why = NULL;
	smtp_reply_parser_init(&p);
	if (limits & 1)
		p.max_lines = 3;
	if (limits & 2)
		p.max_line = 20;
	while (in.len) {
		size_t used = 0, len = piece && piece < in.len ? piece : in.len;
		enum smtp_parse result = smtp_reply_feed(&p, in.s, len, &used, &r, &why);
		ASSERT(used <= len);
		if (result == SMTP_PARSE_ERROR) {
			ASSERT(why && *why);
			buf_addf(out, "error %s\n", why);
			break;
		}
		if (result == SMTP_PARSE_REPLY) {
			check(&r, &p);
			note(&r, out);
		} else {
			ASSERT(used == len && smtp_reply_parser_is_midway(&p));
		}
		in.s += used;
		in.len -= used;
	}
	smtp_reply_parser_clear(&p);
}

void fuzz_reply(const uint8_t *data, size_t len)
{
	struct fuzz_input in = fuzz_input(data, len);
	struct buf whole = BUF_INIT, pieces = BUF_INIT;
	uint8_t limits = fuzz_octet(&in);
	run(in, limits, 0, &whole);
	run(in, limits, 1, &pieces);
	ASSERT(fuzz_is_equal(&whole, &pieces));
	buf_clear(&whole);
	buf_clear(&pieces);
}
