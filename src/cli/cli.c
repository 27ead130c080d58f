#include "cli/cli.h"

#include "base/complain.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "base/user.h"
#include "mail/envelope.h"
#include "net/tls.h"
#include "queue/reader.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

const char *cli_option(const struct cli_args *args, const char *name)
{
	const struct cli_option *o = args->command->options;
	for (size_t i = 0; o[i].letter || o[i].name; i++) {
		if (o[i].name ? strcmp(o[i].name, name) == 0
			      : o[i].letter == name[0] && !name[1])
			return args->values[i];
	}
	ASSERT(!"the command has such an option");
	return NULL;
}

int cli_fail(int status, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	complain("hikyaku", fmt, ap);
	va_end(ap);
	return status;
}

int cli_fail_lines(int status, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		cli_fail(status, "%.*s", (int)len, text);
		text += len + (text[len] == '\n');
	}
	return status;
}

int cli_status(enum err_code code)
{
	switch (code) {
	case ERR_OK:
		return EX_OK;
	case ERR_INVALID:
	case ERR_LIMIT:
		return EX_DATAERR;
	case ERR_NOT_FOUND:
		return EX_NOINPUT;
	case ERR_EXISTS:
		return EX_CANTCREAT;
	case ERR_PERMISSION:
		return EX_NOPERM;
	case ERR_IO:
		return EX_IOERR;
	case ERR_NO_SPACE:
	case ERR_BUSY:
	case ERR_TIMEOUT:
	case ERR_NETWORK:
		return EX_TEMPFAIL;
	case ERR_VERSION:
		return EX_CONFIG;
	case ERR_CANCELLED:
	case ERR_UNSUPPORTED:
		return EX_UNAVAILABLE;
	}
	return EX_SOFTWARE;
}

int cli_queue_status(enum err_code code)
{
	switch (code) {
	case ERR_IO:
	case ERR_PERMISSION:
	case ERR_NOT_FOUND:
	case ERR_EXISTS:
		return EX_TEMPFAIL;
	case ERR_INVALID:
		return EX_CONFIG;
	default:
		return cli_status(code);
	}
}

int cli_fail_err(const struct err *e)
{
	return cli_fail(cli_status(e->code), "%s", e->text);
}

/* A listener that is added later may want one too, if there is one already. */
static bool needs_ports(const struct config *config)
{
	enum { FIRST_FOR_ALL = 1024 };
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct config_listen *l = &config->listen[i];
		if (!*l->path && addr_port(&l->addr) < FIRST_FOR_ALL)
			return true;
	}
	return false;
}

bool cli_become_user(const struct config *config)
{
	struct err e = { 0 };
	if (!config->user || geteuid() != 0)
		return true;
	if (user_become(config->user, needs_ports(config), &e) == 0)
		return true;
	cli_fail(0, "option user: %s", e.text);
	return false;
}

static bool settle_user(const struct cli *cli)
{
	const char *name = cli->config->user;
	if (cli->user == CLI_USER_STAYS || !name)
		return true;
	if (cli->user == CLI_USER_MUST && geteuid() != 0 && !user_is_me(name)) {
		cli_fail(0,
			"option user: only root and %s may run this with this "
			"configuration",
			name);
		return false;
	}
	return cli_become_user(cli->config);
}

const struct config *cli_config(struct cli *cli)
{
	struct err e = { 0 };
	if (cli->config)
		return cli->config;
	const char *path = cli->config_path;
	if (!cli->config_given && access(path, F_OK) != 0)
		path = NULL;
	unsigned versions = cli->without_tls ? UINT_MAX : tls_versions_available();
	if (config_load(path, versions, &cli->config, &e) != 0) {
		cli_fail_lines(EX_CONFIG, e.text);
		return NULL;
	}
	if (!settle_user(cli))
		config_free(&cli->config);
	return cli->config;
}

struct policy_set *cli_policy(struct cli *cli)
{
	const struct config *config = cli_config(cli);
	if (!config)
		return NULL;
	struct policy_options options = {
		.match = config->domain_match,
		.versions_available = tls_versions_available(),
	};
	struct policy_errors errors = { 0 };
	struct policy_set *set =
		policy_set_load(config->policy_dir, &options, 1, &errors);
	for (size_t i = 0; !set && i < errors.count; i++) {
		const struct policy_error *p = &errors.list[i];
		if (p->line)
			cli_fail(0, "%s:%u: %s", p->file, p->line, p->text);
		else
			cli_fail(0, "%s: %s", p->file, p->text);
	}
	policy_errors_clear(&errors);
	return set;
}

struct queue_reader *cli_reader(struct cli *cli, int *status_out)
{
	const struct config *config = cli_config(cli);
	struct queue_reader *reader = NULL;
	struct err e = { 0 };
	if (!config)
		*status_out = EX_CONFIG;
	else if (queue_reader_open(config->queue, 5000, &reader, &e) != 0)
		*status_out = cli_fail_err(&e);
	return reader;
}

bool cli_parse_id(const char *word, int64_t *id_out)
{
	if (mail_id_parse(word, id_out))
		return true;
	cli_fail(EX_USAGE,
		"\"%.60s\" is no queue id: it has 16 digits and letters A to F, as "
		"`send` prints it and `queue list` shows it",
		word);
	return false;
}

int cli_print_id(int64_t id)
{
	char text[MAIL_ID_MAX];
	mail_id_format(id, text);
	(void)failpoint("send.stored");
	if (puts(text) >= 0 && fflush(stdout) == 0) {
		(void)failpoint("send.printed");
		return EX_OK;
	}
	return cli_fail(EX_IOERR,
		"write to standard output: %s; message %s is queued all the same: do not "
		"send it again",
		strerror(errno), text);
}
