/*
 * deliver: one attempt, now, for pipe transports and XMail's "external" lines. The
 * caller keeps the message and tries again, so nothing of it may stay here: a queue of
 * its own in a directory that is removed at the end, and the worker with --once over it.
 * What decides and delivers is what always does.
 *
 * The exit status is the whole answer to a mail server: 0, or 75 where anybody is to be
 * tried again (an error of our own side too), or 69 where somebody was refused and
 * nobody is to be tried again. Only a wrong command line has another one.
 */
#include "cli/cli.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/user.h"
#include "cli/run_sinks.h"
#include "cli/stdin_message.h"
#include "delivery/worker.h"
#include "intake/wait.h"
#include "intake/xmail_file.h"
#include "report/words.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

const struct cli_option cli_deliver_options[] = {
	{ 'f', "from", "SENDER",
		"envelope sender, \"\" for none (default: USER@hostname)" },
	{ 0, "xmail", "FILE", "take envelope and message from a message file of XMail" },
	{ 0, "json", NULL, "print one JSON object a recipient" },
	{ 0 },
};

/* What became of one recipient, as the last host that was asked left it. Until one has
 * answered it is deferred: who is not spoken of must not count as served. */
struct result {
	char *address;
	const char *outcome; /* constant */
	char *text;
	int code;
	char *enhanced;
	char *relay; /* NULL: none was reached */
	const char *channel;
};

struct results {
	struct result *list;
	size_t count;
	bool as_json;
};

/* ---- results ---- */

static const char *known_outcome(const char *outcome)
{
	static const char *const outcomes[] = { "delivered", "deferred", "bounced",
		"in_doubt" };
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
		if (strcmp(outcome, outcomes[i]) == 0)
			return outcomes[i];
	}
	return "deferred";
}

static struct result *find(struct results *all, const char *address)
{
	for (size_t i = 0; i < all->count; i++) {
		if (strcmp(all->list[i].address, address) == 0)
			return &all->list[i];
	}
	all->list = xreallocarray(all->list, all->count + 1, sizeof(*all->list));
	struct result *r = &all->list[all->count++];
	*r = (struct result){ .address = xstrdup(address), .outcome = "deferred" };
	return r;
}

static void expect(struct results *all, const struct intake_message *m)
{
	for (size_t i = 0; i < intake_recipient_count(m); i++) {
		struct result *r = find(all, intake_recipient(m, i));
		mem_free(&r->text);
		r->text = xstrdup("interrupted before a host had answered");
	}
}

static void result_reset(struct result *r)
{
	mem_free(&r->text);
	mem_free(&r->enhanced);
	mem_free(&r->relay);
}

static char *describe(const struct event_attempt *a, const struct event_reply *reply)
{
	struct buf text = BUF_INIT;
	if (reply->code) {
		words_reply(&text, reply);
	} else {
		buf_addstr(&text, words_failure(a));
		if (a->detail)
			buf_addf(&text, "%s%s", buf_len(&text) ? ": " : "", a->detail);
	}
	return buf_steal(&text);
}

/* One host's turn; the last one counts. */
static void on_attempt(void *arg, const struct event_attempt *a)
{
	struct results *all = arg;
	for (size_t i = 0; i < a->recipient_count; i++) {
		const struct event_recipient *from = &a->recipients[i];
		const struct event_reply *reply =
			from->reply.code ? &from->reply : &a->reply;
		struct result *r = find(all, from->address);
		char status[EVENT_STATUS_MAX];
		result_reset(r);
		r->outcome = known_outcome(from->outcome);
		r->code = reply->code;
		event_attempt_status(a, i, status);
		r->enhanced = xstrdup(status);
		r->text = describe(a, reply);
		r->channel = a->has_tls ? "tls" : "plaintext";
		if (words_has_place(a)) {
			struct buf relay = BUF_INIT;
			words_relay(&relay, a);
			r->relay = buf_steal(&relay);
		}
	}
}

static void print_json(const struct result *r)
{
	json_t *o = json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:s?}", "address", r->address,
		"outcome", r->outcome, "enhanced", r->enhanced, "text", r->text, "relay",
		r->relay, "channel", r->relay ? r->channel : NULL);
	json_object_set_new(o, "code", r->code ? json_integer(r->code) : json_null());
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

