/*
 * The envelope of XMail's message files (intake/xmail_format.h), a line at a time. A
 * path lies within its line; the message begins after a sender and a recipient, and not
 * sooner.
 */
#include "fuzz.h"

#include "base/err.h"
#include "base/mem.h"
#include "intake/xmail_format.h"

#include <string.h>

static char *take_line(struct fuzz_input *in)
{
	const char *lf = in->len ? memchr(in->s, '\n', in->len) : NULL;
	size_t len = lf ? (size_t)(lf - in->s) : in->len;
	char *line = xstrndup(in->s, len < XMAIL_LINE_MAX ? len : XMAIL_LINE_MAX);
	in->s += len + (lf != NULL);
	in->len -= len + (lf != NULL);
	return line;
}

static void check_path(const struct xmail_line *out, const char *line)
{
	ASSERT(out->path >= line && out->path + out->path_len <= line + strlen(line));
	ASSERT(out->path_len >= 2 && out->path[0] == '<');
	ASSERT(out->path[out->path_len - 1] == '>');
}

void fuzz_xmail(const uint8_t *data, size_t len)
{
	struct fuzz_input in = fuzz_input(data, len);
	struct xmail_envelope x = { 0 };
	struct xmail_line out;
	struct err e = { 0 };
	unsigned senders = 0, recipients = 0;
	while (in.len) {
		OWN(mem_free) char *line = take_line(&in);
		memset(&out, 0, sizeof(out));
		if (xmail_envelope_line(&x, line, &out, &e)) {
			ASSERT(e.code == ERR_INVALID && fuzz_is_clean(e.text, ""));
			return;
		}
		if (out.kind == XMAIL_LINE_END) {
			ASSERT(senders == 1 && recipients > 0);
			ASSERT(recipients == x.recipient_count);
			return;
		}
		if (out.kind != XMAIL_LINE_OTHER)
			check_path(&out, line);
		senders += out.kind == XMAIL_LINE_SENDER;
		recipients += out.kind == XMAIL_LINE_RECIPIENT;
	}
}
