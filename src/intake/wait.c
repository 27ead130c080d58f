#include "intake/wait.h"

#include "intake/message_internal.h"

enum {
	OUTSTANDING_MAX = 300,      /* messages without an answer */
	BACKLOG_MAX = 1024 * 1024,  /* octets of one message */
	HELD_MAX = 16 * 1024 * 1024 /* octets of all of them */
};

int intake_open(const struct config *config, struct intake **out, struct err *e)
{
	struct queue_options options;
	struct queue *queue;
	queue_options_default(&options, config->queue);
	int rc = queue_open(&options, &queue, e);
	if (rc != 0)
		return rc;
	*out = intake_new(config, queue_port_new(queue, NULL, NULL));
	(*out)->queue = queue;
	return 0;
}

void intake_wait_all(struct intake *in)
{
	while (queue_port_pending(in->port))
		queue_wait(in->port);
}

void intake_close(struct intake **inp)
{
	struct intake *in = *inp;
	if (!in)
		return;
	struct queue *queue = in->queue;
	intake_wait_all(in);
	queue_port_close(&in->port);
	intake_free(inp);
	queue_close(&queue);
}

int intake_write_wait(
	struct intake_message *m, const char *bytes, size_t len, struct err *e)
{
	int rc = intake_write(m, bytes, len, e);
	while (rc == 0 && intake_backlog(m) > BACKLOG_MAX)
		queue_wait(m->in->port);
	return rc;
}

int intake_commit_wait(
	struct intake_message **m, intake_done *done, void *arg, struct err *e)
{
	struct intake *in = (*m)->in;
	int rc = intake_commit(m, done, arg, e);
	while (rc == 0 && (queue_port_pending(in->port) > OUTSTANDING_MAX ||
				  in->held_bytes > HELD_MAX))
		queue_wait(in->port);
	return rc;
}
