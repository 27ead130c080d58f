/*
 * Acts a dialogue out, and checks at every step what must hold for every client:
 * a transaction that the owner heard of ends with COMMIT or with ABORT and never
 * with both; COMMIT comes with an accepted recipient and with the very content that
 * the whole dialogue has; no more messages are acknowledged than were stored; all
 * that is written are whole lines of at most 512 octets, in ASCII, with enhanced
 * codes where they belong; and the session comes to its end.
 */
#include "server_dialog.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { STEPS_MAX = 1000000 };

struct player {
	struct server_dialog *d;
	const struct server_dialog_mode *mode;
	struct err *e;
	struct smtp_server *s;
	enum smtp_server_action asked; /* READ: nothing */
	struct buf out;                /* written and not yet compared */
	struct buf log;                /* events and not yet compared, each "text\n" */
	struct buf content;            /* of the transaction */
	struct buf last_line;          /* that was written */
	size_t fed, commits;
	unsigned writes;
	unsigned accepted; /* recipients of this transaction */
	unsigned stored;   /* acknowledgements that may have been written */
	unsigned acknowledged;
	bool is_open;    /* the owner holds a transaction */
	bool is_refused; /* its content, by the owner */
	bool is_closed;
};

static int wrong(struct player *p, const char *what)
{
	return err_set(p->e, ERR_INVALID, "%s (state %s)", what,
		smtp_server_state_name(smtp_server_state(p->s)));
}

/* ---- what is written ---- */

static bool is_enhanced(const char *line, size_t len)
{
	return len > 10 && line[4] == line[0] && line[5] == '.' &&
	       text_is_digit(line[6]) && line[7] == '.' && text_is_digit(line[8]);
}

static bool has_no_enhanced(const char *line)
{
	static const char *const bare[] = { "220 mx.example.org ", "250 mx.example.org",
		"354 ", "250-", "250 ENHANCEDSTATUSCODES", "421 mx.example.org " };
	for (size_t i = 0; i < ARRAY_SIZE(bare); i++) {
		if (strncmp(line, bare[i], strlen(bare[i])) == 0)
			return true;
	}
	return false;
}

static int check_line(struct player *p, const char *line, size_t len)
{
	static const char queued[] = "250 2.0.0 queued as ";
	if (len > 512 || len < 5)
		return wrong(p, "a reply of no length");
	if (text_plain_len(line, len - 2) != len - 2)
		return wrong(p, "a reply that is not plain ASCII");
	if (!has_no_enhanced(line) && !is_enhanced(line, len))
		return wrong(p, "a reply without an enhanced code");
	p->acknowledged += text_has_prefix(line, len, queued);
	if (p->acknowledged > p->stored)
		return wrong(p, "a message is acknowledged that is not stored");
	buf_reset(&p->last_line);
	buf_add(&p->last_line, line, len);
	return 0;
}

static int note_write(struct player *p, const struct smtp_server_step *step)
{
	OWN(buf_clear) struct buf text = BUF_INIT;
	int rc = 0;
	if (!step->len)
		return wrong(p, "an empty write");
	p->writes++;
	buf_add(&p->out, step->bytes, step->len);
	buf_add(&text, step->bytes, step->len);
	for (const char *line = buf_text(&text), *end; *line && !rc; line = end + 2) {
		end = strstr(line, "\r\n");
		if (!end)
			return wrong(p, "a reply that is no whole line");
		rc = check_line(p, line, (size_t)(end + 2 - line));
	}
	return rc;
}

/* ---- the owner ---- */

static void log_mail(struct player *p, const struct smtp_server_step *step)
{
	const struct smtp_mail_parameters *m = step->mail;
	buf_addf(&p->log, "mail <%.*s>", (int)step->path_len, step->path);
	if (m->has_size)
		buf_addf(&p->log, " size=%llu", (unsigned long long)m->size_bytes);
	if (m->is_8bit)
		buf_addstr(&p->log, " 8bit");
	if (m->smtputf8)
		buf_addstr(&p->log, " utf8");
	if (m->ret)
		buf_addf(&p->log, " ret=%s", m->ret == MAIL_RET_FULL ? "full" : "hdrs");
	if (*m->envid)
		buf_addf(&p->log, " envid=%s", m->envid);
	buf_addf(&p->log, " %s %s\n", smtp_server_protocol(p->s),
		smtp_server_client_name(p->s));
}

