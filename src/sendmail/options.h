/*
 * The command line of sendmail, as its callers have learned to use it: single letters,
 * together or apart ("-ti", "-t -i"), arguments attached or in the next word, as
 * getopt(3) takes them. One table (options.c) says which letters there are; the help
 * text and the check of the manual read it too.
 *
 * Options end at "--" and at the first word that is none: what follows are recipients,
 * even if they begin with '-'. One that looks like an option is refused, where it has
 * no '@' in it.
 *
 * Nothing is allocated: strings point into argv.
 */
#ifndef SENDMAIL_OPTIONS_H
#define SENDMAIL_OPTIONS_H

#include "base/err.h"
#include "mail/envelope.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum sendmail_mode {
	SENDMAIL_SUBMIT,  /* a message from standard input */
	SENDMAIL_SMTP,    /* SMTP on standard input and output */
	SENDMAIL_LIST,    /* the queue */
	SENDMAIL_RUN,     /* deliver what is due */
	SENDMAIL_NOTHING, /* newaliases: there are no aliases */
	SENDMAIL_HELP,
	SENDMAIL_VERSION
};

/* Substrings, ASCII case folded; NULL: whatever it is. A message is meant that has all
 * that are given. */
struct sendmail_selection {
	const char *id, *recipient, *sender;
};

struct sendmail_options {
	enum sendmail_mode mode;
	const char *config_path; /* NULL: the default */
	const char *sender;      /* as given, maybe with a name; NULL: the user */
	const char *full_name;   /* NULL: the user's */
	bool takes_recipients;   /* from To, Cc and Bcc */
	bool keeps_dots;         /* a lone dot does not end the message */
	bool is_gateway;         /* the header is left as it is */
	bool is_verbose;
	unsigned notify; /* enum mail_notify; 0: not given */
	enum mail_ret ret;
	const char *envid; /* xtext, or NULL */
	bool selects;
	struct sendmail_selection selection;
	char **recipients; /* what stands behind the options; each may be a list */
	size_t recipient_count;
};

/* argv[0] has its say: "mailq", "newaliases". Returns 0 or ERR_INVALID, with the option
 * that is wrong and what can be done instead. */
int sendmail_options_parse(
	int argc, char **argv, struct sendmail_options *out, struct err *e);

/* The table, one row a line, as --help shows it. */
void sendmail_options_print(FILE *to);

#endif
