/*
 * The end of a message that is typed or piped in: a line with a dot and nothing else,
 * unless -i says that it is a line like any other. Lines end with LF or CRLF here; the
 * end of the input ends one too.
 *
 * Pure; bytes in, bytes out, any cut.
 */
#ifndef SENDMAIL_DOT_H
#define SENDMAIL_DOT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct dot {
	enum dot_place { DOT_AT_START, DOT_SEEN, DOT_THEN_CR, DOT_IN_LINE } place;
};

/* Appends what belongs to the message. true: it has ended, the rest is not looked at.
 * What is held back when the input ends was such a line. */
bool dot_feed(struct dot *d, const char *bytes, size_t len, struct buf *out);

#endif