static void log_rcpt(struct player *p, const struct smtp_server_step *step)
{
	const struct smtp_rcpt_parameters *r = step->rcpt;
	buf_addf(&p->log, "rcpt <%.*s>", (int)step->path_len, step->path);
	if (r->notify)
		buf_addf(&p->log, " notify=%u", r->notify);
	if (*r->orcpt)
		buf_addf(&p->log, " orcpt=%s", r->orcpt);
	buf_addc(&p->log, '\n');
}

static void log_content(struct player *p, const struct buf *content)
{
	const char *s = buf_bytes(content);
	buf_addstr(&p->log, "commit ");
	for (size_t i = 0; i < buf_len(content); i++) {
		if (s[i] == '\r')
			buf_addstr(&p->log, "\\r");
		else if (s[i] == '\n')
			buf_addstr(&p->log, "\\n");
		else if (s[i] == '\0')
			buf_addstr(&p->log, "\\0");
		else
			buf_addc(&p->log, s[i]);
	}
	buf_addc(&p->log, '\n');
}

static void accept(struct player *p)
{
	p->accepted += p->asked == SMTP_SERVER_RCPT;
	p->asked = SMTP_SERVER_READ;
	smtp_server_accept(p->s);
}

static void refuse(struct player *p, int code, const char *enhanced, const char *text)
{
	if (p->asked == SMTP_SERVER_MAIL)
		p->is_open = false;
	p->asked = SMTP_SERVER_READ;
	smtp_server_refuse(p->s, code, enhanced, text);
}

static void store(struct player *p, const char *id)
{
	p->asked = SMTP_SERVER_READ;
	p->stored += p->d->options.is_lmtp ? p->accepted : 1;
	smtp_server_stored(p->s, id);
}

/* A question without the script: addresses that begin with "no" are refused. */
static void answer(struct player *p, const struct smtp_server_step *step)
{
	char id[16];
	bool is_bad = step->path && text_has_prefix(step->path, step->path_len, "no");
	snprintf(id, sizeof(id), "ID%zu", p->commits);
	if (p->asked == SMTP_SERVER_COMMIT)
		store(p, id);
	else if (is_bad && p->asked == SMTP_SERVER_MAIL)
		refuse(p, 550, "5.7.1", "not from there");
	else if (is_bad)
		refuse(p, 550, "5.1.1", "nobody of that name");
	else
		accept(p);
}

static int on_commit(struct player *p)
{
	struct server_dialog *d = p->d;
	size_t n = p->commits++;
	if (!p->is_open || !p->accepted || p->is_refused)
		return wrong(p, "COMMIT of nothing");
	p->is_open = false;
	log_content(p, &p->content);
	if (n >= SERVER_DIALOG_COMMITS_MAX)
		return wrong(p, "too many messages for a dialogue");
	if (p->mode->is_first) {
		buf_add(&d->commits[n], buf_bytes(&p->content), buf_len(&p->content));
		d->commit_count = n + 1;
		return 0;
	}
	if (n >= d->commit_count || buf_len(&p->content) != buf_len(&d->commits[n]) ||
		memcmp(buf_bytes(&p->content), buf_bytes(&d->commits[n]),
			buf_len(&p->content)) != 0)
		return wrong(p, "COMMIT of other content than the whole has");
	return 0;
}

static int on_question(struct player *p, const struct smtp_server_step *step,
	enum smtp_server_action action)
{
	int rc = 0;
	if (p->asked != SMTP_SERVER_READ)
		return wrong(p, "a question before the answer to another");
	if (!smtp_server_is_busy(p->s))
		return wrong(p, "not busy, though it asks");
	if (action == SMTP_SERVER_MAIL) {
		if (p->is_open)
			return wrong(p, "MAIL inside a transaction");
		p->is_open = true;
		p->is_refused = false;
		p->accepted = 0;
		buf_reset(&p->content);
		log_mail(p, step);
	} else if (action == SMTP_SERVER_RCPT) {
		if (!p->is_open)
			return wrong(p, "RCPT outside a transaction");
		log_rcpt(p, step);
	} else {
		rc = on_commit(p);
	}
	p->asked = action;
	if (!rc && !p->d->is_manual)
		answer(p, step);
	return rc;
}

