#include "intake/session.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	BACKLOG_MAX = 256 * 1024, /* octets of a message that wait for the store */
	REFUSALS_LOGGED_MAX = 50  /* of a session */
};

struct intake_session {
	struct intake *in;
	struct smtp_server *server;
	char *hostname, *peer, *client;
	bool is_lmtp, has_content;
	struct intake_message *message; /* from MAIL to its commit */
	bool is_committing;
	char *stop; /* why no further message is begun; NULL: one may be */
	uint64_t progress, content_bytes;
	unsigned refusals;
	/* for the log, of the message that is with the queue */
	char *sender;
	size_t recipient_count;
	char protocol[12];
};

struct intake_session *intake_session_new(struct intake *in, const struct config *config,
	const struct intake_session_options *options)
{
	struct intake_session *s = xcalloc(1, sizeof(*s));
	s->in = in;
	s->hostname = xstrdup(config->hostname);
	s->peer = xstrdup(options->peer);
	s->client = xstrdup(options->client);
	s->is_lmtp = options->is_lmtp;
	s->server = smtp_server_new(&(struct smtp_server_options){
		.hostname = s->hostname,
		.is_lmtp = options->is_lmtp,
		.max_message_size = config->max_message_size,
		.max_recipients = config->max_recipients,
	});
	return s;
}

void intake_session_free(struct intake_session **sp)
{
	struct intake_session *s = MOVE(*sp);
	if (!s)
		return;
	intake_message_free(&s->message);
	smtp_server_free(&s->server);
	free(s->hostname);
	free(s->peer);
	free(s->client);
	free(s->stop);
	free(s->sender);
	free(s);
}

void intake_session_feed(struct intake_session *s, const char *bytes, size_t len)
{
	smtp_server_feed(s->server, bytes, len);
}

void intake_session_lost(struct intake_session *s)
{
	smtp_server_lost(s->server);
}

void intake_session_shut(struct intake_session *s, const char *enhanced, const char *why)
{
	smtp_server_shut(s->server, enhanced, why);
}

void intake_session_stop(struct intake_session *s, const char *why)
{
	free(s->stop);
	s->stop = xstrdup(why);
}

uint64_t intake_session_progress(const struct intake_session *s)
{
	return s->progress;
}

/* ---- the log ---- */

static const char *log_name(const struct intake_session *s)
{
	return s->is_lmtp ? "lmtpd" : "smtpd";
}

/* As Postfix's smtpd and qmgr say it, in one line. A quoted local part must not end
 * the <> around it. */
static void log_taken(const struct intake_session *s, const char *id, uint64_t size)
{
	for (char *at = s->sender; (at = strpbrk(at, "<>")); at++)
		*at = '?';
	log_part(log_name(s),
		"%s: client=%s, from=<%s>, size=%llu, nrcpt=%zu, proto=%s, helo=<%s>", id,
		s->client, s->sender, (unsigned long long)size, s->recipient_count,
		s->protocol, smtp_server_client_name(s->server));
}

static void log_refusal(struct intake_session *s, const char *reply, size_t len)
{
	if (++s->refusals > REFUSALS_LOGGED_MAX)
		return;
	log_part(log_name(s), "NOQUEUE: reject: %s from %s: %.*s; helo=<%s>%s",
		s->is_lmtp ? "LMTP" : "SMTP", s->client, (int)len, reply,
		smtp_server_client_name(s->server),
		s->refusals == REFUSALS_LOGGED_MAX
			? " (further ones of this session are not logged)"
			: "");
}

/* All refusals, ours and the machine's, are replies that begin with 4 or 5. Our own
 * shutdown is none. */
static bool is_refusal(const char *reply, size_t len)
{
	return (*reply == '4' || *reply == '5') &&
	       !text_has_prefix(reply, len, "421 4.3.2 ");
}

static void log_refusals(struct intake_session *s, const char *replies, size_t len)
{
	while (len) {
		const char *end = memmem(replies, len, "\r\n", 2);
		size_t line = end ? (size_t)(end - replies) : len;
		if (is_refusal(replies, line))
			log_refusal(s, replies, line);
		line += end ? 2 : 0;
		replies += line;
		len -= line;
	}
}

/* ---- what the machine asks ---- */

static void refuse(struct intake_session *s, const struct err *e)
{
	const char *enhanced = intake_enhanced_code(s->message);
	int code = strncmp(enhanced, "5.1.", 4) == 0 ? 553
		   : strcmp(enhanced, "5.3.4") == 0  ? 552
						     : 554;
	smtp_server_refuse(s->server, code, enhanced, e->text);
}

static void answer(struct intake_session *s, int rc, const struct err *e)
{
	if (rc == 0)
		smtp_server_accept(s->server);
	else
		refuse(s, e);
}

