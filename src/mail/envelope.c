#include "mail/envelope.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* Milliseconds in the upper 43 bits (until the year 2248), chance below. */
enum { ID_RANDOM_BITS = 20, ID_TIME_BITS = 43 };

void mail_id_format(int64_t id, char out[MAIL_ID_MAX])
{
	snprintf(out, MAIL_ID_MAX, "%016llX", (unsigned long long)id);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool mail_id_parse(const char *s, int64_t *id_out)
{
	uint64_t id = 0;
	size_t i;
	for (i = 0; s[i]; i++) {
		int digit = hex_value(s[i]);
		if (digit < 0 || i == MAIL_ID_MAX - 1)
			return false;
		id = id << 4 | (unsigned)digit;
	}
	if (i != MAIL_ID_MAX - 1 || id > INT64_MAX)
		return false;
	*id_out = (int64_t)id;
	return true;
}

int64_t mail_id_make(int64_t now_ms, uint32_t random)
{
	uint64_t time = (uint64_t)now_ms & ((1ULL << ID_TIME_BITS) - 1);
	uint64_t chance = random & ((1U << ID_RANDOM_BITS) - 1);
	return (int64_t)(time << ID_RANDOM_BITS | chance);
}

void mail_recipient_clear(struct mail_recipient *r)
{
	mem_free(&r->address);
	mem_free(&r->orcpt);
	*r = (struct mail_recipient){ 0 };
}

void mail_envelope_clear(struct mail_envelope *m)
{
	mem_free(&m->sender);
	mem_free(&m->envid);
	*m = (struct mail_envelope){ 0 };
}

void mail_envelope_copy(struct mail_envelope *to, const struct mail_envelope *from)
{
	*to = *from;
	to->sender = xstrdup(from->sender);
	to->envid = xstrdup(from->envid);
}