static int on_content(struct player *p, const struct smtp_server_step *step)
{
	unsigned long full_at = p->d->full_at;
	if (!p->is_open || !p->accepted || p->is_refused || !step->len)
		return wrong(p, "content of nothing");
	buf_add(&p->content, step->bytes, step->len);
	if (full_at && buf_len(&p->content) >= full_at) {
		p->is_refused = true;
		smtp_server_refuse_content(p->s, 452, "4.3.1", "no space");
	}
	return 0;
}

static int on_abort(struct player *p)
{
	if (!p->is_open)
		return wrong(p, "ABORT of nothing");
	p->is_open = false;
	p->asked = SMTP_SERVER_READ;
	buf_addstr(&p->log, "abort\n");
	return 0;
}

static int on_close(struct player *p)
{
	struct smtp_server_step step;
	if (p->is_open)
		return wrong(p, "CLOSE with an open transaction");
	if (smtp_server_next(p->s, &step) != SMTP_SERVER_CLOSE)
		return wrong(p, "something after CLOSE");
	if (!p->is_closed)
		buf_addstr(&p->log, "close\n");
	p->is_closed = true;
	return 0;
}

/* Runs until the machine waits. */
static int pump(struct player *p)
{
	struct smtp_server_step step;
	for (int steps = 0; steps < STEPS_MAX; steps++) {
		enum smtp_server_action action = smtp_server_next(p->s, &step);
		int rc = 0;
		switch (action) {
		case SMTP_SERVER_READ:
			return 0;
		case SMTP_SERVER_WRITE:
			rc = note_write(p, &step);
			break;
		case SMTP_SERVER_CONTENT:
			rc = on_content(p, &step);
			break;
		case SMTP_SERVER_ABORT:
			rc = on_abort(p);
			break;
		case SMTP_SERVER_CLOSE:
			return on_close(p);
		default:
			rc = on_question(p, &step, action);
			break;
		}
		if (rc)
			return rc;
	}
	return wrong(p, "the machine does not come to rest");
}

/* ---- the script ---- */

static int feed(struct player *p, const struct buf *bytes)
{
	const char *s = buf_bytes(bytes);
	size_t left = buf_len(bytes);
	int rc = 0;
	if (p->mode->is_cut && left > p->mode->cut_after - p->fed)
		left = p->mode->cut_after - p->fed;
	while (left && !rc) {
		size_t len =
			p->mode->piece && p->mode->piece < left ? p->mode->piece : left;
		smtp_server_feed(p->s, s, len);
		p->fed += len;
		s += len;
		left -= len;
		rc = pump(p);
	}
	return rc;
}

static int compare_written(struct player *p, const struct server_dialog_item *item)
{
	size_t len = buf_len(&item->bytes);
	if (buf_len(&p->out) < len ||
		memcmp(buf_bytes(&p->out), buf_bytes(&item->bytes), len) != 0) {
		char written[600];
		text_clean(
			buf_bytes(&p->out), buf_len(&p->out), written, sizeof(written));
		return err_set(p->e, ERR_INVALID, "written instead: \"%s\"", written);
	}
	buf_consume(&p->out, len);
	return 0;
}

static int compare_event(struct player *p, struct server_dialog_item *item)
{
	const char *log = buf_text(&p->log);
	size_t len = buf_len(&item->bytes);
	if (strncmp(log, buf_text(&item->bytes), len) != 0 || !*log)
		return err_set(p->e, ERR_INVALID, "happened instead: \"%.600s\"", log);
	buf_consume(&p->log, (size_t)(strchr(log, '\n') + 1 - log));
	return 0;
}

static int compare_writes(struct player *p, const struct server_dialog_item *item)
{
	unsigned writes = p->writes;
	p->writes = 0;
	if (p->mode->piece || writes == item->number)
		return 0;
	return err_set(p->e, ERR_INVALID, "%u writes instead", writes);
}

/* "4.3.2 the reason" */
static void shut(struct player *p, const char *text)
{
	char enhanced[12];
	size_t len = strcspn(text, " ");
	snprintf(enhanced, sizeof(enhanced), "%.*s", (int)len, text);
	smtp_server_shut(p->s, enhanced, text + len + (text[len] != '\0'));
}

