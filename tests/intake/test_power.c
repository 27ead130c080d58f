/* A power cut at any octet of sessions: what was acknowledged is there once, what was
 * not is not half there. Whole sessions, without the connection that does no more than
 * bring octets, over a real queue; see tests/queue/power_cut.h. */
#include "intake_fixture.h"

#include "base/mem.h"
#include "base/text.h"
#include "tests/queue/power_cut.h"

#include <stdlib.h>
#include <string.h>

/* A client, which says what it has to say one piece after the other. */
struct guest {
	struct intake_session *session;
	struct buf script, heard;
	size_t said, piece; /* octets */
	bool hangs_up;      /* when all is said, whatever it has heard */
	bool is_gone;
	enum intake_session_want want;
};

enum { GUESTS_MAX = 4 };

struct party {
	struct hall *hall;
	struct guest guests[GUESTS_MAX];
	size_t count;
	size_t said, told;  /* octets; replies that a message is stored */
	size_t move_log_at; /* told */
	bool shares;        /* the store waits until nobody can go on without it */
	struct power_trace trace;
};

static void begin_party(struct party *p, struct hall *h)
{
	*p = (struct party){ .hall = h };
	power_record(&p->trace, h->store->path);
	hall_open(h);
}

/* text: what it says first. */
static struct guest *invite(struct party *p, bool is_lmtp, const char *text)
{
	struct guest *g = &p->guests[p->count++];
	struct intake_session_options options = {
		.is_lmtp = is_lmtp, .peer = "[192.0.2.1]", .client = "unknown[192.0.2.1]"
	};
	*g = (struct guest){ .piece = 1 };
	g->session = intake_session_new(p->hall->intake, p->hall->config, &options);
	buf_addstr(&g->script, text);
	return g;
}

/* ---- talking ---- */

static void hear_line(struct party *p, const char *line, size_t len)
{
	static const char stored[] = "250 2.0.0 queued as ";
	int64_t id;
	if (!text_has_prefix(line, len, stored))
		return;
	OWN(mem_free)
	char *name = xstrndup(line + strlen(stored), len - strlen(stored));
	assert_true(mail_id_parse(name, &id));
	power_told(id);
	if (++p->told == p->move_log_at)
		sql(p->hall->store, "PRAGMA wal_checkpoint(PASSIVE)");
}

static void hear(struct party *p, struct guest *g)
{
	const char *end;
	while ((end = memmem(buf_bytes(&g->heard), buf_len(&g->heard), "\r\n", 2))) {
		size_t len = (size_t)(end - buf_bytes(&g->heard));
		if (!g->is_gone)
			hear_line(p, buf_bytes(&g->heard), len);
		buf_consume(&g->heard, len + 2);
	}
}

static void say(struct party *p, struct guest *g)
{
	size_t left = buf_len(&g->script) - g->said;
	size_t n = left < g->piece ? left : g->piece;
	intake_session_feed(g->session, buf_bytes(&g->script) + g->said, n);
	g->said += n;
	p->said += n;
	power_fed((int64_t)p->said);
}

/* false: it has nothing to say, or has to wait. */
static bool go_on(struct party *p, struct guest *g)
{
	bool has_said_all = g->said == buf_len(&g->script);
	bool waited = g->want == INTAKE_SESSION_WAIT;
	bool leaves = has_said_all && g->hangs_up && !g->is_gone;
	if (g->want == INTAKE_SESSION_CLOSE || (has_said_all && !waited && !leaves))
		return false;
	if (leaves) {
		g->is_gone = true;
		intake_session_lost(g->session);
	} else if (!waited) {
		say(p, g);
	}
	g->want = intake_session_run(g->session, &g->heard);
	hear(p, g);
	return leaves || !waited || g->want != INTAKE_SESSION_WAIT;
}

static bool go_on_all(struct party *p)
{
	bool any = false;
	for (size_t i = 0; i < p->count; i++)
		any |= go_on(p, &p->guests[i]);
	return any;
}

static bool is_waiting(const struct party *p)
{
	bool any = false;
	for (size_t i = 0; i < p->count; i++)
		any |= p->guests[i].want == INTAKE_SESSION_WAIT;
	return any;
}

/* Until all have said all, in turns. */
static void talk(struct party *p)
{
	struct fixture *store = p->hall->store;
	bool any = true;
	while (any) {
		queue_pause(store->queue, p->shares);
		while (go_on_all(p))
			;
		any = is_waiting(p);
		queue_pause(store->queue, false);
		if (any)
			queue_wait(store->port);
	}
	for (size_t i = 0; i < p->count; i++) {
		intake_session_free(&p->guests[i].session);
		buf_clear(&p->guests[i].script);
		buf_clear(&p->guests[i].heard);
	}
}

