#include "report/tls_log.h"

#include "base/mem.h"
#include "records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct event_tls_handshake good = {
	.time_ms = 1795293780123,
	.id = 0x1abcdef,
	.domain = "example.com",
	.mx = "mx1.example.com",
	.address = "192.0.2.1",
	.port = 25,
	.sni = "mx1.example.com",
	.ok = true,
	.version = "TLS1.3",
	.cipher = "TLS_AES_256_GCM_SHA384",
	.group = "X25519",
	.peer = "CN=mx1.example.com,O=Example Inc",
	.fingerprint = "00ff",
	.not_after = "2027-01-01T00:00:00Z",
	.verify_text = "",
	.verified = true,
	.duration_ms = 42,
};

static const char good_line[] =
	"2026-11-21T20:43:00.123Z handshake id=0000000001ABCDEF domain=example.com "
	"mx=mx1.example.com address=192.0.2.1 port=25 sni=mx1.example.com "
	"version=TLS1.3 cipher=TLS_AES_256_GCM_SHA384 group=X25519 "
	"peer=\"CN=mx1.example.com,O=Example Inc\" fingerprint=00ff "
	"not_after=2027-01-01T00:00:00Z verified=yes why=- resumed=no duration_ms=42 "
	"stage=- error=-\n";

static const char bad_line[] =
	"2026-11-21T20:43:00.123Z error id=0000000001ABCDEF domain=example.com "
	"mx=mx1.example.com address=192.0.2.1 port=25 sni=- version=- cipher=- group=- "
	"peer=- fingerprint=- not_after=- verified=no why=- resumed=no duration_ms=7 "
	"stage=tls error=\"fatal alert: \\\"handshake failure\\\" a\\\\b ?[31m x\"\n";

static void a_handshake_is_one_line(void **state)
{
	(void)state;
	struct buf line = BUF_INIT;
	tls_log_format(&good, &line);
	assert_string_equal(buf_text(&line), good_line);
	buf_clear(&line);
}

static void an_error_has_the_same_keys_and_its_text_cannot_break_out(void **state)
{
	(void)state;
	const struct event_tls_handshake h = { .time_ms = good.time_ms,
		.id = good.id,
		.domain = good.domain,
		.mx = good.mx,
		.address = good.address,
		.port = 25,
		.duration_ms = 7,
		.stage = "tls",
		.error = "fatal alert: \"handshake failure\" a\\b \033[31m\r\nx" };
	struct buf line = BUF_INIT;
	tls_log_format(&h, &line);
	assert_string_equal(buf_text(&line), bad_line);
	buf_clear(&line);
}

static void a_value_that_looks_like_nothing_is_quoted(void **state)
{
	(void)state;
	struct event_tls_handshake h = good;
	struct buf line = BUF_INIT;
	h.domain = "-";
	h.sni = "a=b";
	tls_log_format(&h, &line);
	assert_non_null(strstr(buf_text(&line), " domain=\"-\" "));
	assert_non_null(strstr(buf_text(&line), " sni=\"a=b\" "));
	buf_clear(&line);
}

static char *read_file(const char *path)
{
	char text[4096];
	FILE *f = fopen(path, "r");
	if (!f)
		return NULL;
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	return xstrndup(text, n);
}

static void assert_file(const char *path, const char *expected)
{
	char *text = read_file(path);
	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

static void rotation_goes_on_in_a_new_file(void **state)
{
	(void)state;
	char dir[] = "/tmp/hikyaku-test-XXXXXX", path[64], old[64];
	struct tls_log *log = NULL;
	struct err e = { 0 };
	struct stat st;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/tls.log", dir);
	snprintf(old, sizeof(old), "%s/tls.log.1", dir);
	assert_int_equal(tls_log_open(path, &log, &e), 0);
	const struct event_sink *sink = tls_log_sink(log);
	sink->handshake(sink->arg, &good);
	assert_int_equal(rename(path, old), 0);
	sink->handshake(sink->arg, &good); /* still the old file */
	assert_int_equal(tls_log_reopen(log, &e), 0);
	sink->handshake(sink->arg, &good);
	assert_file(path, good_line);
	char *two = xasprintf("%s%s", good_line, good_line);
	assert_file(old, two);
	free(two);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0137, 0);
	tls_log_close(&log);
	tls_log_close(&log);
	unlink(path);
	unlink(old);
	rmdir(dir);
}

