#include "cli/batch.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/cli.h"
#include "smtp/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { COMMAND_MAX = 4096, READ_SIZE = 65536 };

enum batch_state {
	BATCH_COMMAND,
	BATCH_DATA,
	BATCH_END, /* QUIT, or the input is at its end */
};

struct batch {
	struct intake *in;
	int fd;
	uint64_t max_message_size;
	struct buf input;
	bool is_at_eof, is_crlf, knows_line_end, at_line_start;
	unsigned line;                  /* of the input, from 1 */
	unsigned number;                /* of the message, from 1 */
	unsigned message_line;          /* of its MAIL */
	bool is_bad;                    /* this message is refused: its rest is skipped */
	bool in_message;                /* from MAIL to the final dot: errors name it */
	struct intake_message *message; /* from MAIL to the final dot */
	int status;
};

/* ---- errors ---- */

static void note_status(struct batch *b, int status)
{
	if (status == EX_DATAERR || !b->status)
		b->status = status;
}

/* The message under way is not queued; what follows it is. */
static void refuse(struct batch *b, const struct err *e)
{
	if (b->in_message)
		cli_fail(0, "message %u, line %u: %s", b->number, b->line, e->text);
	else
		cli_fail(0, "line %u: %s", b->line, e->text);
	note_status(b, EX_DATAERR);
	intake_message_free(&b->message);
	b->is_bad = true;
}

static void refuse_text(struct batch *b, const char *text)
{
	struct err e;
	err_set(&e, ERR_INVALID, "%s", text);
	refuse(b, &e);
}

struct origin {
	struct batch *batch;
	unsigned number, line;
};

static void on_done(void *arg, int64_t id, const struct err *e)
{
	struct origin *o = arg;
	int status;
	if (e) {
		cli_fail(0, "message %u, line %u: %s", o->number, o->line, e->text);
		status = cli_queue_status(e->code);
	} else {
		status = cli_print_id(id);
	}
	if (status != EX_OK)
		note_status(o->batch, status);
	free(o);
}

/* ---- commands ---- */

static void begin_message(struct batch *b)
{
	intake_message_free(&b->message);
	b->number++;
	b->message_line = b->line;
	b->is_bad = false;
	b->in_message = true;
	b->message = intake_message_new(b->in);
}

static int check_size(
	const struct batch *b, const struct smtp_mail_parameters *p, struct err *e)
{
	if (b->max_message_size && p->size_bytes > b->max_message_size)
		return err_set(e, ERR_LIMIT,
			"message of %llu octets is over the limit of %llu set by "
			"max_message_size",
			(unsigned long long)p->size_bytes,
			(unsigned long long)b->max_message_size);
	return 0;
}

static enum batch_state run_mail(struct batch *b, char *text)
{
	struct err e = { 0 };
	struct smtp_mail_parameters p;
	const char *path;
	size_t len;
	if (b->message)
		refuse_text(b, "MAIL before the message had its DATA");
	begin_message(b);
	int rc = smtp_parse_mail(text, &path, &len, &p, &e);
	if (rc == 0)
		rc = intake_mail(b->message, path, len, &p, &e);
	if (rc == 0)
		rc = check_size(b, &p, &e);
	if (rc != 0)
		refuse(b, &e);
	return BATCH_COMMAND;
}

static enum batch_state run_rcpt(struct batch *b, char *text)
{
	struct err e = { 0 };
	struct smtp_rcpt_parameters p;
	const char *path;
	size_t len;
	if (b->is_bad)
		return BATCH_COMMAND;
	if (!b->message) {
		refuse_text(b, "RCPT without MAIL");
		return BATCH_COMMAND;
	}
	int rc = smtp_parse_rcpt(text, &path, &len, &p, &e);
	if (rc == 0)
		rc = intake_rcpt(b->message, path, len, &p, &e);
	if (rc != 0)
		refuse(b, &e);
	return BATCH_COMMAND;
}

