#include "report/words.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/timefmt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool is(const char *text, const char *word)
{
	return text && strcmp(text, word) == 0;
}

static bool begins(const char *text, const char *prefix)
{
	return text && strncmp(text, prefix, strlen(prefix)) == 0;
}

void words_reply(struct buf *out, const struct event_reply *reply)
{
	const char *text = reply->text ? reply->text : "";
	const char *enhanced = reply->enhanced ? reply->enhanced : "";
	size_t len = strlen(enhanced);
	buf_addu(out, (uint64_t)reply->code);
	if (len && !(strncmp(text, enhanced, len) == 0 && strchr(" ", text[len]))) {
		buf_addc(out, ' ');
		buf_add(out, enhanced, len);
	}
	if (*text) {
		buf_addc(out, ' ');
		buf_addstr(out, text);
	}
}

static bool ends_token(unsigned char c)
{
	switch (c) {
	case ',':
	case '(':
	case ')':
	case '<':
	case '>':
	case '"':
	case '\'':
	case '\\':
	case ';':
	case '=':
	case 0x7f:
		return true;
	default:
		return c <= ' ';
	}
}

void words_token(struct buf *out, const char *value)
{
	while (*value) {
		size_t len = 0;
		while (!ends_token((unsigned char)value[len]))
			len++;
		buf_add(out, value, len);
		value += len;
		if (*value) {
			buf_addc(out, '_');
			value++;
		}
	}
}

static bool is_path(const struct event_attempt *a)
{
	return a->mx && a->mx[0] == '/';
}

bool words_has_place(const struct event_attempt *a)
{
	return a->address || is_path(a);
}

static const char *name_of(const struct event_attempt *a)
{
	if (is_path(a))
		return "localhost";
	return a->mx && a->mx[0] != '[' ? a->mx : a->address;
}

static const char *place_of(const struct event_attempt *a)
{
	return is_path(a) ? a->mx : a->address;
}

void words_host(struct buf *out, const struct event_attempt *a)
{
	buf_addf(out, "%s[%s]", name_of(a), place_of(a));
}

void words_relay(struct buf *out, const struct event_attempt *a)
{
	if (!words_has_place(a)) {
		buf_addstr(out, "none");
		return;
	}
	words_token(out, name_of(a));
	buf_addc(out, '[');
	words_token(out, place_of(a));
	buf_addc(out, ']');
	if (!is_path(a))
		buf_addf(out, ":%u", a->port);
}

static const struct {
	const char *stage, *command;
} commands[] = {
	{ "ehlo", "EHLO command" },
	{ "helo", "HELO command" },
	{ "starttls", "STARTTLS command" },
	{ "ehlo_tls", "EHLO command" },
	{ "helo_tls", "HELO command" },
	{ "auth", "AUTH command" },
	{ "mail", "MAIL FROM command" },
	{ "rcpt", "RCPT TO command" },
	{ "data", "DATA command" },
	{ "body", "DATA command" },
	{ "final", "end of DATA command" },
	{ "rset", "RSET command" },
	{ "quit", "QUIT command" },
};

const char *words_command(const char *stage)
{
	for (size_t i = 0; stage && i < ARRAY_SIZE(commands); i++) {
		if (strcmp(stage, commands[i].stage) == 0)
			return commands[i].command;
	}
	return NULL;
}

enum { ENTRY_MAX = 64 }; /* longer ones are cut in the sentence of a rule */

/* Hints are for three in the morning: one thing to know, one thing to type.
 * DOMAIN, RULE, ENTRY and ID are replaced. */
struct hint {
	const char *text, *command;
};

#define HINT_EXCLUDE                                                  \
	{                                                             \
		"to deliver to this domain without TLS from now on:", \
			"hikyaku policy exclude add DOMAIN"           \
	}

/* Where an allow list exists the exclude list does not count. */
static const struct hint hint_not_allowed = {
	"to deliver to this domain without TLS from now on, take its entry (RULE) out of "
	"the allow list:",
	"hikyaku policy allow remove ENTRY"
};

/* How the delivery begins what it says of a relay that cannot be found. */
static const struct hint hint_relay = {
	"the route names the relay; once its line is right, which counts at once:",
	"hikyaku queue retry --domain DOMAIN"
};

