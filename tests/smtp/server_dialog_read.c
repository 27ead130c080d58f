/* Reads a dialogue file; the format is in tests/smtp/server_dialogs/README. */
#include "server_dialog.h"
#include "dialog_text.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	struct server_dialog *d;
	const struct dialog_line *at;
};

static int bad(struct reader *r, const char *what, const char *arg)
{
	return dialog_bad(r->at, what, arg);
}

static int read_option(struct reader *r, const char *arg)
{
	struct server_dialog *d = r->d;
	const char *value;
	if ((value = dialog_value_of(arg, "max-size=")))
		d->options.max_message_size = strtoull(value, NULL, 10);
	else if ((value = dialog_value_of(arg, "max-recipients=")))
		d->options.max_recipients = (unsigned)strtoul(value, NULL, 10);
	else if ((value = dialog_value_of(arg, "full-at=")))
		d->full_at = strtoul(value, NULL, 10);
	else if (strcmp(arg, "lmtp") == 0)
		d->options.is_lmtp = true;
	else if (strcmp(arg, "manual") == 0)
		d->is_manual = true;
	else if (strcmp(arg, "only-whole") == 0)
		d->only_whole = true;
	else
		return bad(r, "unknown option", arg);
	return 0;
}

static struct server_dialog_item *new_item(struct reader *r, enum server_dialog_verb verb)
{
	struct server_dialog *d = r->d;
	struct server_dialog_item *last =
		d->item_count ? &d->items[d->item_count - 1] : NULL;
	/* Lines of one side that follow each other are one run of bytes. */
	if (last && verb <= SERVER_DIALOG_SERVER && last->verb == verb)
		return last;
	if (d->item_count == SERVER_DIALOG_ITEMS_MAX)
		return NULL;
	struct server_dialog_item *item = &d->items[d->item_count++];
	item->verb = verb;
	item->line = r->at->number;
	return item;
}

static int read_text(struct reader *r, char head, const char *text, unsigned long times)
{
	for (unsigned long i = 1; i <= times; i++) {
		struct server_dialog_item *item =
			new_item(r, head == 'C'   ? SERVER_DIALOG_CLIENT
				    : head == 'S' ? SERVER_DIALOG_SERVER
						  : SERVER_DIALOG_EXPECT);
		OWN(buf_clear) struct buf line = BUF_INIT;
		if (!item)
			return bad(r, "no room for", text);
		size_t before = buf_len(&item->bytes);
		dialog_number(text, times, i, &line);
		if (head == '=')
			buf_add(&item->bytes, buf_bytes(&line), buf_len(&line));
		else if (!dialog_unescape(buf_text(&line), &item->bytes))
			return bad(r, "bad escape", text);
		if (head == 'C')
			r->d->client_bytes += buf_len(&item->bytes) - before;
	}
	return 0;
}

/* "CODE ENHANCED TEXT" */
static int read_refusal(struct reader *r, struct smtp_reply *to, const char *arg)
{
	int used = 0;
	if (sscanf(arg, "%d %11s %n", &to->code, to->enhanced, &used) < 2 || !used)
		return bad(r, "no code, enhanced code and text", arg);
	snprintf(to->text, sizeof(to->text), "%s", arg + used);
	return 0;
}

static int read_directive(struct reader *r, const char *word, const char *arg)
{
	static const struct {
		const char *word;
		enum server_dialog_verb verb;
	} table[] = {
		{ "ACCEPT", SERVER_DIALOG_ACCEPT },
		{ "REFUSE", SERVER_DIALOG_REFUSE },
		{ "STORED", SERVER_DIALOG_STORED },
		{ "REFUSECONTENT", SERVER_DIALOG_REFUSE_CONTENT },
		{ "WRITES", SERVER_DIALOG_WRITES },
		{ "BUSY", SERVER_DIALOG_BUSY },
		{ "LOST", SERVER_DIALOG_LOST },
		{ "SHUT", SERVER_DIALOG_SHUT },
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (strcmp(table[i].word, word) != 0)
			continue;
		struct server_dialog_item *item = new_item(r, table[i].verb);
		if (!item)
			return bad(r, "no room for", word);
		buf_addstr(&item->bytes, arg);
		item->number = (unsigned)strtoul(arg, NULL, 10);
		if (item->verb == SERVER_DIALOG_REFUSE ||
			item->verb == SERVER_DIALOG_REFUSE_CONTENT)
			return read_refusal(r, &item->reply, arg);
		return 0;
	}
	return bad(r, "unknown line", word);
}

static int take_line(void *dialog, const struct dialog_line *at, char *s, char *arg,
	unsigned long times)
{
	struct reader reader = { .d = dialog, .at = at }, *r = &reader;
	if (strcmp(s, "C:") == 0 || strcmp(s, "S:") == 0 || strcmp(s, "C") == 0 ||
		strcmp(s, "S") == 0 || strcmp(s, "=") == 0)
		return read_text(r, *s, arg, times);
	if (strcmp(s, "option") == 0)
		return read_option(r, arg);
	return read_directive(r, s, arg);
}

struct server_dialog *server_dialog_read(const char *path, struct err *e)
{
	OWN(server_dialog_free) struct server_dialog *d = xcalloc(1, sizeof(*d));
	if (dialog_read_file(path, take_line, d, e) != 0)
		return NULL;
	d->options.hostname = "mx.example.org";
	return MOVE(d);
}

void server_dialog_free(struct server_dialog **d)
{
	if (!*d)
		return;
	for (size_t i = 0; i < (*d)->item_count; i++)
		buf_clear(&(*d)->items[i].bytes);
	for (size_t i = 0; i < (*d)->commit_count; i++)
		buf_clear(&(*d)->commits[i]);
	mem_free(d);
}
