/*
 * The lines of a policy file: encoding (UTF-8, or UTF-16 after its byte order
 * mark), line ends, comments, blanks. Works on the bytes as they are in the
 * file, so that an edit can leave every byte alone that it does not mean.
 * Not for users outside of policy/.
 */
#ifndef POLICY_LINES_H
#define POLICY_LINES_H

#include "policy/util.h"

#include <stdbool.h>
#include <stddef.h>

enum policy_encoding { POLICY_UTF8, POLICY_UTF16LE, POLICY_UTF16BE };

struct policy_lines {
	/* Set by policy_lines_init. */
	const char *bytes; /* borrowed */
	size_t len;
	enum policy_encoding encoding;

	/* The line that policy_lines_next went to. Offsets in bytes. */
	unsigned number; /* from 1 */
	size_t start;
	size_t text_end; /* where the line end begins: CRLF, LF or nothing */
	size_t end;      /* where the next line starts */

	/* Its entry, in UTF-8, without blanks and comment: entry_len 0 if it has
	 * none. Not terminated; valid until the next call. */
	const char *entry;
	size_t entry_len;
	size_t blanks_len; /* blanks before the entry, one octet each in UTF-8 */

	struct policy_bytes text; /* private: the line in UTF-8 */
	bool is_cut;              /* private: it ends with half a unit */
};

void policy_lines_init(struct policy_lines *l, const char *bytes, size_t len);
bool policy_lines_next(struct policy_lines *l);
void policy_lines_clear(struct policy_lines *l);

/* The offset in the file of an offset in the entry, which is valid UTF-8. */
size_t policy_lines_offset(const struct policy_lines *l, size_t in_entry);

/* Appends UTF-8 in another encoding. The text is valid. */
void policy_lines_encode(struct policy_bytes *out, enum policy_encoding encoding,
	const char *s, size_t len);

#endif