static const struct hint hint_socket = { "does a server listen at that socket, and may "
					 "the user of hikyaku connect to it? To "
					 "try again at once:",
	"hikyaku queue retry --domain DOMAIN" };

/* Where TLS is required no list helps. */
static const struct hint hint_required = {
	"TLS is required for this domain, so its mail waits, whatever the lists say; by "
	"which rule:",
	"hikyaku policy explain DOMAIN"
};

static const struct {
	const char *failure, *words;
	struct hint hint;
} failures[] = {
	{ "no_starttls", "the host offers no STARTTLS", { 0 } },
	{ "starttls_refused", "the host refused STARTTLS", HINT_EXCLUDE },
	{ "tls_init", "TLS could not be started on our side",
		{ "look at trust_file, protocols and the pins; what counts here:",
			"hikyaku policy explain DOMAIN" } },
	{ "tls_handshake", "the TLS handshake failed", HINT_EXCLUDE },
	{ "tls_session", "the connection broke inside TLS", HINT_EXCLUDE },
	{ "in_doubt",
		"the connection was lost after the whole message was sent and before "
		"the reply: it may have been delivered",
		{ "the host may have the message already. It will be sent again, and the "
		  "recipients may then have it twice; to prevent that, hold it and ask "
		  "the other side:",
			"hikyaku queue hold ID" } },
	{ "policy", "what is required of TLS is not met",
		{ "mail for this domain waits rather than go out with less; what is "
		  "required, and by which rule:",
			"hikyaku policy explain DOMAIN" } },
	{ "smtp_temporary", "the host refused the mail for now", { 0 } },
	{ "smtp_permanent", "the host refused the mail for good",
		{ "this is the other side's verdict; it is final, and the sender is told",
			NULL } },
	{ "connect", "no connection",
		{ "is that port open from here? Many networks block port 25 on the way "
		  "out. To try again at once:",
			"hikyaku queue retry --domain DOMAIN" } },
	{ "dns", "no host to talk to was found",
		{ "does a name server know the MX hosts of DOMAIN? To try again at once:",
			"hikyaku queue retry --domain DOMAIN" } },
	{ "session", "the session broke off", { 0 } },
};

/* The credentials file is read for each session, and a certificate when it changes: what
 * was put right needs no restart. */
static const struct {
	const char *words;
	struct hint hint;
} of_us[WORDS_POLICY_COUNT] = {
	[WORDS_POLICY_CERTIFICATE] = { "no connection was made",
		{ "the route names the certificate, its key and the entry with their "
		  "password; once they are in order:",
			"hikyaku queue retry --domain DOMAIN" } },
	[WORDS_POLICY_LOGIN] = { "we could not log in",
		{ "look at auth= of the route and at its entry in the credentials file; "
		  "once they are in order:",
			"hikyaku queue retry --domain DOMAIN" } },
};

static bool is_at_auth(const struct event_attempt *a)
{
	return is(a->stage, "auth_choice") || is(a->stage, "auth") ||
	       is(a->stage, "auth_challenge");
}

enum words_policy words_policy(const struct event_attempt *a)
{
	if (!is(a->failure, "policy"))
		return WORDS_POLICY_TLS;
	if (is(a->stage, "prepare"))
		return WORDS_POLICY_CERTIFICATE;
	return is_at_auth(a) ? WORDS_POLICY_LOGIN : WORDS_POLICY_TLS;
}

const char *words_failure(const struct event_attempt *a)
{
	enum words_policy policy = words_policy(a);
	if (policy != WORDS_POLICY_TLS)
		return of_us[policy].words;
	/* It has not said so: what it offers is not enough, and that need not pass. */
	if (is(a->failure, "smtp_temporary") && !a->reply.code)
		return "the host cannot take this mail";
	for (size_t i = 0; a->failure && i < ARRAY_SIZE(failures); i++) {
		if (strcmp(a->failure, failures[i].failure) == 0)
			return failures[i].words;
	}
	return a->failure ? a->failure : "";
}

