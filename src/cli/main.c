/* The table of commands, and the way to one of them. */
#include "cli/cli.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "net/tls_global.h"

#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { ANY = CLI_WORDS_MAX };

const struct cli_command cli_commands[] = {
	{ "send", "RCPT...", "queue a message read from standard input", cli_send_options,
		0, ANY, cli_send, CLI_USER_CHANGES },
	{ "run", "", "deliver what is queued, in the foreground", cli_run_options, 0, 0,
		cli_run, CLI_USER_MUST },
	{ "deliver", "RCPT...",
		"deliver a message from standard input now, once, without the queue",
		cli_deliver_options, 0, ANY, cli_deliver, CLI_USER_STAYS },
	{ "intake xmail", "PATH...", "queue message files of XMail, and remove them",
		cli_intake_xmail_options, 1, ANY, cli_intake_xmail, CLI_USER_STAYS },
	{ "queue list", "", "list queued messages", cli_queue_list_options, 0, 0,
		cli_queue_list, CLI_USER_CHANGES },
	{ "queue show", "ID", "show one message: its recipients and what comes next",
		cli_queue_show_options, 1, 1, cli_queue_show, CLI_USER_CHANGES },
	{ "queue retry", "[ID]", "make messages due now", cli_queue_operate_options, 0, 1,
		cli_queue_operate, CLI_USER_CHANGES },
	{ "queue hold", "[ID]", "keep messages from being attempted",
		cli_queue_operate_options, 0, 1, cli_queue_operate, CLI_USER_CHANGES },
	{ "queue release", "[ID]", "let held messages go on", cli_queue_operate_options,
		0, 1, cli_queue_operate, CLI_USER_CHANGES },
	{ "queue remove", "[ID]", "remove messages without telling anybody",
		cli_queue_operate_options, 0, 1, cli_queue_operate, CLI_USER_CHANGES },
	{ "queue wake", "", "make the worker look at the queue now",
		cli_queue_wake_options, 0, 0, cli_queue_wake, CLI_USER_CHANGES },
	{ "log", "", "show the retry log: what happened, and why", cli_log_options, 0, 0,
		cli_log, CLI_USER_CHANGES },
	{ "policy check", "", "look for errors in the policy files",
		cli_policy_check_options, 0, 0, cli_policy_check, CLI_USER_STAYS },
	{ "policy show", "", "print the policy in force", cli_policy_show_options, 0, 0,
		cli_policy_show, CLI_USER_STAYS },
	{ "policy explain", "ADDRESS|DOMAIN|ID",
		"say what the next attempt would do, and why", cli_policy_explain_options,
		1, 1, cli_policy_explain, CLI_USER_STAYS },
	{ "policy allow", "add|remove PATTERN", "edit the allow list",
		cli_policy_edit_options, 2, 2, cli_policy_edit, CLI_USER_STAYS },
	{ "policy exclude", "add|remove PATTERN", "edit the exclude list",
		cli_policy_edit_options, 2, 2, cli_policy_edit, CLI_USER_STAYS },
	{ "policy pin", "add|remove PATTERN [VERSION...]", "edit the protocol pins",
		cli_policy_edit_options, 2, 7, cli_policy_edit, CLI_USER_STAYS },
	{ "policy route", "add|remove PATTERN [TARGET...] [OPTION...]", "edit the routes",
		cli_policy_edit_options, 2, 64, cli_policy_edit, CLI_USER_STAYS },
	{ "policy import", "xmail|pmailserver FILE",
		"turn the routes of another mail server over", cli_policy_import_options,
		2, 2, cli_policy_import, CLI_USER_STAYS },
	{ "config check", "", "look for errors in the configuration",
		cli_config_check_options, 0, 0, cli_config_check, CLI_USER_STAYS },
	{ "config show", "", "print the effective configuration", cli_config_show_options,
		0, 0, cli_config_show, CLI_USER_STAYS },
	{ "version", "", "print versions, of the libraries too", cli_version_options, 0,
		0, cli_version, CLI_USER_STAYS },
	{ 0 },
};

static size_t option_count(const struct cli_option *options)
{
	size_t n = 0;
	while (options && (options[n].letter || options[n].name))
		n++;
	ASSERT(n <= CLI_OPTIONS_MAX);
	return n;
}

