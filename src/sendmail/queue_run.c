#include "sendmail/queue_run.h"

#include "base/mem.h"
#include "queue/queue.h"
#include "queue/reader.h"
#include "sendmail/queue_list.h"
#include "sendmail/say.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { BUSY_TIMEOUT_MS = 5000, SELF_MAX = 4096 };

struct ids {
	int64_t *list;
	size_t count, cap;
};

static int collect(const struct sendmail_options *options, const char *queue,
	struct ids *ids, struct err *e)
{
	struct queue_reader *r;
	struct queue_entry entry;
	int rc = queue_reader_open(queue, BUSY_TIMEOUT_MS, &r, e);
	if (rc != 0)
		return rc;
	for (int64_t id = 0; queue_reader_next(r, id, &entry, e);
		id = entry.envelope.id) {
		if (!queue_list_matches(&options->selection, &entry))
			continue;
		if (ids->count == ids->cap) {
			ids->cap = ids->cap ? 2 * ids->cap : 64;
			ids->list =
				xreallocarray(ids->list, ids->cap, sizeof(*ids->list));
		}
		ids->list[ids->count++] = entry.envelope.id;
	}
	queue_reader_close(&r);
	return e->code;
}

/* A message that has left meanwhile is no error. */
static void on_retry(void *arg, size_t affected, size_t busy, const struct err *e)
{
	struct err *first = arg;
	(void)affected;
	(void)busy;
	if (e && e->code != ERR_NOT_FOUND && first->code == ERR_OK)
		*first = *e;
}

static int make_due(const char *path, const struct ids *ids, struct err *e)
{
	struct queue_options options;
	struct queue *queue;
	queue_options_default(&options, path);
	options.create = false;
	int rc = queue_open(&options, &queue, e);
	if (rc != 0)
		return rc;
	struct queue_port *port = queue_port_new(queue, NULL, NULL);
	for (size_t i = 0; i < ids->count; i++) {
		struct queue_selection one = { .id = ids->list[i] };
		queue_operate(port, QUEUE_RETRY, &one, on_retry, e);
	}
	while (queue_port_pending(port))
		queue_wait(port);
	queue_port_close(&port);
	queue_close(&queue);
	return e->code;
}

/* EX_OK with any_out false: there is nothing to run for. */
static int select_messages(
	const struct sendmail_options *options, const char *queue, bool *any_out)
{
	struct ids ids = { 0 };
	struct err e = { 0 };
	int status = EX_OK;
	if (collect(options, queue, &ids, &e) != 0 || make_due(queue, &ids, &e) != 0)
		status = say_fail_queue("queue not run", &e);
	else if (!ids.count)
		say_fail(EX_OK, "nothing in the queue is like that");
	*any_out = ids.count > 0;
	free(ids.list);
	return status;
}

/* The program of the same build, which stands beside this one wherever that is; what
 * this one was called as may be a link. */
static char *find_hikyaku(void)
{
	char self[SELF_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[len > 0 ? len : 0] = '\0';
	char *slash = strrchr(self, '/');
	if (slash) {
		*slash = '\0';
		OWN(mem_free) char *beside = xasprintf("%s/hikyaku", self);
		if (access(beside, X_OK) == 0)
			return MOVE(beside);
	}
	return xstrdup(HIKYAKU_BINDIR "/hikyaku");
}

int queue_run(const struct sendmail_options *options, const struct config *config)
{
	bool any = true;
	int status = EX_OK;
	if (options->selects)
		status = select_messages(options, config->queue, &any);
	if (status != EX_OK || !any)
		return status;
	OWN(mem_free) char *program = find_hikyaku();
	char *words[] = { program, (char *)"-c", (char *)(uintptr_t)config->path,
		(char *)"run", (char *)"--once", NULL };
	if (!config->path) {
		words[1] = (char *)"run";
		words[2] = (char *)"--once";
		words[3] = NULL;
	}
	execv(program, words);
	return say_fail(EX_UNAVAILABLE,
		"run %s: %s; hikyaku-sendmail and hikyaku are installed together",
		program, strerror(errno));
}
