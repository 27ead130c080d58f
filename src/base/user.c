#include "base/user.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

bool user_exists(const char *name)
{
	return getpwnam(name) != NULL;
}

bool user_is_me(const char *name)
{
	const struct passwd *pw = getpwnam(name);
	return pw && pw->pw_uid == geteuid();
}

/* What PR_SET_KEEPCAPS has left is all of root's: one of them is taken over. */
static int keep_ports(struct err *e)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	data[0].permitted = data[0].effective = 1u << CAP_NET_BIND_SERVICE;
	if (syscall(SYS_capset, &header, data) != 0)
		return err_errno(e, errno, "keep the right to bind ports below 1024");
	return 0;
}

static int change(const struct passwd *pw, bool keeps_ports, struct err *e)
{
	if (initgroups(pw->pw_name, pw->pw_gid) != 0 ||
		setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0)
		return err_errno(e, errno, "take the groups of user %s", pw->pw_name);
	if (keeps_ports && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
		return err_errno(e, errno, "keep the right to bind ports below 1024");
	if (setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0)
		return err_errno(e, errno, "become user %s", pw->pw_name);
	int rc = keeps_ports ? keep_ports(e) : 0;
	if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		rc = err_errno(e, errno, "give up what other programs could give back");
	return rc;
}

int user_become(const char *name, bool keeps_ports, struct err *e)
{
	errno = 0;
	const struct passwd *pw = getpwnam(name);
	if (!pw && errno && errno != ENOENT)
		return err_errno(e, errno, "look for user %s", name);
	if (!pw)
		return err_set(e, ERR_NOT_FOUND,
			"there is no user %s; make it, with systemd-sysusers or adduser "
			"--system --group %s",
			name, name);
	if (geteuid() != 0)
		return err_set(e, ERR_PERMISSION,
			"only root can become user %s; start it as root, or as that user",
			name);
	if (pw->pw_uid == 0)
		return 0;
	int rc = change(pw, keeps_ports, e);
	ASSERT(rc != 0 || (setuid(0) != 0 && setgid(0) != 0));
	return rc;
}

void user_set_home(void)
{
	const struct passwd *pw = getpwuid(geteuid());
	unsetenv("HOME");
	if (pw && *pw->pw_dir)
		(void)setenv("HOME", pw->pw_dir, 1); /* out of memory: without one */
}
