/*
 * A command that is run for the short text it writes (a password, a token), on the
 * loop.
 *
 * The command is a configured line. It is split into words as a shell would do it, but
 * without a shell: words are separated by blanks and tabs; inside '...' everything
 * stands for itself; inside "..." a backslash takes the meaning from a following " or
 * \; outside of quotes it does so from any octet. Nothing else has a meaning: no
 * variables, no patterns, no redirection, no comments. Who needs those says
 * sh -c '...'. A program without a slash in its name is looked for along PATH.
 *
 * It gets /dev/null as its input, no other open descriptor but its output and errors,
 * default signals, a session of its own, "/" as its directory, and an environment of
 * PATH, LANG and, where we have one, HOME (base/user.h) alone. Its standard output is
 * collected, up to PROCESS_OUTPUT_MAX; more is an error. Of its standard error the first
 * line is kept and told with a failure.
 *
 * It is over when its first process is: what that has left running is not waited for. At
 * the time limit, and when it is cancelled, its process group is killed. It is reaped
 * in any case.
 */
#ifndef NET_PROCESS_H
#define NET_PROCESS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct uv_loop_s;
struct process;

enum { PROCESS_OUTPUT_MAX = 64 * 1024 };

/* Once, from the loop. e is NULL where the exit status was 0: output (borrowed for the
 * call and wiped after it; a NUL follows) is what was written, without the newline at
 * its end, if there is one. Else e tells why not: ERR_INVALID: the line;
 * ERR_NOT_FOUND, ERR_PERMISSION and the like: it did not start; ERR_TIMEOUT; ERR_LIMIT:
 * it wrote too much; ERR_IO: another exit status, or a signal. The text has the program's
 * name, not its arguments, which may be secrets. */
typedef void process_callback(
	void *arg, const char *output, size_t len, const struct err *e);

/* All failures go to cb, which never runs from inside this call; the process is gone
 * after it. */
struct process *process_start(struct uv_loop_s *loop, const char *command,
	int64_t timeout_ms, process_callback *cb, void *arg);
void process_cancel(struct process **p); /* no callback after it */

/* The words of a line, a NULL behind the last one; NULL: e tells what is wrong with it.
 * To check a configuration. process_words_free wipes them. */
char **process_words(const char *command, struct err *e);
void process_words_free(char ***words);

#endif