static enum batch_state run_data(struct batch *b, char *text)
{
	(void)text;
	b->at_line_start = true;
	if (!b->is_bad && !b->message)
		refuse_text(b, "DATA without MAIL");
	else if (!b->is_bad && !intake_recipient_count(b->message))
		refuse_text(b, "DATA without RCPT");
	return BATCH_DATA;
}

static enum batch_state run_reset(struct batch *b, char *text)
{
	(void)text;
	intake_message_free(&b->message);
	b->is_bad = b->in_message = false;
	return BATCH_COMMAND;
}

static enum batch_state run_nothing(struct batch *b, char *text)
{
	(void)b;
	(void)text;
	return BATCH_COMMAND;
}

static enum batch_state run_quit(struct batch *b, char *text)
{
	(void)text;
	if (b->message)
		refuse_text(b, "QUIT before the message had its DATA");
	return BATCH_END;
}

static const struct batch_command {
	const char *word;
	bool is_whole; /* nothing, or a blank, comes after the word */
	enum batch_state (*run)(struct batch *b, char *text);
} commands[] = {
	{ "MAIL FROM:", false, run_mail }, /* the first, see step_command */
	{ "RCPT TO:", false, run_rcpt },
	{ "DATA", true, run_data },
	{ "RSET", true, run_reset },
	{ "EHLO", true, run_reset },
	{ "HELO", true, run_reset },
	{ "NOOP", true, run_nothing },
	{ "QUIT", true, run_quit },
};

static enum batch_state run_command(struct batch *b, char *line)
{
	size_t len = strlen(line);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct batch_command *c = &commands[i];
		size_t n = strlen(c->word);
		if (!text_has_prefix(line, len, c->word))
			continue;
		if (c->is_whole && line[n] && line[n] != ' ')
			continue;
		return c->run(b, line + n);
	}
	if (!b->is_bad) {
		char shown[60], text[120];
		text_clean(line, len, shown, sizeof(shown));
		snprintf(text, sizeof(text), "\"%s\" is no command", shown);
		refuse_text(b, text);
	}
	return BATCH_COMMAND;
}

/* ---- lines ---- */

/* false: the input is at its end, or cannot be read. */
static bool read_more(struct batch *b)
{
	if (b->is_at_eof)
		return false;
	char *room = buf_reserve(&b->input, READ_SIZE);
	ssize_t n;
	do {
		n = read(b->fd, room, READ_SIZE);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		cli_fail(0, "read standard input: %s", strerror(errno));
		note_status(b, EX_IOERR);
	}
	if (n <= 0) {
		b->is_at_eof = true;
		return false;
	}
	buf_commit(&b->input, (size_t)n);
	return true;
}

/* Octets up to and with the next line end; 0: there is none yet. */
static size_t line_len(struct batch *b)
{
	const char *s = buf_bytes(&b->input);
	size_t len = buf_len(&b->input);
	const char *end = b->is_crlf ? memmem(s, len, "\r\n", 2) : memchr(s, '\n', len);
	return end ? (size_t)(end - s) + (b->is_crlf ? 2 : 1) : 0;
}

static size_t first_line_len(struct batch *b)
{
	const char *s = buf_bytes(&b->input);
	const char *end = memchr(s, '\n', buf_len(&b->input));
	if (!end)
		return 0;
	b->knows_line_end = true;
	b->is_crlf = end > s && end[-1] == '\r';
	return line_len(b);
}

static enum batch_state end_of_commands(struct batch *b)
{
	if (b->message)
		refuse_text(b, "input ends before the message had its DATA");
	return BATCH_END;
}

