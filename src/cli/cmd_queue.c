/* queue list, show, retry, hold, release, remove. */
#include "cli/cli.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "cli/lost_record.h"
#include "mail/envelope.h"
#include "policy/name.h"
#include "queue/queue.h"
#include "queue/reader.h"

#include <jansson.h>
#include <libsmartcols/libsmartcols.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

const struct cli_option cli_queue_list_options[] = {
	{ 0, "json", NULL, "one JSON object a message and line" },
	{ 0 },
};

const struct cli_option cli_queue_show_options[] = {
	{ 0, "message", NULL, "print the stored message itself" },
	{ 0, "json", NULL, "as a JSON object" },
	{ 0 },
};

const struct cli_option cli_queue_operate_options[] = {
	{ 0, "domain", "DOMAIN", "what is queued for this destination" },
	{ 0, "all", NULL, "everything in the queue" },
	{ 0 },
};

/* ---- JSON ---- */

/* Never NULL for a text: what is not clean is cleaned. */
static json_t *json_text(const char *s)
{
	if (!s)
		return json_null();
	size_t len = strlen(s);
	if (text_is_clean(s, len))
		return json_stringn(s, len);
	OWN(mem_free) char *clean = xmalloc(4 * len + 1);
	text_clean(s, len, clean, 4 * len + 1);
	return json_string(clean);
}

static json_t *json_time(int64_t ms)
{
	char text[TIMEFMT_MAX];
	if (!ms)
		return json_null();
	timefmt_rfc3339(ms, text);
	return json_string(text);
}

static json_t *json_texts(const char *const *list, size_t count)
{
	json_t *array = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_text(list[i]));
	return array;
}

static json_t *entry_to_json(const struct queue_entry *entry)
{
	const struct mail_envelope *m = &entry->envelope;
	char id[MAIL_ID_MAX];
	json_t *o = json_object();
	mail_id_format(m->id, id);
	json_object_set_new(o, "id", json_string(id));
	json_object_set_new(o, "sender", json_text(m->sender));
	json_object_set_new(o, "size", json_integer((json_int_t)m->content.size_bytes));
	json_object_set_new(o, "arrival", json_time(m->arrival_ms));
	json_object_set_new(o, "state", json_string(entry->state));
	json_object_set_new(o, "attempts", json_integer(entry->attempts));
	json_object_set_new(
		o, "recipients", json_texts(entry->recipients, entry->recipient_count));
	json_object_set_new(
		o, "domains", json_texts(entry->domains, entry->domain_count));
	json_object_set_new(o, "next_attempt", json_time(entry->next_attempt_ms));
	json_object_set_new(o, "next_channel", json_text(entry->next_channel));
	json_object_set_new(o, "last_error", json_text(entry->last_error));
	return o;
}

/* What the sender asked for, RFC 3461 4.1; null where nothing. */
static json_t *json_notify(unsigned notify)
{
	static const struct {
		unsigned bit;
		const char *word;
	} words[] = { { MAIL_NOTIFY_NEVER, "never" }, { MAIL_NOTIFY_SUCCESS, "success" },
		{ MAIL_NOTIFY_FAILURE, "failure" }, { MAIL_NOTIFY_DELAY, "delay" } };
	if (!notify)
		return json_null();
	json_t *list = json_array();
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (notify & words[i].bit)
			json_array_append_new(list, json_string(words[i].word));
	}
	return list;
}

static json_t *json_ret(enum mail_ret ret)
{
	return ret == MAIL_RET_FULL   ? json_string("full")
	       : ret == MAIL_RET_HDRS ? json_string("hdrs")
				      : json_null();
}

