/*
 * The allocator with a limit on single allocations, by LD_PRELOAD: what is of
 * FAULT_ALLOC_MAX octets or more fails. Not for programs with a sanitizer, which have
 * allocators of their own.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);

static size_t limit = SIZE_MAX;

__attribute__((constructor)) static void begin(void)
{
	const char *text = getenv("FAULT_ALLOC_MAX");
	if (text)
		limit = strtoull(text, NULL, 10);
}

static void *fail(void)
{
	errno = ENOMEM;
	return NULL;
}

void *malloc(size_t size)
{
	return size >= limit ? fail() : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return size && count >= limit / size ? fail() : __libc_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
	return size >= limit ? fail() : __libc_realloc(p, size);
}
