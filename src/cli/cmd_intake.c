/* intake xmail: files that XMail, or what writes such files, has left for us. */
#include "cli/cli.h"

#include "base/mem.h"
#include "base/text.h"
#include "intake/wait.h"
#include "intake/xmail.h"
#include "mail/envelope.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

const struct cli_option cli_intake_xmail_options[] = {
	{ 0, "keep", NULL, "leave the files where they are: XMail removes them itself" },
	{ 0 },
};

/* A bad file matters most: it stays, until somebody looks at it. */
static void note_status(int *status, int new_status)
{
	if (new_status == EX_DATAERR || *status == EX_OK)
		*status = new_status;
}

static void on_taken(void *arg, const struct xmail_taken *taken)
{
	int *status = arg;
	char id[MAIL_ID_MAX], path[PATH_MAX];
	mail_id_format(taken->id, id);
	text_clean(taken->path, strlen(taken->path), path, sizeof(path));
	if (printf("%s %s\n", id, path) < 0 || fflush(stdout) != 0)
		note_status(status,
			cli_fail(EX_IOERR,
				"write to standard output: %s; %s is queued all the "
				"same, as %s",
				strerror(errno), path, id));
}

static void on_refused(
	void *arg, const char *path, const struct stat *st, const struct err *e)
{
	int *status = arg;
	char clean[PATH_MAX];
	(void)st;
	text_clean(path, strlen(path), clean, sizeof(clean));
	note_status(status, cli_fail(cli_status(e->code), "%s: %s", clean, e->text));
}

static void take(struct xmail *x, char *const *paths, size_t count, int *status)
{
	for (size_t i = 0; i < count; i++) {
		struct err e = { 0 };
		if (xmail_take(x, paths[i], &e) != 0)
			note_status(status, cli_fail_err(&e));
	}
	struct err e = { 0 };
	if (xmail_finish(x, &e) != 0)
		note_status(status, cli_fail_err(&e));
}

int cli_intake_xmail(struct cli *cli, const struct cli_args *args)
{
	const struct config *config = cli_config(cli);
	struct intake *in = NULL;
	struct err e = { 0 };
	int status = EX_OK;
	if (!config)
		return EX_CONFIG;
	if (intake_open(config, &in, &e) != 0)
		return cli_fail_err(&e);
	struct xmail_options options = {
		.intake = in,
		.config = config,
		.keep = cli_option(args, "keep") != NULL,
		.on_taken = on_taken,
		.on_refused = on_refused,
		.arg = &status,
	};
	struct xmail *x = xmail_new(&options);
	take(x, args->words, args->word_count, &status);
	xmail_free(&x);
	intake_close(&in);
	return status;
}
