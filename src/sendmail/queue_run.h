/*
 * -q: an attempt for all that is due, or first made due (-qI, -qR, -qS). The work is
 * that of `hikyaku run --once`, which takes the place of this process: delivery needs
 * libraries that a message to the queue must not wait for.
 */
#ifndef SENDMAIL_QUEUE_RUN_H
#define SENDMAIL_QUEUE_RUN_H

#include "config/config.h"
#include "sendmail/options.h"

/* Returns an exit status only if something fails. */
int queue_run(const struct sendmail_options *options, const struct config *config);

#endif
