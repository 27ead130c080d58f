/*
 * An answer as one line, so that a test compares text: "ok 300: 10 mx.test, 20 b",
 * "ok 60 secure: 192.0.2.1", "no data 60", "no name 60", "temporary: SERVFAIL".
 */
#ifndef TESTS_DNS_DESCRIBE_H
#define TESTS_DNS_DESCRIBE_H

#include "base/buf.h"
#include "dns/dns.h"

static inline void describe(const struct dns_answer *a, struct buf *out)
{
	static const char *const names[] = { "ok", "no data", "no name", "temporary" };
	char text[ADDR_TEXT_MAX];
	buf_reset(out);
	buf_addstr(out, names[a->status]);
	if (a->status == DNS_TEMPORARY) {
		buf_addf(out, ": %s", a->text);
		return;
	}
	buf_addf(out, " %u%s", a->ttl_s, a->is_secure ? " secure" : "");
	for (size_t i = 0; i < a->mx_count; i++)
		buf_addf(out, "%s%u %s", i ? ", " : ": ", a->mx[i].preference,
			*a->mx[i].host ? a->mx[i].host : ".");
	for (size_t i = 0; i < a->addr_count; i++) {
		addr_format(&a->addrs[i], text);
		buf_addf(out, "%s%s", i ? ", " : ": ", text);
	}
}

#endif
