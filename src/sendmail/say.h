/*
 * What this program says to people: lines on standard error with its name in front,
 * and exit statuses of sysexits.h. They return the status, so that
 * `return say_fail(EX_USAGE, ...)` reads well.
 *
 * Programs that run sendmail know three kinds of it: 0, the message is safe; 75, the
 * same may work later; anything else, it never will. So what an administrator has to
 * put right (space, rights, a queue in use) is 75, and only what is wrong with the
 * message, the command line or the configuration is not.
 */
#ifndef SENDMAIL_SAY_H
#define SENDMAIL_SAY_H

#include "base/err.h"

int say_fail(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int say_fail_lines(int status, const char *text); /* each line of it as say_fail */
/* For an error of the queue: the status is made of its code. doing: "message not
 * queued". */
int say_fail_queue(const char *doing, const struct err *e);

#endif
