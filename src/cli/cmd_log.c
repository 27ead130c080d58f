/* hikyaku log: what happened, and why, from the retry log in the queue. */
#include "cli/cli.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "event/event.h"
#include "policy/name.h"
#include "queue/reader.h"
#include "report/retry_log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

/* The log is asked again rather than watched with inotify: SQLite's files change
 * at checkpoints as well and not at all on another machine's mount, the worker
 * need not run, and five indexed look-ups a second cost next to nothing. */
enum { FOLLOW_INTERVAL_MS = 200, NARROWEST = 40 };

const struct cli_option cli_log_options[] = {
	{ 0, "id", "ID", "only this message" },
	{ 0, "domain", "DOMAIN", "only this destination" },
	{ 0, "since", "T", "from then on: a date and time (UTC), or an age like 2h" },
	{ 0, "failures", NULL, "only what was not delivered" },
	{ 0, "follow", NULL, "then wait for more and print it as it comes" },
	{ 0, "json", NULL, "print one JSON object a line" },
	{ 0 },
};

struct log_command {
	struct queue_log_query query;
	char domain[POLICY_NAME_MAX + 1]; /* normalized, for query */
	bool as_json;
	bool follow;
	sigset_t stop_signals;
	struct retry_log story;
	struct buf out;
	int status; /* of the command */
};

enum progress { PROGRESS_WAIT, PROGRESS_STOP };

/* Columns of the terminal, 0 where there is none. */
static unsigned output_width(void)
{
	struct winsize size;
	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		return 0;
	return size.ws_col < NARROWEST ? 0 : size.ws_col;
}

static bool parse_domain(struct log_command *c, const char *domain)
{
	char why[POLICY_TEXT_MAX];
	if (policy_destination_normalize(domain, strlen(domain), c->domain, why)) {
		c->query.domain = c->domain;
		return true;
	}
	cli_fail(EX_USAGE, "--domain \"%.80s\": %s", domain, why);
	return false;
}

static bool parse_since(struct log_command *c, const char *since)
{
	if (timefmt_parse_instant(since, clock_wall_ms(), &c->query.since_ms))
		return true;
	cli_fail(EX_USAGE,
		"--since \"%.80s\" is no time: write 2026-11-21, \"2026-11-21 20:43\" "
		"(UTC), 2026-11-21T20:43:00+09:00, or an age like 90m or 2d",
		since);
	return false;
}

static bool parse_options(struct log_command *c, const struct cli_args *args)
{
	const char *id = cli_option(args, "id");
	const char *domain = cli_option(args, "domain");
	const char *since = cli_option(args, "since");
	c->query.failures_only = cli_option(args, "failures");
	c->follow = cli_option(args, "follow");
	c->as_json = cli_option(args, "json");
	return (!id || cli_parse_id(id, &c->query.message_id)) &&
	       (!domain || parse_domain(c, domain)) && (!since || parse_since(c, since));
}

/* One record; a record that cannot be read is named and passed over. */
static void print_record(struct log_command *c, const char *json)
{
	struct event_attempt a;
	struct err e = { 0 };
	if (c->as_json) {
		puts(json);
		return;
	}
	if (event_attempt_from_json(json, &a, &e) == 0) {
		retry_log_tell(&c->story, &a, &c->out);
		fwrite(buf_bytes(&c->out), 1, buf_len(&c->out), stdout);
		buf_reset(&c->out);
	} else {
		c->status = cli_fail(EX_DATAERR,
			"record %lld of the log: %s; "
			"--json shows it as it is",
			(long long)c->query.after, e.text);
	}
	event_attempt_clear(&a);
}

/* Whoever follows sees each record at once. Nobody reads any more (`hikyaku log |
 * head`): that is no error, and what is left in the buffer is dropped, so that
 * the end of the program does not try again. */
static bool output_ended(struct log_command *c)
{
	if ((!c->follow || fflush(stdout) == 0) && !ferror(stdout))
		return false;
	if (errno == EPIPE) {
		__fpurge(stdout);
		clearerr(stdout);
	} else {
		c->status = cli_fail(EX_IOERR, "write: %s", strerror(errno));
	}
	return true;
}

static bool reader_of_pipe_left(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO };
	return poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLNVAL));
}

/* The signals are blocked while following, so that none is lost between a look
 * and the wait, and no handler has to tell anybody. */
static bool was_stopped(const struct log_command *c, long wait_ms)
{
	const struct timespec limit = { wait_ms / 1000, wait_ms % 1000 * 1000000 };
	return c->follow && sigtimedwait(&c->stop_signals, NULL, &limit) > 0;
}

/* All that is there now. */
static enum progress print_new(struct log_command *c, struct queue_reader *reader)
{
	const char *json;
	int64_t position;
	struct err e = { 0 };
	while (queue_reader_log(reader, &c->query, &json, &position, &e)) {
		c->query.after = position;
		print_record(c, json);
		if (output_ended(c) || was_stopped(c, 0))
			return PROGRESS_STOP;
	}
	/* Another process may hold the queue for a moment: a follower waits. */
	if (e.code && !(c->follow && e.code == ERR_BUSY)) {
		c->status = cli_fail_err(&e);
		return PROGRESS_STOP;
	}
	return PROGRESS_WAIT;
}

static void follow(struct log_command *c, struct queue_reader *reader)
{
	sigset_t before;
	sigemptyset(&c->stop_signals);
	sigaddset(&c->stop_signals, SIGINT);
	sigaddset(&c->stop_signals, SIGTERM);
	sigaddset(&c->stop_signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &c->stop_signals, &before);
	while (print_new(c, reader) == PROGRESS_WAIT &&
		!was_stopped(c, FOLLOW_INTERVAL_MS) && !reader_of_pipe_left())
		;
	sigprocmask(SIG_SETMASK, &before, NULL);
}

int cli_log(struct cli *cli, const struct cli_args *args)
{
	struct log_command c = { .out = BUF_INIT };
	const struct retry_log_style style = { cli->color, output_width() };
	if (!parse_options(&c, args))
		return EX_USAGE;
	struct queue_reader *reader = cli_reader(cli, &c.status);
	if (!reader)
		return c.status;
	retry_log_init(&c.story, &style);
	if (c.follow)
		follow(&c, reader);
	else
		print_new(&c, reader);
	queue_reader_close(&reader);
	buf_clear(&c.out);
	return c.status;
}
