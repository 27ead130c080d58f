/*
 * Memory that is there or the program ends, and the ownership macros.
 *
 * x* functions abort when memory runs out, so nobody checks them. A type with
 * x_free(struct x **) (accepts NULL inside, sets NULL) works with OWN:
 *
 *	OWN(buf_free) struct buf *b = buf_new();
 *	return MOVE(b);		// handed on: not freed here
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#define MEM_NONNULL __attribute__((returns_nonnull))
void *xmalloc(size_t size) MEM_NONNULL;
void *xcalloc(size_t count, size_t size) MEM_NONNULL; /* zeroed; overflow aborts */
void *xrealloc(void *p, size_t size) MEM_NONNULL;
void *xreallocarray(void *p, size_t count, size_t size) MEM_NONNULL;
char *xstrdup(const char *s);                          /* NULL stays NULL */
char *xstrndup(const char *s, size_t len) MEM_NONNULL; /* always NUL-terminated */
void *xmemdup(const void *p, size_t len) MEM_NONNULL;
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2))) MEM_NONNULL;

/* Frees *p and sets it to NULL: OWN(mem_free) for plain strings. */
void mem_free(void *pp);

/* The same for a string that is secret: overwritten first. */
void mem_free_secret(char **s);

/* Gives free memory back to the system, which the C library keeps where something that is
 * in use lies behind it. All threads may have to wait for it, some ms for 100 MiB: from
 * time to time, not often. Does nothing with a library that has no such thing. */
void mem_give_back(void);

#define OWN(free_fn) __attribute__((cleanup(free_fn)))
#define MOVE(p)                             \
	(__extension__({                    \
		__typeof__(p) moved_ = (p); \
		(p) = NULL;                 \
		moved_;                     \
	}))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
