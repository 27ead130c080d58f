#include "base/failpoint.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef WITH_FAILPOINTS

enum { POINT_MAX = 16 };

static atomic_int passed[POINT_MAX]; /* how often each listed point was passed */

static int errno_named(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} names[] = { { "ENOSPC", ENOSPC }, { "EIO", EIO }, { "EMFILE", EMFILE },
		{ "ENOMEM", ENOMEM }, { "EROFS", EROFS }, { "EBUSY", EBUSY } };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strncmp(name, names[i].name, strlen(names[i].name)) == 0)
			return names[i].number;
	}
	return EIO;
}

static int act(const char *action, int index)
{
	size_t len = strcspn(action, ",");
	const char *at = memchr(action, '@', len);
	long due = at ? strtol(at + 1, NULL, 10) : 1;
	int now = atomic_fetch_add(&passed[index], 1) + 1;
	if (now < due)
		return 0;
	if (strncmp(action, "kill", 4) == 0 && now == due)
		kill(getpid(), SIGKILL);
	if (strncmp(action, "exit:", 5) == 0 && now == due)
		_exit((int)strtol(action + 5, NULL, 10));
	if (strncmp(action, "error:", 6) == 0)
		return errno_named(action + 6);
	return 0;
}

int failpoint(const char *name)
{
	const char *list = getenv("HIKYAKU_FAILPOINTS");
	size_t len = strlen(name);
	for (int i = 0; list && *list && i < POINT_MAX; i++) {
		if (strncmp(list, name, len) == 0 && list[len] == '=')
			return act(list + len + 1, i);
		list = strchr(list, ',');
		if (list)
			list++;
	}
	return 0;
}

#endif
