/* hikyaku run: the worker, with the sinks of its events. */
#include "cli/cli.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/notify.h"
#include "base/user.h"
#include "cli/check_places.h"
#include "cli/lost_record.h"
#include "cli/run_guests.h"
#include "cli/run_notices.h"
#include "cli/run_sinks.h"
#include "delivery/worker.h"
#include "net/tls.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

const struct cli_option cli_run_options[] = {
	{ 0, "once", NULL, "attempt all that is due, then exit" },
	{ 0 },
};

struct run {
	const char *config_path; /* NULL: built-in defaults */
	struct run_sinks sinks;
	struct run_guests guests;
};

static int reload(void *arg, struct config **out, struct err *e)
{
	struct run *run = arg;
	int result = run_sinks_reopen(&run->sinks, e);
	if (result != 0)
		return result;
	return config_load(run->config_path, tls_versions_available(), out, e);
}

/* What only we would find out when it is too late. */
static int check_start(const struct config *config)
{
	struct buf report = BUF_INIT;
	int rc = check_places(config, true, &report);
	cli_fail_lines(EX_CONFIG, buf_text(&report));
	buf_clear(&report);
	/* Root has read it; on SIGHUP it is another user who does. */
	if (config->path && access(config->path, R_OK) != 0)
		rc = cli_fail(EX_CONFIG,
			"user %s may not read %s (%s), and would have to on SIGHUP; run: "
			"chgrp %s %s && chmod g+r %s",
			config->user ? config->user : "of this process", config->path,
			strerror(errno), config->user ? config->user : "GROUP",
			config->path, config->path);
	return rc == 0 ? EX_OK : EX_CONFIG;
}

int cli_run(struct cli *cli, const struct cli_args *args)
{
	struct run run = { 0 };
	struct err e = { 0 };
	notify_init();
	if (!cli_config(cli))
		return EX_CONFIG;
	int status = check_start(cli->config);
	if (status != EX_OK)
		return status;
	user_set_home(); /* for commands of the credentials file */
	run_guests_init(&run.guests);
	run.config_path = cli->config->path ? cli->config_path : NULL;
	if (run_sinks_open(cli->config, true, &run.sinks, &e) != 0) {
		status = cli_fail_err(&e);
	} else {
		if (geteuid() == 0 && !cli->config->user)
			log_warning("this runs as root, which it need not be; set user, "
				    "or start it as a user of its own");
		struct worker_options options = {
			.config = MOVE(cli->config),
			.once = cli_option(args, "once") != NULL,
			.hub = &run.sinks.hub,
			.notices = &run_notice_maker,
			.reload = reload,
			.arg = &run,
			.guests = run.guests.list,
			.guest_count = RUN_GUESTS,
			.lost_record = lost_record,
		};
		int result = worker_run(&options, &e);
		if (result == ERR_INVALID)
			status = cli_fail_lines(EX_CONFIG, e.text);
		else if (result != 0)
			status = cli_fail_err(&e);
	}
	run_sinks_close(&run.sinks);
	return status;
}
