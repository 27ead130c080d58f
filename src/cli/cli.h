/*
 * What all subcommands share: the context, the table of commands, options,
 * errors a person sees, exit statuses.
 *
 * A command is a row of the table in main.c and a function cli_<name> in a file
 * cmd_<name>.c. Data goes to standard output, talk to standard error. Every
 * command that prints data has --json. Exit statuses are those of sysexits.h.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/err.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>

struct queue_reader;

enum { CLI_WORDS_MAX = 4096, CLI_OPTIONS_MAX = 24 };

struct cli_option {
	char letter;          /* 0: none */
	const char *name;     /* long name; NULL: none */
	const char *argument; /* "FILE": takes one; NULL: a flag */
	const char *help;     /* one line, lower case, no full stop */
};

/* The option `user`, for a command that root has started. */
enum cli_user {
	CLI_USER_STAYS,   /* it is about files of root's or of who asks */
	CLI_USER_CHANGES, /* it is about the queue, whose files are that user's */
	CLI_USER_MUST,    /* likewise, and who is neither root nor that user may not */
};

struct cli {
	const char *config_path; /* as given with -c, or the default */
	bool config_given;
	bool color;
	bool without_tls; /* nobody has made it ready, see main.c */
	enum cli_user user;
	bool status_is_all;    /* what could not be printed changes nothing of it */
	struct config *config; /* loaded when first asked for: cli_config */
};

struct cli_args {
	const struct cli_command *command;
	const char
		*values[CLI_OPTIONS_MAX]; /* by option index; "" for a flag that is set */
	char **words;                     /* operands */
	size_t word_count;
};

struct cli_command {
	const char *name;                 /* "queue show": one or two words */
	const char *operands;             /* "ID" for the synopsis, or "" */
	const char *summary;              /* one line, for help and the manual check */
	const struct cli_option *options; /* ends with a row of zeros; NULL: none */
	size_t min_words, max_words;
	int (*run)(struct cli *cli, const struct cli_args *args);
	enum cli_user user;
};

extern const struct cli_command cli_commands[]; /* ends with a row of zeros */

/* The option's argument, "" for a flag, NULL if it was not given. */
const char *cli_option(const struct cli_args *args, const char *name);

/* Prints "hikyaku: text" on standard error; returns the status, so that
 * `return cli_fail(EX_USAGE, ...)` reads well. */
int cli_fail(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int cli_fail_lines(int status, const char *text); /* each line of it as cli_fail */
int cli_fail_err(const struct err *e);            /* status from the code */
int cli_status(enum err_code code); /* the exit status of sysexits.h for it */
/* The same where a queue cannot take a message: whoever has it is to keep it and to come
 * again, whatever ails the queue, unless `queue` names a file that is none. */
int cli_queue_status(enum err_code code);

/* The configuration, loaded once; NULL after it has complained (exit EX_CONFIG).
 * The default file may be missing: then the defaults count. A file named with
 * -c must exist. From then on the process is the configured user, if the command is
 * one for that. */
const struct config *cli_config(struct cli *cli);

/* Becomes the configured user, where root has started it. Complains, and returns
 * false. */
bool cli_become_user(const struct config *config);

/* Loads the policy set of the configuration; complains and returns NULL if a
 * file has errors. */
struct policy_set *cli_policy(struct cli *cli);

/* Opens the queue for reading; complains and returns NULL. */
struct queue_reader *cli_reader(struct cli *cli, int *status_out);

/* A message id from the command line; complains and returns false. */
bool cli_parse_id(const char *word, int64_t *id_out);

/* The id of a message that was queued, alone on a line, at once; what cannot be
 * printed is said with what that means. Returns an exit status. */
int cli_print_id(int64_t id);

int cli_send(struct cli *cli, const struct cli_args *args);
int cli_deliver(struct cli *cli, const struct cli_args *args);
int cli_intake_xmail(struct cli *cli, const struct cli_args *args);
int cli_run(struct cli *cli, const struct cli_args *args);
int cli_queue_list(struct cli *cli, const struct cli_args *args);
int cli_queue_show(struct cli *cli, const struct cli_args *args);
int cli_queue_operate(struct cli *cli, const struct cli_args *args);
int cli_queue_wake(struct cli *cli, const struct cli_args *args);
int cli_log(struct cli *cli, const struct cli_args *args);
int cli_policy_check(struct cli *cli, const struct cli_args *args);
int cli_policy_show(struct cli *cli, const struct cli_args *args);
int cli_policy_explain(struct cli *cli, const struct cli_args *args);
int cli_policy_edit(struct cli *cli, const struct cli_args *args);
int cli_policy_import(struct cli *cli, const struct cli_args *args);
int cli_config_check(struct cli *cli, const struct cli_args *args);
int cli_config_show(struct cli *cli, const struct cli_args *args);
int cli_version(struct cli *cli, const struct cli_args *args);

extern const struct cli_option cli_send_options[], cli_run_options[],
	cli_intake_xmail_options[], cli_queue_list_options[], cli_queue_show_options[],
	cli_queue_operate_options[], cli_queue_wake_options[], cli_deliver_options[],
	cli_log_options[], cli_policy_check_options[], cli_policy_show_options[],
	cli_policy_explain_options[], cli_policy_edit_options[],
	cli_policy_import_options[], cli_config_show_options[],
	cli_config_check_options[], cli_version_options[];

#endif
