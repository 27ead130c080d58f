#include "queue/request.h"

#include "base/mem.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Blocks of memory for what does not fit into the request itself, freed with it. */
struct request_mem {
	struct request_mem *next;
	size_t used, size;
	max_align_t bytes[];
};

enum { MEM_BLOCK = 1024 };

struct request *request_new(enum request_kind kind, void (*cb)(void), void *arg)
{
	struct request *r = xmalloc(sizeof(*r));
	memset(r, 0, offsetof(struct request, err));
	r->err.code = ERR_OK;
	r->err.text[0] = '\0';
	r->kind = kind;
	r->cb = cb;
	r->arg = arg;
	return r;
}

void stage_unref(struct stage *stage)
{
	if (stage && atomic_fetch_sub(&stage->refs, 1) == 1)
		free(stage);
}

void request_reset_answer(struct request *r)
{
	switch (r->kind) {
	case REQUEST_STAGE:
	case REQUEST_PUT:
	case REQUEST_UNSTAGE:
		r->put.stage->num = r->put.stage->committed_num;
		r->put.id = 0;
		break;
	case REQUEST_CLAIM:
		for (size_t i = 0; i < r->claim.count; i++)
			queue_item_free(&r->claim.items[i]);
		free(r->claim.items);
		r->claim.items = NULL;
		r->claim.count = 0;
		break;
	case REQUEST_BODY:
		free(r->body.bytes);
		r->body.bytes = NULL;
		r->body.len = 0;
		break;
	case REQUEST_OPERATE:
		r->operate.affected = r->operate.affected_before;
		r->operate.busy = r->operate.busy_before;
		break;
	default:
		break;
	}
}

static bool has_stage(const struct request *r)
{
	return r->kind == REQUEST_STAGE || r->kind == REQUEST_PUT ||
	       r->kind == REQUEST_UNSTAGE;
}

void request_free(struct request **rp)
{
	struct request *r = *rp;
	if (!r)
		return;
	*rp = NULL;
	if (has_stage(r)) {
		atomic_fetch_sub(&r->put.stage->backlog, r->put.len);
		stage_unref(r->put.stage);
		free(r->put.bytes);
		mail_envelope_clear(&r->put.envelope);
	} else {
		request_reset_answer(r);
		if (r->kind == REQUEST_CLAIM && r->claim.claim.gate)
			r->claim.claim.gate->free(r->claim.claim.gate);
	}
	while (r->mem) {
		struct request_mem *next = r->mem->next;
		free(r->mem);
		r->mem = next;
	}
	free(r);
}

static void deliver_claim(struct request *r, const struct err *e)
{
	queue_claim_cb *cb = (queue_claim_cb *)r->cb;
	cb(r->arg, r->claim.items, r->claim.count, e ? INT64_MAX : r->claim.next_due_ms,
		e);
	r->claim.count = 0; /* the items are the call back's now */
}

void request_deliver(struct request *r)
{
	const struct err *e = r->err.code ? &r->err : NULL;
	if (e)
		request_reset_answer(r);
	if (!r->cb)
		return;
	switch (r->kind) {
	case REQUEST_PUT:
		((queue_put_cb *)r->cb)(r->arg, r->put.id, e);
		break;
	case REQUEST_CLAIM:
		deliver_claim(r, e);
		break;
	case REQUEST_BODY:
		((queue_body_cb *)r->cb)(
			r->arg, r->body.bytes ? r->body.bytes : "", r->body.len, e);
		break;
	case REQUEST_OPERATE:
		((queue_operate_cb *)r->cb)(
			r->arg, r->operate.affected, r->operate.busy, e);
		break;
	default:
		((queue_done_cb *)r->cb)(r->arg, e);
		break;
	}
}

void *request_alloc(struct request *r, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	size = (size + align - 1) / align * align;
	if (size <= sizeof(r->own) - r->used) {
		void *own = r->own + r->used;
		r->used += size;
		return own;
	}
	if (!r->mem || r->mem->size - r->mem->used < size) {
		size_t room = size > MEM_BLOCK ? size : MEM_BLOCK;
		struct request_mem *block = xmalloc(sizeof(*block) + room);
		*block = (struct request_mem){ .next = r->mem, .size = room };
		r->mem = block;
	}
	void *p = (char *)r->mem->bytes + r->mem->used;
	r->mem->used += size;
	return p;
}

void *request_copy(struct request *r, const void *bytes, size_t len)
{
	if (!len)
		return NULL;
	return memcpy(request_alloc(r, len), bytes, len);
}

char *request_strdup(struct request *r, const char *s)
{
	return s ? request_copy(r, s, strlen(s) + 1) : NULL;
}

struct queue_new_recipient *request_copy_recipients(
	struct request *r, const struct queue_new_recipient *list, size_t count)
{
	if (!count)
		return NULL;
	struct queue_new_recipient *copy = request_alloc(r, count * sizeof(*list));
	memcpy(copy, list, count * sizeof(*list));
	for (size_t i = 0; i < count; i++) {
		copy[i].address = request_strdup(r, list[i].address);
		copy[i].domain = request_strdup(r, list[i].domain);
		copy[i].orcpt = request_strdup(r, list[i].orcpt);
	}
	return copy;
}
