#include "delivery/trouble.h"

_Static_assert(-ERR_UNSUPPORTED < TROUBLE_KINDS, "every code has a place");

bool trouble_begins(struct trouble *t, enum err_code code, int64_t now_ms)
{
	unsigned kind = (unsigned)-code;
	ASSERT(kind < TROUBLE_KINDS);
	if (t->kinds[kind].is_known && now_ms < t->kinds[kind].again_ms)
		return false;
	t->kinds[kind].is_known = true;
	t->kinds[kind].again_ms = now_ms + TROUBLE_REMIND_MS;
	t->is_said = true;
	return true;
}

bool trouble_ends(struct trouble *t, int64_t now_ms)
{
	bool was_said = t->is_said;
	t->is_said = false;
	if (!was_said)
		return false;
	for (unsigned i = 0; i < TROUBLE_KINDS; i++)
		t->kinds[i].again_ms = now_ms + TROUBLE_QUIET_MS;
	return true;
}
