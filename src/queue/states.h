/*
 * The states of an item and the steps between them, as one table. The store
 * asks it before it changes a state; the reader takes the names from it.
 */
#ifndef QUEUE_STATES_H
#define QUEUE_STATES_H

#include <stdbool.h>

/* Rows keep due and held; claimed and in doubt are what claims and journals make of
 * due. Never renumber. */
enum item_state {
	ITEM_DUE = 0,
	ITEM_CLAIMED = 1,
	ITEM_IN_DOUBT = 2,
	ITEM_HELD = 3,
	ITEM_STATE_COUNT
};

enum item_step {
	ITEM_STEP_CLAIM,
	ITEM_STEP_MARK,
	ITEM_STEP_FINISH,
	ITEM_STEP_GIVE_BACK,
	ITEM_STEP_LOSE, /* its worker is gone */
	ITEM_STEP_RETRY,
	ITEM_STEP_HOLD,
	ITEM_STEP_RELEASE,
	ITEM_STEP_REMOVE,
	ITEM_STEP_COUNT
};

const char *item_state_name(enum item_state state); /* "due", "in_doubt" ... */

/* The states that a step may start from, bit by state: for SQL. */
unsigned item_step_mask(enum item_step step);
bool item_step_is_legal(enum item_step step, enum item_state from);

#endif
