/* The receiving side of SMTP that keeps nothing. See sink.h. */
#include "sink.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

static const char END_OF_TEXT[] = "\r\n.\r\n";

void sink_init(struct sink *s, const struct sink_offer *offer, struct counters *counters)
{
	*s = (struct sink){ .offer = offer, .counters = counters };
}

void sink_greet(struct buf *replies)
{
	buf_addstr(replies, "220 sink.test ESMTP\r\n");
}

static void reset(struct sink *s)
{
	s->has_sender = false;
	s->recipients = 0;
	s->octets = 0;
}

void sink_forget(struct sink *s)
{
	reset(s);
	s->is_tls = true;
	s->has_greeted = false;
	s->line_len = 0;
}

static void finish_message(struct sink *s, struct buf *replies)
{
	counters_message(s->counters, s->number, s->octets);
	reset(s);
	buf_addstr(replies, "250 2.0.0 taken\r\n");
}

static void refuse(struct sink *s, struct buf *replies)
{
	s->counters->refused++;
	buf_addstr(replies, "503 5.5.1 not now\r\n");
}

static enum sink_result on_ehlo(struct sink *s, const char *rest, struct buf *replies)
{
	(void)rest;
	reset(s);
	s->has_greeted = true;
	buf_addstr(replies, "250-sink.test\r\n250-SIZE 104857600\r\n250-8BITMIME\r\n");
	if (s->offer->pipelining)
		buf_addstr(replies, "250-PIPELINING\r\n");
	if (s->offer->chunking)
		buf_addstr(replies, "250-CHUNKING\r\n");
	if (s->offer->starttls && !s->is_tls)
		buf_addstr(replies, "250-STARTTLS\r\n");
	buf_addstr(replies, "250 ENHANCEDSTATUSCODES\r\n");
	return SINK_GO_ON;
}

static enum sink_result on_helo(struct sink *s, const char *rest, struct buf *replies)
{
	(void)rest;
	reset(s);
	s->has_greeted = true;
	buf_addstr(replies, "250 sink.test\r\n");
	return SINK_GO_ON;
}

static enum sink_result on_starttls(struct sink *s, const char *rest, struct buf *replies)
{
	(void)rest;
	if (!s->offer->starttls || s->is_tls) {
		refuse(s, replies);
		return SINK_GO_ON;
	}
	buf_addstr(replies, "220 2.0.0 go ahead\r\n");
	return SINK_STARTTLS;
}

static enum sink_result on_mail(struct sink *s, const char *rest, struct buf *replies)
{
	const char *address = strchr(rest, '<');
	if (!s->has_greeted || s->has_sender || !address) {
		refuse(s, replies);
		return SINK_GO_ON;
	}
	s->has_sender = true;
	s->number = UINT64_MAX;
	if (address[1] == 'm' && address[2] >= '0' && address[2] <= '9')
		s->number = strtoull(address + 2, NULL, 10);
	buf_addstr(replies, "250 2.1.0 ok\r\n");
	return SINK_GO_ON;
}

static enum sink_result on_rcpt(struct sink *s, const char *rest, struct buf *replies)
{
	if (!s->has_sender || !strchr(rest, '<')) {
		refuse(s, replies);
		return SINK_GO_ON;
	}
	s->recipients++;
	s->counters->recipients++;
	buf_addstr(replies, "250 2.1.5 ok\r\n");
	return SINK_GO_ON;
}

static enum sink_result on_data(struct sink *s, const char *rest, struct buf *replies)
{
	(void)rest;
	if (!s->recipients) {
		refuse(s, replies);
		return SINK_GO_ON;
	}
	s->state = SINK_TEXT;
	s->dot = 2; /* the command's own line end counts */
	buf_addstr(replies, "354 go ahead\r\n");
	return SINK_GO_ON;
}

static void finish_chunk(struct sink *s, struct buf *replies)
{
	s->state = SINK_LINE;
	if (s->is_chunk_refused)
		refuse(s, replies);
	else if (s->is_last_chunk)
		finish_message(s, replies);
	else
		buf_addstr(replies, "250 2.0.0 more\r\n");
}

