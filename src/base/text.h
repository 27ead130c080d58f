/*
 * Text from elsewhere made fit to be shown, and small helpers on strings.
 * ASCII only where case is concerned: never the locale.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

enum { TEXT_REMOTE_MAX = 1000 }; /* octets of a peer's text that are kept */

/* Is the character at s, a UTF-8 sequence of that many octets, one that does something
 * to a terminal or to a reader instead of being seen? C0, DEL and C1, which terminals
 * obey; line and paragraph separators; and what changes the direction of text (the
 * property Bidi_Control), so that a line reads as what it does not say. */
bool text_is_control(const char *s, size_t octets);

/* Is all of it valid UTF-8 without such characters? */
bool text_is_clean(const char *s, size_t len);

/* Copies len bytes of foreign text to out: control characters (text_is_control)
 * and invalid UTF-8 become '?', runs of CR, LF and TAB one blank, and what
 * does not fit is cut at a character. out is NUL-terminated, out_size >= 1.
 * Returns the length. */
size_t text_clean(const char *bytes, size_t len, char *out, size_t out_size);

/* How many octets at s, of len, are printable ASCII: nothing to clean in them. */
size_t text_plain_len(const char *s, size_t len);

/* Octets of the UTF-8 sequence at s, 0 where it is invalid or cut short
 * (RFC 3629: no overlong forms, no surrogates, nothing over U+10FFFF). */
size_t text_utf8_len(const char *s, size_t len);
bool text_is_utf8(const char *s, size_t len);
bool text_is_ascii(const char *s, size_t len);

/* Both NULL, or the same octets: a value that may be missing, compared with another. */
bool text_same(const char *a, const char *b);

bool text_equal(const char *a, const char *b); /* ASCII case folded */
bool text_has_prefix(const char *s, size_t len, const char *prefix); /* likewise */
char text_lower(char c);
char text_upper(char c);
bool text_is_digit(char c);

/* The candidate nearest to word by edit distance, or NULL if none is near
 * enough to be a slip of the keys. candidates ends with NULL. */
const char *text_nearest(const char *word, const char *const *candidates);

/* Size with an optional unit: "10M", "64KiB", "4096" (octets). false: not one. */
bool text_parse_size(const char *s, unsigned long long *bytes_out);

#endif
