/* The few functions of libmail that the queue needs, until that is built. */
#include "mail/envelope.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

void mail_id_format(int64_t id, char out[MAIL_ID_MAX])
{
	snprintf(out, MAIL_ID_MAX, "%016llX", (unsigned long long)id);
}

int64_t mail_id_make(int64_t now_ms, uint32_t random)
{
	return now_ms << 20 | (random & 0xfffff);
}

void mail_recipient_clear(struct mail_recipient *r)
{
	free(r->address);
	free(r->orcpt);
	*r = (struct mail_recipient){ 0 };
}

void mail_envelope_clear(struct mail_envelope *m)
{
	free(m->sender);
	free(m->envid);
	*m = (struct mail_envelope){ 0 };
}

void mail_envelope_copy(struct mail_envelope *to, const struct mail_envelope *from)
{
	*to = *from;
	to->sender = xstrdup(from->sender);
	to->envid = xstrdup(from->envid);
}
