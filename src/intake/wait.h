/*
 * Intake for commands, which have no loop: the functions of message.h that would
 * make their source wait, waiting themselves. A queue and a port of its own; done
 * is called from any function here.
 */
#ifndef INTAKE_WAIT_H
#define INTAKE_WAIT_H

#include "intake/message.h"

/* Opens the queue of the configuration, which must outlive the intake. */
int intake_open(const struct config *config, struct intake **out, struct err *e);
/* Waits for what is under way. */
void intake_close(struct intake **in);
void intake_wait_all(struct intake *in);

/* As intake_write and intake_commit; return when not much is under way. */
int intake_write_wait(
	struct intake_message *m, const char *bytes, size_t len, struct err *e);
int intake_commit_wait(
	struct intake_message **m, intake_done *done, void *arg, struct err *e);

#endif