static void print_line(const struct result *r)
{
	bool is_in_doubt = strcmp(r->outcome, "in_doubt") == 0;
	printf("%s: %s", r->address,
		is_in_doubt ? "in doubt, it may have been delivered" : r->outcome);
	if (r->relay)
		printf(" (%s, %s)", r->relay, r->channel);
	if (r->text && *r->text)
		printf(": %s", r->text);
	putchar('\n');
}

/* 75 goes before 69: what is bounced cannot be tried again. */
static int print_results(const struct results *all)
{
	int status = EX_OK;
	for (size_t i = 0; i < all->count; i++) {
		const struct result *r = &all->list[i];
		if (all->as_json)
			print_json(r);
		else
			print_line(r);
		if (strcmp(r->outcome, "bounced") == 0)
			status = status == EX_OK ? EX_UNAVAILABLE : status;
		else if (strcmp(r->outcome, "delivered") != 0)
			status = EX_TEMPFAIL;
	}
	/* Whoever has the message must not get it again for that. */
	if (fflush(stdout) != 0)
		cli_fail(0, "write to standard output: %s", strerror(errno));
	return status;
}

static void results_clear(struct results *all)
{
	for (size_t i = 0; i < all->count; i++) {
		result_reset(&all->list[i]);
		free(all->list[i].address);
	}
	free(all->list);
}

/* ---- interruption ---- */

/* From the moment that there is a directory to remove until the worker listens to
 * signals itself, they are only noted. */
static volatile sig_atomic_t was_interrupted;

static void note_signal(int signum)
{
	(void)signum;
	was_interrupted = 1;
}

static void note_signals(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction action = { .sa_handler = note_signal, .sa_flags = SA_RESTART };
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		(void)sigaction(signals[i], &action, NULL);
}

/* Standard input is read to its end before there is anything to clean up: whoever
 * writes it may take its time, or end us. What is no file becomes one without a name. */
static int spool_input(struct err *e)
{
	static char bytes[65536];
	struct stat st;
	if (fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode))
		return 0;
	FILE *spool = tmpfile();
	if (!spool)
		return err_errno(e, errno, "make a temporary file");
	while (e->code == 0) {
		ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));
		if (n == 0)
			break;
		if (n < 0)
			err_errno(e, errno, "read standard input");
		else if (fwrite(bytes, 1, (size_t)n, spool) != (size_t)n)
			err_errno(e, errno, "write a temporary file");
	}
	if (e->code == 0 && fflush(spool) != 0)
		err_errno(e, errno, "write a temporary file");
	if (e->code == 0) {
		rewind(spool);
		if (dup2(fileno(spool), STDIN_FILENO) < 0)
			err_errno(e, errno, "read a temporary file");
	}
	fclose(spool);
	return e->code;
}

/* ---- the queue for one message ---- */

