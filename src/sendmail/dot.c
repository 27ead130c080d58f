#include "sendmail/dot.h"

#include <string.h>

/* The dot turned out to be the first octet of a line. */
static void release(struct dot *d, struct buf *out)
{
	buf_addstr(out, d->place == DOT_THEN_CR ? ".\r" : ".");
	d->place = DOT_IN_LINE;
}

/* The rest of a line with its LF, or as much as there is of it. Returns the length. */
static size_t take_line(struct dot *d, const char *s, size_t len, struct buf *out)
{
	const char *lf = memchr(s, '\n', len);
	size_t n = lf ? (size_t)(lf - s) + 1 : len;
	buf_add(out, s, n);
	d->place = lf ? DOT_AT_START : DOT_IN_LINE;
	return n;
}

bool dot_feed(struct dot *d, const char *bytes, size_t len, struct buf *out)
{
	for (size_t i = 0; i < len;) {
		char c = bytes[i];
		if (d->place == DOT_AT_START && c == '.') {
			d->place = DOT_SEEN;
			i++;
		} else if (d->place == DOT_SEEN && c == '\r') {
			d->place = DOT_THEN_CR;
			i++;
		} else if ((d->place == DOT_SEEN || d->place == DOT_THEN_CR) &&
			   c == '\n') {
			return true;
		} else {
			if (d->place == DOT_SEEN || d->place == DOT_THEN_CR)
				release(d, out);
			i += take_line(d, bytes + i, len - i, out);
		}
	}
	return false;
}
