#include "base/base64.h"

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *bytes, size_t len, struct buf *out)
{
	const unsigned char *s = bytes;
	if (!len)
		return;
	char *to = buf_reserve(out, BASE64_LEN(len));
	for (size_t i = 0; i < len; i += 3) {
		unsigned left = len - i < 3 ? (unsigned)(len - i) : 3;
		unsigned group = (unsigned)s[i] << 16 |
				 (left > 1 ? (unsigned)s[i + 1] << 8 : 0) |
				 (left > 2 ? (unsigned)s[i + 2] : 0);
		*to++ = alphabet[group >> 18];
		*to++ = alphabet[group >> 12 & 63];
		*to++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
		*to++ = left > 2 ? alphabet[group & 63] : '=';
	}
	buf_commit(out, BASE64_LEN(len));
}

/* -1: none of the alphabet. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters, of which the last `padding` are '='. Returns what they stand for, or
 * -1. */
static long group_of(const char *s, unsigned padding)
{
	long group = 0;
	for (unsigned i = 0; i < 4; i++) {
		int value = i < 4 - padding ? value_of(s[i]) : 0;
		if (value < 0)
			return -1;
		group = group << 6 | value;
	}
	long left_over = padding == 2 ? 0xffff : padding == 1 ? 0xff : 0;
	return (group & left_over) ? -1 : group;
}

bool base64_decode(const char *s, size_t len, struct buf *out)
{
	if (!len || len % 4)
		return !len;
	unsigned padding = 0;
	while (padding < 2 && padding < len && s[len - 1 - padding] == '=')
		padding++;
	char *to = buf_reserve(out, len / 4 * 3);
	for (size_t i = 0; i < len; i += 4) {
		long group = group_of(s + i, i + 4 == len ? padding : 0);
		if (group < 0)
			return false;
		*to++ = (char)(group >> 16 & 0xff);
		*to++ = (char)(group >> 8 & 0xff);
		*to++ = (char)(group & 0xff);
	}
	buf_commit(out, len / 4 * 3 - padding);
	return true;
}
