#include "base/text.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool is_cont(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t text_utf8_len(const char *s, size_t len)
{
	if (len == 0)
		return 0;
	unsigned char a = (unsigned char)s[0];
	if (a < 0x80)
		return 1;
	if (a < 0xc2 || a > 0xf4)
		return 0;
	size_t need = a < 0xe0 ? 2 : a < 0xf0 ? 3 : 4;
	if (len < need)
		return 0;
	unsigned char b = (unsigned char)s[1];
	if ((a == 0xe0 && b < 0xa0) || (a == 0xed && b > 0x9f) ||
		(a == 0xf0 && b < 0x90) || (a == 0xf4 && b > 0x8f))
		return 0;
	for (size_t i = 1; i < need; i++) {
		if (!is_cont(s[i]))
			return 0;
	}
	return need;
}

bool text_is_utf8(const char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = text_utf8_len(s + i, len - i);
		if (!n)
			return false;
		i += n;
	}
	return true;
}

bool text_is_ascii(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)s[i] >= 0x80)
			return false;
	}
	return true;
}

/* Of a valid sequence of two or three octets: no control is longer. */
static unsigned code_point(const char *s, size_t octets)
{
	unsigned a = (unsigned char)s[0], b = (unsigned char)s[1] & 0x3f;
	if (octets == 2)
		return (a & 0x1f) << 6 | b;
	return (a & 0x0f) << 12 | b << 6 | ((unsigned char)s[2] & 0x3f);
}

bool text_is_control(const char *s, size_t octets)
{
	static const struct {
		unsigned first, last;
	} ranges[] = {
		{ 0x80, 0x9f },     /* C1 */
		{ 0x61c, 0x61c },   /* ALM */
		{ 0x200e, 0x200f }, /* LRM, RLM */
		{ 0x2028, 0x202e }, /* separators; LRE, RLE, PDF, LRO, RLO */
		{ 0x2066, 0x2069 }, /* LRI, RLI, FSI, PDI */
	};
	unsigned char a = (unsigned char)s[0];
	if (octets == 1)
		return a < 0x20 || a == 0x7f;
	if (octets > 3)
		return false;
	unsigned c = code_point(s, octets);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	}
	return false;
}

bool text_is_clean(const char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = text_utf8_len(s + i, len - i);
		if (!n || text_is_control(s + i, n))
			return false;
		i += n;
	}
	return true;
}

/* Eight octets at once: none has its highest bit set, none is below a blank, and
 * none is DEL, which one more would carry into the highest bit. */
static bool is_plain_word(const char *s)
{
	static const uint64_t ones = UINT64_MAX / 0xff, high = UINT64_MAX / 0xff * 0x80;
	uint64_t word;
	memcpy(&word, s, sizeof(word));
	return !((word | ~((word | high) - ones * 0x20) | (word + ones)) & high);
}

size_t text_plain_len(const char *s, size_t len)
{
	size_t n = 0;
	while (n + 8 <= len && is_plain_word(s + n))
		n += 8;
	while (n < len && s[n] >= 0x20 && s[n] < 0x7f)
		n++;
	return n;
}

size_t text_clean(const char *bytes, size_t len, char *out, size_t out_size)
{
	size_t to = 0;
	bool was_break = false;
	for (size_t i = 0; i < len;) {
		size_t room = out_size - 1 - to;
		size_t plain = text_plain_len(bytes + i, len - i < room ? len - i : room);
		if (plain) {
			memcpy(out + to, bytes + i, plain);
			to += plain;
			i += plain;
			was_break = false;
			continue;
		}
		size_t n = text_utf8_len(bytes + i, len - i);
		bool is_break = bytes[i] == '\r' || bytes[i] == '\n' || bytes[i] == '\t';
		const char *from = bytes + i;
		size_t step = n ? n : 1;
		if (is_break) {
			from = " ";
			n = was_break ? 0 : 1;
		} else if (!n || text_is_control(from, n)) {
			from = "?";
			n = 1;
		}
		if (to + n + 1 > out_size)
			break;
		memcpy(out + to, from, n);
		to += n;
		was_break = is_break;
		i += step;
	}
	out[to] = '\0';
	return to;
}

char text_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

char text_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

bool text_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool text_equal(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		if (text_lower(*a) != text_lower(*b))
			return false;
	}
	return *a == *b;
}

bool text_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool text_has_prefix(const char *s, size_t len, const char *prefix)
{
	size_t n = strlen(prefix);
	if (len < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (text_lower(s[i]) != text_lower(prefix[i]))
			return false;
	}
	return true;
}

enum { NEAREST_MAX = 64 };

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;
	return m < c ? m : c;
}

/* Levenshtein distance with one row; words longer than NEAREST_MAX are far. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NEAREST_MAX + 1];
	size_t alen = strlen(a), blen = strlen(b);
	if (alen > NEAREST_MAX || blen > NEAREST_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= blen; j++)
		row[j] = j;
	for (size_t i = 1; i <= alen; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= blen; j++) {
			size_t above = row[j];
			size_t cost = text_lower(a[i - 1]) != text_lower(b[j - 1]);
			row[j] = min3(above + 1, row[j - 1] + 1, diagonal + cost);
			diagonal = above;
		}
	}
	return row[blen];
}

const char *text_nearest(const char *word, const char *const *candidates)
{
	const char *best = NULL;
	size_t best_distance = strlen(word) / 3 + 2;
	for (; *candidates; candidates++) {
		size_t d = distance(word, *candidates);
		if (d < best_distance) {
			best = *candidates;
			best_distance = d;
		}
	}
	return best;
}

bool text_parse_size(const char *s, unsigned long long *bytes_out)
{
	if (!text_is_digit(*s))
		return false;
	char *end;
	errno = 0;
	unsigned long long n = strtoull(s, &end, 10);
	if (errno)
		return false;
	unsigned shift = 0;
	switch (text_upper(*end)) {
	case '\0':
		break;
	case 'K':
		shift = 10;
		break;
	case 'M':
		shift = 20;
		break;
	case 'G':
		shift = 30;
		break;
	default:
		return false;
	}
	if (*end)
		end++;
	if (*end && !text_equal(end, "iB") && !text_equal(end, "B"))
		return false;
	if (n > (UINT64_MAX >> shift))
		return false;
	*bytes_out = n << shift;
	return true;
}
