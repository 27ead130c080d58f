#include "sendmail/submit.h"

#include "base/buf.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "intake/wait.h"
#include "mail/header.h"
#include "mail/header_address.h"
#include "sendmail/complete.h"
#include "sendmail/dot.h"
#include "sendmail/person.h"
#include "sendmail/say.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/*
 *	standard input -> dot -> header, until it has ended -> intake
 *	                     `-> the body ------------------> intake
 */
struct submit {
	const struct sendmail_options *options;
	const struct config *config;
	uid_t user;
	struct intake *intake;
	struct intake_message *message;
	struct dot dot;
	struct header header;
	bool header_is_done;
	struct buf recipients; /* for -v: as they were given */
	int status;            /* of what failed, or of the commit */
};

enum { READ_SIZE = 65536 };

/* ---- envelope ---- */

/* Each address of a list. */
static int add_recipients(struct submit *s, const char *list, size_t len, struct err *e)
{
	struct header_address_list l;
	char address[ADDRESS_MAX + 1];
	int rc;
	header_address_list_init(&l, list, len);
	while ((rc = header_address_next(&l, address, e)) == 1) {
		rc = intake_add_recipient(s->message, address, strlen(address),
			s->options->notify, NULL, e);
		if (rc != 0)
			return rc;
		if (s->options->is_verbose)
			buf_addf(&s->recipients, "%s%s",
				buf_len(&s->recipients) ? ", " : "", address);
	}
	return rc;
}

/* The one address in what -f is given: "a@b", "<a@b>", "Joe <a@b>", "". */
static int parse_sender(const char *text, char out[ADDRESS_MAX + 1], struct err *e)
{
	struct header_address_list l;
	char second[ADDRESS_MAX + 1];
	out[0] = '\0';
	if (!*text || strcmp(text, "<>") == 0)
		return 0;
	header_address_list_init(&l, text, strlen(text));
	int rc = header_address_next(&l, out, e);
	int more = rc == 1 ? header_address_next(&l, second, e) : rc;
	if (rc == 1 && more == 0)
		return 0;
	return more < 0 ? more
			: err_set(e, ERR_INVALID, "\"%.100s\" is not one address", text);
}

static int set_sender(struct submit *s, struct err *e)
{
	char address[ADDRESS_MAX + 1];
	const char *given = s->options->sender;
	OWN(mem_free) char *sender = given ? xstrdup(given) : person_login(s->user);
	int rc = parse_sender(sender, address, e);
	if (rc != 0)
		return err_context(e, "sender");
	OWN(mem_free)
	char *full = *address && !strchr(address, '@')
			     ? xasprintf("%s@%s", address, s->config->hostname)
			     : xstrdup(address);
	return intake_set_sender(s->message, full, strlen(full), e);
}

/* What the command line says. */
static int set_envelope(struct submit *s, struct err *e)
{
	char note[40];
	snprintf(note, sizeof(note), "from userid %u", (unsigned)s->user);
	intake_set_trace(s->message, &(struct intake_trace){ .note = note });
	struct mail_envelope *envelope = intake_envelope(s->message);
	int rc = set_sender(s, e);
	envelope->ret = s->options->ret;
	envelope->envid = xstrdup(s->options->envid);
	for (size_t i = 0; i < s->options->recipient_count && rc == 0; i++) {
		const char *list = s->options->recipients[i];
		rc = add_recipients(s, list, strlen(list), e);
	}
	return rc;
}

/* RFC 5322 3.6.6: a message that is sent on goes to those of its new journey alone. */
static int take_recipients(struct submit *s, struct err *e)
{
	static const char *const first[] = { "To", "Cc", "Bcc" };
	static const char *const again[] = { "Resent-To", "Resent-Cc", "Resent-Bcc" };
	const char *const *names = complete_is_resent(&s->header) ? again : first;
	for (size_t i = 0; i < s->header.count; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(first); k++) {
			size_t len;
			const char *body = header_field_body(&s->header, i, &len);
			if (header_field_is(&s->header, i, names[k]) &&
				add_recipients(s, body, len, e) != 0)
				return err_context(
					e, "%s field of the message", names[k]);
		}
	}
	if (intake_recipient_count(s->message))
		return 0;
	return err_set(e, ERR_INVALID,
		"no recipient: the message has no address in %s, %s or %s%s", names[0],
		names[1], names[2],
		names == again ? ", which count alone where there are Resent- fields"
			       : "");
}

/* ---- content ---- */

static int write_header(struct submit *s, struct err *e)
{
	struct buf out = BUF_INIT;
	const struct sendmail_options *o = s->options;
	bool adds_from = !o->is_gateway && !header_has(&s->header, "From");
	OWN(mem_free)
	char *name = adds_from && !o->full_name ? person_full_name(s->user) : NULL;
	const struct complete_facts facts = {
		.sender = intake_envelope(s->message)->sender,
		.full_name = o->full_name ? o->full_name
			     : name       ? name
					  : "",
		.hostname = s->config->hostname,
		.now_ms = clock_wall_ms(),
		.unique = rng_u64(),
		.adds_fields = !o->is_gateway,
		.keeps_bcc = o->is_gateway && !o->takes_recipients,
	};
	complete_header(&s->header, &facts, &out);
	int rc = intake_write_wait(s->message, buf_bytes(&out), buf_len(&out), e);
	buf_clear(&out);
	return rc;
}

static int end_header(struct submit *s, struct err *e)
{
	int rc = s->options->takes_recipients ? take_recipients(s, e) : 0;
	if (rc == 0)
		rc = write_header(s, e);
	s->header_is_done = true;
	header_clear(&s->header);
	return rc;
}

static int take_content(struct submit *s, const char *bytes, size_t len, struct err *e)
{
	size_t used = 0;
	if (!s->header_is_done) {
		int rc = header_feed(&s->header, bytes, len, &used, e);
		if (rc == 1)
			rc = end_header(s, e);
		if (rc != 0 || !s->header_is_done)
			return rc;
	}
	return len == used ? 0
			   : intake_write_wait(s->message, bytes + used, len - used, e);
}

/* Until the end of the input, or the dot. */
static int read_message(struct submit *s, struct err *e)
{
	static char bytes[READ_SIZE];
	struct buf piece = BUF_INIT;
	bool has_ended = false;
	int rc = 0;
	while (rc == 0 && !has_ended) {
		ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = err_errno(e, errno, "read standard input");
		has_ended = n <= 0;
		if (has_ended)
			break;
		if (s->options->keeps_dots) {
			rc = take_content(s, bytes, (size_t)n, e);
			continue;
		}
		buf_reset(&piece);
		has_ended = dot_feed(&s->dot, bytes, (size_t)n, &piece);
		rc = take_content(s, buf_bytes(&piece), buf_len(&piece), e);
	}
	buf_clear(&piece);
	if (rc == 0 && !s->header_is_done) {
		header_end(&s->header);
		rc = end_header(s, e);
	}
	return rc;
}

/* ---- all of it ---- */

static void on_done(void *arg, int64_t id, const struct err *e)
{
	struct submit *s = arg;
	char text[MAIL_ID_MAX];
	(void)failpoint("sendmail.stored");
	s->status = e ? say_fail_queue("message not queued", e) : EX_OK;
	if (e || !s->options->is_verbose)
		return;
	mail_id_format(id, text);
	/* Whoever cannot be told has not lost the message. */
	printf("%s: queued in %s for %s\n", text, s->config->queue,
		buf_text(&s->recipients));
}

static int submit(struct submit *s)
{
	struct err e = { 0 };
	if (set_envelope(s, &e) != 0)
		return say_fail(EX_USAGE, "message not queued: %s", e.text);
	int rc = read_message(s, &e);
	if (rc == 0)
		rc = intake_commit_wait(&s->message, on_done, s, &e);
	if (rc != 0)
		return say_fail(
			rc == ERR_INVALID || rc == ERR_LIMIT ? EX_DATAERR : EX_IOERR,
			"message not queued: %s", e.text);
	intake_wait_all(s->intake);
	return s->status;
}

int submit_run(
	const struct sendmail_options *options, const struct config *config, uid_t user)
{
	struct submit s = { .options = options, .config = config, .user = user };
	struct err e = { 0 };
	if (!options->recipient_count && !options->takes_recipients)
		return say_fail(EX_USAGE, "no recipient; name them behind the options, "
					  "or take them from the "
					  "message with -t");
	if (intake_open(config, &s.intake, &e) != 0)
		return say_fail_queue("message not queued", &e);
	s.message = intake_message_new(s.intake);
	header_init(&s.header, SUBMIT_HEADER_BYTES);
	int status = submit(&s);
	header_clear(&s.header);
	buf_clear(&s.recipients);
	intake_message_free(&s.message);
	intake_close(&s.intake);
	return status;
}
