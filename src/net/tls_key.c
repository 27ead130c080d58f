#include "net/tls_impl.h"

#include "base/buf.h"

#include <gnutls/crypto.h>
#include <string.h>

/* With its length, so that no two lists of parts make the same octets. */
void tls_key_add(struct buf *parts, const void *bytes, size_t len)
{
	uint64_t prefix = len;
	buf_add(parts, &prefix, sizeof(prefix));
	buf_add(parts, bytes, len);
}

void tls_key_add_text(struct buf *parts, const char *text)
{
	char is_there = text != NULL;
	buf_add(parts, &is_there, sizeof(is_there));
	tls_key_add(parts, text ? text : "", text ? strlen(text) : 0);
}

bool tls_key_make(const struct buf *parts, struct tls_key *out)
{
	return gnutls_hash_fast(GNUTLS_DIG_SHA256, buf_bytes(parts), buf_len(parts),
		       out->octets) == 0;
}
