/*
 * -bs: SMTP on standard input and output, for programs that speak it to a process
 * instead of a socket. The session is that of the listener (intake/session.h); here it
 * has descriptors, and waits for both of them and for the queue.
 */
#ifndef SENDMAIL_SMTP_H
#define SENDMAIL_SMTP_H

#include "config/config.h"

#include <sys/types.h>

/* Until QUIT or the end of the input. Returns an exit status: EX_OK for a session that
 * ended in order, whatever was refused in it. */
int sendmail_smtp_run(const struct config *config, uid_t user);

#endif
