#include "report/log_line.h"

#include "base/log.h"
#include "report/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Seconds without zeros at the end. */
static void add_hundredths(struct buf *out, unsigned n)
{
	buf_addu(out, n / 100);
	if (n % 100 == 0)
		return;
	buf_addc(out, '.');
	buf_addc(out, (char)('0' + n / 10 % 10));
	if (n % 10)
		buf_addc(out, (char)('0' + n % 10));
}

/* Two digits that count, as "%.2g" has them. Ties are left to it: whether 0.115 is
 * above or below the middle only the binary fraction knows. */
void log_line_delay(int64_t ms, struct buf *out)
{
	bool is_tie = ms < 1000 ? ms % 10 == 5 : ms % 100 == 50;
	if (ms < 5)
		buf_addc(out, '0');
	else if (ms >= 9950)
		buf_addu(out, (uint64_t)(ms + 500) / 1000);
	else if (ms >= 100 && is_tie)
		buf_addf(out, "%.2g", (double)ms / 1000);
	else if (ms < 1000)
		add_hundredths(out, (unsigned)(ms + 5) / 10);
	else
		add_hundredths(out, (unsigned)(ms + 50) / 100 * 10);
}

static void add_delays(const struct event_attempt *a, struct buf *out)
{
	const int64_t parts[] = { a->delays.before_ms, a->delays.queue_ms,
		a->delays.connect_ms, a->delays.transmit_ms };
	buf_addstr(out, ", delay=");
	log_line_delay(a->delays.total_ms, out);
	for (size_t i = 0; i < 4; i++) {
		buf_addstr(out, i ? "/" : ", delays=");
		log_line_delay(parts[i], out);
	}
}

/* A quoted local part may hold '>' and with it the start of a forged line. */
static void add_address(const char *address, struct buf *out)
{
	buf_addstr(out, "to=<");
	while (*address) {
		size_t len = strcspn(address, "<>");
		buf_add(out, address, len);
		address += len;
		if (*address) {
			buf_addc(out, '?');
			address++;
		}
	}
	buf_addc(out, '>');
}

static const char *status_of(const char *outcome)
{
	if (strcmp(outcome, "delivered") == 0)
		return "sent";
	return strcmp(outcome, "bounced") == 0 ? "bounced" : "deferred";
}

static void add_remote(
	const struct event_attempt *a, const struct event_reply *reply, struct buf *out)
{
	const char *command = words_command(a->stage);
	if (words_has_place(a)) {
		buf_addstr(out, "host ");
		words_host(out, a);
		buf_addstr(out, command ? " said: " : " refused to talk to me: ");
	}
	words_reply(out, reply);
	if (command)
		buf_addf(out, " (in reply to %s)", command);
	/* Whose credentials they are the host does not say. */
	if (a->detail && a->stage && strcmp(a->stage, "auth") == 0)
		buf_addf(out, ": %s", a->detail);
}

static void add_local(const struct event_attempt *a, struct buf *out)
{
	bool is_connect = a->failure && strcmp(a->failure, "connect") == 0;
	const char *failure = words_failure(a);
	if (is_connect && words_has_place(a)) {
		buf_addstr(out, "connect to ");
		words_host(out, a);
		if (a->port)
			buf_addf(out, ":%u", a->port);
		buf_addstr(out, ": ");
		if (a->detail)
			failure = "";
	} else if (words_has_place(a)) {
		words_host(out, a);
		buf_addstr(out, ": ");
	}
	buf_addstr(out, failure);
	if (a->detail)
		buf_addf(out, "%s%s", *failure ? ": " : "", a->detail);
	else if (!*failure)
		buf_addstr(out, "no reason known");
}

/* What stands in the parentheses after the status. */
static void add_reason(
	const struct event_attempt *a, const struct event_recipient *r, struct buf *out)
{
	const struct event_reply *reply = r && r->reply.code ? &r->reply : &a->reply;
	if (r && strcmp(r->outcome, "delivered") == 0) {
		if (reply->code)
			words_reply(out, reply);
		else
			buf_addstr(out, a->detail ? a->detail : "delivered");
	} else if (reply->code) {
		add_remote(a, reply, out);
	} else {
		add_local(a, out);
	}
}

/* After the reason, where no analyser looks. Nothing in it may hold a
 * parenthesis: the last one ends the reason. */
static void add_channel(const struct event_attempt *a, struct buf *out)
{
	const char *channel = a->channel ? a->channel : "none";
	if (a->has_tls && a->tls.version) {
		buf_addstr(out, ", tls=");
		words_token(out, a->tls.version);
		buf_addc(out, ':');
		words_token(out, a->tls.cipher ? a->tls.cipher : "unknown");
	} else {
		buf_addstr(out, ", tls=none");
	}
	buf_addstr(out, ", channel=");
	words_token(out, channel);
	if (strcmp(channel, "plaintext") != 0)
		return;
	buf_addstr(out, ", fallback=");
	words_token(out, a->fallback ? a->fallback : "none");
	buf_addstr(out, ", rule=");
	words_token(out, a->rule ? a->rule : "unknown");
	if (event_attempt_is_downgrade(a))
		buf_addstr(out, ", downgraded=yes");
}

void log_line_format(const struct event_attempt *a, size_t recipient, struct buf *out)
{
	const struct event_recipient *r = &a->recipients[recipient];
	char id[EVENT_ID_MAX], status[EVENT_STATUS_MAX];
	event_id_format(a->id, id);
	event_attempt_status(a, recipient, status);
	buf_addstr(out, id);
	buf_addstr(out, ": ");
	add_address(r->address, out);
	buf_addstr(out, ", relay=");
	words_relay(out, a);
	add_delays(a, out);
	buf_addstr(out, ", dsn=");
	buf_addstr(out, status);
	buf_addstr(out, ", status=");
	buf_addstr(out, status_of(r->outcome));
	buf_addstr(out, " (");
	add_reason(a, r, out);
	buf_addstr(out, ")");
	add_channel(a, out);
}

bool log_line_is_passing(const struct event_attempt *a, size_t recipient)
{
	return words_then(a) && strcmp(a->recipients[recipient].outcome, "deferred") == 0;
}

void log_line_format_host(const struct event_attempt *a, struct buf *out)
{
	char id[EVENT_ID_MAX];
	event_id_format(a->id, id);
	buf_addf(out, "%s: ", id);
	add_reason(a, NULL, out);
	buf_addf(out, "; trying %s", words_then(a));
	add_channel(a, out);
}

static void log_attempt(void *arg, const struct event_attempt *a)
{
	(void)arg;
	enum { USUAL = 512 };
	struct buf line = BUF_INIT;
	bool host_was_logged = false;
	buf_reserve(&line, USUAL);
	for (size_t i = 0; i < a->recipient_count; i++) {
		buf_reset(&line);
		if (!log_line_is_passing(a, i))
			log_line_format(a, i, &line);
		else if (!host_was_logged)
			log_line_format_host(a, &line);
		else
			continue;
		host_was_logged |= log_line_is_passing(a, i);
		log_part_text("smtp", buf_bytes(&line), buf_len(&line));
	}
	buf_clear(&line);
}

const struct event_sink log_line_sink = { .attempt = log_attempt };
