/* send: a message from standard input, or many (--batch). */
#include "cli/cli.h"

#include "base/mem.h"
#include "cli/batch.h"
#include "cli/intake.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { READ_SIZE = 65536 };

const struct cli_option cli_send_options[] = {
	{ 'f', "from", "SENDER",
		"envelope sender, \"\" for none (default: USER@hostname)" },
	{ 0, "batch", NULL, "read batched SMTP: MAIL, RCPT, DATA ... of many messages" },
	{ 0 },
};

static char *default_sender(const struct config *config)
{
	const char *user = getenv("USER");
	if (!user || !*user)
		user = getenv("LOGNAME");
	const struct passwd *pw = user && *user ? NULL : getpwuid(getuid());
	if (pw)
		user = pw->pw_name;
	return xasprintf("%s@%s", user && *user ? user : "nobody", config->hostname);
}

static int set_envelope(struct intake_message *m, const struct config *config,
	const struct cli_args *args, struct err *e)
{
	const char *from = cli_option(args, "from");
	OWN(mem_free) char *sender = from ? xstrdup(from) : default_sender(config);
	int rc = intake_set_sender(m, sender, strlen(sender), e);
	for (size_t i = 0; i < args->word_count && rc == 0; i++)
		rc = intake_add_recipient(
			m, args->words[i], strlen(args->words[i]), 0, NULL, e);
	return rc;
}

/* Returns the number of octets read, or a negative error. */
static long long copy_input(struct intake_message *m, struct err *e)
{
	static char bytes[READ_SIZE];
	long long total = 0;
	for (;;) {
		ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, errno, "read standard input");
		if (n == 0)
			return total;
		int rc = intake_write(m, bytes, (size_t)n, e);
		if (rc != 0)
			return rc;
		total += n;
	}
}

static void on_done(void *arg, int64_t id, const struct err *e)
{
	int *status = arg;
	*status = e ? cli_fail_err(e) : intake_print_id(id);
}

static int send_one(
	struct intake *in, const struct config *config, const struct cli_args *args)
{
	struct err e = { 0 };
	int status = EX_SOFTWARE;
	OWN(intake_message_free) struct intake_message *m = intake_message_new(in);
	if (set_envelope(m, config, args, &e) != 0)
		return cli_fail_err(&e);
	long long total = copy_input(m, &e);
	if (total < 0)
		return cli_fail_err(&e);
	if (total == 0)
		return cli_fail(EX_DATAERR,
			"no message on standard input; give one, header and body: "
			"hikyaku send RCPT < FILE");
	if (intake_commit(&m, on_done, &status, &e) != 0)
		return cli_fail_err(&e);
	intake_wait_all(in);
	return status;
}

/* Whoever forgot the "<" would wait for us as we wait for them. */
static void explain_wait(const struct cli_args *args)
{
	if (!isatty(STDIN_FILENO))
		return;
	fprintf(stderr,
		"hikyaku: reading %s from the terminal; Ctrl-D on a line of its "
		"own ends it, Ctrl-C gives up\n",
		cli_option(args, "batch") ? "batched SMTP"
					  : "the message, header first,");
}

static int check_usage(const struct cli_args *args)
{
	bool is_batch = cli_option(args, "batch") != NULL;
	if (is_batch && (args->word_count || cli_option(args, "from")))
		return cli_fail(EX_USAGE,
			"with --batch sender and recipients are in the input; leave them "
			"out here");
	if (!is_batch && !args->word_count)
		return cli_fail(EX_USAGE,
			"no recipient; hikyaku send [-f SENDER] RCPT... < MESSAGE");
	return EX_OK;
}

int cli_send(struct cli *cli, const struct cli_args *args)
{
	const struct config *config = cli_config(cli);
	struct intake *in = NULL;
	struct err e = { 0 };
	if (!config)
		return EX_CONFIG;
	int status = check_usage(args);
	if (status != EX_OK)
		return status;
	if (intake_open(config, &in, &e) != 0)
		return cli_fail_err(&e);
	explain_wait(args);
	if (cli_option(args, "batch"))
		status = batch_run(in, STDIN_FILENO, config->max_message_size);
	else
		status = send_one(in, config, args);
	intake_close(&in);
	return status;
}
