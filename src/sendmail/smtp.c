#include "sendmail/smtp.h"

#include "base/buf.h"
#include "base/log.h"
#include "intake/session.h"
#include "intake/wait.h"
#include "sendmail/say.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { READ_SIZE = 32768 };

/* Lines for the log of the program, not for whoever runs this: standard error shows
 * no more than what went wrong. */
static void open_log(const struct config *config)
{
	if (strcmp(config->log, "stderr") == 0 ||
		log_open(config->log, "hikyaku", NULL) != 0)
		log_set_level(LOG_LEVEL_WARNING);
}

static int write_all(struct buf *out)
{
	while (buf_len(out)) {
		ssize_t n = write(STDOUT_FILENO, buf_bytes(out), buf_len(out));
		if (n < 0 && errno != EINTR)
			return -1;
		buf_consume(out, n > 0 ? (size_t)n : 0);
	}
	return 0;
}

/* 0: the end. */
static ssize_t read_some(char *bytes, size_t size)
{
	ssize_t n;
	do {
		n = read(STDIN_FILENO, bytes, size);
	} while (n < 0 && errno == EINTR);
	return n;
}

static int converse(struct intake *in, struct intake_session *s, struct buf *out)
{
	static char bytes[READ_SIZE];
	for (;;) {
		enum intake_session_want want = intake_session_run(s, out);
		if (write_all(out) != 0) {
			int errnum = errno;
			intake_wait_all(in); /* what was handed over is not taken back */
			return say_fail(EX_IOERR, "write to standard output: %s",
				strerror(errnum));
		}
		if (want == INTAKE_SESSION_CLOSE)
			return EX_OK;
		if (want == INTAKE_SESSION_WAIT) {
			intake_wait_all(in);
			continue;
		}
		ssize_t n = read_some(bytes, sizeof(bytes));
		if (n > 0)
			intake_session_feed(s, bytes, (size_t)n);
		else
			intake_session_lost(s);
	}
}

int sendmail_smtp_run(const struct config *config, uid_t user)
{
	struct intake *in = NULL;
	struct buf out = BUF_INIT;
	struct err e = { 0 };
	char client[40];
	if (intake_open(config, &in, &e) != 0)
		return say_fail_queue("no session", &e);
	open_log(config);
	snprintf(client, sizeof(client), "userid %u", (unsigned)user);
	struct intake_session *s = intake_session_new(in, config,
		&(struct intake_session_options){ .peer = client, .client = client });
	int status = converse(in, s, &out);
	intake_session_free(&s);
	intake_close(&in);
	buf_clear(&out);
	log_close();
	return status;
}
