/*
 * Octets kept under a key for a while, a bounded number of them: what was not
 * used for longest goes first. Several values may have the same key. Pure: the
 * time comes in as a parameter, in milliseconds of one clock; a clock that steps
 * back makes nothing good for longer than its life.
 *
 * Values may be secrets: they are wiped when they go. Not for several threads.
 */
#ifndef NET_TLS_STORE_H
#define NET_TLS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_store;

enum { TLS_KEY_SIZE = 32 };

/* A digest (SHA-256) of all that makes a value the right one. */
struct tls_key {
	unsigned char octets[TLS_KEY_SIZE];
};

struct tls_store_limits {
	size_t values;
	size_t octets; /* of the values */
};

struct tls_store *tls_store_new(const struct tls_store_limits *limits);
void tls_store_free(struct tls_store **s);

/* Copies the value, which is good for until now_ms < until_ms. One that has no
 * time left, or is larger than all that may be kept, is not kept. */
void tls_store_put(struct tls_store *s, const struct tls_key *key, const void *bytes,
	size_t len, int64_t now_ms, int64_t until_ms);

/* The newest value of the key, borrowed until the next call; NULL: there is none. */
const void *tls_store_get(
	struct tls_store *s, const struct tls_key *key, int64_t now_ms, size_t *len_out);

/* The same, taken out of the store; until_ms_out as it was put in. The caller wipes
 * and frees it with tls_store_wipe. */
void *tls_store_take(struct tls_store *s, const struct tls_key *key, int64_t now_ms,
	size_t *len_out, int64_t *until_ms_out);
void tls_store_wipe(void *bytes, size_t len); /* NULL is fine */

/* Drops all values of the key. */
void tls_store_drop(struct tls_store *s, const struct tls_key *key);

size_t tls_store_count(const struct tls_store *s);
size_t tls_store_octets(const struct tls_store *s);

#endif
