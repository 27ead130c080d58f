/*
 * Values of the configuration and the command line, each of them as every kind: retry
 * schedules, durations, instants, sizes, addresses and ranges. What is read and written
 * is the same when it is read again.
 */
#include "fuzz.h"

#include "base/addr.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/timefmt.h"
#include "mail/envelope.h"
#include "policy/retry.h"

#include <string.h>

enum { SCHEDULE_MAX = 4096, DELAY_MAX_S = 30 * 86400 };

static void schedule(const char *s)
{
	struct policy_retry retry, again;
	char why[POLICY_TEXT_MAX], text[SCHEDULE_MAX], same[SCHEDULE_MAX];
	if (!policy_retry_parse(s, &retry, why)) {
		ASSERT(*why && strlen(why) < sizeof(why));
		return;
	}
	ASSERT(retry.count >= 1 && retry.count <= POLICY_RETRY_STEPS_MAX);
	policy_retry_format(&retry, text, sizeof(text));
	ASSERT(policy_retry_parse(text, &again, why));
	policy_retry_format(&again, same, sizeof(same));
	ASSERT(strcmp(text, same) == 0);
	for (unsigned attempt = 1; attempt < 70; attempt++) {
		uint32_t delay = policy_retry_delay_s(&retry, attempt, 0, attempt);
		ASSERT(delay >= 1 && delay <= DELAY_MAX_S);
		ASSERT(delay == policy_retry_delay_s(&again, attempt, 0, 0));
		delay = policy_retry_delay_s(
			&retry, attempt, 1000, 0xffffffffU * (attempt & 1));
		ASSERT(delay >= 1 && delay <= 2 * DELAY_MAX_S);
	}
}

static void times(const char *s)
{
	int64_t ms, again;
	char text[TIMEFMT_MAX];
	if (timefmt_parse_duration(s, &ms)) {
		timefmt_duration(ms, text);
		ASSERT(timefmt_parse_duration(text, &again) && again == ms);
		timefmt_human(ms, text);
		ASSERT(fuzz_is_clean(text, ""));
	}
	/* Before 1970 there is nothing to be read again. */
	if (timefmt_parse_instant(s, 1795293780000, &ms) && ms >= 0) {
		timefmt_rfc3339(ms, text);
		ASSERT(timefmt_parse_instant(text, 0, &again) && again == ms);
		timefmt_rfc5322(ms, text);
		ASSERT(strlen(text) < TIMEFMT_MAX);
	}
}

static void addresses(const char *s)
{
	struct addr a, again;
	struct addr_range r;
	struct err e = { 0 };
	char text[ADDR_TEXT_MAX];
	if (!addr_parse_with_port(s, 53, &a, &e)) {
		addr_format_with_port(&a, text);
		ASSERT(!addr_parse_with_port(text, 0, &again, &e) &&
			addr_equal(&a, &again));
	} else {
		ASSERT(*e.text);
	}
	if (!addr_range_parse(s, &r, &e))
		ASSERT(addr_in_range(&r.base, &r));
}

void fuzz_values(const uint8_t *data, size_t len)
{
	OWN(mem_free) char *s = xstrndup((const char *)data, len);
	unsigned long long size;
	int64_t id;
	char text[MAIL_ID_MAX];
	schedule(s);
	times(s);
	addresses(s);
	(void)text_parse_size(s, &size);
	if (mail_id_parse(s, &id)) {
		mail_id_format(id, text);
		ASSERT(text_equal(text, s));
	}
}
