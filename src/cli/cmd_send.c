/* send: a message from standard input, or many (--batch). */
#include "cli/cli.h"

#include "base/mem.h"
#include "cli/batch.h"
#include "cli/stdin_message.h"
#include "intake/wait.h"

#include <sysexits.h>
#include <unistd.h>

const struct cli_option cli_send_options[] = {
	{ 'f', "from", "SENDER",
		"envelope sender, \"\" for none (default: USER@hostname)" },
	{ 0, "batch", NULL, "read batched SMTP: MAIL, RCPT, DATA ... of many messages" },
	{ 0 },
};

static void on_done(void *arg, int64_t id, const struct err *e)
{
	int *status = arg;
	*status =
		e ? cli_fail(cli_queue_status(e->code), "%s", e->text) : cli_print_id(id);
}

static int send_one(
	struct intake *in, const struct config *config, const struct cli_args *args)
{
	struct err e = { 0 };
	int status = EX_SOFTWARE;
	OWN(intake_message_free) struct intake_message *m = intake_message_new(in);
	if (stdin_message_read(m, config, args, &e) != 0)
		return cli_fail_err(&e);
	if (intake_commit_wait(&m, on_done, &status, &e) != 0)
		return cli_fail_err(&e);
	intake_wait_all(in);
	return status;
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
		return cli_fail(cli_queue_status(e.code), "%s", e.text);
	stdin_message_explain(cli_option(args, "batch") ? "batched SMTP"
							: "the message, header first,");
	if (cli_option(args, "batch"))
		status = batch_run(in, STDIN_FILENO, config->max_message_size);
	else
		status = send_one(in, config, args);
	intake_close(&in);
	return status;
}
