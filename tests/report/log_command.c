/*
 * `hikyaku log` by itself: src/cli/cmd_log.c with a reader that takes the
 * records from a file, one a line, and sees lines that are appended later.
 * log_command FILE [OPTION]...; the record "busy" stands for a queue that is
 * locked at the first look.
 */
#include "base/mem.h"
#include "cli/cli.h"
#include "policy/name.h"
#include "queue/reader.h"

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct queue_reader {
	FILE *file;
	char *line;
	size_t size;
	bool was_busy;
};

static const char *path;

const char *cli_option(const struct cli_args *args, const char *name)
{
	for (size_t i = 0; cli_log_options[i].name; i++) {
		if (strcmp(cli_log_options[i].name, name) == 0)
			return args->values[i];
	}
	abort();
}

int cli_fail(int status, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

int cli_fail_err(const struct err *e)
{
	return cli_fail(e->code == ERR_BUSY ? EX_TEMPFAIL : EX_IOERR, "%s", e->text);
}

bool cli_parse_id(const char *word, int64_t *id_out)
{
	*id_out = strtoll(word, NULL, 16);
	return *id_out != 0;
}

bool policy_destination_normalize(const char *s, size_t len,
	char out[POLICY_NAME_MAX + 1], char why[POLICY_TEXT_MAX])
{
	snprintf(out, POLICY_NAME_MAX + 1, "%.*s", (int)len, s);
	snprintf(why, POLICY_TEXT_MAX, "an empty name");
	return len > 0;
}

struct queue_reader *cli_reader(struct cli *cli, int *status_out)
{
	(void)cli;
	struct queue_reader *r = xcalloc(1, sizeof(*r));
	r->file = fopen(path, "r");
	*status_out = r->file ? 0 : EX_NOINPUT;
	if (!r->file)
		mem_free(&r);
	return r;
}

void queue_reader_close(struct queue_reader **r)
{
	fclose((*r)->file);
	free((*r)->line);
	mem_free(r);
}

static bool is_wanted(const struct queue_log_query *query, const char *line)
{
	return !query->domain || strstr(line, query->domain);
}

bool queue_reader_log(struct queue_reader *r, const struct queue_log_query *query,
	const char **json_out, int64_t *position_out, struct err *e)
{
	fseek(r->file, query->after, SEEK_SET);
	while (getline(&r->line, &r->size, r->file) > 0 && strchr(r->line, '\n')) {
		r->line[strcspn(r->line, "\n")] = '\0';
		*position_out = ftell(r->file);
		*json_out = r->line;
		if (strcmp(r->line, "busy") == 0) {
			if (r->was_busy)
				continue;
			r->was_busy = true;
			err_set(e, ERR_BUSY, "locked");
			return false;
		} else if (is_wanted(query, r->line)) {
			return true;
		}
	}
	return false;
}

int main(int argc, char **argv)
{
	struct option long_options[16] = { 0 };
	const struct cli_command command = { .options = cli_log_options };
	struct cli_args args = { .command = &command };
	struct cli cli = { 0 };
	for (size_t i = 0; cli_log_options[i].name; i++)
		long_options[i] = (struct option){ cli_log_options[i].name,
			cli_log_options[i].argument ? required_argument : no_argument,
			NULL, (int)i };
	signal(SIGPIPE, SIG_IGN);
	for (int i; (i = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
		args.values[i] = optarg ? optarg : "";
	path = argv[optind];
	int status = cli_log(&cli, &args);
	if (fflush(stdout) != 0 || ferror(stdout))
		status = status ? status : EX_IOERR;
	return status;
}