static json_t *item_to_json(const struct queue_entry_item *item)
{
	json_t *o = json_object(), *recipients = json_array();
	for (size_t i = 0; i < item->recipient_count; i++) {
		json_t *r = json_object();
		json_object_set_new(r, "address", json_text(item->recipients[i].address));
		json_object_set_new(r, "outcome", json_text(item->recipients[i].outcome));
		json_object_set_new(r, "text", json_text(item->recipients[i].text));
		json_object_set_new(r, "orcpt", json_text(item->recipients[i].orcpt));
		json_object_set_new(r, "notify", json_notify(item->recipients[i].notify));
		json_array_append_new(recipients, r);
	}
	json_object_set_new(o, "domain", json_text(item->domain));
	json_object_set_new(o, "state", json_text(item->state));
	json_object_set_new(o, "attempts", json_integer(item->attempts));
	json_object_set_new(o, "next_attempt", json_time(item->next_attempt_ms));
	json_object_set_new(o, "next_channel",
		json_text(item->next_channel ? item->next_channel : "tls"));
	json_object_set_new(o, "channel_reason", json_text(item->channel_reason));
	json_object_set_new(o, "last_error", json_text(item->last_error));
	json_object_set_new(o, "recipients", recipients);
	return o;
}

static void print_json(json_t *o)
{
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

/* ---- list ---- */

enum { PAGE_ROWS = 1000 };

enum column {
	COLUMN_ID,
	COLUMN_SIZE,
	COLUMN_AGE,
	COLUMN_STATE,
	COLUMN_TRIES,
	COLUMN_NEXT,
	COLUMN_CHANNEL,
	COLUMN_SENDER,
	COLUMN_RECIPIENTS,
	COLUMN_ERROR,
	COLUMN_COUNT
};

static const struct {
	const char *title;
	double width; /* hint: below 1 a share of the terminal, else octets */
	int flags;
} columns[] = {
	[COLUMN_ID] = { "ID", 16, 0 },
	[COLUMN_SIZE] = { "SIZE", 4, SCOLS_FL_RIGHT },
	[COLUMN_AGE] = { "AGE", 3, SCOLS_FL_RIGHT },
	[COLUMN_STATE] = { "STATE", 5, 0 },
	[COLUMN_TRIES] = { "TRIES", 5, SCOLS_FL_RIGHT },
	[COLUMN_NEXT] = { "NEXT", 4, SCOLS_FL_RIGHT },
	[COLUMN_CHANNEL] = { "CHANNEL", 5, 0 },
	[COLUMN_SENDER] = { "FROM", 0.15, SCOLS_FL_TRUNC },
	[COLUMN_RECIPIENTS] = { "TO", 0.2, SCOLS_FL_TRUNC },
	[COLUMN_ERROR] = { "ERROR", 0.2, SCOLS_FL_TRUNC },
};
_Static_assert(ARRAY_SIZE(columns) == COLUMN_COUNT, "every column has a row");

static struct libscols_table *new_table(void)
{
	struct libscols_table *t = scols_new_table();
	if (!t)
		abort();
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		if (!scols_table_new_column(
			    t, columns[i].title, columns[i].width, columns[i].flags))
			abort();
	}
	/* Only a terminal has a width: elsewhere nothing is cut. */
	if (!isatty(STDOUT_FILENO))
		scols_table_set_termforce(t, SCOLS_TERMFORCE_NEVER);
	return t;
}

static void set_cell(struct libscols_line *line, enum column column, char *text)
{
	if (scols_line_refer_data(line, column, text) != 0)
		abort(); /* out of memory */
}

static char *format_size(uint64_t bytes)
{
	if (bytes < 10000)
		return xasprintf("%llu", (unsigned long long)bytes);
	if (bytes < 10000000)
		return xasprintf("%lluK", (unsigned long long)bytes / 1024);
	return xasprintf("%lluM", (unsigned long long)bytes / 1024 / 1024);
}

static char *format_next(const struct queue_entry *entry, int64_t now_ms)
{
	char text[TIMEFMT_MAX];
	if (!entry->next_attempt_ms)
		return xstrdup("-");
	if (entry->next_attempt_ms <= now_ms)
		return xstrdup("now");
	timefmt_human(entry->next_attempt_ms - now_ms, text);
	return xstrdup(text);
}