static void print_usage(FILE *to)
{
	fputs("Usage: hikyaku [-c FILE] [--color=auto|always|never] COMMAND ...\n\n", to);
	for (const struct cli_command *c = cli_commands; c->name; c++)
		fprintf(to, "  %-15s %s\n", c->name, c->summary);
	fputs("\nhikyaku COMMAND --help tells more; hikyaku(8) tells all.\n", to);
}

static void print_command_help(const struct cli_command *c)
{
	printf("Usage: hikyaku %s%s%s%s\n\n%c%s.\n", c->name,
		option_count(c->options) ? " [OPTION]..." : "", *c->operands ? " " : "",
		c->operands, text_upper(c->summary[0]), c->summary + 1);
	for (size_t i = 0; i < option_count(c->options); i++) {
		const struct cli_option *o = &c->options[i];
		char letter[3] = { '-', o->letter, 0 }, both[64];
		snprintf(both, sizeof(both), "%s%s%s%s%s%s", o->letter ? letter : "   ",
			o->letter && o->name ? ", "
			: o->name            ? " "
					     : "",
			o->name ? "--" : "", o->name ? o->name : "",
			o->argument ? " " : "", o->argument ? o->argument : "");
		printf("%s  %-24s %s\n", i ? "" : "\n", both, o->help);
	}
}

/* "queue" alone is "queue list". */
static const struct cli_command *find_command(char **words, int count, int *used_out)
{
	char two[128];
	const char *second = count > 1 ? words[1] : "";
	snprintf(two, sizeof(two), "%s %s", words[0], second);
	for (const struct cli_command *c = cli_commands; c->name; c++) {
		*used_out = strchr(c->name, ' ') ? 2 : 1;
		if (strcmp(c->name, *used_out == 2 ? two : words[0]) == 0)
			return c;
	}
	*used_out = 1;
	if (strcmp(words[0], "queue") == 0 && (!*second || *second == '-'))
		return find_command(
			(char *[]){ (char *)"queue", (char *)"list" }, 2, &(int){ 0 });
	return NULL;
}

static int unknown_command(char **words, int count)
{
	static const char *const groups[] = { "queue", "policy", "config" };
	const char *names[ARRAY_SIZE(cli_commands) + ARRAY_SIZE(groups)];
	char word[128];
	size_t n = 0;
	snprintf(word, sizeof(word), "%s%s%s", words[0], count > 1 ? " " : "",
		count > 1 ? words[1] : "");
	for (const struct cli_command *c = cli_commands; c->name; c++)
		names[n++] = c->name;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		names[n++] = groups[i];
	names[n] = NULL;
	const char *near = text_nearest(word, names);
	if (!near)
		near = text_nearest(words[0], names);
	if (near)
		return cli_fail(
			EX_USAGE, "no command \"%s\"; did you mean \"%s\"?", word, near);
	return cli_fail(EX_USAGE, "no command \"%s\"; hikyaku --help lists them", word);
}

static int complain_option(const struct cli_command *c, char **argv)
{
	/* getopt_long has moved past the word unless it stands inside a cluster. */
	const char *word = argv[optind - 1];
	if (optopt && optopt < 128 && strncmp(word, "--", 2) != 0)
		return cli_fail(EX_USAGE,
			"%s: bad option -%c, or its argument is missing; "
			"hikyaku %s --help lists the options",
			c->name, optopt, c->name);
	return cli_fail(EX_USAGE,
		"%s: bad option %s, or its argument is missing; "
		"hikyaku %s --help lists the options",
		c->name, word, c->name);
}

/* Our table as getopt_long wants it. Long options get codes from 256 on. */
static void make_getopt_tables(
	const struct cli_command *c, char *letters, struct option *long_options)
{
	size_t n = option_count(c->options), m = 0;
	*letters++ = ':';
	for (size_t i = 0; i < n; i++) {
		const struct cli_option *o = &c->options[i];
		if (o->letter) {
			*letters++ = o->letter;
			if (o->argument)
				*letters++ = ':';
		}
		if (o->name)
			long_options[m++] = (struct option){ o->name,
				o->argument ? required_argument : no_argument, NULL,
				256 + (int)i };
	}
	*letters = '\0';
	long_options[m++] = (struct option){ "help", no_argument, NULL, 255 };
	long_options[m] = (struct option){ 0 };
}