static enum sink_result on_bdat(struct sink *s, const char *rest, struct buf *replies)
{
	char *end;
	s->chunk_left = strtoull(rest, &end, 10);
	s->is_last_chunk = strcasecmp(end, " LAST") == 0;
	s->is_chunk_refused = !s->recipients;
	s->state = SINK_CHUNK;
	if (s->chunk_left == 0)
		finish_chunk(s, replies);
	return SINK_GO_ON;
}

static enum sink_result on_rset(struct sink *s, const char *rest, struct buf *replies)
{
	(void)rest;
	reset(s);
	buf_addstr(replies, "250 2.0.0 ok\r\n");
	return SINK_GO_ON;
}

static enum sink_result on_noop(struct sink *s, const char *rest, struct buf *replies)
{
	(void)s;
	(void)rest;
	buf_addstr(replies, "250 2.0.0 ok\r\n");
	return SINK_GO_ON;
}

static enum sink_result on_quit(struct sink *s, const char *rest, struct buf *replies)
{
	(void)s;
	(void)rest;
	buf_addstr(replies, "221 2.0.0 bye\r\n");
	return SINK_QUIT;
}

static const struct command {
	const char *name;
	enum sink_result (*run)(struct sink *s, const char *rest, struct buf *replies);
} commands[] = {
	{ "MAIL FROM:", on_mail },
	{ "RCPT TO:", on_rcpt },
	{ "DATA", on_data },
	{ "BDAT ", on_bdat },
	{ "EHLO ", on_ehlo },
	{ "HELO ", on_helo },
	{ "STARTTLS", on_starttls },
	{ "RSET", on_rset },
	{ "NOOP", on_noop },
	{ "QUIT", on_quit },
};

static enum sink_result run_command(struct sink *s, char *line, struct buf *replies)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		size_t len = strlen(commands[i].name);
		if (strncasecmp(line, commands[i].name, len) == 0)
			return commands[i].run(s, line + len, replies);
	}
	refuse(s, replies);
	return SINK_GO_ON;
}

/* Takes octets up to the end of a line; returns how many. A line that is too long
 * is cut, and then refused as a command that nobody knows. */
static size_t feed_line(struct sink *s, const char *bytes, size_t len, bool *is_whole)
{
	const char *end = memchr(bytes, '\n', len);
	size_t used = end ? (size_t)(end - bytes) + 1 : len;
	size_t room = sizeof(s->line) - 1 - s->line_len;
	size_t kept = used < room ? used : room;
	memcpy(s->line + s->line_len, bytes, kept);
	s->line_len += kept;
	*is_whole = end != NULL;
	if (end) {
		while (s->line_len && strchr("\r\n", s->line[s->line_len - 1]))
			s->line_len--;
		s->line[s->line_len] = '\0';
		s->line_len = 0;
	}
	return used;
}

static size_t feed_text(
	struct sink *s, const char *bytes, size_t len, struct buf *replies)
{
	size_t i = 0;
	while (i < len && s->state == SINK_TEXT) {
		if (s->dot == 0) {
			const char *cr = memchr(bytes + i, '\r', len - i);
			if (!cr) {
				i = len;
				break;
			}
			i = (size_t)(cr - bytes);
		}
		if (bytes[i] == END_OF_TEXT[s->dot])
			s->dot++;
		else
			s->dot = bytes[i] == '\r';
		i++;
		if (!END_OF_TEXT[s->dot])
			s->state = SINK_LINE;
	}
	s->octets += i;
	if (s->state == SINK_LINE)
		finish_message(s, replies);
	return i;
}

static size_t feed_chunk(struct sink *s, size_t len, struct buf *replies)
{
	size_t used = len < s->chunk_left ? len : (size_t)s->chunk_left;
	s->chunk_left -= used;
	s->octets += used;
	if (s->chunk_left == 0)
		finish_chunk(s, replies);
	return used;
}

enum sink_result sink_feed(
	struct sink *s, const char *bytes, size_t len, struct buf *replies)
{
	enum sink_result result = SINK_GO_ON;
	while (len > 0 && result == SINK_GO_ON) {
		bool is_whole = false;
		size_t used;
		if (s->state == SINK_TEXT)
			used = feed_text(s, bytes, len, replies);
		else if (s->state == SINK_CHUNK)
			used = feed_chunk(s, len, replies);
		else
			used = feed_line(s, bytes, len, &is_whole);
		if (is_whole)
			result = run_command(s, s->line, replies);
		bytes += used;
		len -= used;
	}
	return result;
}