static char *join(const char *const *list, size_t count)
{
	struct buf b = BUF_INIT;
	for (size_t i = 0; i < count; i++)
		buf_addf(&b, "%s%s", i ? "," : "", list[i]);
	return buf_steal(&b);
}

static void add_row(
	struct libscols_table *t, const struct queue_entry *entry, int64_t now_ms)
{
	const struct mail_envelope *m = &entry->envelope;
	char id[MAIL_ID_MAX], age[TIMEFMT_MAX];
	struct libscols_line *line = scols_table_new_line(t, NULL);
	if (!line)
		abort();
	mail_id_format(m->id, id);
	timefmt_human(now_ms > m->arrival_ms ? now_ms - m->arrival_ms : 0, age);
	set_cell(line, COLUMN_ID, xstrdup(id));
	set_cell(line, COLUMN_SIZE, format_size(m->content.size_bytes));
	set_cell(line, COLUMN_AGE, xstrdup(age));
	set_cell(line, COLUMN_STATE, xstrdup(entry->state));
	set_cell(line, COLUMN_TRIES, xasprintf("%u", entry->attempts));
	set_cell(line, COLUMN_NEXT, format_next(entry, now_ms));
	set_cell(line, COLUMN_CHANNEL, xstrdup(entry->next_channel));
	set_cell(line, COLUMN_SENDER, xstrdup(*m->sender ? m->sender : "<>"));
	set_cell(
		line, COLUMN_RECIPIENTS, join(entry->recipients, entry->recipient_count));
	set_cell(line, COLUMN_ERROR, xstrdup(entry->last_error ? entry->last_error : ""));
}

static int list_json(struct queue_reader *r)
{
	struct queue_entry entry;
	struct err e = { 0 };
	for (int64_t id = 0; queue_reader_next(r, id, &entry, &e) && !ferror(stdout);
		id = entry.envelope.id)
		print_json(entry_to_json(&entry));
	return e.code ? cli_fail_err(&e) : EX_OK;
}

static void print_table(struct libscols_table **t)
{
	if (*t) {
		scols_print_table(*t);
		scols_unref_table(*t);
	}
	*t = NULL;
}

/* A million messages do not fit the memory, and nobody waits for them all: a page
 * at a time, as one table below one header. */
static int list_table(struct queue_reader *r)
{
	struct queue_entry entry;
	struct err e = { 0 };
	struct libscols_table *t = NULL;
	int64_t now_ms = clock_wall_ms();
	size_t rows = 0;
	for (int64_t id = 0; queue_reader_next(r, id, &entry, &e) && !ferror(stdout);
		id = entry.envelope.id) {
		if (!t) {
			t = new_table();
			scols_table_enable_noheadings(t, rows > 0);
		}
		add_row(t, &entry, now_ms);
		if (++rows % PAGE_ROWS == 0)
			print_table(&t);
	}
	print_table(&t);
	return e.code ? cli_fail_err(&e) : EX_OK;
}

int cli_queue_list(struct cli *cli, const struct cli_args *args)
{
	int status = EX_OK;
	const char *note;
	struct queue_reader *r = cli_reader(cli, &status);
	if (!r)
		return status;
	status = cli_option(args, "json") ? list_json(r) : list_table(r);
	fflush(stdout);
	if (queue_reader_note(r, "policy", &note))
		fprintf(stderr, "%s\n", note);
	queue_reader_close(&r);
	return status;
}

/* ---- show ---- */

static int show_message(struct queue_reader *r, int64_t id)
{
	struct err e = { 0 };
	const char *bytes;
	size_t len;
	uint64_t offset = 0;
	int rc;
	while ((rc = queue_reader_body(r, id, offset, &bytes, &len, &e)) == 1) {
		if (fwrite(bytes, 1, len, stdout) != len)
			return cli_fail(EX_IOERR, "write to standard output failed");
		offset += len;
	}
	return rc < 0 ? cli_fail_err(&e) : EX_OK;
}

