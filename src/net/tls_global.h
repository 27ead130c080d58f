/*
 * GnuTLS initializes itself when it is loaded, which takes a quarter of the time
 * of a command that has no use for TLS. A program that is linked with this says
 * when, or whether at all.
 */
#ifndef NET_TLS_GLOBAL_H
#define NET_TLS_GLOBAL_H

#include "base/err.h"

/* Before anything else of net/tls.h. ERR_UNSUPPORTED: the library cannot work
 * here; the text says why. */
int tls_global_init(struct err *e);

#endif
