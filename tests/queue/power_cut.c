#include "power_cut.h"

#include "fixture.h"
#include "power_disk.h"

#include "base/mem.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- what a reader shows ---- */

static const char *or_none(const char *s)
{
	return s ? s : "-";
}

static void add_envelope(const struct queue_entry *entry, struct buf *out)
{
	const struct mail_envelope *m = &entry->envelope;
	buf_addf(out, "from <%s> envid %s ret %d arrival %lld size %llu flags %d%d%d\n",
		m->sender, or_none(m->envid), (int)m->ret, (long long)m->arrival_ms,
		(unsigned long long)m->content.size_bytes, m->content.is_8bit,
		m->content.needs_smtputf8, m->is_notice);
}

/* Not that it is claimed: who claimed it is gone. */
static void add_item(const struct queue_entry_item *item, struct power_message *m)
{
	bool is_held = strcmp(item->state, "held") == 0;
	buf_addf(&m->text, "at %s attempts %u channel %s error %s%s\n", item->domain,
		item->attempts, or_none(item->next_channel), or_none(item->last_error),
		is_held ? " held" : "");
	for (size_t i = 0; i < item->recipient_count; i++) {
		const struct queue_entry_recipient *r = &item->recipients[i];
		buf_addf(&m->text, "to <%s> %s %s\n", r->address, r->outcome,
			or_none(r->text));
		m->queued += !is_held && strcmp(r->outcome, "queued") == 0;
	}
}

static int add_content(struct queue_reader *r, struct power_message *m, struct err *e)
{
	const char *bytes;
	size_t len;
	int more;
	m->content_at = buf_len(&m->text);
	while ((more = queue_reader_body(r, m->id, buf_len(&m->text) - m->content_at,
			&bytes, &len, e)) == 1)
		buf_add(&m->text, bytes, len);
	return more;
}

static int take_message(struct queue_reader *r, const struct queue_entry *entry,
	struct power_message *m, struct err *e)
{
	const struct queue_entry_item *items;
	size_t count;
	*m = (struct power_message){ .id = entry->envelope.id };
	add_envelope(entry, &m->text);
	int rc = queue_reader_items(r, m->id, &items, &count, e);
	for (size_t i = 0; rc == 0 && i < count; i++)
		add_item(&items[i], m);
	return rc == 0 ? add_content(r, m, e) : rc;
}

static int take_all(struct queue_reader *r, struct power_snapshot *out, struct err *e)
{
	struct queue_log_query query = { 0 };
	struct queue_counts counts = { 0 };
	struct queue_entry entry;
	const char *json;
	int64_t last = 0;
	int rc = 0;
	while (rc == 0 && queue_reader_next(r, last, &entry, e)) {
		last = entry.envelope.id;
		out->messages = xreallocarray(
			out->messages, out->count + 1, sizeof(*out->messages));
		rc = take_message(r, &entry, &out->messages[out->count++], e);
	}
	while (rc == 0 && !e->code && queue_reader_log(r, &query, &json, &query.after, e))
		buf_addf(&out->log, "%s\n", json);
	if (rc == 0 && !e->code)
		rc = queue_reader_counts(r, &counts, e);
	out->busy = counts.claimed + counts.in_doubt;
	return e->code;
}

int power_snapshot_take(const char *path, struct power_snapshot *out, struct err *e)
{
	struct queue_reader *r;
	*out = (struct power_snapshot){ 0 };
	*e = (struct err){ 0 };
	int rc = queue_reader_open(path, 1000, &r, e);
	if (rc != 0)
		return rc;
	rc = take_all(r, out, e);
	queue_reader_close(&r);
	return rc;
}

void power_snapshot_clear(struct power_snapshot *s)
{
	for (size_t i = 0; i < s->count; i++)
		buf_clear(&s->messages[i].text);
	free(s->messages);
	buf_clear(&s->log);
	*s = (struct power_snapshot){ 0 };
}

const struct power_message *power_snapshot_find(
	const struct power_snapshot *s, int64_t id)
{
	for (size_t i = 0; i < s->count; i++) {
		if (s->messages[i].id == id)
			return &s->messages[i];
	}
	return NULL;
}

static bool is_same_text(const struct buf *a, const struct buf *b)
{
	return buf_len(a) == buf_len(b) &&
	       memcmp(buf_bytes(a), buf_bytes(b), buf_len(a)) == 0;
}

bool power_snapshot_is_same(
	const struct power_snapshot *a, const struct power_snapshot *b)
{
	bool same = a->count == b->count && is_same_text(&a->log, &b->log);
	for (size_t i = 0; same && i < a->count; i++)
		same = a->messages[i].id == b->messages[i].id &&
		       is_same_text(&a->messages[i].text, &b->messages[i].text);
	return same;
}

/* ---- where only messages come in ---- */