static void print_time(const char *label, int64_t ms)
{
	char text[TIMEFMT_MAX];
	timefmt_rfc3339(ms, text);
	printf("%-14s%s\n", label, text);
}

/* Text that a peer may have chosen, with what stands before it, if there is any. */
static void print_text(const char *before, const char *text)
{
	size_t size = text ? strlen(text) + 1 : 0;
	OWN(mem_free) char *clean = size ? xmalloc(size) : NULL;
	if (!size)
		return;
	text_clean(text, size - 1, clean, size);
	printf("%s%s", before, clean);
}

static void print_item(const struct queue_entry_item *item)
{
	printf("\n%s: %s, %u attempt%s so far\n", item->domain, item->state,
		item->attempts, item->attempts == 1 ? "" : "s");
	if (item->next_attempt_ms)
		print_time("  next:", item->next_attempt_ms);
	printf("  channel:    %s", item->next_channel ? item->next_channel : "tls");
	print_text(": ", item->channel_reason);
	print_text("\n  last error: ", item->last_error);
	putchar('\n');
	for (size_t i = 0; i < item->recipient_count; i++) {
		const struct queue_entry_recipient *to = &item->recipients[i];
		print_text("  to ", to->address);
		printf(": %s", to->outcome);
		print_text(": ", to->text);
		putchar('\n');
	}
}

static void print_entry(const struct queue_entry *entry)
{
	const struct mail_envelope *m = &entry->envelope;
	char id[MAIL_ID_MAX];
	mail_id_format(m->id, id);
	printf("id:           %s\nsender:       %s\n", id, *m->sender ? m->sender : "<>");
	printf("size:         %llu\n", (unsigned long long)m->content.size_bytes);
	print_time("arrival:", m->arrival_ms);
	printf("state:        %s", entry->state);
	print_text("\nenvid:        ", m->envid);
	putchar('\n');
}

static int show_json(struct queue_reader *r, const struct queue_entry *entry)
{
	const struct queue_entry_item *items;
	size_t count;
	struct err e = { 0 };
	json_t *o = entry_to_json(entry), *list = json_array();
	json_object_set_new(o, "envid", json_text(entry->envelope.envid));
	json_object_set_new(o, "ret", json_ret(entry->envelope.ret));
	int rc = queue_reader_items(r, entry->envelope.id, &items, &count, &e);
	for (size_t i = 0; rc == 0 && i < count; i++)
		json_array_append_new(list, item_to_json(&items[i]));
	json_object_set_new(o, "items", list);
	if (rc != 0) {
		json_decref(o);
		return cli_fail_err(&e);
	}
	print_json(o);
	return EX_OK;
}

static int show_text(struct queue_reader *r, const struct queue_entry *entry)
{
	const struct queue_entry_item *items;
	size_t count;
	struct err e = { 0 };
	int64_t id = entry->envelope.id;
	print_entry(entry); /* before its strings go with the next call */
	if (queue_reader_items(r, id, &items, &count, &e) != 0)
		return cli_fail_err(&e);
	for (size_t i = 0; i < count; i++)
		print_item(&items[i]);
	return EX_OK;
}

int cli_queue_show(struct cli *cli, const struct cli_args *args)
{
	struct queue_entry entry;
	struct err e = { 0 };
	int64_t id;
	int status = EX_OK;
	if (!cli_parse_id(args->words[0], &id))
		return EX_USAGE;
	struct queue_reader *r = cli_reader(cli, &status);
	if (!r)
		return status;
	if (cli_option(args, "message"))
		status = show_message(r, id);
	else if (queue_reader_get(r, id, &entry, &e) != 0)
		status = cli_fail_err(&e);
	else if (cli_option(args, "json"))
		status = show_json(r, &entry);
	else
		status = show_text(r, &entry);
	queue_reader_close(&r);
	return status;
}

/* ---- verbs ---- */

