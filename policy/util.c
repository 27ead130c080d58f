#include "policy/util.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *p)
{
	if (!p) {
		fputs("hikyaku: out of memory\n", stderr);
		abort();
	}
	return p;
}

void *policy_xcalloc(size_t count, size_t size)
{
	return checked(calloc(count ? count : 1, size));
}

void *policy_xreallocarray(void *p, size_t count, size_t size)
{
	return checked(reallocarray(p, count ? count : 1, size));
}

char *policy_xstrdup(const char *s)
{
	return checked(strdup(s));
}

size_t policy_text(char *out, size_t out_size, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(out, out_size, fmt, ap);
	va_end(ap);
	if (n < 0) {
		out[0] = '\0';
		return 0;
	}
	if ((size_t)n < out_size)
		return (size_t)n;
	size_t len = out_size - 1, start = len;
	while (start > 0 && ((unsigned char)out[start - 1] & 0xc0) == 0x80)
		start--;
	if (start > 0 && (unsigned char)out[start - 1] >= 0xc0)
		start--;
	if (start < len && !policy_utf8_len(out + start, len - start))
		len = start;
	out[len] = '\0';
	return len;
}

size_t policy_utf8_len(const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t n;
	if (len == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if ((p[0] & 0xf0) == 0xe0)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (len < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
		(p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool policy_equal_nocase(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (lower(a[i]) != lower(b[i]))
			return false;
	}
	return true;
}

enum { CHUNK_SIZE = 32 * 1024 };

struct policy_arena_chunk {
	struct policy_arena_chunk *next;
	size_t used, size;
	char mem[];
};

const char *policy_arena_strndup(struct policy_arena *arena, const char *s, size_t len)
{
	struct policy_arena_chunk *c = arena->chunks;
	if (!c || c->size - c->used < len + 1) {
		size_t size = len + 1 > CHUNK_SIZE ? len + 1 : CHUNK_SIZE;
		c = policy_xcalloc(1, sizeof(*c) + size);
		c->size = size;
		c->next = arena->chunks;
		arena->chunks = c;
	}
	char *copy = c->mem + c->used;
	memcpy(copy, s, len);
	copy[len] = '\0';
	c->used += len + 1;
	return copy;
}

void policy_arena_clear(struct policy_arena *arena)
{
	while (arena->chunks) {
		struct policy_arena_chunk *c = arena->chunks;
		arena->chunks = c->next;
		free(c);
	}
}

void policy_bytes_add(struct policy_bytes *b, const void *bytes, size_t len)
{
	if (b->cap - b->len < len) {
		size_t cap = b->cap ? b->cap : 256;
		while (cap - b->len < len)
			cap *= 2;
		b->bytes = policy_xreallocarray(b->bytes, cap, 1);
		b->cap = cap;
	}
	if (len)
		memcpy(b->bytes + b->len, bytes, len);
	b->len += len;
}