static void take_mail(struct intake_session *s, const struct smtp_server_step *step)
{
	struct err e = { 0 };
	if (s->stop) {
		smtp_server_shut(s->server, "4.3.2", s->stop);
		return;
	}
	s->message = intake_message_new(s->in);
	s->has_content = false;
	int rc = intake_mail(s->message, step->path, step->path_len, step->mail, &e);
	answer(s, rc, &e);
	if (rc != 0)
		intake_message_free(&s->message);
}

static void take_recipient(struct intake_session *s, const struct smtp_server_step *step)
{
	struct err e = { 0 };
	int rc = intake_rcpt(s->message, step->path, step->path_len, step->rcpt, &e);
	answer(s, rc, &e);
}

static int begin_content(struct intake_session *s, struct err *e)
{
	if (s->has_content)
		return 0;
	s->has_content = true;
	s->content_bytes = 0;
	snprintf(s->protocol, sizeof(s->protocol), "%s", smtp_server_protocol(s->server));
	intake_set_trace(s->message,
		&(struct intake_trace){ .from = smtp_server_client_name(s->server),
			.peer = s->peer,
			.protocol = s->protocol });
	/* Empty content is content, in SMTP. */
	return intake_write(s->message, "", 0, e);
}

static void take_content(struct intake_session *s, const struct smtp_server_step *step)
{
	struct err e = { 0 };
	int rc = begin_content(s, &e);
	if (rc == 0)
		rc = intake_write(s->message, step->bytes, step->len, &e);
	uint64_t before = s->content_bytes / INTAKE_PIECE;
	s->content_bytes += step->len;
	s->progress += s->content_bytes / INTAKE_PIECE != before;
	if (rc == 0)
		return;
	const char *enhanced = intake_enhanced_code(s->message);
	smtp_server_refuse_content(
		s->server, strcmp(enhanced, "5.3.4") == 0 ? 552 : 554, enhanced, e.text);
	intake_message_free(&s->message);
}

/* Of the queue: what it says is for us, and not for a stranger. */
static void refuse_store(struct intake_session *s, const struct err *e)
{
	log_error(
		"%s: message from %s is not stored: %s", log_name(s), s->client, e->text);
	if (e->code == ERR_NO_SPACE)
		smtp_server_refuse(s->server, 452, "4.3.1", "no space in the queue");
	else if (e->code == ERR_LIMIT)
		smtp_server_refuse(s->server, 552, "5.3.4", "message is too large");
	else
		smtp_server_refuse(s->server, 451, "4.3.0",
			"message cannot be stored at the moment");
}

static void on_stored(void *arg, int64_t id, const struct err *e)
{
	struct intake_session *s = arg;
	char text[MAIL_ID_MAX];
	s->is_committing = false;
	(void)failpoint("listener.stored");
	if (e) {
		refuse_store(s, e);
		return;
	}
	mail_id_format(id, text);
	log_taken(s, text, s->content_bytes);
	smtp_server_stored(s->server, text);
}

static void commit(struct intake_session *s)
{
	struct err e = { 0 };
	int rc = begin_content(s, &e);
	free(s->sender);
	s->sender = xstrdup(intake_envelope(s->message)->sender);
	s->recipient_count = intake_recipient_count(s->message);
	if (rc == 0)
		rc = intake_commit(&s->message, on_stored, s, &e);
	(void)failpoint("listener.taken");
	s->is_committing = rc == 0;
	if (rc != 0) {
		refuse(s, &e);
		intake_message_free(&s->message);
	}
	if (s->stop)
		smtp_server_shut(s->server, "4.3.2", s->stop);
}

/* ---- running ---- */

static bool must_wait(const struct intake_session *s)
{
	return s->is_committing ||
	       (s->message && intake_backlog(s->message) > BACKLOG_MAX);
}

static void take_write(
	struct intake_session *s, const struct smtp_server_step *step, struct buf *out)
{
	s->progress++;
	log_refusals(s, step->bytes, step->len);
	buf_add(out, step->bytes, step->len);
}

enum intake_session_want intake_session_run(struct intake_session *s, struct buf *out)
{
	struct smtp_server_step step;
	while (!must_wait(s)) {
		if (s->stop && !s->message)
			smtp_server_shut(s->server, "4.3.2", s->stop);
		switch (smtp_server_next(s->server, &step)) {
		case SMTP_SERVER_READ:
			return INTAKE_SESSION_READ;
		case SMTP_SERVER_WRITE:
			take_write(s, &step, out);
			break;
		case SMTP_SERVER_MAIL:
			take_mail(s, &step);
			break;
		case SMTP_SERVER_RCPT:
			take_recipient(s, &step);
			break;
		case SMTP_SERVER_CONTENT:
			take_content(s, &step);
			break;
		case SMTP_SERVER_COMMIT:
			commit(s);
			break;
		case SMTP_SERVER_ABORT:
			intake_message_free(&s->message);
			break;
		case SMTP_SERVER_CLOSE:
			return INTAKE_SESSION_CLOSE;
		}
	}
	return INTAKE_SESSION_WAIT;
}
