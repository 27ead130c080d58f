#include "report/mime.h"

#include "base/base64.h"
#include "base/text.h"

/* Octets in a line of 76 characters; in an encoded word of 75, of which 12 are
 * "=?UTF-8?B?" and "?=". */
enum { LINE_OCTETS = 57, WORD_OCTETS = 45 };

void mime_add_base64(struct buf *out, const char *bytes, size_t len)
{
	for (size_t at = 0; at < len; at += LINE_OCTETS) {
		base64_encode(
			bytes + at, len - at < LINE_OCTETS ? len - at : LINE_OCTETS, out);
		buf_addstr(out, "\r\n");
	}
}

/* As many whole characters as a word may have (RFC 2047 5: none is split). */
static size_t word_len(const char *s, size_t left)
{
	size_t len = 0;
	while (len < left) {
		size_t step = text_utf8_len(s + len, left - len);
		if (!step)
			step = 1;
		if (len + step > WORD_OCTETS)
			break;
		len += step;
	}
	return len;
}

void mime_add_unstructured(struct buf *out, const char *text)
{
	size_t left = strlen(text), len;
	if (text_is_ascii(text, left)) {
		buf_addstr(out, text);
		return;
	}
	for (const char *s = text; left; s += len, left -= len) {
		len = word_len(s, left);
		buf_addstr(out, s == text ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
		base64_encode(s, len, out);
		buf_addstr(out, "?=");
	}
}
