/* Reads records as JSON, one a line, and shows them by a sink:
 * tell line FILE (log lines, to FILE), tell story [WIDTH] [color]. And without
 * input: tell names (of the members), tell handshake (a line of the TLS log). */
#include "base/log.h"
#include "report/log_line.h"
#include "report/retry_log.h"
#include "report/tls_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool tell_names(const char *what)
{
	struct event_attempt a = { .has_tls = true, .reply = { .code = 250 } };
	struct event_tls_handshake h = { 0 };
	struct buf out = BUF_INIT;
	if (strcmp(what, "handshake") == 0) {
		tls_log_format(&h, &out);
	} else if (strcmp(what, "names") == 0) {
		event_attempt_add_recipient(&a, "a@example.org", "delivered");
		char *json = event_attempt_to_json(&a);
		buf_addstr(&out, json);
		free(json);
		event_attempt_clear(&a);
	} else {
		return false;
	}
	puts(buf_text(&out));
	buf_clear(&out);
	return true;
}

int main(int argc, char **argv)
{
	struct retry_log_style style = { .width = argc > 2 ? (unsigned)atoi(argv[2]) : 0,
		.color = argc > 3 };
	struct retry_log log;
	struct buf out = BUF_INIT;
	struct event_attempt a;
	struct err e = { 0 };
	char *line = NULL;
	size_t size = 0;
	bool lines = argc == 3 && strcmp(argv[1], "line") == 0;
	if (argc == 2 && tell_names(argv[1]))
		return 0;
	retry_log_init(&log, &style);
	if (lines && log_open(argv[2], "hikyaku", &e) != 0)
		return 1;
	while (getline(&line, &size, stdin) > 0) {
		if (event_attempt_from_json(line, &a, &e) != 0) {
			fprintf(stderr, "%s: %s", e.text, line);
			return 1;
		}
		if (lines)
			log_line_sink.attempt(log_line_sink.arg, &a);
		else
			retry_log_tell(&log, &a, &out);
		event_attempt_clear(&a);
	}
	fputs(buf_text(&out), stdout);
	buf_clear(&out);
	free(line);
	log_close();
	return 0;
}
