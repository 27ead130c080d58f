/*
 * Those who live in the worker and take mail in: the listener, and the watch over XMail's
 * directory. They and the delivery do not know each other.
 */
#ifndef CLI_RUN_GUESTS_H
#define CLI_RUN_GUESTS_H

#include "delivery/worker.h"

struct intake_listener;
struct xmail_watch;

enum { RUN_GUESTS = 2 };

/* The worker opens and closes them; NULL before and after. */
struct run_guests {
	struct intake_listener *listener;
	struct xmail_watch *xmail;
	struct worker_guest list[RUN_GUESTS]; /* they point into this struct */
};
void run_guests_init(struct run_guests *g);

#endif