bool words_is_told_by_reply(const struct event_attempt *a)
{
	return is(a->failure, "smtp_temporary") || is(a->failure, "smtp_permanent") ||
	       is(a->failure, "starttls_refused");
}

const char *words_detail(const struct event_attempt *a)
{
	/* The class says it already, and which command was refused; or the reply does. */
	bool is_said = is(a->detail, "host refused STARTTLS") ||
		       (a->reply.code && begins(a->detail, "host replied "));
	return is_said ? NULL : a->detail;
}

bool words_is_private(const struct event_attempt *a)
{
	return is(a->stage, "prepare") || is_at_auth(a) || is(a->failure, "tls_init");
}

bool words_is_same_verdict(
	const struct event_recipient *a, const struct event_recipient *b)
{
	return text_same(a->outcome, b->outcome) && a->reply.code == b->reply.code &&
	       text_same(a->reply.enhanced, b->reply.enhanced) &&
	       text_same(a->reply.text, b->reply.text);
}

void words_time(int64_t ms, char *out)
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;
	if (!localtime_r(&t, &tm) ||
		!strftime(out, TIMEFMT_MAX, "%Y-%m-%d %H:%M:%S %z", &tm))
		snprintf(out, TIMEFMT_MAX, "(time out of range)");
}

const char *words_then(const struct event_attempt *a)
{
	static const struct {
		const char *step, *words;
	} steps[] = {
		{ "stop", NULL },
		{ "next_host", "next host" },
		{ "plaintext_session", "the same session, in plaintext" },
		{ "plaintext_reconnect", "the same address, in plaintext" },
	};
	for (size_t i = 0; a->then && i < ARRAY_SIZE(steps); i++) {
		if (strcmp(a->then, steps[i].step) == 0)
			return steps[i].words;
	}
	return a->then;
}

static bool is_still_queued(const struct event_attempt *a)
{
	return a->next_attempt_ms || a->next_channel;
}

/* By a destination block or by a route, as the policy says it. */
static bool requires_tls(const char *rule_text)
{
	return begins(rule_text, "tls = required") ||
	       (rule_text && strstr(rule_text, "no failure leads to plaintext"));
}

/* The command of a hint must be able to help. */
static const struct hint *adapt(const struct hint *hint, const struct event_attempt *a)
{
	if (begins(hint->command, "hikyaku policy exclude add")) {
		if (requires_tls(a->rule_text))
			return &hint_required;
		if (a->rule && strstr(a->rule, "mtatsl.txt:") &&
			!strstr(a->rule, "nomtatsl.txt"))
			return &hint_not_allowed;
	}
	if (begins(hint->command, "hikyaku queue") && !is_still_queued(a))
		return NULL;
	if (is(a->failure, "dns") && begins(a->detail, "relay "))
		return &hint_relay;
	if (is(a->failure, "connect") && is_path(a))
		return &hint_socket;
	return hint;
}

static const struct hint *hint_of(const struct event_attempt *a)
{
	enum words_policy policy = words_policy(a);
	if (a->reply.code >= 500 && is(a->failure, "smtp_temporary") && is_at_auth(a))
		policy = WORDS_POLICY_LOGIN; /* a 4xx would be the host's own trouble */
	if (policy != WORDS_POLICY_TLS)
		return adapt(&of_us[policy].hint, a);
	for (size_t i = 0; a->failure && i < ARRAY_SIZE(failures); i++) {
		const struct hint *hint = &failures[i].hint;
		if (strcmp(a->failure, failures[i].failure) == 0)
			return hint->text ? adapt(hint, a) : NULL;
	}
	return NULL;
}

/* As a word of the shell, for hints that are pasted. */
static void add_shell_word(struct buf *out, const char *word)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	if (word[strspn(word, plain)])
		buf_addf(out, "'%s'", word);
	else
		buf_addstr(out, word);
}

/* The sentence of the rule has the entry as it was written, in quotes. */
static void add_entry(struct buf *out, const struct event_attempt *a)
{
	char entry[ENTRY_MAX];
	const char *from = a->rule_text ? strchr(a->rule_text, '"') : NULL;
	const char *to = from ? strchr(from + 1, '"') : NULL;
	if (!to || (size_t)(to - from) > sizeof(entry)) {
		buf_addstr(out, "ENTRY");
		return;
	}
	snprintf(entry, sizeof(entry), "%.*s", (int)(to - from - 1), from + 1);
	add_shell_word(out, entry);
}

