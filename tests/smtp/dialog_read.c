/* Reads a dialogue file; the format is in tests/smtp/dialogs/README. */
#include "dialog.h"
#include "dialog_text.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	struct dialog *d;
	const struct dialog_line *at;
};

static int bad(struct reader *r, const char *what, const char *arg)
{
	return dialog_bad(r->at, what, arg);
}

static struct dialog_message *last_message(struct reader *r)
{
	return r->d->message_count ? &r->d->messages[r->d->message_count - 1] : NULL;
}

static void replace(char **to, const char *with)
{
	mem_free(to);
	*to = xstrdup(with);
}

static int read_message(struct reader *r, char *args)
{
	if (r->d->message_count == DIALOG_MESSAGES_MAX)
		return bad(r, "too many messages", args);
	struct dialog_message *m = &r->d->messages[r->d->message_count++];
	const char *value;
	m->envelope.sender = xstrdup("a@client.example");
	for (char *word = strtok(args, " "); word; word = strtok(NULL, " ")) {
		if ((value = dialog_value_of(word, "from=")))
			replace(&m->envelope.sender, value);
		else if ((value = dialog_value_of(word, "size=")))
			m->envelope.content.size_bytes = strtoull(value, NULL, 10);
		else if ((value = dialog_value_of(word, "envid=")))
			replace(&m->envelope.envid, value);
		else if ((value = dialog_value_of(word, "ret=")))
			m->envelope.ret = strcmp(value, "full") == 0 ? MAIL_RET_FULL
								     : MAIL_RET_HDRS;
		else if (strcmp(word, "8bit") == 0)
			m->envelope.content.is_8bit = true;
		else if (strcmp(word, "data") == 0)
			m->wants_data = true;
		else if (strcmp(word, "flight") == 0)
			m->is_flight = true;
		else if (strcmp(word, "utf8") == 0)
			m->envelope.content.needs_smtputf8 = true;
		else
			return bad(r, "unknown word", word);
	}
	return 0;
}

static unsigned notify_bits(const char *s)
{
	return (strstr(s, "never") ? MAIL_NOTIFY_NEVER : 0U) |
	       (strstr(s, "success") ? MAIL_NOTIFY_SUCCESS : 0U) |
	       (strstr(s, "failure") ? MAIL_NOTIFY_FAILURE : 0U) |
	       (strstr(s, "delay") ? MAIL_NOTIFY_DELAY : 0U);
}

/* "to b@y notify=never orcpt=X"; times > 1: the number goes in front. */
static int read_recipient(struct reader *r, char *args, unsigned long times)
{
	struct dialog_message *m = last_message(r);
	char *address = strtok(args, " "), *orcpt = NULL;
	const char *value;
	unsigned notify = 0;
	if (!m || !address || m->recipient_count + times > DIALOG_RECIPIENTS_MAX)
		return bad(r, "recipient out of place", args);
	for (char *word = strtok(NULL, " "); word; word = strtok(NULL, " ")) {
		if ((value = dialog_value_of(word, "notify=")))
			notify = notify_bits(value);
		else if ((value = dialog_value_of(word, "orcpt=")))
			orcpt = (char *)value;
		else
			return bad(r, "unknown word", word);
	}
	for (unsigned long i = 1; i <= times; i++) {
		struct mail_recipient *to = &m->recipients[m->recipient_count++];
		struct buf text = BUF_INIT, raw = BUF_INIT;
		if (times > 1)
			buf_addf(&text, "%lu", i);
		buf_addf(&text, "%s\\c", address);
		bool ok = dialog_unescape(buf_text(&text), &raw);
		to->address = buf_steal(&raw);
		to->orcpt = xstrdup(orcpt);
		to->notify = notify;
		buf_clear(&text);
		if (!ok)
			return bad(r, "bad escape", address);
	}
	return 0;
}

static int read_option(struct reader *r, const char *arg)
{
	struct smtp_client_options *o = &r->d->options;
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{ "starttls", &o->use_starttls },
		{ "helo-after-starttls", &o->helo_after_starttls },
		{ "plaintext-after-refusal", &o->plaintext_after_refusal },
		{ "no-mark", &o->no_mark },
		{ "lmtp", &o->lmtp },
		{ "implicit-tls", &o->implicit_tls },
		{ "auth", &o->use_auth },
		{ "manual", &r->d->is_manual },
		{ "only-whole", &r->d->only_whole },
	};
	const char *value = dialog_value_of(arg, "max-recipients=");
	if (value) {
		o->max_recipients = (unsigned)strtoul(value, NULL, 10);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (strcmp(flags[i].name, arg) == 0) {
			*flags[i].flag = true;
			return 0;
		}
	}
	return bad(r, "unknown option", arg);
}

static struct dialog_item *new_item(struct reader *r, enum dialog_verb verb)
{
	struct dialog *d = r->d;
	/* Lines of one side that follow each other are one run of bytes. */
	if (d->item_count && verb <= DIALOG_CLIENT &&
		d->items[d->item_count - 1].verb == verb)
		return &d->items[d->item_count - 1];
	if (d->item_count == DIALOG_ITEMS_MAX)
		return NULL;
	struct dialog_item *item = &d->items[d->item_count++];
	item->verb = verb;
	item->line = r->at->number;
	return item;
}

