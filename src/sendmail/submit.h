/*
 * A message from standard input to the queue: the mode that sendmail is run in by
 * nearly everybody. The header is held back until it has ended (recipients of -t, fields
 * that are missing), SUBMIT_HEADER_BYTES at most; the body streams.
 */
#ifndef SENDMAIL_SUBMIT_H
#define SENDMAIL_SUBMIT_H

#include "config/config.h"
#include "sendmail/options.h"

#include <sys/types.h>

enum { SUBMIT_HEADER_BYTES = 1024 * 1024 };

/* For a user, who need not be the one that this runs as. Returns an exit status: EX_OK
 * when the message is stored, durably. */
int submit_run(
	const struct sendmail_options *options, const struct config *config, uid_t user);

#endif
