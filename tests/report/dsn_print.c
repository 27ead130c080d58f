/* dsn_print CASE < MESSAGE: the notification, with MESSAGE returned in it. */
#include "base/mem.h"
#include "dsn_cases.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	char returned[4096];
	struct dsn_message m;
	const struct dsn_case *c = argc > 1 ? dsn_case_find(argv[1]) : NULL;
	if (!c)
		return 2;
	returned[fread(returned, 1, sizeof(returned) - 1, stdin)] = '\0';
	dsn_case_build(c, &m);
	char *text = dsn_case_text(c, &m, returned);
	fputs(text, stdout);
	free(text);
	dsn_message_clear(&m);
	return 0;
}