/* "S: text", "C: text", "= text", "body: text", with *N after the letter. */
static int read_text(
	struct reader *r, const char *head, const char *text, unsigned long times)
{
	struct dialog_message *m = last_message(r);
	for (unsigned long i = 1; i <= times; i++) {
		struct buf *to = m ? &m->body : NULL;
		if (*head != 'b') {
			struct dialog_item *item =
				new_item(r, *head == 'S'   ? DIALOG_SERVER
					    : *head == 'C' ? DIALOG_CLIENT
							   : DIALOG_EXPECT);
			to = item ? &item->bytes : NULL;
		}
		if (!to)
			return bad(r, "no room or no message for", text);
		size_t before = buf_len(to);
		struct buf line = BUF_INIT;
		dialog_number(text, times, i, &line);
		if (*head == '=')
			buf_add(to, buf_bytes(&line), buf_len(&line));
		else if (!dialog_unescape(buf_text(&line), to))
			return bad(r, "bad escape", text);
		buf_clear(&line);
		if (*head == 'S')
			r->d->server_bytes += buf_len(to) - before;
	}
	return 0;
}

/* "AUTH MECHANISM RESPONSE", "ANSWER RESPONSE", "NOAUTH WHY", "CANCEL WHY". */
static int read_auth(struct reader *r, struct dialog_item *item, const char *arg)
{
	bool begins = item->verb == DIALOG_AUTH || item->verb == DIALOG_AUTH_MORE;
	if (begins) {
		size_t len = strcspn(arg, " ");
		snprintf(item->mechanism, sizeof(item->mechanism), "%.*s", (int)len, arg);
		item->has_response = arg[len];
		arg += len + item->has_response;
	}
	struct buf text = BUF_INIT;
	buf_addf(&text, "%s\\c", begins && strcmp(arg, "=") == 0 ? "" : arg);
	bool ok = dialog_unescape(buf_text(&text), &item->bytes);
	buf_clear(&text);
	return ok ? 0 : bad(r, "bad escape", arg);
}

static int read_directive(struct reader *r, const char *word, const char *arg)
{
	static const struct {
		const char *word;
		enum dialog_verb verb;
	} table[] = {
		{ "TLS", DIALOG_TLS },
		{ "SEND", DIALOG_SEND },
		{ "QUIT", DIALOG_QUIT },
		{ "BODY", DIALOG_BODY },
		{ "BODYEND", DIALOG_BODY_END },
		{ "BODYFAIL", DIALOG_BODY_FAIL },
		{ "MARK", DIALOG_MARK },
		{ "AUTH", DIALOG_AUTH },
		{ "AUTHMORE", DIALOG_AUTH_MORE },
		{ "NOAUTH", DIALOG_AUTH_NONE },
		{ "ANSWER", DIALOG_ANSWER },
		{ "ANSWERMORE", DIALOG_ANSWER_MORE },
		{ "CANCEL", DIALOG_CANCEL },
		{ "LOST", DIALOG_LOST },
		{ "TIMEOUT", DIALOG_TIMEOUT },
		{ "ABORT", DIALOG_ABORT },
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (strcmp(table[i].word, word) != 0)
			continue;
		struct dialog_item *item = new_item(r, table[i].verb);
		if (item->verb >= DIALOG_AUTH && item->verb <= DIALOG_CANCEL)
			return read_auth(r, item, arg);
		item->number = *arg ? strtoul(arg, NULL, 10) - 1 : 0;
		if (table[i].verb == DIALOG_SEND && item->number >= r->d->message_count)
			return bad(r, "no such message", arg);
		return 0;
	}
	return bad(r, "unknown line", word);
}

static int take_line(void *dialog, const struct dialog_line *at, char *s, char *arg,
	unsigned long times)
{
	struct reader reader = { .d = dialog, .at = at }, *r = &reader;
	if (dialog_value_of(s, "S") == s + 1 && (s[1] == ':' || !s[1]))
		return read_text(r, s, arg, times);
	if (s[0] == 'C' && (s[1] == ':' || !s[1]))
		return read_text(r, s, arg, times);
	if (s[0] == '=' || dialog_value_of(s, "body"))
		return read_text(r, s, arg, times);
	if (strcmp(s, "option") == 0)
		return read_option(r, arg);
	if (strcmp(s, "message") == 0)
		return read_message(r, arg);
	if (strcmp(s, "to") == 0)
		return read_recipient(r, arg, times);
	return read_directive(r, s, arg);
}

static void finish(struct dialog *d)
{
	d->options.hostname = "client.example";
	for (size_t i = 0; i < d->message_count; i++) {
		struct dialog_message *m = &d->messages[i];
		if (!buf_len(&m->body))
			buf_addstr(&m->body, "Subject: x\r\n\r\nhello\r\n");
		if (!m->envelope.content.size_bytes)
			m->envelope.content.size_bytes = buf_len(&m->body);
	}
}

struct dialog *dialog_read(const char *path, struct err *e)
{
	OWN(dialog_free) struct dialog *d = xcalloc(1, sizeof(*d));
	if (dialog_read_file(path, take_line, d, e) != 0)
		return NULL;
	finish(d);
	return MOVE(d);
}

void dialog_free(struct dialog **d)
{
	if (!*d)
		return;
	for (size_t i = 0; i < (*d)->message_count; i++) {
		struct dialog_message *m = &(*d)->messages[i];
		for (size_t k = 0; k < m->recipient_count; k++)
			mail_recipient_clear(&m->recipients[k]);
		mail_envelope_clear(&m->envelope);
		buf_clear(&m->body);
	}
	for (size_t i = 0; i < (*d)->item_count; i++)
		buf_clear(&(*d)->items[i].bytes);
	mem_free(d);
}
