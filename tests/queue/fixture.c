#include "fixture.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/timefmt.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

static const int64_t day_ms = 24 * 3600 * 1000;

int fixture_setup_closed(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	const char *base = getenv("TMPDIR");
	f->dir = xasprintf("%s/hikyaku-queue-XXXXXX", base ? base : "/tmp");
	assert_non_null(mkdtemp(f->dir));
	f->path = xasprintf("%s/queue.db", f->dir);
	queue_options_default(&f->options, f->path);
	*state = f;
	return 0;
}

int fixture_setup(void **state)
{
	fixture_setup_closed(state);
	fixture_open(*state);
	return 0;
}

void fixture_open(struct fixture *f)
{
	struct err e = { 0 };
	if (queue_open(&f->options, &f->queue, &e) != 0)
		fail_msg("%s", e.text);
	f->port = queue_port_new(f->queue, NULL, NULL);
}

void fixture_close(struct fixture *f)
{
	queue_port_close(&f->port);
	queue_close(&f->queue);
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	if (f->queue)
		fixture_close(f);
	OWN(mem_free) char *command = xasprintf("rm -rf '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f->dir);
	free(f->path);
	free(f);
	return 0;
}

static void drain(struct fixture *f)
{
	while (queue_port_pending(f->port))
		queue_wait(f->port);
}

struct answer {
	int64_t id;
	size_t affected, busy;
	struct err err;
	struct buf body;
};

static void on_put(void *arg, int64_t id, const struct err *e)
{
	struct answer *a = arg;
	a->id = id;
	if (e)
		a->err = *e;
}

static void on_done(void *arg, const struct err *e)
{
	struct answer *a = arg;
	if (e)
		a->err = *e;
}

int put_recipients(struct fixture *f, const struct mail_envelope *m,
	const struct queue_new_recipient *list, size_t count, const char *body,
	size_t len, int64_t *id_out, struct err *e)
{
	struct answer a = { 0 };
	struct queue_put *put = queue_put_begin(f->port);
	queue_put_write(put, body, len);
	queue_put_commit(&put, m, list, count, on_put, &a);
	assert_null(put);
	drain(f);
	*id_out = a.id;
	if (e)
		*e = a.err;
	return a.err.code;
}

int64_t put(struct fixture *f, const char *body, ...)
{
	struct queue_new_recipient list[16] = { 0 };
	struct mail_envelope m = { .sender = (char *)(uintptr_t) "from@example.com" };
	size_t n = 0;
	int64_t id;
	struct err e = { 0 };
	va_list ap;
	va_start(ap, body);
	for (const char *a; (a = va_arg(ap, const char *)); n++)
		list[n] = (struct queue_new_recipient){ .address = a,
			.domain = strchr(a, '@') + 1 };
	va_end(ap);
	if (put_recipients(f, &m, list, n, body, strlen(body), &id, &e) != 0)
		fail_msg("%s", e.text);
	return id;
}

static void on_claim(void *arg, struct queue_item **items, size_t count,
	int64_t next_due_ms, const struct err *e)
{
	struct claimed *c = arg;
	assert_true(count <= ARRAY_SIZE(c->items));
	for (size_t i = 0; i < count; i++)
		c->items[i] = items[i];
	c->count = count;
	c->next_due_ms = next_due_ms;
	if (e)
		c->err = *e;
}

void claim_with(struct fixture *f, const struct queue_claim *asked, struct claimed *out)
{
	*out = (struct claimed){ 0 };
	queue_claim_due(f->port, asked, on_claim, out);
	drain(f);
}

void claim(struct fixture *f, size_t max, struct claimed *out)
{
	struct queue_claim asked = { .now_ms = clock_wall_ms(), .max_items = max };
	claim_with(f, &asked, out);
	if (out->err.code)
		fail_msg("%s", out->err.text);
}

void claim_later(struct fixture *f, size_t max, struct claimed *out)
{
	struct queue_claim asked = { .now_ms = clock_wall_ms() + day_ms,
		.max_items = max };
	claim_with(f, &asked, out);
	if (out->err.code)
		fail_msg("%s", out->err.text);
}

void claimed_clear(struct claimed *c)
{
	for (size_t i = 0; i < c->count; i++)
		queue_item_free(&c->items[i]);
	c->count = 0;
}

struct queue_item *claim_one(struct fixture *f)
{
	struct claimed c;
	claim_later(f, 1, &c);
	assert_int_equal(c.count, 1);
	return c.items[0];
}

int mark(struct fixture *f, int64_t item, const char *host)
{
	return queue_mark_in_doubt(f->port, item, host, NULL);
}

int give_back(struct fixture *f, int64_t item)
{
	struct answer a = { 0 };
	queue_give_back(f->port, &item, 1, on_done, &a);
	drain(f);
	return a.err.code;
}

int finish_with(struct fixture *f, const struct queue_result *result, struct err *e)
{
	struct answer a = { 0 };
	queue_finish(f->port, result, on_done, &a);
	drain(f);
	if (e)
		*e = a.err;
	return a.err.code;
}

int finish_all(
	struct fixture *f, const struct queue_item *item, enum queue_outcome outcome)
{
	struct queue_recipient_result results[64];
	for (size_t i = 0; i < item->recipient_count; i++)
		results[i] = (struct queue_recipient_result){
			.recipient_id = item->recipients[i].id,
			.outcome = outcome,
			.text = outcome == QUEUE_OUTCOME_DELIVERED ? NULL : "it said no",
		};
	struct queue_result result = { .item_id = item->id,
		.recipients = results,
		.recipient_count = item->recipient_count,
		.count_attempt = true,
		.next_attempt_ms = clock_wall_ms() + 60000,
		.next_channel = "plaintext",
		.channel_reason = "because" };
	return finish_with(f, &result, NULL);
}

static void on_operate(void *arg, size_t affected, size_t busy, const struct err *e)
{
	struct answer *a = arg;
	a->affected = affected;
	a->busy = busy;
	if (e)
		a->err = *e;
}

int operate_on(struct fixture *f, enum queue_verb verb, int64_t id, const char *domain,
	size_t *affected, size_t *busy)
{
	struct answer a = { 0 };
	struct queue_selection selection = { .id = id, .domain = domain };
	queue_operate(f->port, verb, &selection, on_operate, &a);
	drain(f);
	if (affected)
		*affected = a.affected;
	if (busy)
		*busy = a.busy;
	return a.err.code;
}

int prune_before(struct fixture *f, int64_t before_ms)
{
	struct answer a = { 0 };
	queue_prune(f->port, before_ms, on_done, &a);
	drain(f);
	return a.err.code;
}

static void on_body(void *arg, const char *bytes, size_t len, const struct err *e)
{
	struct answer *a = arg;
	a->affected = len;
	buf_add(&a->body, bytes, len);
	if (e)
		a->err = *e;
}

char *body_of(struct fixture *f, int64_t message_id, size_t *len_out)
{
	struct answer a = { 0 };
	do {
		queue_body_read(
			f->port, message_id, buf_len(&a.body), 100000, on_body, &a);
		drain(f);
		if (a.err.code)
			fail_msg("%s", a.err.text);
	} while (a.affected);
	*len_out = buf_len(&a.body);
	char *copy = xstrndup(buf_bytes(&a.body), *len_out);
	buf_clear(&a.body);
	return copy;
}

const char *sql_try(const char *path, const char *text, long long *out)
{
	static char said[200];
	sqlite3 *db;
	sqlite3_stmt *stmt = NULL;
	*out = -1;
	int rc = sqlite3_open(path, &db);
	if (rc == SQLITE_OK)
		sqlite3_busy_timeout(db, 10000);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, text, -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(stmt, 0);
	bool failed = rc != SQLITE_ROW && rc != SQLITE_DONE;
	snprintf(said, sizeof(said), "%s: %s", text, sqlite3_errmsg(db));
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return failed ? said : NULL;
}

long long sql(struct fixture *f, const char *text)
{
	long long value;
	const char *error = sql_try(f->path, text, &value);
	if (error)
		fail_msg("%s", error);
	return value;
}

static int state_named(const char *name)
{
	for (int i = 0; i < ITEM_STATE_COUNT; i++) {
		if (strcmp(item_state_name((enum item_state)i), name) == 0)
			return i;
	}
	fail_msg("no state is called %s", name);
	return -1;
}

int state_of(struct fixture *f, int64_t item)
{
	OWN(mem_free)
	char *text = xasprintf("SELECT m.id FROM item i JOIN message m ON m.num ="
			       " i.id >> 16 WHERE i.id = %lld",
		(long long)item);
	struct queue_reader *r;
	const struct queue_entry_item *items;
	size_t count;
	int state = -1;
	int64_t message = sql(f, text);
	if (message < 0)
		return -1;
	assert_int_equal(queue_reader_open(f->path, 1000, &r, NULL), 0);
	assert_int_equal(queue_reader_items(r, message, &items, &count, NULL), 0);
	for (size_t i = 0; i < count; i++) {
		if (items[i].id == item)
			state = state_named(items[i].state);
	}
	queue_reader_close(&r);
	return state;
}
