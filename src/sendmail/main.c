/* hikyaku-sendmail, alias sendmail, mailq, newaliases: the command line, the
 * configuration, and one of the modes. */
#include "config.h"

#include "base/mem.h"
#include "base/user.h"
#include "config/config.h"
#include "sendmail/options.h"
#include "sendmail/queue_list.h"
#include "sendmail/queue_run.h"
#include "sendmail/say.h"
#include "sendmail/smtp.h"
#include "sendmail/submit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* Programs that close their descriptors run this too, and what it opens must not
 * become its standard output. */
static void fill_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			_exit(EX_OSERR);
	}
}

/* With set-user-id, others may put mail into the queue, and look at it. Whoever chooses
 * the configuration or delivers does so as who they are. Else the user who started it
 * must not be able to stop it while it has the queue locked. */
static bool settle_user(const struct sendmail_options *options)
{
	bool is_own = options->config_path || options->mode == SENDMAIL_RUN;
	uid_t uid = is_own ? getuid() : geteuid();
	gid_t gid = is_own ? getgid() : getegid();
	if (getuid() == geteuid() && getgid() == getegid())
		return true;
	if (!is_own)
		signal(SIGTSTP, SIG_IGN);
	return setresgid(gid, gid, gid) == 0 && setresuid(uid, uid, uid) == 0;
}

static int print_help(void)
{
	fputs("Usage: hikyaku-sendmail [OPTION]... [RECIPIENT]... < MESSAGE\n\n", stdout);
	sendmail_options_print(stdout);
	fputs("\nhikyaku-sendmail(1) tells all.\n", stdout);
	return EX_OK;
}

/* Whether the library can do the `protocols` of the configuration is not found out:
 * nothing here speaks TLS. */
static int load(const struct sendmail_options *options, struct config **out)
{
	static const char usual[] = HIKYAKU_SYSCONFDIR "/hikyaku.conf";
	const char *path = options->config_path;
	struct err e = { 0 };
	if (!path && access(usual, F_OK) == 0)
		path = usual;
	if (config_load(path, UINT_MAX, out, &e) != 0)
		return say_fail_lines(EX_CONFIG, e.text);
	return EX_OK;
}

/* Root's mail, that of cron for one, goes into the queue as everybody's: as the user
 * whose queue it is, who must not find files of root's there. */
static int become_user(const struct config *config)
{
	struct err e = { 0 };
	if (!config->user || geteuid() != 0 || user_become(config->user, false, &e) == 0)
		return EX_OK;
	return say_fail(EX_CONFIG, "option user: %s", e.text);
}

static int run(const struct sendmail_options *options, uid_t user)
{
	OWN(config_free) struct config *config = NULL;
	int status = load(options, &config);
	if (status == EX_OK)
		status = become_user(config);
	if (status != EX_OK)
		return status;
	if (options->mode == SENDMAIL_LIST)
		return queue_list_run(options, config);
	if (options->mode == SENDMAIL_RUN)
		return queue_run(options, config);
	if (options->mode == SENDMAIL_SMTP)
		return sendmail_smtp_run(config, user);
	return submit_run(options, config, user);
}

int main(int argc, char **argv)
{
	struct sendmail_options options;
	struct err e = { 0 };
	uid_t user = getuid();
	fill_descriptors();
	signal(SIGPIPE, SIG_IGN);
	if (sendmail_options_parse(argc, argv, &options, &e) != 0)
		return say_fail(EX_USAGE, "%s", e.text);
	if (!settle_user(&options))
		return say_fail(EX_OSERR, "change the user id: %s", strerror(errno));
	switch (options.mode) {
	case SENDMAIL_HELP:
		return print_help();
	case SENDMAIL_VERSION:
		puts("hikyaku-sendmail " PACKAGE_VERSION);
		return EX_OK;
	case SENDMAIL_NOTHING:
		return EX_OK;
	default:
		return run(&options, user);
	}
}