bool power_judge_intake(
	void *arg, size_t count, const struct power_snapshot *found, struct buf *why)
{
	const struct power_intake *intake = arg;
	for (size_t i = 0; i < count; i++) {
		const struct power_event *ev = &intake->trace->events[i];
		if (ev->kind == POWER_TOLD && !power_snapshot_find(found, ev->at)) {
			buf_addf(why, "message %lld was acknowledged and is lost",
				(long long)ev->at);
			return false;
		}
	}
	for (size_t i = 0; i < found->count; i++) {
		const struct power_message *m = &found->messages[i], *whole;
		whole = power_snapshot_find(&intake->all, m->id);
		if (!whole || !is_same_text(&m->text, &whole->text)) {
			buf_addf(why, "message %lld is not whole: %.300s",
				(long long)m->id, buf_bytes(&m->text));
			return false;
		}
	}
	return true;
}

/* ---- a disk, opened again ---- */

struct trial {
	const struct power_trial *asked;
	struct fixture f; /* of the queue that is opened again */
	size_t looked_at;
	struct buf *why;
};

static bool check_number(
	struct trial *t, const char *what, const char *text, long long expected)
{
	long long n;
	const char *error = sql_try(t->f.path, text, &n);
	if (error)
		buf_addf(t->why, "%s: %s", what, error);
	else if (n != expected)
		buf_addf(t->why, "%s: %lld, not %lld", what, n, expected);
	return !error && n == expected;
}

static bool check_soundness(struct trial *t)
{
	return check_number(t, "damaged pages",
		       "SELECT count(*) FROM pragma_integrity_check"
		       " WHERE integrity_check <> 'ok'",
		       0) &&
	       check_number(t, "rows that belong to nothing",
		       "SELECT (SELECT count(*) FROM chunk WHERE id >> 20 NOT IN"
		       "  (SELECT num FROM message))"
		       " + (SELECT count(*) FROM item WHERE id >> 16 NOT IN"
		       "  (SELECT num FROM message WHERE id IS NOT NULL))"
		       " + (SELECT count(*) FROM message WHERE id IS NOT NULL AND num"
		       "  NOT IN (SELECT id >> 16 FROM item))"
		       " + (SELECT count(*) FROM recipient WHERE item NOT IN"
		       "  (SELECT id FROM item))",
		       0);
}

static bool is_content_of(
	struct fixture *f, const struct queue_item *item, const struct power_message *m)
{
	size_t len = item->body_len;
	OWN(mem_free)
	char *read = item->body ? NULL : body_of(f, item->envelope.id, &len);
	const char *body = item->body ? item->body : read;
	return len == buf_len(&m->text) - m->content_at &&
	       memcmp(body, buf_bytes(&m->text) + m->content_at, len) == 0;
}

struct given {
	size_t recipients, doubted;
};

static bool check_given(struct trial *t, const struct power_snapshot *found,
	const struct queue_item *item, struct given *given)
{
	const struct power_message *m = power_snapshot_find(found, item->envelope.id);
	given->recipients += item->recipient_count;
	given->doubted += item->was_in_doubt;
	if (m && is_content_of(&t->f, item, m))
		return true;
	buf_addf(t->why, "message %lld is delivered otherwise than shown",
		(long long)item->envelope.id);
	return false;
}

/* Those that deliver get what those who look are shown. */
static bool check_claims(struct trial *t, const struct power_snapshot *found)
{
	struct claimed c;
	struct given given = { 0 };
	size_t queued = 0;
	bool ok = true;
	claim_later(&t->f, 0, &c);
	for (size_t i = 0; i < c.count && ok; i++)
		ok = check_given(t, found, c.items[i], &given);
	claimed_clear(&c);
	for (size_t i = 0; i < found->count; i++)
		queued += found->messages[i].queued;
	if (!ok || (given.recipients == queued && given.doubted == found->busy))
		return ok;
	buf_addf(t->why, "%zu recipients to deliver to, not %zu; %zu in doubt, not %zu",
		given.recipients, queued, given.doubted, found->busy);
	return false;
}

static bool check_further_use(struct trial *t)
{
	struct power_snapshot found = { 0 };
	struct err e = { 0 };
	int64_t id = put(&t->f, "Subject: further\r\n\r\n", "a@further.test", NULL);
	bool ok = power_snapshot_take(t->f.path, &found, &e) == 0 &&
		  power_snapshot_find(&found, id);
	if (!ok)
		buf_addf(t->why, "a further message is not there: %s", e.text);
	power_snapshot_clear(&found);
	return ok && prune_before(&t->f, 0) == 0;
}

/* When everyone who had something in it is gone for long. */
static bool check_use(struct trial *t, const struct power_snapshot *found)
{
	sql(&t->f, "UPDATE holder SET lease_until_ms = 0");
	bool ok = check_claims(t, found) && check_further_use(t);
	fixture_close(&t->f);
	return ok && check_soundness(t) &&
	       check_number(t, "staged content that stays",
		       "SELECT count(*) FROM message WHERE id IS NULL", 0);
}

