/* Reads a configuration file: one open, one fstat, then the bytes. */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include "base/buf.h"
#include "base/err.h"

/* Refuses what is no regular file, what everybody may write, and what is over
 * 1 MiB. A symbolic link is followed: configurations are often kept elsewhere. */
int config_file_read(const char *path, struct buf *out, struct err *e);

#endif
