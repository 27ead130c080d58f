#include "cli/check_places.h"

#include "base/mem.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* May `run`, as the user it is, trust what that user has? */
static bool is_trusted(const struct config *config, bool is_run, uid_t owner)
{
	const struct passwd *pw = config->user ? getpwnam(config->user) : NULL;
	if (owner == 0 || (pw && owner == pw->pw_uid))
		return true;
	return is_run ? owner == geteuid() : !pw;
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

static int check_directory(const struct config *config, bool is_run, const char *option,
	const char *path, struct buf *report)
{
	struct stat st;
	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
		return 0;
	if (st.st_mode & S_IWOTH)
		return complain_writable(option, path, &st, report);
	if (!is_trusted(config, is_run, st.st_uid))
		return complain_owner(option, path, &st, report);
	return 0;
}

int check_places(const struct config *config, bool is_run, struct buf *report)
{
	OWN(mem_free) char *queue = xstrdup(config->queue);
	char *slash = strrchr(queue, '/'); /* the path is absolute */
	slash[slash == queue] = '\0';
	int of_queue = check_directory(config, is_run, "queue", queue, report);
	int of_policy =
		check_directory(config, is_run, "policy_dir", config->policy_dir, report);
	return of_queue ? of_queue : of_policy;
}