static int index_of(const struct cli_command *c, int code)
{
	if (code >= 256)
		return code - 256;
	for (size_t i = 0; i < option_count(c->options); i++) {
		if (c->options[i].letter == code)
			return (int)i;
	}
	return -1;
}

static int run_command(
	struct cli *cli, const struct cli_command *c, int argc, char **argv)
{
	char letters[2 * CLI_OPTIONS_MAX + 2];
	struct option long_options[CLI_OPTIONS_MAX + 2];
	struct cli_args args = { .command = c };
	make_getopt_tables(c, letters, long_options);
	optind = 0; /* GNU: start over, with permutation */
	for (int code;
		(code = getopt_long(argc, argv, letters, long_options, NULL)) != -1;) {
		if (code == 255) {
			print_command_help(c);
			return EX_OK;
		}
		int index = index_of(c, code);
		if (index < 0)
			return complain_option(c, argv);
		args.values[index] = optarg ? optarg : "";
	}
	/* What shells call in loops saves the time. It does not find out then whether
	 * the library can do the `protocols` of the configuration. */
	cli->without_tls = c->run == cli_send || c->run == cli_intake_xmail;
	cli->user = c->user;
	struct err e = { 0 };
	if (!cli->without_tls && tls_global_init(&e) != 0)
		return cli_fail_err(&e);
	args.words = argv + optind;
	args.word_count = (size_t)(argc - optind);
	if (args.word_count < c->min_words || args.word_count > c->max_words)
		return cli_fail(EX_USAGE, "usage: hikyaku %s%s%s%s", c->name,
			option_count(c->options) ? " [OPTION]..." : "",
			*c->operands ? " " : "", c->operands);
	return c->run(cli, &args);
}

static int dispatch(struct cli *cli, int argc, char **argv)
{
	int used;
	if (argc == 0) {
		print_usage(stderr);
		return EX_USAGE;
	}
	const struct cli_command *c = find_command(argv, argc, &used);
	if (!c)
		return unknown_command(argv, argc);
	/* argv[0] of the command is its last own word. */
	return run_command(cli, c, argc - used + 1, argv + used - 1);
}

static bool parse_color(const char *when, bool *color_out)
{
	if (strcmp(when, "always") == 0)
		*color_out = true;
	else if (strcmp(when, "never") == 0)
		*color_out = false;
	else if (strcmp(when, "auto") == 0)
		*color_out = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	else
		return false;
	return true;
}

static const struct option global_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "color", required_argument, NULL, 'C' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

int main(int argc, char **argv)
{
	struct cli cli = { .config_path = HIKYAKU_SYSCONFDIR "/hikyaku.conf" };
	setlocale(LC_ALL, "");
	signal(SIGPIPE, SIG_IGN);
	parse_color("auto", &cli.color);
	opterr = 0;
	int status = -1;
	for (int code; status < 0 && (code = getopt_long(argc, argv, "+c:hV",
					      global_options, NULL)) != -1;) {
		if (code == 'c') {
			cli.config_path = optarg;
			cli.config_given = true;
		} else if (code == 'C') {
			if (!parse_color(optarg, &cli.color))
				status = cli_fail(EX_USAGE,
					"--color takes auto, always or never, not \"%s\"",
					optarg);
		} else if (code == 'h') {
			print_usage(stdout);
			status = EX_OK;
		} else if (code == 'V') {
			status = dispatch(&cli, 1, (char *[]){ (char *)"version", NULL });
		} else {
			status = cli_fail(EX_USAGE,
				"bad option %s; hikyaku --help tells more",
				argv[optind - 1]);
		}
	}
	if (status < 0)
		status = dispatch(&cli, argc - optind, argv + optind);
	config_free(&cli.config);
	log_close();
	bool was_printed = fflush(stdout) == 0 && !ferror(stdout);
	if (!was_printed && !cli.status_is_all)
		status = status ? status : EX_IOERR;
	return status;
}
