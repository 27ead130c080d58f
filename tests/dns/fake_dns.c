#include "fake_dns.h"

#include "base/err.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <stdlib.h>
#include <string.h>

/* Where an answer goes: to a UDP address or a TCP client. */
struct route {
	const struct addr *udp;
	uv_stream_t *tcp;
};

static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *out)
{
	struct fake_dns *s = h->data;
	(void)size;
	*out = uv_buf_init(s->received, sizeof(s->received));
}

static void transmit(struct fake_dns *s, const struct route *to, const struct wire *w)
{
	unsigned char length[2] = { (unsigned char)(w->len >> 8), (unsigned char)w->len };
	uv_buf_t bufs[] = { uv_buf_init((char *)length, 2),
		uv_buf_init((char *)w->bytes, (unsigned)w->len) };
	/* The answers of tests fit into the buffer of a socket. */
	if (to->tcp)
		ASSERT(uv_try_write(to->tcp, bufs, 2) == (int)w->len + 2);
	else
		ASSERT(uv_udp_try_send(&s->udp, &bufs[1], 1, &to->udp->sa) ==
			(int)w->len);
}

static void note_query(struct fake_dns *s, ns_msg *msg, const struct route *from)
{
	ns_rr rr;
	ASSERT(s->query_count < FAKE_QUERIES_MAX);
	struct fake_query *q = &s->queries[s->query_count++];
	ASSERT(ns_parserr(msg, ns_s_qd, 0, &rr) == 0);
	q->is_tcp = from->tcp;
	q->port = from->udp ? addr_port(from->udp) : 0;
	q->type = ns_rr_type(rr);
	q->id = (uint16_t)ns_msg_id(*msg);
	q->flags = (uint16_t)wire_get_u16(ns_msg_base(*msg) + 2);
	if (ns_parserr(msg, ns_s_ar, 0, &rr) == 0 && ns_rr_type(rr) == ns_t_opt)
		q->edns_octets = (uint16_t)ns_rr_class(rr);
}

static void build(struct wire *w, uint16_t id, const char *name, int type,
	const struct fake_step *step)
{
	wire_begin(w, id, (uint16_t)(WIRE_OK ^ step->flags));
	wire_question(w, name, type);
	for (size_t i = 0; i < ARRAY_SIZE(step->records) && step->records[i]; i++)
		wire_record(w, step->records[i]);
}

/* What somebody who guesses would send: the right form, the wrong records. */
static void spoof(struct fake_dns *s, const struct route *to, const struct fake_query *q,
	enum fake_act act)
{
	static const struct fake_step evil = { .records = { "an @ 60 MX 1 evil.test",
						       "an @ 60 A 203.0.113.66" } };
	static struct wire false_answer;
	build(&false_answer, act == FAKE_WRONG_ID ? q->id ^ 1 : q->id,
		act == FAKE_WRONG_ID ? "example.test" : "other.test", q->type, &evil);
	transmit(s, to, &false_answer);
}

static void answer(struct fake_dns *s, const struct route *to, const char *name)
{
	static struct wire w;
	size_t n = s->query_count - 1;
	const struct fake_query *q = &s->queries[n];
	const struct fake_step *step =
		&s->steps[n < s->step_count ? n : s->step_count - 1];
	build(&w, q->id, name, q->type, step);
	switch (step->act) {
	case FAKE_DROP:
		return;
	case FAKE_HOLD:
		ASSERT(to->udp);
		s->held = w;
		s->held_for = *to->udp;
		return;
	case FAKE_CUT:
		w.len--;
		break;
	case FAKE_WRONG_ID:
	case FAKE_WRONG_QUESTION:
		spoof(s, to, q, step->act);
		break;
	case FAKE_ANSWER:
		break;
	}
	transmit(s, to, &w);
}

static void serve(
	struct fake_dns *s, const struct route *to, const void *bytes, size_t len)
{
	ns_msg msg;
	ns_rr rr;
	ASSERT(ns_initparse(bytes, (int)len, &msg) == 0);
	ASSERT(ns_parserr(&msg, ns_s_qd, 0, &rr) == 0);
	note_query(s, &msg, to);
	answer(s, to, rr.name);
}

