#include "intake/xmail_file.h"

#include "base/buf.h"
#include "base/mem.h"
#include "intake/wait.h"
#include "intake/xmail_format.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 64 * 1024 };

int xmail_file_open(int dir_fd, const char *name, struct err *e)
{
	struct stat st;
	/* Not waiting for the other end of a FIFO, for one. */
	int fd = openat(
		dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ELOOP)
		return err_set(e, ERR_INVALID, "a symbolic link, which is not followed");
	if (fd < 0 && errno == ENXIO)
		return err_set(e, ERR_INVALID, "no regular file");
	if (fd < 0)
		return err_errno(e, errno, "open");
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return err_set(e, ERR_INVALID, "no regular file");
}

struct reader {
	int fd;
	struct buf input;
	bool is_at_end;
};

static int read_more(struct reader *r, struct err *e)
{
	ssize_t n;
	do {
		n = read(r->fd, buf_reserve(&r->input, PIECE), PIECE);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(e, errno, "read");
	buf_commit(&r->input, (size_t)n);
	r->is_at_end = n == 0;
	return 0;
}

/* ---- the envelope ---- */

static int refuse_line(unsigned line, const char *why, struct err *e)
{
	return err_set(e, ERR_INVALID, "line %u: %s", line, why);
}

/* The next line into out, NUL-terminated; line is its number. */
static int read_line(
	struct reader *r, unsigned line, char out[XMAIL_LINE_MAX + 1], struct err *e)
{
	const char *end;
	while (!(end = memchr(buf_bytes(&r->input), '\n', buf_len(&r->input)))) {
		if (buf_len(&r->input) > XMAIL_LINE_MAX + 1)
			return refuse_line(
				line, "too long for a line of XMail's envelope", e);
		if (r->is_at_end)
			return refuse_line(line,
				line == 1 && !buf_len(&r->input)
					? "the file is empty"
					: "the file ends before the message begins",
				e);
		int rc = read_more(r, e);
		if (rc != 0)
			return rc;
	}
	const char *s = buf_bytes(&r->input);
	size_t len = (size_t)(end - s), text_len = len;
	if (text_len && s[text_len - 1] == '\r')
		text_len--;
	if (text_len > XMAIL_LINE_MAX)
		return refuse_line(line, "too long for a line of XMail's envelope", e);
	if (memchr(s, '\0', text_len))
		return refuse_line(line, "contains a NUL octet", e);
	memcpy(out, s, text_len);
	out[text_len] = '\0';
	buf_consume(&r->input, len + 1);
	return 0;
}

static int take_line(struct intake_message *m, const struct config *config,
	const struct xmail_envelope *x, const struct xmail_line *line, struct err *e)
{
	int rc = 0;
	if (line->kind == XMAIL_LINE_SENDER)
		rc = intake_mail(m, line->path, line->path_len, &line->mail, e);
	else if (x->recipient_count > config->max_recipients)
		rc = err_set(e, ERR_LIMIT,
			"more than %u recipients, the limit set by max_recipients",
			config->max_recipients);
	else if (line->kind == XMAIL_LINE_RECIPIENT)
		rc = intake_rcpt(m, line->path, line->path_len, &line->rcpt, e);
	return rc == 0 ? 0 : err_context(e, "line %u", x->line);
}

static int read_envelope(struct reader *r, struct intake_message *m,
	const struct config *config, struct err *e)
{
	struct xmail_envelope x = { 0 };
	struct xmail_line line;
	char text[XMAIL_LINE_MAX + 1];
	while (x.state != XMAIL_CONTENT) {
		int rc = read_line(r, x.line + 1, text, e);
		if (rc == 0)
			rc = xmail_envelope_line(&x, text, &line, e);
		if (rc == 0)
			rc = take_line(m, config, &x, &line, e);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* ---- content ---- */

static int read_content(struct reader *r, struct intake_message *m, struct err *e)
{
	int rc = 0;
	while (rc == 0) {
		size_t len = buf_len(&r->input);
		if (len)
			rc = intake_write_wait(m, buf_bytes(&r->input), len, e);
		buf_reset(&r->input);
		if (rc == 0 && r->is_at_end)
			return intake_end(m, e);
		if (rc == 0)
			rc = read_more(r, e);
	}
	return rc;
}

int xmail_file_read(
	struct intake_message *m, const struct config *config, int fd, struct err *e)
{
	struct reader r = { .fd = fd };
	intake_set_trace(m, &(struct intake_trace){ .note = "from a file of XMail" });
	int rc = read_envelope(&r, m, config, e);
	if (rc == 0)
		rc = read_content(&r, m, e);
	buf_clear(&r.input);
	return rc;
}
