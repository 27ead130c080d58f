#include "policy/lines.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t unit_size(enum policy_encoding encoding)
{
	return encoding == POLICY_UTF8 ? 1 : 2;
}

static unsigned unit_at(const struct policy_lines *l, size_t at)
{
	const unsigned char *p = (const unsigned char *)l->bytes + at;
	if (l->encoding == POLICY_UTF8)
		return p[0];
	if (l->encoding == POLICY_UTF16LE)
		return (unsigned)(p[0] | p[1] << 8);
	return (unsigned)(p[0] << 8 | p[1]);
}

void policy_lines_init(struct policy_lines *l, const char *bytes, size_t len)
{
	static const struct {
		const char *mark;
		size_t len;
		enum policy_encoding encoding;
	} marks[] = {
		{ "\xef\xbb\xbf", 3, POLICY_UTF8 },
		{ "\xff\xfe", 2, POLICY_UTF16LE },
		{ "\xfe\xff", 2, POLICY_UTF16BE },
	};
	*l = (struct policy_lines){ .bytes = bytes, .len = len };
	for (size_t i = 0; i < POLICY_ARRAY_SIZE(marks); i++) {
		if (len < marks[i].len || memcmp(bytes, marks[i].mark, marks[i].len) != 0)
			continue;
		l->encoding = marks[i].encoding;
		l->end = marks[i].len; /* the first line starts after it */
		break;
	}
}

void policy_lines_clear(struct policy_lines *l)
{
	free(l->text.bytes);
	*l = (struct policy_lines){ 0 };
}

static size_t encode_utf8(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	out[0] = (char)((0xf00 >> n & 0xff) | c);
	return n;
}

/* One character of UTF-16; returns its octets in the file. What is not valid
 * becomes the octet 0xff, which is not valid in UTF-8 either: so the error is
 * found in one place. */
static size_t decode_utf16(struct policy_lines *l, size_t at)
{
	char octets[4] = "\xff";
	unsigned c = unit_at(l, at);
	unsigned low = at + 4 <= l->text_end ? unit_at(l, at + 2) : 0;
	size_t used = 2, n = 1;
	if (c < 0xd800 || c > 0xdfff) {
		n = encode_utf8(c, octets);
	} else if (c < 0xdc00 && low >= 0xdc00 && low <= 0xdfff) {
		n = encode_utf8(0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00), octets);
		used = 4;
	}
	policy_bytes_add(&l->text, octets, n);
	return used;
}

static void decode_line(struct policy_lines *l)
{
	size_t at = l->start;
	l->text.len = 0;
	if (l->encoding == POLICY_UTF8) {
		policy_bytes_add(&l->text, l->bytes + at, l->text_end - at);
		return;
	}
	while (at + 2 <= l->text_end)
		at += decode_utf16(l, at);
	l->is_cut = at < l->text_end;
	if (l->is_cut)
		policy_bytes_add(&l->text, "\xff", 1);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void find_entry(struct policy_lines *l)
{
	const char *s = l->text.bytes;
	size_t len = l->text.len;
	/* Half a unit at the end of the file is an error in a comment too: an edit would
	 * go on from there, and its lines would be none. */
	const char *comment = len && !l->is_cut ? memchr(s, '#', len) : NULL;
	if (comment)
		len = (size_t)(comment - s);
	size_t start = 0;
	while (start < len && is_blank(s[start]))
		start++;
	while (len > start && is_blank(s[len - 1]))
		len--;
	l->entry = len > start ? s + start : "";
	l->entry_len = len - start;
	l->blanks_len = start;
}

bool policy_lines_next(struct policy_lines *l)
{
	const size_t unit = unit_size(l->encoding);
	l->start = l->end;
	if (l->start >= l->len)
		return false;
	size_t at = l->start;
	while (at + unit <= l->len && unit_at(l, at) != '\n')
		at += unit;
	if (at + unit <= l->len) {
		l->end = at + unit;
		l->text_end = at;
		if (at >= l->start + unit && unit_at(l, at - unit) == '\r')
			l->text_end = at - unit;
	} else {
		l->end = l->len;
		l->text_end = l->len;
	}
	l->number++;
	decode_line(l);
	find_entry(l);
	return true;
}

size_t policy_lines_offset(const struct policy_lines *l, size_t in_entry)
{
	if (l->encoding == POLICY_UTF8)
		return l->start + l->blanks_len + in_entry;
	size_t units = l->blanks_len;
	for (size_t i = 0, n; i < in_entry; i += n) {
		n = policy_utf8_len(l->entry + i, l->entry_len - i);
		n = n ? n : 1;
		units += n == 4 ? 2 : 1;
	}
	return l->start + 2 * units;
}

static void add_unit(struct policy_bytes *out, enum policy_encoding encoding, unsigned u)
{
	char octets[2] = { (char)(u & 0xff), (char)(u >> 8) };
	if (encoding == POLICY_UTF16BE) {
		octets[0] = (char)(u >> 8);
		octets[1] = (char)(u & 0xff);
	}
	policy_bytes_add(out, octets, 2);
}

static uint32_t decode_utf8(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3f);
	return c;
}

void policy_lines_encode(struct policy_bytes *out, enum policy_encoding encoding,
	const char *s, size_t len)
{
	if (encoding == POLICY_UTF8) {
		policy_bytes_add(out, s, len);
		return;
	}
	for (size_t i = 0, n; i < len; i += n) {
		n = policy_utf8_len(s + i, len - i);
		if (n == 0)
			return; /* the caller has checked */
		uint32_t c = decode_utf8(s + i, n);
		if (c < 0x10000) {
			add_unit(out, encoding, c);
			continue;
		}
		add_unit(out, encoding, 0xd800 + ((c - 0x10000) >> 10));
		add_unit(out, encoding, 0xdc00 + ((c - 0x10000) & 0x3ff));
	}
}
