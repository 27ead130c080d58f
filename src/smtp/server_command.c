/* Commands: cutting lines, the table of verbs, and the verbs that have nothing to do
 * with a transaction but that some of them end it. */
#include "smtp/server_impl.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* ---- verbs ---- */

/* What stands in the Received field: nothing that means something there. */
static void note_client_name(struct smtp_server *s, const char *argument)
{
	size_t len = strcspn(argument, " \t");
	if (len > SMTP_SERVER_NAME_MAX)
		len = SMTP_SERVER_NAME_MAX;
	for (size_t i = 0; i < len; i++) {
		char c = argument[i];
		bool is_plain = c > ' ' && c < 0x7f && !strchr("()<>,;\\\"", c);
		s->client_name[i] = is_plain ? c : '?';
	}
	s->client_name[len] = '\0';
}

static enum smtp_server_state run_helo(struct smtp_server *s, const char *argument)
{
	note_client_name(s, argument);
	s->is_extended = false;
	smtp_server_end_transaction(s); /* RFC 5321 4.1.4 */
	smtp_server_say_text(s, 250, "", s->options.hostname);
	return SMTP_SERVER_STATE_COMMAND;
}

/* EHLO and LHLO. */
static enum smtp_server_state run_ehlo(struct smtp_server *s, const char *argument)
{
	char size[40] = "250-SIZE";
	note_client_name(s, argument);
	s->is_extended = true;
	smtp_server_end_transaction(s);
	if (s->options.max_message_size)
		snprintf(size, sizeof(size), "250-SIZE %llu",
			(unsigned long long)s->options.max_message_size);
	buf_addf(&s->out, "250-%s\r\n", s->options.hostname);
	smtp_server_say(s, "250-PIPELINING");
	smtp_server_say(s, size);
	smtp_server_say(s, "250-8BITMIME");
	smtp_server_say(s, "250-SMTPUTF8");
	smtp_server_say(s, "250-DSN");
	smtp_server_say(s, "250-CHUNKING");
	smtp_server_say(s, "250 ENHANCEDSTATUSCODES");
	return SMTP_SERVER_STATE_COMMAND;
}

static enum smtp_server_state run_rset(struct smtp_server *s, const char *argument)
{
	(void)argument;
	smtp_server_end_transaction(s);
	smtp_server_say(s, "250 2.0.0 Ok");
	return SMTP_SERVER_STATE_COMMAND;
}

static enum smtp_server_state run_noop(struct smtp_server *s, const char *argument)
{
	(void)argument;
	smtp_server_say(s, "250 2.0.0 Ok");
	return s->state;
}

/* RFC 5321 3.5.3: whether it can be delivered is only known when it was. */
static enum smtp_server_state run_vrfy(struct smtp_server *s, const char *argument)
{
	(void)argument;
	smtp_server_say(s, "252 2.0.0 cannot tell, but will take mail for it and try");
	return s->state;
}

static enum smtp_server_state run_help(struct smtp_server *s, const char *argument)
{
	(void)argument;
	smtp_server_say(s, s->options.is_lmtp
				   ? "214 2.0.0 LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY "
				     "HELP QUIT"
				   : "214 2.0.0 EHLO HELO MAIL RCPT DATA BDAT RSET NOOP "
				     "VRFY HELP QUIT");
	return s->state;
}

static enum smtp_server_state run_quit(struct smtp_server *s, const char *argument)
{
	(void)argument;
	smtp_server_say(s, "221 2.0.0 bye");
	return SMTP_SERVER_STATE_CLOSED;
}

static enum smtp_server_state run_unsupported(struct smtp_server *s, const char *argument)
{
	(void)argument;
	return smtp_server_complain(s, "502 5.5.1 not offered here");
}

enum { IN_SMTP = 1, IN_LMTP = 2, IN_BOTH = 3 };
enum argument { NO_ARGUMENT, MAY_HAVE_ARGUMENT, NEEDS_ARGUMENT };