static bool check_queue(struct trial *t, size_t count)
{
	struct power_snapshot found = { 0 };
	struct err e = { 0 };
	if (queue_open(&t->f.options, &t->f.queue, &e) != 0) {
		buf_addf(t->why, "it does not open: %s", e.text);
		return false;
	}
	t->f.port = queue_port_new(t->f.queue, NULL, NULL);
	bool ok = power_snapshot_take(t->f.path, &found, &e) == 0;
	if (!ok)
		buf_addstr(t->why, e.text);
	ok = ok && t->asked->judge(t->asked->arg, count, &found, t->why) &&
	     check_soundness(t);
	if (ok)
		ok = check_use(t, &found);
	else
		fixture_close(&t->f);
	power_snapshot_clear(&found);
	return ok;
}

/* ---- the cuts ---- */

static void empty_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			assert_int_equal(unlinkat(dirfd(dir), entry->d_name, 0), 0);
	}
	closedir(dir);
}

static void explain(struct trial *t, const struct power_cut *cut)
{
	static const char *const kept[] = { "nothing", "all", "some" };
	const struct power_trace *trace = t->asked->trace;
	struct buf b = BUF_INIT;
	buf_addf(&b, "cut after %zu of %zu events", cut->count, trace->count);
	if (cut->count) {
		buf_addstr(&b, ", the last one: ");
		power_describe(&trace->events[cut->count - 1], &b);
	}
	buf_addf(&b,
		"; of what was not synced %s is there (seed %llu): ", kept[cut->kept],
		(unsigned long long)cut->seed);
	buf_add(&b, buf_bytes(t->why), buf_len(t->why));
	buf_clear(t->why);
	*t->why = b;
}

static bool look_at(
	struct trial *t, const struct power_cut *cut, const struct power_disk *disk)
{
	/* A lock file that is the same again tells that its holders are gone; with
	 * another one their leases count. */
	bool keeps_lock = t->looked_at++ % 2;
	OWN(mem_free) char *lock = xasprintf("%s.lock", t->f.path);
	OWN(mem_free) char *its_lock = xasprintf("%s.lock", t->asked->path);
	power_disk_write(disk, t->f.path);
	if (keeps_lock)
		assert_int_equal(link(its_lock, lock), 0);
	bool ok = check_queue(t, cut->count);
	if (!ok)
		explain(t, cut);
	empty_directory(t->f.dir);
	return ok;
}

static unsigned rounds_of_some(void)
{
	const char *s = getenv("HIKYAKU_POWER_ROUNDS");
	return s ? (unsigned)strtoul(s, NULL, 10) : 1;
}

static bool try_some(struct trial *t, size_t count)
{
	bool ok = true;
	unsigned rounds = rounds_of_some();
	for (unsigned i = 0; i < rounds && ok; i++) {
		struct power_disk disk;
		struct power_cut cut = { count, POWER_KEPT_SOME,
			(uint64_t)count << 32 | i };
		power_disk_make(t->asked->trace, &cut, &disk);
		ok = look_at(t, &cut, &disk);
		power_disk_clear(&disk);
	}
	return ok;
}

/* none, all: of the cut before, and then of this one. owes_more: something was told
 * since. */
static bool try_cut(struct trial *t, size_t count, bool owes_more,
	struct power_disk *none, struct power_disk *all)
{
	struct power_cut cut = { count, POWER_KEPT_NONE, 0 };
	struct power_disk disk;
	bool ok = true;
	power_disk_make(t->asked->trace, &cut, &disk);
	if (owes_more || !power_disk_is_same(&disk, none))
		ok = look_at(t, &cut, &disk);
	power_disk_clear(none);
	*none = disk;
	cut.kept = POWER_KEPT_ALL;
	power_disk_make(t->asked->trace, &cut, &disk);
	if (ok && !power_disk_is_same(&disk, none)) {
		if (owes_more || !power_disk_is_same(&disk, all))
			ok = look_at(t, &cut, &disk);
		ok = ok && try_some(t, count);
	}
	power_disk_clear(all);
	*all = disk;
	return ok;
}

static bool is_change(const struct power_event *ev)
{
	return ev->kind != POWER_FED && ev->kind != POWER_TOLD;
}

static bool try_all(struct trial *t)
{
	const struct power_trace *trace = t->asked->trace;
	struct power_disk none = { 0 }, all = { 0 };
	bool ok = true, owes_more = true;
	for (size_t i = 0; i <= trace->count && ok; i++) {
		if (i == trace->count || is_change(&trace->events[i])) {
			ok = try_cut(t, i, owes_more, &none, &all);
			owes_more = false;
		} else {
			owes_more |= trace->events[i].kind == POWER_TOLD;
		}
	}
	power_disk_clear(&none);
	power_disk_clear(&all);
	return ok;
}

size_t power_try(const struct power_trial *trial, struct buf *why)
{
	struct trial t = { .asked = trial, .why = why };
	OWN(mem_free) char *dir = xasprintf("%s.after", trial->path);
	OWN(mem_free) char *path = xasprintf("%s/queue.db", dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	t.f.dir = dir;
	t.f.path = path;
	queue_options_default(&t.f.options, path);
	bool ok = try_all(&t);
	assert_int_equal(rmdir(dir), 0);
	return ok ? t.looked_at : 0;
}
