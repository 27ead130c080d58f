/* hikyaku policy check, show, and the edits of the policy files. */
#include "cli/cli.h"

#include "cli/check_routes.h"
#include "cli/cmd_policy.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "net/tls.h"
#include "policy/policy.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

const struct cli_option cli_policy_check_options[] = {
	{ 0, "json", NULL, "print the result as one JSON object" },
	{ 0 },
};
const struct cli_option cli_policy_show_options[] = {
	{ 0, "json", NULL, "print one JSON object for each file" },
	{ 0 },
};
const struct cli_option cli_policy_edit_options[] = {
	{ 0 },
};

/* What each of the files is called, in commands, JSON and sentences. */
static const struct {
	const char *command, *key, *name;
} files[POLICY_FILE_COUNT] = {
	[POLICY_FILE_ALLOW] = { "policy allow", "allow", "allow list" },
	[POLICY_FILE_EXCLUDE] = { "policy exclude", "exclude", "exclude list" },
	[POLICY_FILE_PINS] = { "policy pin", "pins", "protocol pins" },
	[POLICY_FILE_ROUTES] = { "policy route", "routes", "routes" },
};

/* --- check --- */

struct policy_options policy_options_of(const struct config *config)
{
	return (struct policy_options){
		.match = config->domain_match,
		.versions_available = tls_versions_available(),
	};
}

/* "file:line: reason" without anything before it: editors jump to that. */
static void print_errors(const struct policy_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		const struct policy_error *e = &errors->list[i];
		if (e->line)
			fprintf(stderr, "%s:%u: %s\n", e->file, e->line, e->text);
		else
			fprintf(stderr, "%s: %s\n", e->file, e->text);
	}
	if (errors->total > errors->count)
		fprintf(stderr, "and %zu errors more\n", errors->total - errors->count);
}

void policy_print_warnings(const struct policy_warnings *warnings)
{
	for (size_t i = 0; i < warnings->count; i++) {
		const struct policy_warning *w = &warnings->list[i];
		fprintf(stderr, "%s:%u: warning: %s\n", w->path, w->line, w->text);
	}
	if (warnings->total > warnings->count)
		fprintf(stderr, "and %zu warnings more\n",
			warnings->total - warnings->count);
}

static json_t *errors_to_json(const struct policy_errors *errors)
{
	json_t *list = json_array();
	for (size_t i = 0; i < errors->count; i++) {
		json_t *e = json_object();
		policy_json_set(e, "file", policy_json_text(errors->list[i].file));
		policy_json_set(e, "line", json_integer(errors->list[i].line));
		policy_json_set(e, "text", policy_json_text(errors->list[i].text));
		policy_json_append(list, e);
	}
	return list;
}

static json_t *warnings_to_json(const struct policy_warnings *warnings)
{
	json_t *list = json_array();
	for (size_t i = 0; i < warnings->count; i++) {
		const struct policy_warning *w = &warnings->list[i];
		json_t *o = json_object();
		policy_json_set(o, "file", policy_json_text(w->path));
		policy_json_set(o, "line", json_integer(w->line));
		policy_json_set(o, "other_line",
			w->other_line ? json_integer(w->other_line) : json_null());
		policy_json_set(o, "text", policy_json_text(w->text));
		policy_json_append(list, o);
	}
	return list;
}

static int print_check_json(const struct config *config, const struct policy_set *set,
	const struct policy_errors *errors, const struct policy_warnings *warnings)
{
	json_t *o = json_object();
	policy_json_set(o, "directory", policy_json_text(config->policy_dir));
	policy_json_set(o, "ok", json_boolean(set && !errors->total));
	for (int i = 0; set && i < POLICY_FILE_COUNT; i++) {
		enum policy_file file = (enum policy_file)i;
		policy_json_set(o, files[i].key,
			policy_set_has_file(set, file)
				? json_integer((json_int_t)policy_set_count(set, file))
				: json_null());
	}
	policy_json_set(o, "error_count", json_integer((json_int_t)errors->total));
	policy_json_set(o, "errors", errors_to_json(errors));
	policy_json_set(o, "warning_count", json_integer((json_int_t)warnings->total));
	policy_json_set(o, "warnings", warnings_to_json(warnings));
	return policy_json_print(o);
}

