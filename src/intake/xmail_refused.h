/*
 * Files that were refused: which ones, so that each is told of once, and not read again
 * until it changes. A file is known by its inode, size and time of change. So many are
 * remembered at most; what the directory does not have any more is forgotten.
 */
#ifndef INTAKE_XMAIL_REFUSED_H
#define INTAKE_XMAIL_REFUSED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

enum { XMAIL_REFUSED_MAX = 10000, XMAIL_RETRY_MS = 60 * 1000 };

struct xmail_refused;
struct xmail_refused *xmail_refused_new(void);
void xmail_refused_free(struct xmail_refused **r);

/* Between these two all files of the directory are asked for, if it is complete. */
void xmail_refused_begin(struct xmail_refused *r);
void xmail_refused_end(struct xmail_refused *r, bool is_complete);

/* Is it to be left alone? Those that the system refused only for XMAIL_RETRY_MS. */
bool xmail_refused_has(struct xmail_refused *r, const struct stat *st, int64_t now_ms);
/* Returns whether it is news. is_final: it is the file's own fault. */
bool xmail_refused_add(
	struct xmail_refused *r, const struct stat *st, bool is_final, int64_t now_ms);
bool xmail_refused_is_full(const struct xmail_refused *r);

#endif
