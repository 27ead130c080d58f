/* Replies. Those of ours stand whole where they are given; a foreign text is
 * cleaned, and ASCII: UTF-8 is only for clients that asked for it (RFC 6531 3.7.4.2),
 * which a person reading a log did not. */
#include "smtp/server_impl.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

void smtp_server_say(struct smtp_server *s, const char *line)
{
	buf_addstr(&s->out, line);
	buf_add(&s->out, "\r\n", 2);
}

void smtp_server_say_text(
	struct smtp_server *s, int code, const char *enhanced, const char *text)
{
	char shown[SMTP_SERVER_TEXT_MAX];
	size_t len = text_clean(text, strlen(text), shown, sizeof(shown));
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)shown[i] >= 0x80)
			shown[i] = '?';
	}
	buf_addu(&s->out, (uint64_t)code);
	if (*enhanced)
		buf_addc(&s->out, ' ');
	buf_addstr(&s->out, enhanced);
	buf_addc(&s->out, ' ');
	buf_add(&s->out, shown, len);
	buf_add(&s->out, "\r\n", 2);
}

void smtp_server_say_refusal(struct smtp_server *s, const struct smtp_refusal *r)
{
	smtp_server_say_text(s, r->code, r->enhanced, r->text);
}

static enum smtp_server_state count_error(struct smtp_server *s)
{
	if (++s->errors < SMTP_SERVER_ERRORS_MAX)
		return s->state;
	return smtp_server_hang_up(s, "4.7.0", "too many bad commands");
}

enum smtp_server_state smtp_server_complain(struct smtp_server *s, const char *line)
{
	smtp_server_say(s, line);
	return count_error(s);
}

enum smtp_server_state smtp_server_complain_text(
	struct smtp_server *s, int code, const char *enhanced, const char *text)
{
	smtp_server_say_text(s, code, enhanced, text);
	return count_error(s);
}

enum smtp_server_state smtp_server_hang_up(
	struct smtp_server *s, const char *enhanced, const char *why)
{
	char text[SMTP_SERVER_TEXT_MAX];
	const char *hostname = s->options.hostname;
	/* RFC 2034 3: none in the greeting, nor in what stands for it. */
	bool is_greeting = s->state == SMTP_SERVER_STATE_GREETING;
	snprintf(text, sizeof(text), "%.255s %s", hostname, why);
	smtp_server_say_text(s, 421, is_greeting ? "" : enhanced, text);
	return SMTP_SERVER_STATE_CLOSED;
}
