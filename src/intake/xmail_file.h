/*
 * One of XMail's message files (xmail_format.h) as a message at intake. Waits for the
 * disk and for the queue, as wait.h does.
 */
#ifndef INTAKE_XMAIL_FILE_H
#define INTAKE_XMAIL_FILE_H

#include "intake/message.h"

/* Opens a regular file for reading, in the directory dir_fd or AT_FDCWD; never through a
 * symbolic link, never waiting. Returns a descriptor, or ERR_INVALID (no regular file),
 * ERR_NOT_FOUND, ERR_PERMISSION, ERR_IO. */
int xmail_file_open(int dir_fd, const char *name, struct err *e);

/* All of it into m, which is new: the envelope, the trace, the content to its end.
 * max_recipients of config counts. Returns 0, ERR_INVALID or ERR_LIMIT for what is wrong
 * with the file, ERR_IO. The text does not name the file. e: not NULL. */
int xmail_file_read(
	struct intake_message *m, const struct config *config, int fd, struct err *e);

#endif
