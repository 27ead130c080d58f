#include "base/buf.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_clear(struct buf *b)
{
	free(b->mem);
	*b = (struct buf)BUF_INIT;
}

void buf_reset(struct buf *b)
{
	b->start = b->end = 0;
}

char *buf_reserve(struct buf *b, size_t len)
{
	if (b->cap - b->end >= len)
		return b->mem + b->end;
	if (b->start) {
		memmove(b->mem, b->mem + b->start, buf_len(b));
		b->end -= b->start;
		b->start = 0;
	}
	if (b->cap - b->end < len) {
		size_t cap = b->cap ? b->cap : 64;
		while (cap - b->end < len)
			cap *= 2;
		b->mem = xrealloc(b->mem, cap);
		b->cap = cap;
	}
	return b->mem + b->end;
}

void buf_commit(struct buf *b, size_t len)
{
	ASSERT(len <= b->cap - b->end);
	b->end += len;
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	enum { USUAL = 128 }; /* formatted at once where there is room for it */
	va_list ap;
	char *to = buf_reserve(b, USUAL);
	size_t room = b->cap - b->end;
	va_start(ap, fmt);
	int len = vsnprintf(to, room, fmt, ap);
	va_end(ap);
	ASSERT(len >= 0);
	if ((size_t)len >= room) {
		to = buf_reserve(b, (size_t)len + 1);
		va_start(ap, fmt);
		vsnprintf(to, (size_t)len + 1, fmt, ap);
		va_end(ap);
	}
	b->end += (size_t)len;
}

void buf_addu(struct buf *b, uint64_t n)
{
	char digits[20]; /* UINT64_MAX has as many */
	char *at = digits + sizeof(digits);
	do {
		*--at = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	buf_add(b, at, (size_t)(digits + sizeof(digits) - at));
}

void buf_consume(struct buf *b, size_t len)
{
	ASSERT(len <= buf_len(b));
	b->start += len;
	if (b->start == b->end)
		buf_reset(b);
}

void buf_consume_secret(struct buf *b, size_t len)
{
	ASSERT(len <= buf_len(b));
	if (len)
		explicit_bzero(b->mem + b->start, len);
	buf_consume(b, len);
}

void buf_clear_secret(struct buf *b)
{
	if (b->mem)
		explicit_bzero(b->mem, b->cap);
	buf_clear(b);
}

const char *buf_text(struct buf *b)
{
	*buf_reserve(b, 1) = '\0';
	return b->mem + b->start;
}

char *buf_steal(struct buf *b)
{
	buf_text(b);
	if (b->start)
		memmove(b->mem, b->mem + b->start, buf_len(b) + 1);
	char *s = b->mem;
	*b = (struct buf)BUF_INIT;
	return s;
}
