/*
 * For the tests of the intake: a real queue (tests/queue/fixture.h), a configuration
 * to play with, and sessions that are fed text.
 */
#ifndef TESTS_INTAKE_FIXTURE_H
#define TESTS_INTAKE_FIXTURE_H

#include "base/buf.h"
#include "config/config.h"
#include "intake/message.h"
#include "intake/session.h"
#include "tests/queue/fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

struct hall {
	struct fixture *store;
	struct config *config; /* hostname host.test; a test may change what it likes */
	struct intake *intake; /* on the port of store */
};

/* *state is a struct hall. */
int hall_setup(void **state);
int hall_setup_closed(void **state); /* without queue and intake */
int hall_teardown(void **state);

void hall_open(struct hall *h);
void hall_close(struct hall *h);

void hall_wait(struct hall *h); /* until all that is asked of the queue is answered */
unsigned hall_message_count(struct hall *h);
/* What is stored of the only item that is due; free it. */
struct queue_item *hall_only_item(struct hall *h);

#endif