static void print_counts(const struct config *config, const struct policy_set *set)
{
	printf("%s: no errors", config->policy_dir);
	for (int i = 0; i < POLICY_FILE_COUNT; i++) {
		size_t count = policy_set_count(set, (enum policy_file)i);
		printf("%s%s: ", i ? ", " : "; ", files[i].name);
		if (policy_set_has_file(set, (enum policy_file)i))
			printf("%zu", count);
		else
			printf("no file");
	}
	putchar('\n');
}

int cli_policy_check(struct cli *cli, const struct cli_args *args)
{
	const struct config *config = cli_config(cli);
	if (!config)
		return EX_CONFIG;
	struct policy_options options = policy_options_of(config);
	struct policy_errors errors;
	OWN(policy_set_unref)
	struct policy_set *set =
		policy_set_load(config->policy_dir, &options, 1, &errors);
	struct policy_warnings warnings = { 0 };
	int status = EX_OK;
	if (set) {
		policy_check(set, &warnings);
		check_routes(config, set, &errors, &warnings);
	}
	print_errors(&errors);
	policy_print_warnings(&warnings);
	bool is_good = set && !errors.total;
	if (cli_option(args, "json"))
		status = print_check_json(config, set, &errors, &warnings);
	else if (is_good)
		print_counts(config, set);
	policy_errors_clear(&errors);
	policy_warnings_clear(&warnings);
	return is_good ? status : EX_CONFIG;
}

/* --- show --- */

/* A list may be there and not count: the allow list switches the other off. */
static bool is_in_force(const struct policy_set *set, enum policy_file file)
{
	if (!policy_set_has_file(set, file))
		return false;
	return file != POLICY_FILE_EXCLUDE ||
	       !policy_set_has_file(set, POLICY_FILE_ALLOW);
}

static const char *effect_of(const struct policy_set *set, enum policy_file file)
{
	if (!policy_set_has_file(set, file))
		return "no file";
	if (!is_in_force(set, file))
		return "not looked at, because the allow list exists";
	switch (file) {
	case POLICY_FILE_ALLOW:
		return policy_set_count(set, file)
			       ? "STARTTLS is used for these destinations only"
			       : "empty, so STARTTLS is used nowhere; to switch the list "
				 "off, delete the file";
	case POLICY_FILE_EXCLUDE:
		return policy_set_count(set, file)
			       ? "STARTTLS is not used for these destinations"
			       : "empty";
	case POLICY_FILE_PINS:
		return policy_set_count(set, file)
			       ? "these versions of TLS and no others are used"
			       : "empty";
	case POLICY_FILE_ROUTES:
		return policy_set_count(set, file)
			       ? "the first line that matches says where the mail goes"
			       : "empty";
	case POLICY_FILE_COUNT:
		break;
	}
	return "";
}

static void describe(const struct policy_set *set, const struct policy_entry *entry,
	char *out, size_t out_size)
{
	struct policy_pattern pattern;
	policy_entry_pattern(entry, &pattern);
	policy_pattern_describe(&pattern, policy_set_match(set), out, out_size);
}

static void show_file(const struct policy_set *set, enum policy_file file)
{
	char words[POLICY_TEXT_MAX];
	printf("%s (%s): %s\n", files[file].name, policy_set_path(set, file),
		effect_of(set, file));
	for (size_t i = 0; i < policy_set_count(set, file); i++) {
		const struct policy_entry *e = policy_set_entry(set, file, i);
		describe(set, e, words, sizeof(words));
		printf("  %s:%u: %s  (%s%s)\n", e->path, e->line, e->text,
			e->is_host ? "hosts: " : "", words);
	}
}

