/*
 * What the policy library needs of its own, because it uses nothing of src/:
 * memory that is there or the program ends, text cut to its room, strings that
 * are freed together, UTF-8. Not for users outside of policy/.
 */
#ifndef POLICY_UTIL_H
#define POLICY_UTIL_H

#include <stdbool.h>
#include <stddef.h>

#define POLICY_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* These never return NULL: they abort when memory runs out. */
void *policy_xcalloc(size_t count, size_t size);
void *policy_xreallocarray(void *p, size_t count, size_t size);
char *policy_xstrdup(const char *s);

/* As snprintf; what does not fit is cut at a character. Returns the length of
 * what is there. */
size_t policy_text(char *out, size_t out_size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Octets of the UTF-8 sequence at s, 0 where it is invalid or cut short
 * (RFC 3629: no overlong forms, no surrogates, nothing over U+10FFFF). */
size_t policy_utf8_len(const char *s, size_t len);

/* Equal but for ASCII case; never asks the locale. */
bool policy_equal_nocase(const char *a, const char *b, size_t len);

/* Which of the words, the last of which is NULL, was s meant to be? NULL: none. */
const char *policy_nearest(const char *s, size_t len, const char *const *words);

/* Memory with one lifetime. Zero-initialized is empty. */
struct policy_arena {
	struct policy_arena_chunk *chunks;
};
const char *policy_arena_strndup(struct policy_arena *arena, const char *s, size_t len);
void *policy_arena_alloc(struct policy_arena *arena, size_t size); /* zeroed, aligned */
void policy_arena_clear(struct policy_arena *arena);

/* A growing run of bytes; free(bytes) ends it. */
struct policy_bytes {
	char *bytes;
	size_t len, cap;
};
void policy_bytes_add(struct policy_bytes *b, const void *bytes, size_t len);

#endif