static bool put_value(struct buf *out, const struct event_attempt *a, const char **at)
{
	char id[EVENT_ID_MAX];
	if (strncmp(*at, "DOMAIN", 6) == 0) {
		add_shell_word(out, a->domain);
		*at += 6;
	} else if (strncmp(*at, "RULE", 4) == 0) {
		buf_addstr(out, a->rule);
		*at += 4;
	} else if (strcmp(*at, "ENTRY") == 0) {
		add_entry(out, a);
		*at += 5;
	} else if (strcmp(*at, "ID") == 0) {
		event_id_format(a->id, id);
		buf_addstr(out, id);
		*at += 2;
	} else {
		return false;
	}
	return true;
}

static void put_filled(struct buf *out, const struct event_attempt *a, const char *text)
{
	while (text && *text) {
		if (!put_value(out, a, &text))
			buf_addc(out, *text++);
	}
}

bool words_hint(const struct event_attempt *a, struct buf *hint, struct buf *command)
{
	const struct hint *h = hint_of(a);
	if (!h || !a->domain || strpbrk(a->domain, "'\\"))
		return false;
	put_filled(hint, a, h->text);
	put_filled(command, a, h->command);
	return true;
}

enum { UTF8_MAX = 4 }; /* octets of a character */

/* Columns of a character on a terminal: those from U+3000 on are mostly wide. */
static unsigned columns_of(const char *s, size_t octets)
{
	return octets >= 3 && (unsigned char)s[0] >= 0xe3 ? 2 : 1;
}

/* A line may end before or after a wide character, as it may at a blank, but does not
 * begin with the marks that belong to what is before them, nor end with an opening
 * one (JIS X 4051, in short). */
static bool may_break_between(
	const char *before, size_t before_len, const char *after, size_t after_len)
{
	static const char *const never_first[] = { "、", "。", "，", "．", "」", "』",
		"）", "！", "？", "ー", "・", "：", "；", NULL };
	static const char *const never_last[] = { "「", "『", "（", NULL };
	if (columns_of(before, before_len) < 2 && columns_of(after, after_len) < 2)
		return false;
	for (size_t i = 0; never_first[i]; i++) {
		if (strncmp(after, never_first[i], strlen(never_first[i])) == 0)
			return false;
	}
	for (size_t i = 0; never_last[i]; i++) {
		if (strncmp(before, never_last[i], strlen(never_last[i])) == 0)
			return false;
	}
	/* An address and the like stays with its brackets. */
	return !strchr(")>]},.;:!?", *after) && !strchr("(<[{", *before);
}

/* Octets and columns of the word that begins here. */
static size_t measure(const char *s, unsigned *columns_out)
{
	size_t len = 0, last = 0, step;
	*columns_out = 0;
	while (s[len] && s[len] != ' ') {
		step = text_utf8_len(s + len, strnlen(s + len, UTF8_MAX));
		if (!step)
			step = 1;
		if (len + step > WORDS_WORD_MAX ||
			(len && may_break_between(s + len - last, last, s + len, step)))
			break;
		*columns_out += columns_of(s + len, step);
		len += step;
		last = step;
	}
	return len;
}

void words_wrap(struct buf *out, const struct words_wrap *how, const char *text)
{
	size_t size = strlen(text) + 1, gap, len;
	OWN(mem_free) char *clean = xmalloc(size);
	unsigned at = how->at, columns;
	bool first = true;
	text_clean(text, size - 1, clean, size);
	for (const char *s = clean; *s; s += gap + len) {
		gap = strspn(s, " ");
		len = measure(s + gap, &columns);
		if (len && !first && how->width && at + gap + columns > how->width) {
			buf_addf(out, "%s%*s", how->eol, (int)how->indent, "");
			at = how->indent;
		} else {
			buf_add(out, s, gap);
			at += (unsigned)gap;
		}
		buf_add(out, s + gap, len);
		at += columns;
		first = false;
	}
}
