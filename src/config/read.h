/*
 * The values of a scanned file, by libConfuse. The only file that knows it.
 */
#ifndef CONFIG_READ_H
#define CONFIG_READ_H

#include "config/errors.h"
#include "config/scan.h"

#include <stddef.h>

/* words are borrowed for the call; count is 0 for an empty list. */
typedef void config_read_cb(void *arg, const struct config_statement *statement,
	const char *const *words, size_t count);

/* Calls cb for each statement, in the order of the file. */
void config_read(const struct config_scan *scan, struct config_errors *errors,
	config_read_cb *cb, void *arg);

#endif
