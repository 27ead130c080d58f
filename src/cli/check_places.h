/*
 * The directories that the program trusts: whoever may write to that of the queue can
 * put a file in the place of one of ours, and whoever may write to that of the policy can
 * switch TLS off.
 */
#ifndef CLI_CHECK_PLACES_H
#define CLI_CHECK_PLACES_H

#include "base/buf.h"
#include "config/config.h"

#include <stdbool.h>

/* Adds a line for each that others may write to, or that belongs to another user than
 * root and the one that `run` is; returns 0 or ERR_PERMISSION. Who that is the option
 * user says, or we are it (is_run), or nobody knows: a service manager may start it as
 * anybody. One that is missing, or that cannot be looked at, is nobody's matter here. */
int check_places(const struct config *config, bool is_run, struct buf *report);

#endif
