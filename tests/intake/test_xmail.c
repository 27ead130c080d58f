/* XMail's files: what is taken, under which id, what stays, and what is said of it. */
#include "intake_fixture.h"

#include "base/failpoint.h"
#include "base/mem.h"
#include "base/text.h"
#include "intake/xmail.h"
#include "intake/xmail_refused.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENVELOPE "mail from:<a@x.test>\r\nrcpt to:<b@y.test>\r\n\r\n"
#define CONTENT  "Subject: x\r\n\r\n.x\r\n"

/* A hall with a directory, and what was said. */
struct drop {
	struct hall *hall;
	char *dir;
	struct xmail_options options;
	unsigned taken, refused;
	int64_t id;      /* of the last one that was taken */
	bool has_sender; /* likewise */
	struct stat st;  /* of the last one that was refused */
	struct buf said; /* "path: text|" of what was refused, "path|" of the rest */
	struct err err;  /* of xmail_take or xmail_finish */
};

static void on_taken(void *arg, const struct xmail_taken *taken)
{
	struct drop *d = arg;
	d->taken++;
	d->id = taken->id;
	d->has_sender = taken->sender != NULL;
	buf_addf(&d->said, "%s|", taken->path + strlen(d->dir) + 1);
}

static void on_refused(
	void *arg, const char *path, const struct stat *st, const struct err *e)
{
	struct drop *d = arg;
	d->st = *st;
	d->refused++;
	buf_addf(&d->said, "%s: %s|", path + strlen(d->dir) + 1, e->text);
}

static int setup(void **state)
{
	void *hall;
	char path[] = "/tmp/hikyaku-drop-XXXXXX";
	if (hall_setup(&hall) != 0 || !mkdtemp(path))
		return -1;
	struct drop *d = xcalloc(1, sizeof(*d));
	d->hall = hall;
	d->dir = xstrdup(path);
	free(d->hall->config->queue);
	d->hall->config->queue = xstrdup(d->hall->store->path);
	d->options = (struct xmail_options){ .intake = d->hall->intake,
		.config = d->hall->config,
		.on_taken = on_taken,
		.on_refused = on_refused,
		.arg = d };
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	struct drop *d = *state;
	void *hall = d->hall;
	OWN(mem_free) char *command = xasprintf("rm -rf '%s'", d->dir);
	int rc = system(command);
	buf_clear(&d->said);
	free(d->dir);
	free(d);
	return hall_teardown(&hall) || rc ? -1 : 0;
}

static char *in(const struct drop *d, const char *name)
{
	return xasprintf("%s/%s", d->dir, name);
}

