/*
 * Records for the tests of the sinks: one that is ordinary, which a case then
 * changes.
 */
#ifndef TESTS_REPORT_RECORDS_H
#define TESTS_REPORT_RECORDS_H

#include "event/event.h"

enum { RECORD_TIME_S = 1795293780 }; /* 2026-11-21T20:43:00Z */

/* What a case says; NULL and 0 leave the ordinary. */
struct record_case {
	const char *outcome, *failure, *stage, *detail, *then;
	const char *address; /* "-": no connection */
	const char *mx;      /* "-": none */
	const char *channel, *rule, *rule_text, *domain;
	const char *recipient;
	int code;
	const char *enhanced, *text;
	const char *next_channel, *next_reason;
	int next_in_s;
	bool without_tls, downgraded;
	bool to_session;                     /* the reply is about no recipient alone */
	const char *second, *second_outcome; /* a further recipient */
};
void record_fill(const struct record_case *c, struct event_attempt *a);

#endif
