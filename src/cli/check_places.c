#include "cli/check_places.h"

#include "base/mem.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The user that `run` is: we are not always the same. */
static uid_t runner(const struct config *config)
{
	const struct passwd *pw = config->user ? getpwnam(config->user) : NULL;
	return pw ? pw->pw_uid : geteuid();
}

static int complain_writable(
	const char *option, const char *path, const struct stat *st, struct buf *report)
{
	buf_addf(report,
		"%s: directory %s may be written to by everybody (mode %04o); run: chmod "
		"o-w %s\n",
		option, path, (unsigned)(st->st_mode & 07777), path);
	return ERR_PERMISSION;
}

static int complain_owner(
	const char *option, const char *path, const struct stat *st, struct buf *report)
{
	const struct passwd *pw = getpwuid(st->st_uid);
	buf_addf(report, "%s: directory %s belongs to uid %u", option, path,
		(unsigned)st->st_uid);
	if (pw)
		buf_addf(report, ", %s", pw->pw_name);
	buf_addstr(report, ", and not to the user that `run` is; set user, or run: chown "
			   "USER ");
	buf_addf(report, "%s\n", path);
	return ERR_PERMISSION;
}

static int check_directory(const struct config *config, const char *option,
	const char *path, struct buf *report)
{
	struct stat st;
	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
		return 0;
	if (st.st_mode & S_IWOTH)
		return complain_writable(option, path, &st, report);
	if (st.st_uid != 0 && st.st_uid != runner(config))
		return complain_owner(option, path, &st, report);
	return 0;
}

int check_places(const struct config *config, struct buf *report)
{
	OWN(mem_free) char *queue = xstrdup(config->queue);
	char *slash = strrchr(queue, '/'); /* the path is absolute */
	slash[slash == queue] = '\0';
	int of_queue = check_directory(config, "queue", queue, report);
	int of_policy = check_directory(config, "policy_dir", config->policy_dir, report);
	return of_queue ? of_queue : of_policy;
}