static int give_answer(struct player *p, struct server_dialog_item *item)
{
	const struct smtp_reply *r = &item->reply;
	bool wants_commit = item->verb == SERVER_DIALOG_STORED;
	if (p->asked == SMTP_SERVER_READ ||
		(wants_commit && p->asked != SMTP_SERVER_COMMIT))
		return p->mode->is_cut ? 0 : wrong(p, "it does not ask for that");
	if (item->verb == SERVER_DIALOG_STORED)
		store(p, buf_text(&item->bytes));
	else if (item->verb == SERVER_DIALOG_ACCEPT)
		accept(p);
	else
		refuse(p, r->code, r->enhanced, r->text);
	return pump(p);
}

static int play_item(struct player *p, struct server_dialog_item *item)
{
	bool compares = !p->mode->is_cut;
	switch (item->verb) {
	case SERVER_DIALOG_CLIENT:
		if (compares && buf_len(&p->out))
			return err_set(p->e, ERR_INVALID, "written too much: \"%s\"",
				buf_text(&p->out));
		return feed(p, &item->bytes);
	case SERVER_DIALOG_SERVER:
		return compares ? compare_written(p, item) : 0;
	case SERVER_DIALOG_EXPECT:
		return compares ? compare_event(p, item) : 0;
	case SERVER_DIALOG_WRITES:
		return compares ? compare_writes(p, item) : 0;
	case SERVER_DIALOG_BUSY:
		return !compares || smtp_server_is_busy(p->s) ? 0 : wrong(p, "not busy");
	case SERVER_DIALOG_LOST:
		smtp_server_lost(p->s);
		return pump(p);
	case SERVER_DIALOG_SHUT:
		shut(p, buf_text(&item->bytes));
		return pump(p);
	case SERVER_DIALOG_REFUSE_CONTENT:
		p->is_refused |= p->is_open;
		smtp_server_refuse_content(
			p->s, item->reply.code, item->reply.enhanced, item->reply.text);
		return pump(p);
	default:
		return give_answer(p, item);
	}
}

/* Whatever is asked is answered, until nothing is. */
static int answer_all(struct player *p)
{
	const struct smtp_server_step nothing = { 0 };
	int rc = pump(p);
	while (!rc && p->asked != SMTP_SERVER_READ && !p->is_closed) {
		answer(p, &nothing);
		rc = pump(p);
	}
	return rc;
}

static int end_session(struct player *p)
{
	bool was_closed = p->is_closed;
	if (p->mode->is_shut)
		smtp_server_shut(p->s, "4.3.2", "enough");
	else
		smtp_server_lost(p->s);
	int rc = answer_all(p);
	if (rc)
		return rc;
	if (!p->is_closed || smtp_server_state(p->s) != SMTP_SERVER_STATE_CLOSED)
		return wrong(p, "the session does not end");
	if (p->mode->is_shut && !was_closed &&
		strncmp(buf_text(&p->last_line), "421 ", 4) != 0)
		return wrong(p, "421 is not the last word");
	if (p->acknowledged != p->stored)
		return wrong(p, "a stored message is not acknowledged");
	return 0;
}

static int check_end(struct player *p)
{
	if (p->mode->is_cut)
		return 0;
	if (buf_len(&p->log))
		return err_set(
			p->e, ERR_INVALID, "happened too: \"%s\"", buf_text(&p->log));
	if (buf_len(&p->out))
		return err_set(
			p->e, ERR_INVALID, "written too much: \"%s\"", buf_text(&p->out));
	if (!p->is_closed)
		return wrong(p, "the dialogue ends before the session");
	return 0;
}

static int play(struct player *p)
{
	struct server_dialog *d = p->d;
	int rc = pump(p);
	for (size_t i = 0; !rc && i < d->item_count; i++) {
		if (p->mode->is_cut && p->fed >= p->mode->cut_after &&
			d->items[i].verb == SERVER_DIALOG_CLIENT)
			break;
		rc = play_item(p, &d->items[i]);
		if (rc)
			err_context(p->e, "line %u", d->items[i].line);
	}
	if (!rc)
		rc = check_end(p);
	return rc ? rc : end_session(p);
}

int server_dialog_play(
	struct server_dialog *d, const struct server_dialog_mode *mode, struct err *e)
{
	struct player p = { .d = d, .mode = mode, .e = e };
	p.s = smtp_server_new(&d->options);
	int rc = play(&p);
	smtp_server_free(&p.s);
	buf_clear(&p.out);
	buf_clear(&p.log);
	buf_clear(&p.content);
	buf_clear(&p.last_line);
	return rc;
}