static void on_datagram(uv_udp_t *h, ssize_t len, const uv_buf_t *buf,
	const struct sockaddr *from, unsigned flags)
{
	(void)flags;
	struct addr peer;
	if (len <= 0 || !from || !addr_from_sockaddr(&peer, from))
		return;
	serve(h->data, &(struct route){ .udp = &peer }, buf->base, (size_t)len);
}

/* A query over TCP comes in one piece: the client writes length and message
 * together and they are small. */
static void on_stream(uv_stream_t *h, ssize_t len, const uv_buf_t *buf)
{
	if (len < 0) {
		uv_read_stop(h);
		return;
	}
	if (len > 2)
		serve(h->data, &(struct route){ .tcp = h }, buf->base + 2,
			(size_t)len - 2);
}

static void on_connection(uv_stream_t *h, int status)
{
	struct fake_dns *s = h->data;
	ASSERT(status == 0 && s->client_count < FAKE_CLIENTS_MAX);
	uv_tcp_t *client = &s->clients[s->client_count++];
	ASSERT(uv_tcp_init(h->loop, client) == 0);
	client->data = s;
	uv_unref((uv_handle_t *)client);
	ASSERT(uv_accept(h, (uv_stream_t *)client) == 0);
	ASSERT(uv_read_start((uv_stream_t *)client, on_alloc, on_stream) == 0);
}

static void bind_udp(struct fake_dns *s, uv_loop_t *loop, const char *ip)
{
	struct sockaddr_storage name;
	int len = sizeof(name);
	ASSERT(addr_parse(ip, 0, &s->addr));
	ASSERT(uv_udp_init(loop, &s->udp) == 0);
	ASSERT(uv_udp_bind(&s->udp, &s->addr.sa, 0) == 0);
	ASSERT(uv_udp_getsockname(&s->udp, (struct sockaddr *)&name, &len) == 0);
	ASSERT(addr_from_sockaddr(&s->addr, (struct sockaddr *)&name));
	s->udp.data = s;
}

/* Both transports on one port: the kernel chooses it for UDP; where it is taken
 * for TCP, another one. */
static void bind_both(struct fake_dns *s, uv_loop_t *loop, const char *ip)
{
	for (int tries = 0; tries < 20; tries++) {
		bind_udp(s, loop, ip);
		ASSERT(uv_tcp_init(loop, &s->tcp) == 0);
		s->tcp.data = s;
		if (uv_tcp_bind(&s->tcp, &s->addr.sa, 0) == 0 &&
			uv_listen((uv_stream_t *)&s->tcp, 8, on_connection) == 0)
			return;
		uv_close((uv_handle_t *)&s->udp, NULL);
		uv_close((uv_handle_t *)&s->tcp, NULL);
		uv_run(loop, UV_RUN_NOWAIT);
	}
	ASSERT(!"a port that is free for both");
}

void fake_dns_start(struct fake_dns *s, uv_loop_t *loop, const char *ip,
	const struct fake_step *steps, size_t step_count)
{
	memset(s, 0, sizeof(*s));
	s->steps = steps;
	s->step_count = step_count;
	bind_both(s, loop, ip);
	ASSERT(uv_udp_recv_start(&s->udp, on_alloc, on_datagram) == 0);
	uv_unref((uv_handle_t *)&s->udp);
	uv_unref((uv_handle_t *)&s->tcp);
}

void fake_dns_release(struct fake_dns *s)
{
	ASSERT(s->held.len);
	transmit(s, &(struct route){ .udp = &s->held_for }, &s->held);
}

void fake_dns_stop(struct fake_dns *s)
{
	uv_close((uv_handle_t *)&s->udp, NULL);
	uv_close((uv_handle_t *)&s->tcp, NULL);
	for (size_t i = 0; i < s->client_count; i++)
		uv_close((uv_handle_t *)&s->clients[i], NULL);
}
