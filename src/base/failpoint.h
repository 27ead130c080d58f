/*
 * Named points at which tests make an operation fail or end the process.
 *
 * Compiled to nothing without --enable-failpoints. With it, the environment
 * variable HIKYAKU_FAILPOINTS lists what happens where:
 * "queue.commit=error:ENOSPC,delivery.final_dot=kill@3" (@3: at the third time).
 * Actions: error:ERRNO, kill (SIGKILL to oneself), exit:STATUS.
 */
#ifndef BASE_FAILPOINT_H
#define BASE_FAILPOINT_H

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#ifdef WITH_FAILPOINTS
/* 0, or the errno that the caller is to behave as if it had got. */
int failpoint(const char *name);
#else
#define failpoint(name) 0
#endif

#endif
