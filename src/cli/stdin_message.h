/*
 * One message as a command is given it: the sender with -f, recipients as operands,
 * the content on standard input. Shared by `send` and `deliver`.
 */
#ifndef CLI_STDIN_MESSAGE_H
#define CLI_STDIN_MESSAGE_H

#include "cli/cli.h"
#include "intake/wait.h"

/* Fills m: all but the commit. The command has an option "from"; without it the sender
 * is USER@hostname. Returns 0 or an error as of intake.h; ERR_IO: standard input;
 * ERR_INVALID, too, where nothing came. */
int stdin_message_read(struct intake_message *m, const struct config *config,
	const struct cli_args *args, struct err *e);

/* On a terminal, says that `what` is waited for: whoever forgot the "<" would wait for
 * us as we wait for them. */
void stdin_message_explain(const char *what);

#endif
