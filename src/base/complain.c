#include "base/complain.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void complain(const char *program, const char *fmt, va_list ap)
{
	OWN(mem_free) char *text = NULL;
	if (vasprintf(&text, fmt, ap) < 0)
		abort(); /* as xmalloc does */
	size_t size = strlen(text) + 1;
	OWN(mem_free) char *clean = xmalloc(size);
	text_clean(text, size - 1, clean, size);
	fflush(stdout);
	fprintf(stderr, "%s: %s\n", program, clean);
}
