/* hikyaku config check, hikyaku config show. */
#include "cli/cli.h"

#include "cli/check_places.h"
#include "cli/check_routes.h"
#include "cli/cmd_policy.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/user.h"
#include "net/tls.h"
#include "sasl/credentials.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

const struct cli_option cli_config_check_options[] = {
	{ 0, "json", NULL, "print one JSON object" },
	{ 0 },
};

const struct cli_option cli_config_show_options[] = {
	{ 'a', "all", NULL, "show options that have their default too" },
	{ 0, "json", NULL, "print one JSON object a line, one for each value" },
	{ 0 },
};

/* Takes json. */
static void print_json(json_t *json)
{
	OWN(mem_free) char *line = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	ASSERT(line);
	puts(line);
}

/* JSON is UTF-8 only; the path of a file need not be. */
static json_t *text_as_json(const char *s, size_t len)
{
	json_t *json = json_stringn(s, len);
	if (json)
		return json;
	OWN(mem_free) char *clean = xmalloc(len + 1);
	text_clean(s, len, clean, len + 1);
	return json_string(clean);
}

/* The report's lines as an array. */
static json_t *errors_as_json(struct buf *report)
{
	json_t *list = json_array();
	for (const char *line = buf_text(report); *line;) {
		size_t len = strcspn(line, "\n");
		json_array_append_new(list, text_as_json(line, len));
		line += len + (line[len] == '\n');
	}
	return list;
}

/* Adds what is wrong with the credentials file to the report. One that this user may not
 * read is not wrong: the check is often not run by the user that sends the mail. */
static int check_credentials(const char *path, struct buf *report)
{
	struct err e = { 0 };
	size_t count;
	if (!check_may_read(path) || access(path, F_OK) != 0)
		return 0;
	int code = credentials_check(path, &count, &e);
	if (code)
		buf_addf(report, "%s\n", e.text);
	return code;
}

/* What bounce_route refers to. */
static int check_bounce_route(const struct config *config, struct buf *report)
{
	struct policy_errors errors = { 0 };
	struct policy_warnings warnings = { 0 };
	if (config->bounce_route)
		check_route(config, config->bounce_route, &errors, &warnings);
	for (size_t i = 0; i < errors.count; i++)
		buf_addf(report, "%s:%u: bounce_route: %s\n", errors.list[i].file,
			errors.list[i].line, errors.list[i].text);
	policy_print_warnings(&warnings);
	int code = errors.total ? ERR_INVALID : 0;
	policy_errors_clear(&errors);
	policy_warnings_clear(&warnings);
	return code;
}

/* No error: the file may be meant for another machine. */
static void check_user(const struct config *config)
{
	if (config->user && !user_exists(config->user))
		fprintf(stderr, "user: warning: there is no user %s on this machine\n",
			config->user);
}

int cli_config_check(struct cli *cli, const struct cli_args *args)
{
	/* As for every other command: the default file need not exist. */
	bool is_missing = !cli->config_given && access(cli->config_path, F_OK) != 0;
	struct config *config = NULL;
	struct buf report = BUF_INIT;
	int code = config_load_report(is_missing ? NULL : cli->config_path,
		tls_versions_available(), &config, &report);
	if (code == 0) {
		check_user(config);
		code = check_places(config, false, &report);
	}
	if (code == 0)
		code = check_credentials(config->credentials, &report);
	if (code == 0)
		code = check_bounce_route(config, &report);
	if (cli_option(args, "json"))
		print_json(json_pack("{s:o, s:b, s:b, s:o}", "path",
			text_as_json(cli->config_path, strlen(cli->config_path)),
			"exists", !is_missing, "valid", code == 0, "errors",
			errors_as_json(&report)));
	else if (is_missing)
		printf("%s: does not exist; the defaults are in force\n",
			cli->config_path);
	else if (code == 0)
		printf("%s: ok\n", cli->config_path);
	if (code != 0)
		fputs(buf_text(&report), stderr);
	buf_clear(&report);
	config_free(&config);
	return code == 0 ? EX_OK : EX_CONFIG;
}

static json_t *list_as_json(const char *text)
{
	json_t *list = json_array();
	while (*text) {
		const char *end = strstr(text, ", ");
		size_t len = end ? (size_t)(end - text) : strlen(text);
		json_array_append_new(list, text_as_json(text, len));
		text += len + (end ? 2 : 0);
	}
	return list;
}

/* Booleans and numbers as such, lists as arrays, all else as a string. */
static json_t *value_as_json(const struct config_option_info *info, const char *text)
{
	if (info->is_list)
		return list_as_json(text);
	if (strcmp(info->type, "boolean") == 0)
		return json_boolean(strcmp(text, "true") == 0);
	if (strcmp(info->type, "number") == 0)
		return json_integer(strtoll(text, NULL, 10));
	return text_as_json(text, strlen(text));
}

/* destination: the block's pattern, or NULL. */
static void print_option(const struct config_option_info *info, const char *destination,
	const char *text, bool is_default)
{
	print_json(json_pack("{s:s, s:s?, s:o, s:b, s:s, s:o, s:b, s:b, s:s}", "name",
		info->name, "destination", destination, "value",
		value_as_json(info, text), "is_default", is_default, "type", info->type,
		"default", value_as_json(info, info->default_text), "in_destination",
		info->in_destination, "destination_only", info->destination_only, "help",
		info->help));
}

static void show_json(const struct config *config, bool all)
{
	struct config_option_info info;
	for (size_t i = 0; i < config_option_count(); i++) {
		bool is_default = config_option_is_default(config, i);
		if (is_default && !all)
			continue;
		OWN(mem_free) char *text = config_option_value(config, i);
		config_option_info(i, &info);
		print_option(&info, NULL, text, is_default);
	}
	for (size_t block = 0; block < config->block_count; block++) {
		OWN(mem_free) char *pattern = config_block_pattern(config, block);
		for (size_t i = 0; i < config_option_count(); i++) {
			OWN(mem_free) char *text = config_block_value(config, block, i);
			config_option_info(i, &info);
			if (text)
				print_option(&info, pattern, text, false);
		}
	}
}

int cli_config_show(struct cli *cli, const struct cli_args *args)
{
	const struct config *config = cli_config(cli);
	bool all = cli_option(args, "all");
	struct buf text = BUF_INIT;
	if (!config)
		return EX_CONFIG;
	if (cli_option(args, "json")) {
		show_json(config, all);
		return EX_OK;
	}
	config_dump(config, all, &text);
	fputs(buf_text(&text), stdout);
	buf_clear(&text);
	return EX_OK;
}
