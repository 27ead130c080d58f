#include "queue/states.h"

#include "base/err.h"

#define FROM(state) (1u << ITEM_##state)

static const unsigned legal_from[] = {
	[ITEM_STEP_CLAIM] = FROM(DUE),
	/* Twice: a host refused before the dot, another one is next. */
	[ITEM_STEP_MARK] = FROM(CLAIMED) | FROM(IN_DOUBT),
	[ITEM_STEP_FINISH] = FROM(CLAIMED) | FROM(IN_DOUBT),
	[ITEM_STEP_GIVE_BACK] = FROM(CLAIMED),
	[ITEM_STEP_LOSE] = FROM(CLAIMED) | FROM(IN_DOUBT),
	[ITEM_STEP_RETRY] = FROM(DUE),
	[ITEM_STEP_HOLD] = FROM(DUE),
	[ITEM_STEP_RELEASE] = FROM(HELD),
	[ITEM_STEP_REMOVE] = FROM(DUE) | FROM(HELD),
};
_Static_assert(sizeof(legal_from) / sizeof(legal_from[0]) == ITEM_STEP_COUNT,
	"every step has a row");

static const char *const names[] = {
	[ITEM_DUE] = "due",
	[ITEM_CLAIMED] = "claimed",
	[ITEM_IN_DOUBT] = "in_doubt",
	[ITEM_HELD] = "held",
};
_Static_assert(
	sizeof(names) / sizeof(names[0]) == ITEM_STATE_COUNT, "every state has a name");

const char *item_state_name(enum item_state state)
{
	/* Comes from a file: a number nobody wrote must not end the program. */
	return (unsigned)state < ITEM_STATE_COUNT ? names[state] : "unknown";
}

unsigned item_step_mask(enum item_step step)
{
	ASSERT((unsigned)step < ITEM_STEP_COUNT);
	return legal_from[step];
}

bool item_step_is_legal(enum item_step step, enum item_state from)
{
	return (unsigned)from < ITEM_STATE_COUNT && (item_step_mask(step) >> from & 1);
}
