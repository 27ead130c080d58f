/* hikyaku policy import: routes from the tables of other mail servers. */
#include "cli/cli.h"

#include "cli/cmd_policy.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "policy/policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

enum { FILE_MAX = 16 * 1024 * 1024, SHOWN_MAX = 2000 };

const struct cli_option cli_policy_import_options[] = {
	{ 0, "append", NULL, "put the routes at the end of routes.txt" },
	{ 0, "json", NULL, "print one JSON object a line of the table" },
	{ 0 },
};

static const struct {
	const char *name;
	enum policy_import_from from;
} servers[] = {
	{ "xmail", POLICY_IMPORT_XMAIL },
	{ "pmailserver", POLICY_IMPORT_PMAILSERVER },
};

/* One run of the command. */
struct import_run {
	const char *path;
	char shown[256]; /* the path, fit for a comment */
	bool as_json;
	struct buf out; /* lines for routes.txt, the sources as comments */
	size_t routes, failures;
};

static int read_table(const char *path, struct buf *out)
{
	enum { STEP = 65536 };
	FILE *file = fopen(path, "rbe");
	int status = EX_OK;
	size_t n;
	if (!file)
		return cli_fail(EX_NOINPUT, "%s: %s", path, strerror(errno));
	while ((n = fread(buf_reserve(out, STEP), 1, STEP, file)) > 0) {
		buf_commit(out, n);
		if (buf_len(out) > FILE_MAX) {
			status = cli_fail(EX_DATAERR,
				"%s: over 16 MiB, which is more than routes.txt may have",
				path);
			break;
		}
	}
	if (ferror(file))
		status = cli_fail(EX_IOERR, "%s: %s", path, strerror(errno));
	(void)fclose(file); /* it was only read */
	return status;
}

static int print_line_json(const struct policy_import_line *l, const char *source)
{
	json_t *o = json_object();
	policy_json_set(o, "line", json_integer(l->number));
	policy_json_set(o, "source", policy_json_text(source));
	policy_json_set(o, "route", policy_json_text(l->route[0] ? l->route : NULL));
	policy_json_set(o, "reason", policy_json_text(l->why[0] ? l->why : NULL));
	return policy_json_print(o);
}

static int take_line(struct import_run *r, const struct policy_import_line *l)
{
	char source[SHOWN_MAX], why[POLICY_TEXT_MAX];
	text_clean(l->source, l->source_len, source, sizeof(source));
	text_clean(l->why, strlen(l->why), why, sizeof(why));
	if (l->route[0]) {
		r->routes++;
		buf_addf(&r->out, "# %s:%u: %s\n%s\n", r->shown, l->number, source,
			l->route);
	} else {
		r->failures++;
		fprintf(stderr, "%s:%u: %s\n", r->path, l->number, why);
		buf_addf(&r->out, "# %s:%u: not turned over: %s\n# %s\n", r->shown,
			l->number, why, source);
	}
	return r->as_json ? print_line_json(l, source) : EX_OK;
}

static int take_lines(
	struct import_run *r, enum policy_import_from from, const char *bytes, size_t len)
{
	struct policy_import_line *line = xmalloc(sizeof(*line));
	struct policy_import *import = policy_import_new(from, bytes, len);
	int status = EX_OK;
	while (status == EX_OK && policy_import_next(import, line))
		status = take_line(r, line);
	policy_import_free(&import);
	free(line);
	return status;
}

/* Where the routes stand matters: one that an earlier line covers is told at once. */
static void note_warnings(const char *directory, const struct policy_options *options)
{
	struct policy_errors errors;
	struct policy_warnings warnings;
	OWN(policy_set_unref)
	struct policy_set *set = policy_set_load(directory, options, 1, &errors);
	policy_errors_clear(&errors);
	if (!set)
		return;
	policy_check(set, &warnings);
	policy_print_warnings(&warnings);
	policy_warnings_clear(&warnings);
}

static int append(struct import_run *r, const struct config *config)
{
	struct policy_options options = policy_options_of(config);
	struct policy_error error = { 0 };
	if (r->failures)
		return cli_fail(EX_DATAERR,
			"nothing was appended: with a line left out, another may take "
			"its mail; mend the table, or import without --append and edit "
			"what is printed");
	switch (policy_edit_append(config->policy_dir, POLICY_FILE_ROUTES,
		buf_bytes(&r->out), buf_len(&r->out), &options, &error)) {
	case POLICY_EDIT_DONE:
		break;
	case POLICY_EDIT_UNCHANGED:
		cli_fail(0, "nothing to do: %s has no routes", r->path);
		return EX_OK;
	case POLICY_EDIT_FAILED:
		if (error.line)
			return cli_fail(EX_CONFIG, "%s:%u: %s", error.file, error.line,
				error.text);
		return cli_fail(EX_CANTCREAT, "%s: %s", error.file, error.text);
	}
	cli_fail(0, "%zu routes appended to %s/%s", r->routes, config->policy_dir,
		policy_file_name(POLICY_FILE_ROUTES));
	note_warnings(config->policy_dir, &options);
	return EX_OK;
}

static int finish(struct import_run *r, struct cli *cli, bool appends)
{
	const struct config *config = appends ? cli_config(cli) : NULL;
	if (appends)
		return config ? append(r, config) : EX_CONFIG;
	if (!r->as_json && fwrite(buf_bytes(&r->out), 1, buf_len(&r->out), stdout) !=
				   buf_len(&r->out))
		return cli_fail(EX_IOERR, "standard output cannot be written");
	return r->failures ? EX_DATAERR : EX_OK;
}

static bool find_server(const char *name, enum policy_import_from *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++) {
		if (strcmp(servers[i].name, name) == 0) {
			*out = servers[i].from;
			return true;
		}
	}
	return false;
}

int cli_policy_import(struct cli *cli, const struct cli_args *args)
{
	struct import_run r = {
		.path = args->words[1],
		.as_json = cli_option(args, "json") != NULL,
		.out = BUF_INIT,
	};
	struct buf table = BUF_INIT;
	enum policy_import_from from;
	bool appends = cli_option(args, "append") != NULL;
	if (!find_server(args->words[0], &from))
		return cli_fail(EX_USAGE,
			"policy import: \"%.40s\" is no mail server whose table is "
			"known; say xmail or pmailserver",
			args->words[0]);
	text_clean(r.path, strlen(r.path), r.shown, sizeof(r.shown));
	int status = read_table(r.path, &table);
	if (status == EX_OK)
		status = take_lines(&r, from, buf_bytes(&table), buf_len(&table));
	if (status == EX_OK)
		status = finish(&r, cli, appends);
	buf_clear(&table);
	buf_clear(&r.out);
	return status;
}
