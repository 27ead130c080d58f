#include "sendmail/queue_list.h"

#include "base/text.h"
#include "sendmail/say.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

enum { BUSY_TIMEOUT_MS = 5000, REASON_END = 76 };

#define ROW "%-17s %8s %-19s %s\n"

/* ---- selection ---- */

static bool contains(const char *text, const char *part)
{
	size_t len = strlen(text), part_len = strlen(part);
	for (size_t i = 0; i + part_len <= len; i++) {
		if (text_has_prefix(text + i, len - i, part))
			return true;
	}
	return false;
}

bool queue_list_matches(
	const struct sendmail_selection *selection, const struct queue_entry *entry)
{
	char id[MAIL_ID_MAX];
	mail_id_format(entry->envelope.id, id);
	if (selection->id && !contains(id, selection->id))
		return false;
	if (selection->sender && !contains(entry->envelope.sender, selection->sender))
		return false;
	if (!selection->recipient)
		return true;
	for (size_t i = 0; i < entry->recipient_count; i++) {
		if (contains(entry->recipients[i], selection->recipient))
			return true;
	}
	return false;
}

/* ---- one message ---- */

static char state_mark(const char *state)
{
	if (strcmp(state, "claimed") == 0 || strcmp(state, "in_doubt") == 0)
		return '*';
	return strcmp(state, "held") == 0 ? '!' : ' ';
}

/* Text that a peer may have chosen. */
static const char *clean(const char *text, char out[TEXT_REMOTE_MAX + 1])
{
	text_clean(text, strlen(text), out, TEXT_REMOTE_MAX + 1);
	return out;
}

static void print_message(const struct queue_entry *entry)
{
	const struct mail_envelope *m = &entry->envelope;
	char id[MAIL_ID_MAX + 1], size[24], when[24], sender[TEXT_REMOTE_MAX + 1];
	time_t arrival = (time_t)(m->arrival_ms / 1000);
	struct tm local;
	mail_id_format(m->id, id);
	id[MAIL_ID_MAX - 1] = state_mark(entry->state);
	id[MAIL_ID_MAX] = '\0';
	snprintf(size, sizeof(size), "%llu", (unsigned long long)m->content.size_bytes);
	localtime_r(&arrival, &local);
	strftime(when, sizeof(when), "%a %b %e %H:%M:%S", &local);
	printf(ROW, id, size, when,
		*m->sender ? clean(m->sender, sender) : "MAILER-DAEMON");
}

/* Recipients by destination, with what became of the last attempt there. */
static void print_item(const struct queue_entry_item *item)
{
	char text[TEXT_REMOTE_MAX + 1];
	if (item->last_error) {
		int len = (int)strlen(clean(item->last_error, text)) + 2;
		printf("%*s(%s)\n", len < REASON_END ? REASON_END - len : 0, "", text);
	}
	for (size_t i = 0; i < item->recipient_count; i++) {
		const struct queue_entry_recipient *r = &item->recipients[i];
		if (strcmp(r->outcome, "queued") == 0)
			printf(ROW, "", "", "", clean(r->address, text));
	}
}

/* ---- all ---- */

struct totals {
	uint64_t bytes;
	size_t messages;
};

static int print_entry(struct queue_reader *r, const struct queue_entry *entry,
	struct totals *totals, struct err *e)
{
	const struct queue_entry_item *items;
	size_t count;
	if (totals->messages == 0)
		printf(ROW, "----Queue ID-----", "--Size--", "---Arrival Time----",
			"--Sender/Recipient------");
	else
		putchar('\n');
	totals->messages++;
	totals->bytes += entry->envelope.content.size_bytes;
	print_message(entry); /* before its strings go with the next call */
	int rc = queue_reader_items(r, entry->envelope.id, &items, &count, e);
	if (rc == ERR_NOT_FOUND)
		return 0; /* it left meanwhile */
	for (size_t i = 0; rc == 0 && i < count; i++)
		print_item(&items[i]);
	return rc;
}

static int print_all(struct queue_reader *r, const struct sendmail_options *options)
{
	struct queue_entry entry;
	struct totals totals = { 0 };
	struct err e = { 0 };
	for (int64_t id = 0; queue_reader_next(r, id, &entry, &e) && !ferror(stdout);) {
		id = entry.envelope.id;
		if (!queue_list_matches(&options->selection, &entry))
			continue;
		if (print_entry(r, &entry, &totals, &e) != 0)
			break;
		e.code = ERR_OK;
	}
	if (e.code != ERR_OK)
		return say_fail_queue("read the queue", &e);
	if (totals.messages)
		printf("\n-- %llu Kbytes in %zu Request%s.\n",
			(unsigned long long)totals.bytes / 1024, totals.messages,
			totals.messages == 1 ? "" : "s");
	else
		puts("Mail queue is empty");
	return fflush(stdout) == 0 && !ferror(stdout) ? EX_OK : EX_IOERR;
}

int queue_list_run(const struct sendmail_options *options, const struct config *config)
{
	struct queue_reader *r;
	struct err e = { 0 };
	if (queue_reader_open(config->queue, BUSY_TIMEOUT_MS, &r, &e) != 0)
		return say_fail_queue("queue not listed", &e);
	int status = print_all(r, options);
	queue_reader_close(&r);
	return status;
}
