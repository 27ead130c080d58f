#include "config/errors.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ERROR_TEXT_MAX = 1024 };

/* Keeps the list sorted; of one line, the error found first stays first. */
static struct config_error *make_room(struct config_errors *errors, unsigned line)
{
	size_t at = errors->count;
	errors->list =
		xreallocarray(errors->list, errors->count + 1, sizeof(errors->list[0]));
	while (at > 0 && errors->list[at - 1].line > line)
		at--;
	memmove(&errors->list[at + 1], &errors->list[at],
		(errors->count - at) * sizeof(errors->list[0]));
	errors->count++;
	return &errors->list[at];
}

void config_errors_add(struct config_errors *errors, unsigned line, const char *fmt, ...)
{
	char text[ERROR_TEXT_MAX], clean[ERROR_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_clean(text, strlen(text), clean, sizeof(clean));
	struct config_error *error = make_room(errors, line);
	*error = (struct config_error){ .line = line, .text = xstrdup(clean) };
}

void config_errors_clear(struct config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		free(errors->list[i].text);
	free(errors->list);
	errors->list = NULL;
	errors->count = 0;
}

void config_errors_format(struct config_errors *errors, struct buf *out)
{
	for (size_t i = 0; i < errors->count; i++) {
		const struct config_error *error = &errors->list[i];
		if (error->line)
			buf_addf(out, "%s:%u: %s\n", errors->file, error->line,
				error->text);
		else
			buf_addf(out, "%s: %s\n", errors->file, error->text);
	}
}