/* Where a verb may come is for its handler to say, for each has its own words. */
static const struct verb {
	const char *word;
	unsigned protocols;
	enum argument argument;
	enum smtp_server_state (*run)(struct smtp_server *s, const char *argument);
} verbs[] = {
	{ "MAIL", IN_BOTH, NEEDS_ARGUMENT, smtp_server_run_mail },
	{ "RCPT", IN_BOTH, NEEDS_ARGUMENT, smtp_server_run_rcpt },
	{ "DATA", IN_BOTH, MAY_HAVE_ARGUMENT, smtp_server_run_data },
	{ "BDAT", IN_BOTH, MAY_HAVE_ARGUMENT, smtp_server_run_bdat },
	{ "RSET", IN_BOTH, NO_ARGUMENT, run_rset },
	{ "EHLO", IN_SMTP, NEEDS_ARGUMENT, run_ehlo },
	{ "HELO", IN_SMTP, NEEDS_ARGUMENT, run_helo },
	{ "LHLO", IN_LMTP, NEEDS_ARGUMENT, run_ehlo },
	{ "NOOP", IN_BOTH, MAY_HAVE_ARGUMENT, run_noop },
	{ "VRFY", IN_BOTH, NEEDS_ARGUMENT, run_vrfy },
	{ "HELP", IN_BOTH, MAY_HAVE_ARGUMENT, run_help },
	{ "QUIT", IN_BOTH, NO_ARGUMENT, run_quit },
	{ "STARTTLS", IN_BOTH, MAY_HAVE_ARGUMENT, run_unsupported },
	{ "AUTH", IN_BOTH, MAY_HAVE_ARGUMENT, run_unsupported },
	{ "EXPN", IN_BOTH, MAY_HAVE_ARGUMENT, run_unsupported },
	{ "ETRN", IN_BOTH, MAY_HAVE_ARGUMENT, run_unsupported },
	{ "TURN", IN_BOTH, MAY_HAVE_ARGUMENT, run_unsupported },
};

/* ---- lines ---- */

static const struct verb *find_verb(const char *word, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strlen(verbs[i].word) == len &&
			text_has_prefix(word, len, verbs[i].word))
			return &verbs[i];
	}
	return NULL;
}

/* A web browser can be made to send what it likes to a port of its own machine, but
 * not before its own first line. */
static enum smtp_server_state refuse_unknown(struct smtp_server *s, size_t len)
{
	char shown[40], text[100];
	text_clean(s->line, len, shown, sizeof(shown));
	snprintf(text, sizeof(text), "\"%s\" is no command", shown);
	if (len && !*s->client_name) {
		smtp_server_say_text(s, 500, "5.5.1", text);
		return smtp_server_hang_up(s, "4.7.0", "this is no mail client");
	}
	return smtp_server_complain_text(s, 500, "5.5.1", text);
}

static enum smtp_server_state run_command(struct smtp_server *s)
{
	size_t len = strcspn(s->line, " \t");
	const char *argument = s->line + len + strspn(s->line + len, " \t");
	const struct verb *verb = find_verb(s->line, len);
	if (!verb)
		return refuse_unknown(s, len);
	if (!(verb->protocols & (s->options.is_lmtp ? IN_LMTP : IN_SMTP)))
		return smtp_server_complain(s, s->options.is_lmtp
						       ? "500 5.5.1 this is LMTP: LHLO"
						       : "500 5.5.1 this is SMTP: EHLO");
	if (verb->argument == NO_ARGUMENT && *argument)
		return smtp_server_complain(s, "501 5.5.4 no argument may follow");
	if (verb->argument == NEEDS_ARGUMENT && !*argument)
		return smtp_server_complain(s, "501 5.5.4 an argument is missing");
	return verb->run(s, argument);
}

enum line { LINE_NONE, LINE_WHOLE, LINE_HAS_NUL, LINE_BARE, LINE_TOO_LONG };

/* The next command without its CRLF and the blanks before that. */
static enum line cut_line(struct smtp_server *s)
{
	const char *p = buf_bytes(&s->in);
	size_t have = buf_len(&s->in);
	size_t most = have < SMTP_SERVER_LINE_MAX ? have : SMTP_SERVER_LINE_MAX;
	const char *lf = memchr(p, '\n', most);
	if (!lf)
		return have < SMTP_SERVER_LINE_MAX ? LINE_NONE : LINE_TOO_LONG;
	size_t len = (size_t)(lf - p);
	if (!len || p[len - 1] != '\r' || memchr(p, '\r', len - 1))
		return LINE_BARE;
	size_t text_len = len - 1;
	bool has_nul = memchr(p, '\0', text_len) != NULL;
	while (text_len && (p[text_len - 1] == ' ' || p[text_len - 1] == '\t'))
		text_len--;
	memcpy(s->line, p, text_len);
	s->line[text_len] = '\0';
	buf_consume(&s->in, len + 1);
	return has_nul ? LINE_HAS_NUL : LINE_WHOLE;
}

enum smtp_server_state smtp_server_take_command(struct smtp_server *s)
{
	switch (cut_line(s)) {
	case LINE_WHOLE:
		return run_command(s);
	case LINE_HAS_NUL:
		return smtp_server_complain(s, "500 5.5.2 NUL in a command");
	case LINE_BARE:
		/* Where one side sees a line end and the other sees none, what follows
		 * may be content to one and commands to the other. */
		smtp_server_say(s, "500 5.5.2 lines end with CR LF, both of them");
		return SMTP_SERVER_STATE_CLOSED;
	case LINE_TOO_LONG:
		smtp_server_say(s, "500 5.5.2 line is too long for a command");
		return SMTP_SERVER_STATE_CLOSED;
	case LINE_NONE:
	default:
		s->needs_input = true;
		return s->state;
	}
}
