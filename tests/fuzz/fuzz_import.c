/*
 * Tables of other mail servers (policy/import.h): the first octet says of which. Each
 * line becomes a route that is one, or the reason why not.
 */
#include "fuzz.h"

#include "base/err.h"
#include "policy/import.h"
#include "policy/route.h"

#include <string.h>

static void check(const struct policy_import_line *line)
{
	char why[POLICY_TEXT_MAX];
	ASSERT(!*line->route == !!*line->why);
	if (!*line->route)
		return;
	ASSERT(!strpbrk(line->route, "\r\n"));
	struct policy_route *route =
		policy_route_parse(line->route, strlen(line->route), why);
	ASSERT(route);
	policy_route_free(&route);
}

void fuzz_import(const uint8_t *data, size_t len)
{
	struct fuzz_input in = fuzz_input(data, len);
	struct policy_import_line line;
	unsigned last = 0;
	enum policy_import_from from =
		fuzz_octet(&in) & 1 ? POLICY_IMPORT_PMAILSERVER : POLICY_IMPORT_XMAIL;
	struct policy_import *import = policy_import_new(from, in.s, in.len);
	while (policy_import_next(import, &line)) {
		ASSERT(line.number > last);
		last = line.number;
		check(&line);
	}
	policy_import_free(&import);
}
