/* Requests of workers and operators: copies of what was handed over. */
#include "queue/queue_internal.h"

#include "base/mem.h"
#include "base/timefmt.h"

#include <stdlib.h>
#include <string.h>

enum { BODY_PIECE_MAX = 1024 * 1024 };

void queue_item_free(struct queue_item **itemp)
{
	struct queue_item *item = *itemp;
	if (!item)
		return;
	*itemp = NULL;
	for (size_t i = 0; i < item->recipient_count; i++)
		mail_recipient_clear(&item->recipients[i]);
	free(item->recipients);
	mail_envelope_clear(&item->envelope);
	free(item->domain);
	free(item->next_channel);
	free(item->channel_reason);
	free(item->last_host);
	free(item->body);
	free(item);
}

int64_t queue_item_arrival_ms(const struct queue_item *item)
{
	int64_t step_ms = clock_offset_ms() - item->clock_offset_ms;
	bool has_step = item->clock_offset_ms && clock_is_step(step_ms);
	return item->envelope.arrival_ms + (has_step ? step_ms : 0);
}

int queue_worker_register(struct queue_port *p, int64_t lease_s, struct err *e)
{
	OWN(request_free) struct request *r = request_new(REQUEST_REGISTER, NULL, NULL);
	r->reg.lease_s = lease_s;
	queue_submit_and_wait(p, r);
	if (r->err.code && e)
		*e = r->err;
	return r->err.code;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void queue_claim_due(struct queue_port *p, const struct queue_claim *claim,
	queue_claim_cb *cb, void *arg)
{
	struct request *r = request_new(REQUEST_CLAIM, (void (*)(void))cb, arg);
	size_t n = claim->exclude_count;
	const char **exclude = request_copy(r, claim->exclude, n * sizeof(*exclude));
	for (size_t i = 0; i < n; i++)
		exclude[i] = request_strdup(r, claim->exclude[i]);
	if (n)
		qsort(exclude, n, sizeof(*exclude), compare_names);
	struct queue_claim_only *only =
		request_copy(r, claim->only, claim->only_count * sizeof(*only));
	for (size_t i = 0; i < claim->only_count; i++)
		only[i].domain = request_strdup(r, only[i].domain);
	r->claim.claim = *claim;
	r->claim.claim.only = only;
	r->claim.claim.exclude = exclude;
	queue_submit(p, r);
}

void queue_body_read(struct queue_port *p, int64_t message_id, uint64_t offset,
	size_t max, queue_body_cb *cb, void *arg)
{
	struct request *r = request_new(REQUEST_BODY, (void (*)(void))cb, arg);
	r->body.message_id = message_id;
	r->body.offset = offset;
	r->body.max = max && max < BODY_PIECE_MAX ? max : BODY_PIECE_MAX;
	queue_submit(p, r);
}

static void copy_messages(struct request *r, const struct queue_result *from)
{
	struct queue_new_message *list =
		request_copy(r, from->messages, from->message_count * sizeof(*list));
	for (size_t i = 0; i < from->message_count; i++) {
		struct queue_new_message *m = &list[i];
		m->envelope.sender =
			request_strdup(r, m->envelope.sender ? m->envelope.sender : "");
		m->envelope.envid = request_strdup(r, m->envelope.envid);
		m->recipients =
			request_copy_recipients(r, m->recipients, m->recipient_count);
		m->body = request_copy(r, m->body, m->body_len);
		m->tail = request_copy(r, m->tail, m->tail_len);
		m->story.told = request_copy(r, m->story.told, m->story.told_len);
		m->story.domain = request_strdup(r, m->story.domain);
	}
	r->result.messages = list;
}

static void copy_records(struct request *r, const struct queue_result *from)
{
	struct queue_record *list =
		request_copy(r, from->records, from->record_count * sizeof(*list));
	for (size_t i = 0; i < from->record_count; i++) {
		list[i].domain = request_strdup(r, list[i].domain);
		list[i].json = request_strdup(r, list[i].json);
	}
	r->result.records = list;
}

void queue_finish(struct queue_port *p, const struct queue_result *result,
	queue_done_cb *cb, void *arg)
{
	struct request *r = request_new(REQUEST_FINISH, (void (*)(void))cb, arg);
	size_t n = result->recipient_count;
	struct queue_recipient_result *recipients =
		request_copy(r, result->recipients, n * sizeof(*recipients));
	for (size_t i = 0; i < n; i++)
		recipients[i].text = request_strdup(r, recipients[i].text);
	r->result = *result;
	r->result.recipients = recipients;
	r->result.next_channel = request_strdup(r, result->next_channel);
	r->result.channel_reason = request_strdup(r, result->channel_reason);
	r->result.memory_channel = request_strdup(r, result->memory_channel);
	r->result.memory_reason = request_strdup(r, result->memory_reason);
	copy_records(r, result);
	copy_messages(r, result);
	queue_submit(p, r);
}

void queue_give_back(struct queue_port *p, const int64_t *item_ids, size_t count,
	queue_done_cb *cb, void *arg)
{
	struct request *r = request_new(REQUEST_GIVE_BACK, (void (*)(void))cb, arg);
	r->give_back.ids = request_copy(r, item_ids, count * sizeof(*item_ids));
	r->give_back.count = count;
	queue_submit(p, r);
}

void queue_operate(struct queue_port *p, enum queue_verb verb,
	const struct queue_selection *selection, queue_operate_cb *cb, void *arg)
{
	struct request *r = request_new(REQUEST_OPERATE, (void (*)(void))cb, arg);
	r->operate.verb = verb;
	r->operate.selection.id = selection->id;
	r->operate.selection.domain = request_strdup(r, selection->domain);
	queue_submit(p, r);
}

void queue_prune(struct queue_port *p, int64_t before_ms, queue_done_cb *cb, void *arg)
{
	struct request *r = request_new(REQUEST_PRUNE, (void (*)(void))cb, arg);
	r->prune.before_ms = before_ms;
	queue_submit(p, r);
}

void queue_set_note(struct queue_port *p, const char *name, const char *value)
{
	struct request *r = request_new(REQUEST_NOTE, NULL, NULL);
	r->note.name = request_strdup(r, name);
	r->note.value = request_strdup(r, value);
	queue_submit(p, r);
}
