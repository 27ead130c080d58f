/*
 * What to say of a trouble that comes again each second: once that it is there, once that
 * it is over. Another kind of error is said, too; what lasts is said again each ten
 * minutes, and what comes and goes once a minute. Logs nothing itself.
 */
#ifndef DELIVERY_TROUBLE_H
#define DELIVERY_TROUBLE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { TROUBLE_REMIND_MS = 600 * 1000, TROUBLE_QUIET_MS = 60 * 1000, TROUBLE_KINDS = 14 };

/* All zero: none. */
struct trouble {
	bool is_said;
	struct {
		bool is_known;
		int64_t again_ms; /* may be said from then on */
	} kinds[TROUBLE_KINDS];   /* by the code of the error */
};

/* It failed, at now_ms of a clock that only goes on. true: say so. */
bool trouble_begins(struct trouble *t, enum err_code code, int64_t now_ms);
/* It worked. true: say so, for it was said that it did not. */
bool trouble_ends(struct trouble *t, int64_t now_ms);

#endif
