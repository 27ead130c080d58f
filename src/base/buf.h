/*
 * A growable run of bytes with a cheap front: appended at the end, consumed
 * at the beginning. The bytes are not NUL-terminated unless buf_text is used.
 * Pointers into the buffer are valid until the next append or consume.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
	char *mem;    /* owned */
	size_t start; /* first byte that is not consumed */
	size_t end;   /* one past the last byte */
	size_t cap;
};

#define BUF_INIT  \
	{         \
		0 \
	}

void buf_clear(struct buf *b); /* frees; the buffer may be used again */
void buf_reset(struct buf *b); /* empties, keeps the memory */
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_addu(struct buf *b, uint64_t n);           /* decimal */
void buf_consume(struct buf *b, size_t len);        /* len <= buf_len */
void buf_consume_secret(struct buf *b, size_t len); /* and overwrites them */
void buf_clear_secret(struct buf *b);               /* likewise */
/* Room for len bytes at the end. */
char *buf_reserve(struct buf *b, size_t len) __attribute__((returns_nonnull));
void buf_commit(struct buf *b, size_t len); /* that many of them were written */
const char *buf_text(struct buf *b);        /* NUL-terminated view */
char *buf_steal(struct buf *b);             /* the caller frees; NUL-terminated */

/* Inline: what writes records and commands adds a few octets at a time. */
static inline void buf_add(struct buf *b, const void *bytes, size_t len)
{
	if (!len)
		return;
	bool fits = b->mem && b->cap - b->end >= len;
	memcpy(fits ? b->mem + b->end : buf_reserve(b, len), bytes, len);
	b->end += len;
}

static inline void buf_addstr(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

static inline void buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

static inline size_t buf_len(const struct buf *b)
{
	return b->end - b->start;
}

static inline const char *buf_bytes(const struct buf *b)
{
	return b->mem ? b->mem + b->start : "";
}

#endif
