#include "cli/stdin_message.h"

#include "base/mem.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 65536 };

static char *default_sender(const struct config *config)
{
	const char *user = getenv("USER");
	if (!user || !*user)
		user = getenv("LOGNAME");
	const struct passwd *pw = user && *user ? NULL : getpwuid(getuid());
	if (pw)
		user = pw->pw_name;
	return xasprintf("%s@%s", user && *user ? user : "nobody", config->hostname);
}

static int set_envelope(struct intake_message *m, const struct config *config,
	const struct cli_args *args, struct err *e)
{
	const char *from = cli_option(args, "from");
	OWN(mem_free) char *sender = from ? xstrdup(from) : default_sender(config);
	int rc = intake_set_sender(m, sender, strlen(sender), e);
	for (size_t i = 0; i < args->word_count && rc == 0; i++)
		rc = intake_add_recipient(
			m, args->words[i], strlen(args->words[i]), 0, NULL, e);
	return rc;
}

/* Returns the number of octets read, or a negative error. */
static long long copy_input(struct intake_message *m, struct err *e)
{
	static char bytes[READ_SIZE];
	long long total = 0;
	for (;;) {
		ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, errno, "read standard input");
		if (n == 0)
			return total;
		int rc = intake_write_wait(m, bytes, (size_t)n, e);
		if (rc != 0)
			return rc;
		total += n;
	}
}

int stdin_message_read(struct intake_message *m, const struct config *config,
	const struct cli_args *args, struct err *e)
{
	int rc = set_envelope(m, config, args, e);
	if (rc != 0)
		return rc;
	long long total = copy_input(m, e);
	if (total < 0)
		return e->code;
	if (total == 0)
		return err_set(e, ERR_INVALID,
			"no message on standard input; give one, header and body: "
			"hikyaku %s RCPT < FILE",
			args->command->name);
	return 0;
}

void stdin_message_explain(const char *what)
{
	if (!isatty(STDIN_FILENO))
		return;
	fprintf(stderr,
		"hikyaku: reading %s from the terminal; Ctrl-D on a line of its "
		"own ends it, Ctrl-C gives up\n",
		what);
}