/* ---- what is there ---- */

struct expected {
	const char *recipients, *content;
	size_t len; /* 0: content is a string */
};

static bool is_as_expected(const struct power_message *m, const struct expected *x)
{
	size_t len = x->len ? x->len : strlen(x->content);
	const char *bytes = buf_bytes(&m->text);
	return buf_len(&m->text) - m->content_at > len &&
	       memcmp(bytes + buf_len(&m->text) - len, x->content, len) == 0 &&
	       memmem(bytes, m->content_at, x->recipients, strlen(x->recipients));
}

/* All of that, and nothing else. */
static void check_all(
	const struct power_snapshot *all, const struct expected *list, size_t count)
{
	assert_int_equal(all->count, count);
	for (size_t i = 0; i < count; i++) {
		size_t found = 0;
		for (size_t k = 0; k < count; k++)
			found += is_as_expected(&all->messages[k], &list[i]);
		if (found != 1)
			fail_msg("%zu times there: %s%.200s", found, list[i].recipients,
				list[i].content);
	}
}

/* Returns what is wrong, or NULL; free it. */
static char *cut_everywhere(struct party *p, const struct expected *list, size_t count)
{
	struct buf why = BUF_INIT;
	struct power_intake intake = { .trace = &p->trace };
	const char *path = p->hall->store->path;
	struct err e;
	hall_close(p->hall);
	power_stop();
	if (power_snapshot_take(path, &intake.all, &e) != 0)
		fail_msg("%s", e.text);
	check_all(&intake.all, list, count);
	struct power_trial trial = { &p->trace, path, power_judge_intake, &intake };
	size_t n = power_try(&trial, &why);
	if (n)
		print_message("# %zu octets, %zu changes, %zu disks\n", p->said,
			p->trace.count, n);
	power_snapshot_clear(&intake.all);
	power_trace_clear(&p->trace);
	char *text = n ? NULL : xstrdup(buf_text(&why));
	buf_clear(&why);
	return text;
}

static void check_everywhere(struct party *p, const struct expected *list, size_t count)
{
	OWN(mem_free) char *wrong = cut_everywhere(p, list, count);
	if (wrong)
		fail_msg("%s", wrong);
}

/* ---- the sessions ---- */

#define QUEUED(name) "to <" name "@y.test> queued -\n"

static const char one_message[] = "EHLO me.test\r\nMAIL FROM:<a@x.test>\r\n"
				  "RCPT TO:<b@y.test>\r\nDATA\r\n"
				  "Subject: one\r\n\r\n..dot\r\n.\r\nQUIT\r\n";
static const struct expected one_is_there[] = { { QUEUED("b"),
	"Subject: one\r\n\r\n.dot\r\n", 0 } };

static void one_message_is_there_or_not(void **state)
{
	struct party p;
	begin_party(&p, *state);
	invite(&p, false, one_message);
	talk(&p);
	assert_int_equal(p.told, 1);
	check_everywhere(&p, one_is_there, 1);
}

static void a_store_that_does_not_sync_is_noticed(void **state)
{
	struct party p;
	begin_party(&p, *state);
	power_lie(POWER_LIE_LOG);
	invite(&p, false, one_message);
	talk(&p);
	OWN(mem_free) char *wrong = cut_everywhere(&p, one_is_there, 1);
	assert_non_null(wrong);
	assert_non_null(strstr(wrong, "was acknowledged and is lost"));
}

static void each_message_of_an_lmtp_session_is_there_or_not(void **state)
{
	static const struct expected list[] = {
		{ QUEUED("b") QUEUED("c"), "Subject: 1\r\n\r\n", 0 },
		{ QUEUED("d"), "Subject: 2\r\n\r\n.x\r\n", 0 },
		{ QUEUED("e"), "Subject: 3\r\n\r\n", 0 },
	};
	struct party p;
	begin_party(&p, *state);
	p.move_log_at = 2; /* the next one begins the log anew */
	invite(&p, true,
		"LHLO me.test\r\n"
		"MAIL FROM:<>\r\nRCPT TO:<b@y.test>\r\nRCPT TO:<b@>\r\n"
		"RCPT TO:<c@y.test>\r\nDATA\r\nSubject: 1\r\n\r\n.\r\n"
		"MAIL FROM:<a@x.test>\r\nRCPT TO:<z@y.test>\r\nRSET\r\n"
		"MAIL FROM:<a@x.test>\r\nRCPT TO:<d@y.test>\r\n"
		"BDAT 12\r\nSubject: 2\r\nBDAT 6 LAST\r\n\r\n.x\r\n"
		"MAIL FROM:<a@x.test>\r\nRCPT TO:<e@y.test>\r\nRCPT TO:<f@z.test>\r\n"
		"DATA\r\nSubject: 3\r\n\r\n.\r\nQUIT\r\n");
	talk(&p);
	assert_int_equal(p.told, 2 + 1 + 2);
	check_everywhere(&p, list, ARRAY_SIZE(list));
}