static enum batch_state step_command(struct batch *b)
{
	char line[COMMAND_MAX + 1];
	size_t len = b->knows_line_end ? line_len(b) : first_line_len(b);
	if (!len && buf_len(&b->input) <= COMMAND_MAX && read_more(b))
		return BATCH_COMMAND;
	if (!len && b->is_at_eof)
		len = buf_len(&b->input);
	if (!len && b->is_at_eof)
		return end_of_commands(b);
	b->line++;
	if (!len || len > COMMAND_MAX) {
		/* Where it ends is anybody's guess: what follows could be anything. */
		refuse_text(b, "line is too long for a command; the rest is not read");
		return BATCH_END;
	}
	size_t text_len = len;
	const char *s = buf_bytes(&b->input);
	while (text_len && (s[text_len - 1] == '\n' || s[text_len - 1] == '\r'))
		text_len--;
	memcpy(line, s, text_len);
	line[text_len] = '\0';
	bool has_nul = memchr(line, '\0', text_len) != NULL;
	buf_consume(&b->input, len);
	if (has_nul) {
		if (text_has_prefix(line, strlen(line), commands[0].word))
			begin_message(b);
		refuse_text(b, "command contains a NUL octet");
		return BATCH_COMMAND;
	}
	return *line ? run_command(b, line) : BATCH_COMMAND;
}

/* ---- content ---- */

static void take_content(struct batch *b, size_t len)
{
	struct err e = { 0 };
	if (!b->is_bad &&
		intake_write_wait(b->message, buf_bytes(&b->input), len, &e) != 0)
		refuse(b, &e);
	buf_consume(&b->input, len);
}

static void commit(struct batch *b)
{
	struct err e = { 0 };
	if (!b->is_bad) {
		struct origin *o = xmalloc(sizeof(*o));
		*o = (struct origin){ b, b->number, b->message_line };
		if (intake_commit_wait(&b->message, on_done, o, &e) != 0) {
			free(o);
			refuse(b, &e);
		}
	}
	b->is_bad = b->in_message = false;
}

/* At the start of a line: the final dot, or a dot that was put there. */
static enum batch_state step_line_start(struct batch *b)
{
	const char *end = b->is_crlf ? ".\r\n" : ".\n";
	size_t n = strlen(end), have = buf_len(&b->input);
	const char *s = buf_bytes(&b->input);
	if (have < n && memcmp(s, end, have) == 0 && read_more(b))
		return BATCH_DATA;
	have = buf_len(&b->input);
	s = buf_bytes(&b->input);
	/* A file may lack the end of its last line. */
	if (b->is_at_eof && have == 1 && *s == '.')
		n = 1;
	b->line += have > 0;
	if (have >= n && memcmp(s, end, n) == 0) {
		buf_consume(&b->input, n);
		commit(b);
		return BATCH_COMMAND;
	}
	if (have && *s == '.')
		buf_consume(&b->input, 1);
	b->at_line_start = false;
	return BATCH_DATA;
}

static enum batch_state step_data(struct batch *b)
{
	if (!buf_len(&b->input) && !read_more(b)) {
		if (!b->is_bad)
			refuse_text(b, "input ends inside the message: the line with "
				       "the final dot is missing, or ends differently "
				       "from the first line");
		return BATCH_END;
	}
	if (b->at_line_start)
		return step_line_start(b);
	size_t len = line_len(b);
	if (len) {
		take_content(b, len);
		b->at_line_start = true;
		return BATCH_DATA;
	}
	/* A CR at the end may be half of the line end. */
	len = buf_len(&b->input);
	if (b->is_crlf && buf_bytes(&b->input)[len - 1] == '\r' && read_more(b))
		return BATCH_DATA;
	take_content(b, len);
	return BATCH_DATA;
}

int batch_run(struct intake *in, int fd, uint64_t max_message_size)
{
	struct batch b = { .in = in, .fd = fd, .max_message_size = max_message_size };
	enum batch_state state = BATCH_COMMAND;
	while (state != BATCH_END)
		state = state == BATCH_DATA ? step_data(&b) : step_command(&b);
	intake_message_free(&b.message);
	intake_wait_all(in);
	buf_clear(&b.input);
	return b.status;
}
