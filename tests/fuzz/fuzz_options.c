/*
 * The command line of sendmail (sendmail/options.h): the name it is run by, then an
 * argument a line. What it hands out are its arguments.
 */
#include "fuzz.h"

#include "base/err.h"
#include "base/mem.h"
#include "sendmail/options.h"

#include <string.h>

enum { ARGUMENTS_MAX = 32 };

/* The lines of a string, cut in place. */
static int split(char *s, char **argv)
{
	int argc = 0;
	while (argc < ARGUMENTS_MAX) {
		argv[argc++] = s;
		s = strchr(s, '\n');
		if (!s)
			break;
		*s++ = '\0';
	}
	argv[argc] = NULL;
	return argc;
}

void fuzz_options(const uint8_t *data, size_t len)
{
	OWN(mem_free) char *line = xstrndup((const char *)data, len);
	char *argv[ARGUMENTS_MAX + 1];
	struct sendmail_options o = { 0 };
	struct err e = { 0 };
	int argc = split(line, argv);
	if (sendmail_options_parse(argc, argv, &o, &e)) {
		ASSERT(e.code == ERR_INVALID && *e.text);
		return;
	}
	ASSERT(o.recipient_count < (size_t)argc);
	for (size_t i = 0; i < o.recipient_count; i++)
		ASSERT(strlen(o.recipients[i]) <= len);
	ASSERT(!o.envid || strlen(o.envid) <= len);
}