static void write_file(const struct drop *d, const char *name, const char *s, size_t len)
{
	OWN(mem_free) char *path = in(d, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(s, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void drop_file(const struct drop *d, const char *name)
{
	static const char text[] = ENVELOPE CONTENT;
	write_file(d, name, text, strlen(text));
}

static void drop_marked(const struct drop *d, const char *name, int64_t id)
{
	char text[MAIL_ID_MAX];
	mail_id_format(id, text);
	OWN(mem_free) char *marked = xasprintf("%s.hikyaku-%s", name, text);
	drop_file(d, marked);
}

static void make_directory(const struct drop *d, const char *name)
{
	OWN(mem_free) char *path = in(d, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static bool exists(const struct drop *d, const char *name)
{
	OWN(mem_free) char *path = in(d, name);
	struct stat st;
	return lstat(path, &st) == 0;
}

/* name "": the directory. What was said, from the beginning. */
static const char *take(struct drop *d, const char *name)
{
	OWN(mem_free) char *path = *name ? in(d, name) : xstrdup(d->dir);
	struct xmail *x = xmail_new(&d->options);
	d->taken = d->refused = 0;
	d->err = (struct err){ 0 };
	buf_reset(&d->said);
	if (xmail_take(x, path, &d->err) == 0)
		xmail_finish(x, &d->err);
	xmail_free(&x);
	return buf_text(&d->said);
}

static void assert_stored(struct drop *d, const char *content)
{
	size_t len;
	OWN(mem_free) char *body = body_of(d->hall->store, d->id, &len);
	static const char field[] =
		"Received: by host.test (hikyaku, from a file of XMail)\r\n\tid ";
	assert_true(text_has_prefix(body, len, field));
	const char *rest = strstr(body + strlen(field), "\r\n");
	assert_string_equal(rest + 2, content);
}

/* ---- what is in a file ---- */

static void a_file_is_stored_octet_for_octet_and_removed(void **state)
{
	struct drop *d = *state;
	drop_file(d, "1");
	assert_string_equal(take(d, ""), "1|");
	assert_int_equal(d->taken, 1);
	assert_stored(d, CONTENT);
	assert_false(exists(d, "1"));
	struct queue_item *item = hall_only_item(d->hall);
	assert_string_equal(item->envelope.sender, "a@x.test");
	assert_string_equal(item->recipients[0].address, "b@y.test");
	queue_item_free(&item);
}

static void line_ends_may_be_those_of_unix(void **state)
{
	struct drop *d = *state;
	static const char text[] = "[192.0.2.1]:1;[192.0.2.9]:25;x\nx.test\nS1\n"
				   "MAIL FROM:<>\nRCPT TO:<b@y.test>\n<<MAIL-DATA>>\n"
				   "Subject: x\n\nx";
	write_file(d, "1", text, strlen(text));
	assert_string_equal(take(d, "1"), "1|");
	assert_stored(d, "Subject: x\r\n\r\nx\r\n");
}

static void a_recipient_without_a_domain_is_here(void **state)
{
	struct drop *d = *state;
	static const char text[] = "mail from:<>\nrcpt to:<root>\n\nx\n";
	write_file(d, "1", text, strlen(text));
	assert_string_equal(take(d, ""), "1|");
	struct queue_item *item = hall_only_item(d->hall);
	assert_string_equal(item->recipients[0].address, "root@host.test");
	queue_item_free(&item);
}

static void a_large_file_is_stored_whole(void **state)
{
	struct drop *d = *state;
	struct buf text = BUF_INIT;
	buf_addstr(&text, ENVELOPE);
	size_t start = buf_len(&text);
	for (int i = 0; i < 50000; i++)
		buf_addf(&text, "%d some text that fills the line up to its end\r\n", i);
	write_file(d, "1", buf_bytes(&text), buf_len(&text));
	assert_string_equal(take(d, ""), "1|");
	assert_stored(d, buf_text(&text) + start);
	buf_clear(&text);
}

#define NUL_TEXT(s) (s), sizeof(s) - 1
static const struct {
	const char *name, *text;
	size_t len;
	const char *said;
} bad_files[] = {
	{ "an empty file", NUL_TEXT(""), "line 1: the file is empty" },
	{ "one line that does not end", NUL_TEXT("mail from:<>"),
		"line 1: the file ends before the message begins" },
	{ "no end of the envelope", NUL_TEXT("mail from:<>\r\nrcpt to:<b@y.test>\r\n"),
		"line 3: the file ends before the message begins" },
	{ "a spool file cut off in its front", NUL_TEXT("a;b\r\n"),
		"line 2: the file ends before the message begins" },
	{ "another file", NUL_TEXT("Subject: x\n\nx\ny\n"),
		"line 3: neither a local drop, which begins with \"mail from:<...>\", "
		"nor a "
		"spool file of XMail" },
	{ "a NUL in the envelope", NUL_TEXT("mail from:<a\0b@x.test>\n"),
		"line 1: contains a NUL octet" },
	{ "a bad sender", NUL_TEXT("mail from:<a>\nrcpt to:<b@y.test>\n\nx\n"),
		"line 1: sender \"<a>\": address has no @" },
	{ "a route", NUL_TEXT("mail from:<>\nrcpt to:<@r.test:b@y.test>\n\nx\n"),
		"line 2: recipient \"<@r.test:b@y.test>\": address has a source route" },
	{ "a bad recipient behind a good one",
		NUL_TEXT("mail from:<>\nrcpt to:<b@y.test>\nrcpt to:<c@>\n\nx\n"),
		"line 3: recipient \"<c@>\"" },
	{ "no message", NUL_TEXT("mail from:<>\nrcpt to:<b@y.test>\n\n"),
		"message is empty: it has neither header nor body" },
	{ "a NUL in the message", NUL_TEXT("mail from:<>\nrcpt to:<b@y.test>\n\nx\0y\n"),
		"message contains a NUL octet" },
};

static void what_is_wrong_with_a_file_is_said_and_it_stays(void **state)
{
	struct drop *d = *state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_files); i++) {
		write_file(d, "1", bad_files[i].text, bad_files[i].len);
		OWN(mem_free) char *expected = xasprintf("1: %s", bad_files[i].said);
		const char *said = take(d, "");
		if (!text_has_prefix(said, strlen(said), expected))
			fail_msg("%s: %s", bad_files[i].name, said);
		assert_true(exists(d, "1"));
	}
	assert_int_equal(hall_message_count(d->hall), 0);
}

static void a_line_without_end_is_not_read_to_its_end(void **state)
{
	struct drop *d = *state;
	struct buf text = BUF_INIT;
	buf_addstr(&text, "mail from:<");
	for (int i = 0; i < 300000; i++)
		buf_addc(&text, 'x');
	write_file(d, "1", buf_bytes(&text), buf_len(&text));
	assert_string_equal(
		take(d, ""), "1: line 1: too long for a line of XMail's envelope|");
	buf_clear(&text);
}

static void the_limits_of_the_configuration_count(void **state)
{
	struct drop *d = *state;
	d->hall->config->max_recipients = 1;
	static const char two[] = "mail from:<>\nrcpt to:<b@y.test>\nrcpt to:<c@y.test>\n"
				  "\nx\n";
	write_file(d, "1", two, strlen(two));
	assert_string_equal(take(d, ""),
		"1: line 3: more than 1 recipients, the limit set by max_recipients|");
	d->hall->config->max_message_size = 10;
	drop_file(d, "1");
	assert_string_equal(take(d, ""),
		"1: message is over 10 octets, the limit set by max_message_size|");
}

/* ---- where files are ---- */

static void only_complete_files_of_the_directory_are_looked_at(void **state)
{
	struct drop *d = *state;
	drop_file(d, ".hidden");
	drop_file(d, "new.tmp");
	make_directory(d, "local");
	drop_file(d, "local/1");
	make_directory(d, "7");
	drop_file(d, "7/1");
	OWN(mem_free) char *link = in(d, "link");
	assert_int_equal(symlink(".hidden", link), 0);
	assert_string_equal(take(d, ""), "link: a symbolic link, which is not followed|");
	assert_true(exists(d, ".hidden") && exists(d, "new.tmp") && exists(d, "link"));
	assert_true(exists(d, "local/1") && exists(d, "7/1"));
}

static void a_fifo_does_not_stop_anybody(void **state)
{
	struct drop *d = *state;
	OWN(mem_free) char *path = in(d, "fifo");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_string_equal(take(d, ""), "fifo: no regular file|");
}

static void of_a_spool_the_new_messages_are_taken(void **state)
{
	struct drop *d = *state;
	static const char *const directories[] = { "0", "0/0", "0/0/mess", "0/0/rsnd",
		"12", "12/3", "12/3/mess", "12/3/mess/5", "x", "x/0", "x/0/mess" };
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		make_directory(d, directories[i]);
	static const char *const names[] = { "0/0/mess/a", "12/3/mess/b", "12/3/mess/c",
		"0/0/rsnd/d", "0/0/e", "0/f", "12/3/mess/5/g", "x/0/mess/h" };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		drop_file(d, names[i]);
	drop_file(d, "top");
	take(d, "");
	assert_int_equal(d->taken, 4);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(exists(d, names[i]), i >= 3);
	assert_false(exists(d, "top"));
	assert_int_equal(hall_message_count(d->hall), 4);
}

static void more_files_than_go_together_are_all_taken(void **state)
{
	struct drop *d = *state;
	for (int i = 0; i < 250; i++) {
		char name[16];
		snprintf(name, sizeof(name), "m%d", i);
		drop_file(d, name);
	}
	take(d, "");
	assert_int_equal(d->taken, 250);
	assert_int_equal(hall_message_count(d->hall), 250);
	assert_string_equal(take(d, ""), "");
}

static void what_is_not_there_is_an_error_of_the_path(void **state)
{
	struct drop *d = *state;
	take(d, "absent");
	assert_int_equal(d->err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(d->err.text, "absent"));
}

static void a_file_that_is_kept_stays_as_it_is(void **state)
{
	struct drop *d = *state;
	d->options.keep = true;
	drop_file(d, "1");
	assert_string_equal(take(d, "1"), "1|");
	assert_true(exists(d, "1"));
	assert_int_equal(hall_message_count(d->hall), 1);
	take(d, "");
	assert_int_equal(d->err.code, ERR_INVALID);
}

/* ---- exactly once ---- */

static void what_was_marked_and_not_committed_is_committed_under_its_id(void **state)
{
	struct drop *d = *state;
	int64_t id = mail_id_make(INT64_C(1790000000000), 7);
	drop_marked(d, "1", id);
	assert_string_equal(take(d, ""), "1|");
	assert_int_equal(d->id, id);
	assert_true(d->has_sender);
	assert_stored(d, CONTENT);
	assert_int_equal(sql(d->hall->store, "SELECT id FROM message"), id);
	assert_string_equal(take(d, ""), "");
}

static void what_is_in_the_queue_already_is_only_removed(void **state)
{
	struct drop *d = *state;
	int64_t id = put(d->hall->store, "x\r\n", "b@y.test", NULL);
	drop_marked(d, "1", id);
	assert_string_equal(take(d, ""), "1|");
	assert_int_equal(d->id, id);
	assert_false(d->has_sender);
	assert_string_equal(take(d, ""), "");
	assert_int_equal(hall_message_count(d->hall), 1);
}

static void what_the_retry_log_knows_is_only_removed(void **state)
{
	struct drop *d = *state;
	int64_t id = put(d->hall->store, "x\r\n", "b@y.test", NULL);
	struct queue_item *item = claim_one(d->hall->store);
	struct queue_recipient_result result = { .recipient_id = item->recipients[0].id,
		.outcome = QUEUE_OUTCOME_DELIVERED };
	struct queue_record record = {
		.time_ms = 1, .message_id = id, .domain = "y.test", .json = "{}"
	};
	struct queue_result delivered = { .item_id = item->id,
		.recipients = &result,
		.recipient_count = 1,
		.count_attempt = true,
		.records = &record,
		.record_count = 1 };
	assert_int_equal(finish_with(d->hall->store, &delivered, NULL), 0);
	queue_item_free(&item);
	assert_int_equal(hall_message_count(d->hall), 0);
	drop_marked(d, "1", id);
	assert_string_equal(take(d, ""), "1|");
	assert_string_equal(take(d, ""), "");
	assert_int_equal(hall_message_count(d->hall), 0);
}

static void a_name_that_only_looks_marked_is_a_name(void **state)
{
	struct drop *d = *state;
	drop_file(d, ".hikyaku-0123456789ABCDEF"); /* hidden */
	drop_file(d, "1.hikyaku-0123456789ABCDE");
	drop_file(d, "1.hikyaku-0123456789ABCDEX");
	take(d, "");
	assert_int_equal(d->taken, 2);
	assert_true(exists(d, ".hikyaku-0123456789ABCDEF"));
}

static void of_two_with_one_id_the_second_gets_its_name_back(void **state)
{
	struct drop *d = *state;
	int64_t id = mail_id_make(INT64_C(1790000000000), 7);
	drop_marked(d, "1", id);
	drop_marked(d, "2", id);
	take(d, "");
	assert_int_equal(d->taken, 1);
	assert_int_equal(d->refused, 1);
	assert_int_equal(exists(d, "1") + exists(d, "2"), 1);
	take(d, "");
	assert_int_equal(d->taken, 1);
	assert_true(d->id != id);
	assert_int_equal(hall_message_count(d->hall), 2);
}

static void a_file_that_somebody_else_takes_is_left_to_him(void **state)
{
	struct drop *d = *state;
	drop_marked(d, "1", mail_id_make(1, 1));
	drop_file(d, "2");
	OWN(mem_free) char *path = in(d, "2");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_string_equal(take(d, ""), "1|");
	assert_true(exists(d, "2"));
	close(fd);
	assert_string_equal(take(d, ""), "2|");
}

#ifdef WITH_FAILPOINTS
/* It is told of by the time that it has then: it is no news at the next look. */
static void a_file_that_cannot_be_removed_is_told_of_again_when_it_is_gone(void **state)
{
	struct drop *d = *state;
	char id[MAIL_ID_MAX];
	struct stat now;
	drop_file(d, "1");
	setenv("HIKYAKU_FAILPOINTS", "xmail.remove=error:EROFS", 1);
	take(d, "");
	assert_int_equal(d->taken, 1);
	assert_true(d->has_sender);
	mail_id_format(d->id, id);
	OWN(mem_free)
	char *trouble = xasprintf("1: queued as %s, but 1.hikyaku-%s cannot be", id, id);
	assert_non_null(strstr(buf_text(&d->said), trouble));
	OWN(mem_free) char *marked = xasprintf("%s/1.hikyaku-%s", d->dir, id);
	assert_int_equal(lstat(marked, &now), 0);
	assert_memory_equal(&d->st.st_ctim, &now.st_ctim, sizeof(now.st_ctim));

	const char *said = take(d, "");
	assert_true(text_has_prefix(said, strlen(said), trouble));
	assert_int_equal(d->taken, 0);

	unsetenv("HIKYAKU_FAILPOINTS");
	assert_string_equal(take(d, ""), "1|");
	assert_false(d->has_sender);
	assert_false(exists(d, marked + strlen(d->dir) + 1));
	assert_int_equal(hall_message_count(d->hall), 1);
}
#endif

/* ---- those that were refused ---- */

static void what_takes_the_place_of_a_file_that_was_read_is_not_lost(void **state)
{
	static const char newer[] = ENVELOPE "Subject: newer\r\n\r\nx\r\n";
	struct drop *d = *state;
	struct xmail *x = xmail_new(&d->options);
	OWN(mem_free) char *path = in(d, "a"), *other = in(d, "b");
	drop_file(d, "a");
	assert_int_equal(xmail_take(x, path, &d->err), 0);
	write_file(d, "b", newer, strlen(newer));
	assert_int_equal(rename(other, path), 0);
	assert_int_equal(xmail_finish(x, &d->err), 0);
	xmail_free(&x);
	assert_int_equal(d->taken, 0);
	assert_non_null(
		strstr(buf_text(&d->said), "a: another file has taken its place"));
	assert_string_equal(take(d, ""), "a|");
	assert_int_equal(d->taken, 1);
	assert_stored(d, "Subject: newer\r\n\r\nx\r\n");
}

static void a_refused_file_is_news_once_until_it_changes(void **state)
{
	(void)state;
	OWN(xmail_refused_free) struct xmail_refused *r = xmail_refused_new();
	struct stat st = { .st_ino = 1, .st_size = 5, .st_ctim = { .tv_sec = 9 } };
	xmail_refused_begin(r);
	assert_false(xmail_refused_has(r, &st, 0));
	assert_true(xmail_refused_add(r, &st, true, 0));
	assert_true(xmail_refused_has(r, &st, INT64_MAX - 1));
	st.st_ctim.tv_nsec = 1;
	assert_false(xmail_refused_has(r, &st, 0));
	assert_true(xmail_refused_add(r, &st, true, 0));
}

static void what_the_system_refused_is_tried_again_but_not_told_again(void **state)
{
	(void)state;
	OWN(xmail_refused_free) struct xmail_refused *r = xmail_refused_new();
	struct stat st = { .st_ino = 1 };
	assert_true(xmail_refused_add(r, &st, false, 100));
	assert_true(xmail_refused_has(r, &st, 100 + XMAIL_RETRY_MS - 1));
	assert_false(xmail_refused_has(r, &st, 100 + XMAIL_RETRY_MS));
	assert_false(xmail_refused_add(r, &st, false, 100 + XMAIL_RETRY_MS));
	assert_true(xmail_refused_has(r, &st, 100 + 2 * XMAIL_RETRY_MS - 1));
}

static void what_is_gone_is_forgotten_by_whole_looks_only(void **state)
{
	(void)state;
	OWN(xmail_refused_free) struct xmail_refused *r = xmail_refused_new();
	struct stat st = { .st_ino = 1 };
	xmail_refused_begin(r);
	xmail_refused_add(r, &st, true, 0);
	xmail_refused_end(r, true);
	xmail_refused_begin(r);
	xmail_refused_end(r, false);
	assert_false(xmail_refused_add(r, &st, true, 0));
	xmail_refused_begin(r);
	xmail_refused_begin(r);
	xmail_refused_end(r, true);
	assert_true(xmail_refused_add(r, &st, true, 0));
}

static void so_many_are_remembered_at_most(void **state)
{
	(void)state;
	OWN(xmail_refused_free) struct xmail_refused *r = xmail_refused_new();
	struct stat st = { 0 };
	for (; st.st_ino < XMAIL_REFUSED_MAX; st.st_ino++)
		assert_true(xmail_refused_add(r, &st, true, 0));
	assert_true(xmail_refused_is_full(r));
	assert_true(xmail_refused_add(r, &st, true, 0));
	assert_false(xmail_refused_has(r, &st, 0));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_stored_octet_for_octet_and_removed),
		TEST(line_ends_may_be_those_of_unix),
		TEST(a_recipient_without_a_domain_is_here),
		TEST(a_large_file_is_stored_whole),
		TEST(what_is_wrong_with_a_file_is_said_and_it_stays),
		TEST(a_line_without_end_is_not_read_to_its_end),
		TEST(the_limits_of_the_configuration_count),
		TEST(only_complete_files_of_the_directory_are_looked_at),
		TEST(a_fifo_does_not_stop_anybody),
		TEST(of_a_spool_the_new_messages_are_taken),
		TEST(more_files_than_go_together_are_all_taken),
		TEST(what_is_not_there_is_an_error_of_the_path),
		TEST(a_file_that_is_kept_stays_as_it_is),
		TEST(what_was_marked_and_not_committed_is_committed_under_its_id),
		TEST(what_is_in_the_queue_already_is_only_removed),
		TEST(what_the_retry_log_knows_is_only_removed),
		TEST(a_name_that_only_looks_marked_is_a_name),
		TEST(of_two_with_one_id_the_second_gets_its_name_back),
		TEST(a_file_that_somebody_else_takes_is_left_to_him),
		TEST(what_takes_the_place_of_a_file_that_was_read_is_not_lost),
#ifdef WITH_FAILPOINTS
		TEST(a_file_that_cannot_be_removed_is_told_of_again_when_it_is_gone),
#endif
		cmocka_unit_test(a_refused_file_is_news_once_until_it_changes),
		cmocka_unit_test(
			what_the_system_refused_is_tried_again_but_not_told_again),
		cmocka_unit_test(what_is_gone_is_forgotten_by_whole_looks_only),
		cmocka_unit_test(so_many_are_remembered_at_most),
	};
	return cmocka_run_group_tests_name("intake/xmail", tests, NULL, NULL);
}