static char *make_directory(struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	char *path = xasprintf("%s/hikyaku-deliver-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (mkdtemp(path))
		return path;
	err_errno(e, errno, "make directory %s", path);
	free(path);
	return NULL;
}

static void remove_directory(const char *path)
{
	DIR *dir = opendir(path);
	for (struct dirent *d; dir && (d = readdir(dir));)
		(void)unlinkat(dirfd(dir), d->d_name, 0); /* "." and ".." refuse */
	if (dir)
		closedir(dir);
	if (rmdir(path) != 0)
		log_warning("%s stays: %s; remove it", path, strerror(errno));
}

static int no_reload(void *arg, struct config **out, struct err *e)
{
	(void)arg;
	(void)out;
	return err_set(e, ERR_UNSUPPORTED, "`deliver` is about to end");
}

static void on_stored(void *arg, int64_t id, const struct err *e)
{
	struct err *to = arg;
	(void)id;
	if (e)
		*to = *e;
}

static int store(const struct config *config, const struct cli_args *args, int xmail,
	struct results *all, struct err *e)
{
	struct intake *in = NULL;
	int rc = intake_open(config, &in, e);
	if (rc != 0)
		return rc;
	struct intake_message *m = intake_message_new(in);
	if (xmail < 0)
		rc = stdin_message_read(m, config, args, e);
	else if ((rc = xmail_file_read(m, config, xmail, e)) != 0)
		err_context(e, "%s", cli_option(args, "xmail"));
	if (rc == 0) {
		expect(all, m);
		rc = intake_commit_wait(&m, on_stored, e, e);
	}
	if (rc == 0)
		intake_wait_all(in);
	intake_message_free(&m);
	intake_close(&in);
	return e->code;
}

/* An error is about the message (69), or else about this machine (75). */
static int fail(const struct err *e)
{
	bool is_final = e->code == ERR_INVALID || e->code == ERR_LIMIT;
	return cli_fail(is_final ? EX_UNAVAILABLE : EX_TEMPFAIL, "%s", e->text);
}

static int attempt(struct config *config, struct results *all, struct run_sinks *sinks)
{
	struct event_sink sink = { .attempt = on_attempt, .arg = all };
	struct err e = { 0 };
	event_hub_add(&sinks->hub, &sink);
	struct worker_options options = {
		.config = config,
		.once = true,
		.hub = &sinks->hub,
		.notices = NULL, /* who called tells the sender, and gives up */
		.reload = no_reload,
	};
	/* Whatever it is, it is not the message's fault. */
	if (worker_run(&options, &e) != 0)
		return cli_fail_lines(EX_TEMPFAIL, e.text);
	return print_results(all);
}

static int deliver_in(
	struct cli *cli, const struct cli_args *args, int xmail, const char *directory)
{
	struct config *config = cli->config;
	struct run_sinks sinks = { 0 };
	struct results all = { .as_json = cli_option(args, "json") != NULL };
	struct err e = { 0 };
	free(config->queue);
	config->queue = xasprintf("%s/queue.db", directory);
	config->workers = 1;
	/* On the terminal the results speak for themselves. */
	bool with_lines = strcmp(config->log, "stderr") != 0;
	int status = EX_TEMPFAIL;
	cli->status_is_all = true;
	if (run_sinks_open(config, with_lines, &sinks, &e) != 0)
		cli_fail(EX_TEMPFAIL, "%s", e.text);
	else if (store(config, args, xmail, &all, &e) != 0)
		status = fail(&e);
	else if (was_interrupted)
		cli_fail(EX_TEMPFAIL, "interrupted before a host was asked");
	else
		status = attempt(MOVE(cli->config), &all, &sinks);
	run_sinks_close(&sinks);
	results_clear(&all);
	return status;
}

static int check_usage(const struct cli_args *args)
{
	bool is_xmail = cli_option(args, "xmail") != NULL;
	if (is_xmail && (args->word_count || cli_option(args, "from")))
		return cli_fail(EX_USAGE,
			"with --xmail sender and recipients are in the file; leave them "
			"out here");
	if (!is_xmail && !args->word_count)
		return cli_fail(EX_USAGE,
			"no recipient; hikyaku deliver [-f SENDER] RCPT... < MESSAGE");
	return EX_OK;
}

/* Nothing is done to XMail's file: who calls has it, and keeps or removes it. It may be
 * root's: it is opened before we become another user. */
static int open_input(const struct cli_args *args, int *xmail_out, struct err *e)
{
	const char *file = cli_option(args, "xmail");
	*xmail_out = -1;
	if (!file) {
		stdin_message_explain("the message, header first,");
		return spool_input(e);
	}
	*xmail_out = xmail_file_open(AT_FDCWD, file, e);
	return *xmail_out < 0 ? err_context(e, "%s", file) : 0;
}

static int deliver_file(struct cli *cli, const struct cli_args *args, int xmail)
{
	struct err e = { 0 };
	note_signals();
	OWN(mem_free) char *directory = make_directory(&e);
	if (!directory)
		return cli_fail(EX_TEMPFAIL, "%s", e.text);
	int status = deliver_in(cli, args, xmail, directory);
	remove_directory(directory);
	return status;
}

int cli_deliver(struct cli *cli, const struct cli_args *args)
{
	struct err e = { 0 };
	int status = check_usage(args);
	if (status != EX_OK)
		return status;
	if (!cli_config(cli))
		return EX_TEMPFAIL;
	int xmail;
	if (open_input(args, &xmail, &e) != 0)
		return cli_option(args, "xmail") ? fail(&e)
						 : cli_fail(EX_TEMPFAIL, "%s", e.text);
	status = EX_TEMPFAIL;
	if (cli_become_user(cli->config)) {
		user_set_home(); /* for commands of the credentials file */
		status = deliver_file(cli, args, xmail);
	}
	if (xmail >= 0)
		close(xmail);
	return status;
}