static json_t *entry_to_json(const struct policy_entry *entry)
{
	char text[POLICY_NAME_MAX + 3];
	struct policy_pattern pattern;
	json_t *o = json_object();
	policy_entry_pattern(entry, &pattern);
	policy_pattern_format(&pattern, text, sizeof(text));
	policy_json_set(o, "line", json_integer(entry->line));
	policy_json_set(o, "entry", policy_json_text(entry->text));
	policy_json_set(o, "pattern", policy_json_text(text));
	if (entry->versions) {
		policy_json_set(o, "mx", json_boolean(entry->is_host));
		policy_json_set(o, "protocols", policy_json_versions(entry->versions));
	}
	return o;
}

static int show_file_json(const struct policy_set *set, enum policy_file file)
{
	json_t *o = json_object(), *entries = json_array();
	policy_json_set(o, "list", json_string(files[file].key));
	policy_json_set(o, "file", policy_json_text(policy_set_path(set, file)));
	policy_json_set(o, "exists", json_boolean(policy_set_has_file(set, file)));
	policy_json_set(o, "in_force", json_boolean(is_in_force(set, file)));
	for (size_t i = 0; i < policy_set_count(set, file); i++) {
		json_t *entry = entry_to_json(policy_set_entry(set, file, i));
		if (file == POLICY_FILE_ROUTES)
			policy_json_add_route(entry, policy_set_route_at(set, i));
		policy_json_append(entries, entry);
	}
	policy_json_set(o, "entries", entries);
	return policy_json_print(o);
}

int cli_policy_show(struct cli *cli, const struct cli_args *args)
{
	OWN(policy_set_unref) struct policy_set *set = cli_policy(cli);
	int status = EX_OK;
	if (!set)
		return EX_CONFIG;
	for (int file = 0; file < POLICY_FILE_COUNT && status == EX_OK; file++) {
		if (cli_option(args, "json"))
			status = show_file_json(set, (enum policy_file)file);
		else
			show_file(set, (enum policy_file)file);
	}
	return status;
}

/* --- edit --- */

struct edit_command {
	enum policy_file file;
	bool is_add;
	struct buf entry; /* the words after add or remove */
	const char *directory;
};

static int parse_edit(const struct cli_args *args, struct edit_command *c)
{
	const char *verb = args->words[0];
	for (int i = 0; i < POLICY_FILE_COUNT; i++) {
		if (strcmp(args->command->name, files[i].command) == 0)
			c->file = (enum policy_file)i;
	}
	c->is_add = strcmp(verb, "add") == 0;
	if (!c->is_add && strcmp(verb, "remove") != 0)
		return cli_fail(EX_USAGE, "%s: say add or remove, not \"%.40s\"",
			args->command->name, verb);
	if (c->file == POLICY_FILE_PINS && c->is_add && args->word_count < 3)
		return cli_fail(EX_USAGE,
			"policy pin add: name the versions too, as in "
			"`hikyaku policy pin add %.100s TLS1.2 TLS1.3`",
			args->words[1]);
	if (c->file == POLICY_FILE_ROUTES && c->is_add && args->word_count < 3)
		return cli_fail(EX_USAGE,
			"policy route add: say where the mail goes too, as in "
			"`hikyaku policy route add %.100s 'smtp://[relay.example]:587'`",
			args->words[1]);
	if (c->file == POLICY_FILE_ROUTES && !c->is_add && args->word_count > 2)
		return cli_fail(EX_USAGE, "policy route remove takes a pattern alone: "
					  "the whole route goes");
	if (c->file == POLICY_FILE_PINS && !c->is_add && args->word_count > 2)
		return cli_fail(EX_USAGE,
			"policy pin remove takes a pattern alone: the whole pin goes");
	for (size_t i = 1; i < args->word_count; i++) {
		if (i > 1)
			buf_addc(&c->entry, ' ');
		buf_addstr(&c->entry, args->words[i]);
	}
	return EX_OK;
}

