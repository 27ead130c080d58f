/* hikyaku run: the worker, with the sinks of its events. */
#include "cli/cli.h"

#include "base/log.h"
#include "base/mem.h"
#include "cli/lost_record.h"
#include "cli/run_notices.h"
#include "delivery/worker.h"
#include "event/event.h"
#include "net/tls.h"
#include "report/log_line.h"
#include "report/tls_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

const struct cli_option cli_run_options[] = {
	{ 0, "once", NULL, "attempt all that is due, then exit" },
	{ 0 },
};

struct run_sinks {
	const char *config_path; /* NULL: built-in defaults */
	struct tls_log *tls_log;
	struct event_hub hub;
};

static int reload(void *arg, struct config **out, struct err *e)
{
	struct run_sinks *sinks = arg;
	int result = log_reopen(e);
	if (result == 0 && sinks->tls_log)
		result = tls_log_reopen(sinks->tls_log, e);
	if (result != 0)
		return result;
	return config_load(sinks->config_path, tls_versions_available(), out, e);
}

static int open_sinks(const struct config *config, struct run_sinks *sinks)
{
	struct err e = { 0 };
	if (log_open(config->log, "hikyaku", &e) != 0)
		return cli_fail_err(&e);
	if (config->tls_log && tls_log_open(config->tls_log, &sinks->tls_log, &e) != 0)
		return cli_fail_err(&e);
	event_hub_add(&sinks->hub, &log_line_sink);
	if (sinks->tls_log)
		event_hub_add(&sinks->hub, tls_log_sink(sinks->tls_log));
	return EX_OK;
}

int cli_run(struct cli *cli, const struct cli_args *args)
{
	struct run_sinks sinks = { 0 };
	struct err e = { 0 };
	if (!cli_config(cli))
		return EX_CONFIG;
	sinks.config_path = cli->config->path ? cli->config_path : NULL;
	int status = open_sinks(cli->config, &sinks);
	if (status == EX_OK) {
		struct worker_options options = {
			.config = MOVE(cli->config),
			.once = cli_option(args, "once") != NULL,
			.hub = &sinks.hub,
			.notices = &run_notice_maker,
			.reload = reload,
			.arg = &sinks,
			.lost_record = lost_record,
		};
		int result = worker_run(&options, &e);
		if (result == ERR_INVALID)
			status = cli_fail_lines(EX_CONFIG, e.text);
		else if (result != 0)
			status = cli_fail_err(&e);
	}
	tls_log_close(&sinks.tls_log);
	return status;
}
