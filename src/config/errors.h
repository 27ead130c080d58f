/*
 * The errors of one configuration file, collected while it is read, so that a
 * person sees all of them at once, in the order of the file.
 */
#ifndef CONFIG_ERRORS_H
#define CONFIG_ERRORS_H

#include "base/buf.h"

#include <stddef.h>

struct config_error {
	unsigned line; /* 0: concerns the file as a whole */
	char *text;    /* owned */
};

struct config_errors {
	const char *file; /* as shown; borrowed */
	struct config_error *list;
	size_t count;
};

void config_errors_add(struct config_errors *errors, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void config_errors_clear(struct config_errors *errors);

/* Appends "file:line: text" lines sorted by line, each with its newline.
 * Foreign bytes in them are made fit to be shown. */
void config_errors_format(struct config_errors *errors, struct buf *out);

#endif
