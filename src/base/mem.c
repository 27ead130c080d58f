#include "base/mem.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__ /* which stdlib.h has told */
#include <malloc.h>
#endif

static void *checked(void *p)
{
	if (!p)
		err_abort("out of memory");
	return p;
}

void *xmalloc(size_t size)
{
	return checked(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
	return checked(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t size)
{
	return checked(realloc(p, size ? size : 1));
}

void *xreallocarray(void *p, size_t count, size_t size)
{
	ASSERT(size == 0 || count <= SIZE_MAX / size);
	return xrealloc(p, count * size);
}

char *xstrdup(const char *s)
{
	return s ? checked(strdup(s)) : NULL;
}

char *xstrndup(const char *s, size_t len)
{
	char *copy = xmalloc(len + 1);
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

void *xmemdup(const void *p, size_t len)
{
	void *copy = xmalloc(len);
	if (len)
		memcpy(copy, p, len);
	return copy;
}

char *xasprintf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	va_start(ap, fmt);
	int len = vasprintf(&s, fmt, ap);
	va_end(ap);
	return checked(len < 0 ? NULL : s);
}

void mem_free(void *pp)
{
	void *p;
	memcpy(&p, pp, sizeof(p));
	free(p);
	p = NULL;
	memcpy(pp, &p, sizeof(p));
}

void mem_free_secret(char **s)
{
	if (*s)
		explicit_bzero(*s, strlen(*s));
	mem_free(s);
}

void mem_give_back(void)
{
#ifdef __GLIBC__
	(void)malloc_trim(0); /* whether there was any */
#endif
}
