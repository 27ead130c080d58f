/*
 * Batched SMTP, RFC 2442: commands and messages from a descriptor, no replies.
 * HELO and EHLO may be left out. The line end of the first line, CRLF or LF, is
 * that of all lines, so that content cannot end a message with the other one.
 */
#ifndef CLI_BATCH_H
#define CLI_BATCH_H

#include "intake/wait.h"

/* Reads to QUIT or to the end. Ids go to standard output, each after its
 * commit; errors to standard error with the message and the line. Returns the
 * exit status: 0, EX_DATAERR if a message was refused, or what the queue said. */
int batch_run(struct intake *in, int fd, uint64_t max_message_size);

#endif
