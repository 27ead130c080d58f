/* Intake: checks, and the cutting of content into chunks. */
#include "queue/queue_internal.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Content up to WINDOW waits in memory for the commit; what is more is staged,
 * PIECE at a time. Both are whole chunks. */
enum { WINDOW = 4 * QUEUE_CHUNK, PIECE = 2 * QUEUE_CHUNK };

struct queue_put {
	struct queue_port *port;
	struct buf tail;     /* not handed over yet */
	struct stage *stage; /* shared with the requests under way */
	uint32_t next_seq;   /* chunk number of tail's first octet */
	uint64_t size;
	size_t id_at; /* where the content has the id; 0: nowhere */
	bool is_too_big;
};

struct queue_put *queue_put_begin(struct queue_port *p)
{
	struct queue_put *put = xcalloc(1, sizeof(*put));
	put->port = p;
	put->stage = xcalloc(1, sizeof(*put->stage));
	atomic_init(&put->stage->refs, 1);
	return put;
}

/* A request with the first len octets of the tail. */
static struct request *make_request(struct queue_put *put, enum request_kind kind,
	size_t len, queue_put_cb *cb, void *arg)
{
	struct request *r = request_new(kind, (void (*)(void))cb, arg);
	atomic_fetch_add(&put->stage->refs, 1);
	atomic_fetch_add(&put->stage->backlog, len);
	r->put.stage = put->stage;
	r->put.seq = put->next_seq;
	r->put.bytes = xmemdup(buf_bytes(&put->tail), len);
	r->put.len = len;
	return r;
}

static void stage_piece(struct queue_put *put)
{
	queue_submit(put->port, make_request(put, REQUEST_STAGE, PIECE, NULL, NULL));
	buf_consume(&put->tail, PIECE);
	put->next_seq += PIECE / QUEUE_CHUNK;
}

void queue_put_write(struct queue_put *put, const void *bytes, size_t len)
{
	const char *at = bytes;
	/* 2^20 chunks of a message, see sqlite_put.c */
	if (put->size + len > ((uint64_t)QUEUE_CHUNK << 20) - WINDOW) {
		put->is_too_big = true;
		return;
	}
	put->size += len;
	while (len) {
		size_t n = WINDOW + PIECE - buf_len(&put->tail);
		if (n > len)
			n = len;
		buf_add(&put->tail, at, n);
		at += n;
		len -= n;
		if (buf_len(&put->tail) == WINDOW + PIECE)
			stage_piece(put);
	}
}

void queue_put_mark_id(struct queue_put *put)
{
	ASSERT(put->size >= MAIL_ID_MAX && put->size <= QUEUE_CHUNK);
	put->id_at = (size_t)put->size - (MAIL_ID_MAX - 1);
}

size_t queue_put_backlog(const struct queue_put *put)
{
	return atomic_load(&put->stage->backlog);
}

static bool is_clean(const char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	}
	return true;
}

/* Callers parse addresses; this is the last gate before the disk: what has a
 * line end in it would be a command at the other side (RFC 5321 4.1.2). */
static int check_put(const struct queue_put *put, const struct mail_envelope *envelope,
	const struct queue_new_recipient *recipients, size_t count, struct err *e)
{
	if (put->is_too_big)
		return err_set(e, ERR_LIMIT, "message is larger than the queue can hold");
	if (!count)
		return err_set(e, ERR_INVALID, "message has no recipient");
	if (!envelope->sender || !is_clean(envelope->sender))
		return err_set(e, ERR_INVALID, "sender has a control character in it");
	if (envelope->envid && !is_clean(envelope->envid))
		return err_set(e, ERR_INVALID, "ENVID has a control character in it");
	for (size_t i = 0; i < count; i++) {
		const struct queue_new_recipient *r = &recipients[i];
		if (!r->address || !*r->address || !r->domain || !*r->domain)
			return err_set(e, ERR_INVALID,
				"recipient %zu has no address or no domain", i + 1);
		if (!is_clean(r->address) || !is_clean(r->domain) ||
			(r->orcpt && !is_clean(r->orcpt)))
			return err_set(e, ERR_INVALID,
				"recipient %zu has a control character in it", i + 1);
	}
	return 0;
}

static void put_free(struct queue_put **putp)
{
	struct queue_put *put = *putp;
	*putp = NULL;
	buf_clear(&put->tail);
	stage_unref(put->stage);
	free(put);
}

void queue_put_commit(struct queue_put **putp, const struct mail_envelope *envelope,
	const struct queue_new_recipient *recipients, size_t count, queue_put_cb *cb,
	void *arg)
{
	struct queue_put *put = *putp;
	struct err e = { 0 };
	if (check_put(put, envelope, recipients, count, &e) != 0) {
		struct request *refused = make_request(put, REQUEST_PUT, 0, cb, arg);
		struct queue_port *port = put->port;
		refused->err = e;
		queue_put_abort(putp);
		queue_refuse(port, refused);
		return;
	}
	struct request *r = make_request(put, REQUEST_PUT, buf_len(&put->tail), cb, arg);
	mail_envelope_copy(&r->put.envelope, envelope);
	r->put.recipients = request_copy_recipients(r, recipients, count);
	r->put.count = count;
	r->put.size = put->size;
	r->put.id_at = put->id_at;
	queue_submit(put->port, r);
	put_free(putp);
}

void queue_put_abort(struct queue_put **putp)
{
	struct queue_put *put = *putp;
	if (!put)
		return;
	if (put->next_seq)
		queue_submit(
			put->port, make_request(put, REQUEST_UNSTAGE, 0, NULL, NULL));
	put_free(putp);
}
