/*
 * Where XMail's files are: a directory of them, XMail's spool, or single files. What is
 * done with each: xmail_batch.h.
 *
 * A directory is not walked at random: its own files are taken, and, where it has the
 * numbered directories of a spool, those in N/M/mess. Names that begin with a dot or end
 * in ".tmp" are of files that are being written. Whoever puts a file there writes it
 * elsewhere in the same file system and moves it: what has its name is complete.
 */
#ifndef INTAKE_XMAIL_H
#define INTAKE_XMAIL_H

#include "intake/xmail_batch.h"

struct xmail;
struct xmail *xmail_new(const struct xmail_options *options);
void xmail_free(struct xmail **x);

/* Takes what is there, the last of it perhaps only with xmail_finish. Returns 0; an error
 * of the path itself (ERR_NOT_FOUND ...); or one of the queue, once: nothing is taken
 * after it. */
int xmail_take(struct xmail *x, const char *path, struct err *e);
int xmail_finish(struct xmail *x, struct err *e);

#endif
