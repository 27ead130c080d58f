/*
 * Records of the retry log (event/event.h), and what is told of them: in log lines, in
 * the log for people. A record that is read and written is the same when it is read
 * again; nothing that is told ends a line, or has a control character in it.
 */
#include "fuzz.h"

#include "base/err.h"
#include "base/mem.h"
#include "event/event.h"
#include "report/log_line.h"
#include "report/retry_log.h"

#include <stdlib.h>
#include <string.h>

static void check_lines(const struct event_attempt *a)
{
	struct buf line = BUF_INIT;
	log_line_format_host(a, &line);
	ASSERT(fuzz_is_clean(buf_text(&line), ""));
	for (size_t i = 0; i < a->recipient_count; i++) {
		char status[EVENT_STATUS_MAX];
		buf_reset(&line);
		log_line_format(a, i, &line);
		ASSERT(fuzz_is_clean(buf_text(&line), ""));
		event_attempt_status(a, i, status);
		ASSERT(status[1] == '.');
	}
	buf_clear(&line);
}

static void check_story(const struct event_attempt *a)
{
	const struct retry_log_style style = { .width = 80 };
	struct retry_log log;
	struct buf out = BUF_INIT;
	retry_log_init(&log, &style);
	retry_log_tell(&log, a, &out);
	retry_log_tell(&log, a, &out);
	ASSERT(fuzz_is_clean(buf_text(&out), "\n"));
	buf_clear(&out);
}

void fuzz_event(const uint8_t *data, size_t len)
{
	OWN(mem_free) char *json = xstrndup((const char *)data, len);
	struct event_attempt a = { 0 }, b = { 0 };
	struct err e = { 0 };
	if (event_attempt_from_json(json, &a, &e)) {
		ASSERT(e.code == ERR_INVALID && fuzz_is_clean(e.text, ""));
	} else {
		OWN(mem_free) char *text = event_attempt_to_json(&a);
		int rc = event_attempt_from_json(text, &b, &e);
		ASSERT(rc == 0 && !strchr(text, '\n'));
		OWN(mem_free) char *same = event_attempt_to_json(&b);
		ASSERT(strcmp(text, same) == 0);
		check_lines(&a);
		check_story(&a);
		(void)event_attempt_is_downgrade(&a);
	}
	event_attempt_clear(&a);
	event_attempt_clear(&b);
}
