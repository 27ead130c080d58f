#include "cli/run_sinks.h"

#include "base/log.h"
#include "report/log_line.h"
#include "report/tls_log.h"

int run_sinks_open(const struct config *config, bool with_lines, struct run_sinks *sinks,
	struct err *e)
{
	int result = log_open(config->log, "hikyaku", e);
	if (result == 0 && config->tls_log)
		result = tls_log_open(config->tls_log, &sinks->tls_log, e);
	if (result != 0)
		return result;
	if (with_lines)
		event_hub_add(&sinks->hub, &log_line_sink);
	if (sinks->tls_log)
		event_hub_add(&sinks->hub, tls_log_sink(sinks->tls_log));
	return 0;
}

int run_sinks_reopen(struct run_sinks *sinks, struct err *e)
{
	int result = log_reopen(e);
	if (result == 0 && sinks->tls_log)
		result = tls_log_reopen(sinks->tls_log, e);
	return result;
}

void run_sinks_close(struct run_sinks *sinks)
{
	tls_log_close(&sinks->tls_log);
}
