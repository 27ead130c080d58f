/*
 * Base64, RFC 4648 4, as one run without line breaks. For what must not stay in
 * memory there is buf_consume_secret.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define BASE64_LEN(octets) (((octets) + 2) / 3 * 4)

/* Appends BASE64_LEN(len) characters. */
void base64_encode(const void *bytes, size_t len, struct buf *out);

/* Appends what it stands for. Strict: no blanks, padded, no bits that are left over.
 * false: it is not base64, and nothing was appended. */
bool base64_decode(const char *s, size_t len, struct buf *out);

#endif