static int complain_edit(
	const struct edit_command *c, const char *entry, const struct policy_error *error)
{
	char shown[128];
	if (error->file[0] == '\0') {
		text_clean(entry, strlen(entry), shown, sizeof(shown));
		return cli_fail(EX_DATAERR, "\"%s\" is no entry for the %s: %s", shown,
			files[c->file].name, error->text);
	}
	if (error->line)
		return cli_fail(
			EX_CONFIG, "%s:%u: %s", error->file, error->line, error->text);
	return cli_fail(EX_CANTCREAT, "%s: %s", error->file, error->text);
}

/* A new route is the last, where another one may take all its mail. */
static void note_reach(const struct policy_set *set)
{
	size_t count = policy_set_count(set, POLICY_FILE_ROUTES);
	struct policy_warnings warnings;
	policy_check(set, &warnings);
	for (size_t i = 0; i < warnings.count; i++) {
		const struct policy_warning *w = &warnings.list[i];
		if (w->line == policy_set_route_at(set, count - 1)->line)
			cli_fail(0, "note: %s", w->text);
	}
	policy_warnings_clear(&warnings);
}

/* Existence switches lists on and off: what surprises is said at once. */
static void print_notes(const struct edit_command *c, const struct policy_set *set)
{
	const char *allow = policy_set_path(set, POLICY_FILE_ALLOW);
	size_t count = policy_set_count(set, c->file);
	if (c->file == POLICY_FILE_ALLOW && c->is_add && count == 1)
		cli_fail(0, "note: the allow list counts from now on: STARTTLS is used "
			    "for the destinations in it only");
	if (c->file == POLICY_FILE_ALLOW && !c->is_add && count == 0)
		cli_fail(0,
			"note: the allow list is empty and still counts: STARTTLS is "
			"used nowhere; to switch the list off, delete %s",
			allow);
	if (c->file == POLICY_FILE_EXCLUDE && policy_set_has_file(set, POLICY_FILE_ALLOW))
		cli_fail(0,
			"note: the exclude list is not looked at as long as %s exists",
			allow);
	if (c->file == POLICY_FILE_ROUTES && c->is_add && count)
		note_reach(set);
}

static void report_done(
	const struct edit_command *c, const char *entry, const struct config *config)
{
	struct policy_options options = policy_options_of(config);
	struct policy_errors errors;
	printf("%s \"%s\" %s %s/%s\n", c->is_add ? "added" : "removed", entry,
		c->is_add ? "to" : "from", c->directory, policy_file_name(c->file));
	OWN(policy_set_unref)
	struct policy_set *set = policy_set_load(c->directory, &options, 1, &errors);
	if (set)
		print_notes(c, set);
	else
		cli_fail(0,
			"note: a policy file has an error, so the edit is not in force "
			"yet; `hikyaku policy check` tells which");
	policy_errors_clear(&errors);
}

static int run_edit(
	const struct edit_command *c, const char *entry, const struct config *config)
{
	struct policy_options options = policy_options_of(config);
	struct policy_error error = { 0 };
	enum policy_edit_result result;
	if (c->is_add)
		result = policy_edit_add(c->directory, c->file, entry, &options, &error);
	else
		result = policy_edit_remove(
			c->directory, c->file, entry, &options, &error);
	switch (result) {
	case POLICY_EDIT_DONE:
		report_done(c, entry, config);
		return EX_OK;
	case POLICY_EDIT_UNCHANGED:
		printf("nothing to do: \"%s\" is %s %s/%s\n", entry,
			c->is_add ? "in" : "not in", c->directory,
			policy_file_name(c->file));
		return EX_OK;
	case POLICY_EDIT_FAILED:
		break;
	}
	return complain_edit(c, entry, &error);
}

int cli_policy_edit(struct cli *cli, const struct cli_args *args)
{
	const struct config *config = cli_config(cli);
	struct edit_command c = { .entry = BUF_INIT };
	if (!config)
		return EX_CONFIG;
	c.directory = config->policy_dir;
	int status = parse_edit(args, &c);
	if (status == EX_OK)
		status = run_edit(&c, buf_text(&c.entry), config);
	buf_clear(&c.entry);
	return status;
}