static void sessions_that_share_a_commit_share_nothing_else(void **state)
{
	static const struct expected list[] = {
		{ QUEUED("b"), "Subject: smtp\r\n\r\n", 0 },
		{ QUEUED("c"), "Subject: lmtp\r\n\r\n", 0 },
		{ QUEUED("d"), "Subject: unheard\r\n\r\n", 0 },
	};
	struct party p;
	begin_party(&p, *state);
	p.shares = true;
	uint64_t before = queue_commits(p.hall->store->queue);
	invite(&p, false,
		"EHLO me.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n"
		"Subject: smtp\r\n\r\n.\r\n");
	invite(&p, true,
		"LHLO me.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<c@y.test>\r\nDATA\r\n"
		"Subject: lmtp\r\n\r\n.\r\n");
	/* One does not wait for the answer, one not even for its end. */
	invite(&p, false,
		"EHLO me.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<d@y.test>\r\nDATA\r\n"
		"Subject: unheard\r\n\r\n.\r\n")
		->hangs_up = true;
	invite(&p, false,
		"EHLO me.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<e@y.test>\r\nDATA\r\n"
		"Subject: cut off\r\n\r\n.\r")
		->hangs_up = true;
	talk(&p);
	assert_int_equal(p.told, 2);
	assert_int_equal(queue_commits(p.hall->store->queue) - before, 1);
	check_everywhere(&p, list, ARRAY_SIZE(list));
}

/* ---- more than fits into memory ---- */

enum { LARGE = 450 * 1024, LINE = 64, CHUNK = LARGE / 3 };

static char *make_large(char letter)
{
	char *bytes = xmalloc(LARGE);
	memset(bytes, letter, LARGE);
	for (size_t i = 0; i < LARGE; i += LINE) {
		bytes[i] = (char)('0' + i / LINE % 10);
		memcpy(bytes + i + LINE - 2, "\r\n", 2);
	}
	return bytes;
}

static void a_large_message_is_there_as_a_whole_or_not(void **state)
{
	OWN(mem_free) char *by_data = make_large('d');
	OWN(mem_free) char *by_chunks = make_large('c');
	const struct expected list[] = {
		{ QUEUED("b"), by_data, LARGE },
		{ QUEUED("c"), by_chunks, LARGE },
	};
	struct party p;
	begin_party(&p, *state);
	struct guest *data = invite(&p, false,
		"EHLO me.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n");
	struct guest *chunks = invite(&p, true,
		"LHLO me.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<c@y.test>\r\n");
	struct guest *lost = invite(&p, false,
		"EHLO me.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<d@y.test>\r\nDATA\r\n");
	buf_add(&data->script, by_data, LARGE);
	buf_addstr(&data->script, ".\r\n");
	for (size_t at = 0; at < LARGE; at += CHUNK) {
		buf_addf(&chunks->script, "BDAT %d%s\r\n", (int)CHUNK,
			at + CHUNK == LARGE ? " LAST" : "");
		buf_add(&chunks->script, by_chunks + at, CHUNK);
	}
	buf_add(&lost->script, by_data, LARGE);
	lost->hangs_up = true;
	/* An octet at a time would only take its time. */
	data->piece = 997;
	chunks->piece = 499;
	lost->piece = 1999;
	talk(&p);
	assert_int_equal(p.told, 2);
	power_stop(); /* moving it all to the database is nothing new */
	check_everywhere(&p, list, ARRAY_SIZE(list));
}

static int install(void **state)
{
	(void)state;
	power_install();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, hall_setup_closed, hall_teardown)
		TEST(one_message_is_there_or_not),
		TEST(a_store_that_does_not_sync_is_noticed),
		TEST(each_message_of_an_lmtp_session_is_there_or_not),
		TEST(sessions_that_share_a_commit_share_nothing_else),
		TEST(a_large_message_is_there_as_a_whole_or_not),
	};
	return cmocka_run_group_tests(tests, install, NULL);
}