static const struct {
	const char *name;
	struct record_case record;
	const char *tail; /* NULL: no line */
} attempt_cases[] = {
	{ "a refused STARTTLS",
		{ .outcome = "deferred",
			.failure = "starttls_refused",
			.stage = "starttls",
			.without_tls = true },
		"stage=starttls error=\"the host refused STARTTLS\"\n" },
	{ "a refused STARTTLS, and then a delivery in plaintext",
		{ .channel = "plaintext",
			.failure = "starttls_refused",
			.code = 250,
			.without_tls = true },
		"stage=starttls error=\"the host refused STARTTLS\"\n" },
	{ "TLS that cannot begin",
		{ .outcome = "deferred",
			.failure = "tls_init",
			.stage = "final",
			.detail = "no version",
			.without_tls = true },
		"stage=tls error=\"TLS could not be started on our side: no "
		"version\"\n" },
	{ "a failed handshake has its line already",
		{ .outcome = "deferred",
			.failure = "tls_handshake",
			.without_tls = true },
		NULL },
	{ "a delivery", { .code = 250 }, NULL },
};

static void an_error_before_the_handshake_has_a_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(attempt_cases); i++) {
		char path[] = "/tmp/hikyaku-test-XXXXXX";
		struct event_attempt a;
		struct tls_log *log = NULL;
		struct err e = { 0 };
		close(mkstemp(path));
		assert_int_equal(tls_log_open(path, &log, &e), 0);
		record_fill(&attempt_cases[i].record, &a);
		tls_log_sink(log)->attempt(tls_log_sink(log)->arg, &a);
		char *text = read_file(path);
		const char *tail = attempt_cases[i].tail;
		if (!tail ? *text
			  : strncmp(text, "2026-11-21T20:43:00Z error ", 27) != 0 ||
					!strstr(text, tail))
			fail_msg("%s: %s", attempt_cases[i].name, text);
		free(text);
		tls_log_close(&log);
		event_attempt_clear(&a);
		unlink(path);
	}
}

static void a_path_that_cannot_be_opened_is_named(void **state)
{
	(void)state;
	struct tls_log *log = NULL;
	struct err e = { 0 };
	assert_int_equal(tls_log_open("/nonexistent/tls.log", &log, &e), ERR_NOT_FOUND);
	assert_non_null(strstr(e.text, "/nonexistent/tls.log"));
	assert_null(log);
}

static void a_reopen_that_fails_keeps_the_old_file(void **state)
{
	(void)state;
	char dir[] = "/tmp/hikyaku-test-XXXXXX", path[64], moved[80];
	struct tls_log *log = NULL;
	struct err e = { 0 };
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/tls.log", dir);
	snprintf(moved, sizeof(moved), "%s.moved", path);
	assert_int_equal(tls_log_open(path, &log, &e), 0);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(mkdir(path, 0700), 0); /* in its way */
	assert_true(tls_log_reopen(log, &e) < 0);
	tls_log_sink(log)->handshake(tls_log_sink(log)->arg, &good);
	assert_file(moved, good_line);
	tls_log_close(&log);
	rmdir(path);
	unlink(moved);
	rmdir(dir);
}

static void a_full_disk_stops_nothing(void **state)
{
	(void)state;
	struct tls_log *log = NULL;
	struct err e = { 0 };
	if (access("/dev/full", W_OK) != 0)
		skip();
	assert_int_equal(tls_log_open("/dev/full", &log, &e), 0);
	tls_log_sink(log)->handshake(tls_log_sink(log)->arg, &good);
	tls_log_sink(log)->handshake(tls_log_sink(log)->arg, &good);
	tls_log_close(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handshake_is_one_line),
		cmocka_unit_test(
			an_error_has_the_same_keys_and_its_text_cannot_break_out),
		cmocka_unit_test(a_value_that_looks_like_nothing_is_quoted),
		cmocka_unit_test(rotation_goes_on_in_a_new_file),
		cmocka_unit_test(an_error_before_the_handshake_has_a_line),
		cmocka_unit_test(a_path_that_cannot_be_opened_is_named),
		cmocka_unit_test(a_reopen_that_fails_keeps_the_old_file),
		cmocka_unit_test(a_full_disk_stops_nothing),
	};
	return cmocka_run_group_tests_name("tls_log", tests, NULL, NULL);
}
