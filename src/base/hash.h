/*
 * uthash's tables on this program's memory: the library itself would leave by
 * exit() when memory runs out, these abort as everything else does. Nobody else
 * includes <uthash.h>.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/mem.h"

#include <stdlib.h>

#define uthash_malloc(size)  xmalloc(size)
#define uthash_free(p, size) free(p)

#include <uthash.h>

#endif
