#include "policy/util.h"

#include <stdarg.h>
#include <stddef.h>
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

enum { NEAREST_MAX = 16 };

/* Letters to insert, remove or change. a has at most NEAREST_MAX of them. */
static size_t edits_between(const char *a, size_t a_len, const char *b)
{
	size_t costs[NEAREST_MAX + 1];
	for (size_t i = 0; i <= a_len; i++)
		costs[i] = i;
	for (size_t row = 1; *b; b++, row++) {
		size_t before = costs[0];
		costs[0] = row;
		for (size_t i = 1; i <= a_len; i++) {
			size_t changed = before + (lower(a[i - 1]) != *b);
			size_t other = costs[i] < costs[i - 1] ? costs[i] : costs[i - 1];
			before = costs[i];
			costs[i] = changed < other + 1 ? changed : other + 1;
		}
	}
	return costs[a_len];
}

const char *policy_nearest(const char *s, size_t len, const char *const *words)
{
	const char *nearest = NULL;
	size_t least = len / 3 + 2;
	for (; len <= NEAREST_MAX && *words; words++) {
		size_t edits = edits_between(s, len, *words);
		if (edits < least) {
			nearest = *words;
			least = edits;
		}
	}
	return nearest;
}

enum { CHUNK_SIZE = 32 * 1024 };

struct policy_arena_chunk {
	struct policy_arena_chunk *next;
	size_t used, size;
	_Alignas(max_align_t) char mem[];
};

static char *arena_take(struct policy_arena *arena, size_t size, size_t align)
{
	struct policy_arena_chunk *c = arena->chunks;
	size_t at = c ? (c->used + align - 1) / align * align : 0;
	if (!c || at > c->size || c->size - at < size) {
		size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
		c = policy_xcalloc(1, sizeof(*c) + room);
		c->size = room;
		c->next = arena->chunks;
		arena->chunks = c;
		at = 0;
	}
	c->used = at + size;
	return c->mem + at;
}

const char *policy_arena_strndup(struct policy_arena *arena, const char *s, size_t len)
{
	char *copy = arena_take(arena, len + 1, 1);
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

void *policy_arena_alloc(struct policy_arena *arena, size_t size)
{
	return arena_take(arena, size, _Alignof(max_align_t));
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
