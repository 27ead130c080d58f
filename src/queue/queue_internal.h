/*
 * For the files of the front and for the tests: how a request gets to the
 * store thread, and what tests look at.
 */
#ifndef QUEUE_QUEUE_INTERNAL_H
#define QUEUE_QUEUE_INTERNAL_H

#include "queue/request.h"

/* Hands the request over; its completion comes on the port. */
void queue_submit(struct queue_port *p, struct request *r);
/* Hands it over and waits for it; the caller frees it. */
void queue_submit_and_wait(struct queue_port *p, struct request *r);
/* Completes it with the error that it has, in turn, without the store. */
void queue_refuse(struct queue_port *p, struct request *r);

/* Tests: the store thread leaves requests alone until it is let go on. */
void queue_pause(struct queue *q, bool paused);
uint64_t queue_commits(struct queue *q);
uint64_t queue_steps(struct queue *q); /* work done so far, see store_steps */

#endif
