/*
 * MIME's ways of making text ASCII: a body in base64 (RFC 2045 6.8), a header value
 * in encoded words (RFC 2047). Everything is appended to a buffer of the caller's.
 */
#ifndef REPORT_MIME_H
#define REPORT_MIME_H

#include "base/buf.h"

/* Lines of 76 characters, each with its CRLF. */
void mime_add_base64(struct buf *out, const char *bytes, size_t len);

/* UTF-8 text as the value of an unstructured field: as it is where it is ASCII, else
 * in encoded words of 75 characters at most, one a line. No line end at the end. */
void mime_add_unstructured(struct buf *out, const char *text);

#endif