static const struct {
	const char *command;
	enum queue_verb verb;
	const char *done; /* "3 items ..." */
} verbs[] = {
	{ "queue retry", QUEUE_RETRY, "due now" },
	{ "queue hold", QUEUE_HOLD, "held" },
	{ "queue release", QUEUE_RELEASE, "released" },
	{ "queue remove", QUEUE_REMOVE, "removed" },
};

struct operated {
	size_t affected, busy;
	struct err err;
};

static void on_operate(void *arg, size_t affected, size_t busy, const struct err *e)
{
	struct operated *o = arg;
	o->affected = affected;
	o->busy = busy;
	if (e)
		o->err = *e;
}

static int operate(const struct config *config, enum queue_verb verb,
	const struct queue_selection *selection, struct operated *out)
{
	struct queue_options options;
	struct queue *queue;
	queue_options_default(&options, config->queue);
	options.create = false;
	/* What a dead worker left is freed on the way, so that it can be retried. */
	options.lost_record = lost_record;
	if (queue_open(&options, &queue, &out->err) != 0)
		return out->err.code;
	struct queue_port *port = queue_port_new(queue, NULL, NULL);
	queue_operate(port, verb, selection, on_operate, out);
	queue_wait(port);
	queue_port_close(&port);
	queue_close(&queue);
	return out->err.code;
}

static int parse_selection(const struct cli_args *args, struct queue_selection *selection,
	char domain[POLICY_NAME_MAX + 1])
{
	const char *asked = cli_option(args, "domain");
	bool all = cli_option(args, "all") != NULL;
	char why[POLICY_TEXT_MAX];
	*selection = (struct queue_selection){ 0 };
	if (all ? args->word_count || asked : !args->word_count && !asked)
		return cli_fail(EX_USAGE, "%s takes an ID, --domain DOMAIN, or --all",
			args->command->name);
	if (args->word_count && !cli_parse_id(args->words[0], &selection->id))
		return EX_USAGE;
	if (!asked)
		return EX_OK;
	if (!policy_destination_normalize(asked, strlen(asked), domain, why))
		return cli_fail(EX_USAGE, "\"%.260s\" is no domain: %s", asked, why);
	selection->domain = domain;
	return EX_OK;
}

static int report(const char *done, const struct queue_selection *selection,
	const struct operated *o)
{
	fprintf(stderr, "%zu item%s %s", o->affected, o->affected == 1 ? "" : "s", done);
	if (o->busy)
		fprintf(stderr, "; %zu left alone: being delivered right now", o->busy);
	fputc('\n', stderr);
	/* Whoever named one message wants to know that nothing happened. */
	return selection->id && !o->affected && o->busy ? EX_TEMPFAIL : EX_OK;
}

int cli_queue_operate(struct cli *cli, const struct cli_args *args)
{
	struct queue_selection selection;
	struct operated operated = { 0 };
	char domain[POLICY_NAME_MAX + 1];
	size_t i = 0;
	while (i < ARRAY_SIZE(verbs) &&
		strcmp(verbs[i].command, args->command->name) != 0)
		i++;
	ASSERT(i < ARRAY_SIZE(verbs));
	int status = parse_selection(args, &selection, domain);
	if (status != EX_OK)
		return status;
	const struct config *config = cli_config(cli);
	if (!config)
		return EX_CONFIG;
	if (operate(config, verbs[i].verb, &selection, &operated) != 0)
		return cli_fail_err(&operated.err);
	return report(verbs[i].done, &selection, &operated);
}

/* ---- waking ---- */

const struct cli_option cli_queue_wake_options[] = { { 0 } };

int cli_queue_wake(struct cli *cli, const struct cli_args *args)
{
	(void)args;
	const struct config *config = cli_config(cli);
	if (!config)
		return EX_CONFIG;
	if (queue_wake_send(config->queue))
		return EX_OK;
	return cli_fail(EX_UNAVAILABLE,
		"no worker listens at %s.wake: start one with `hikyaku run`, or "
		"deliver what is due now with `hikyaku run --once`",
		config->queue);
}
