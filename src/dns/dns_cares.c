/*
 * The only file that knows c-ares and the loop.
 *
 * A channel has one exchange at a time. That buys: a fresh source port for each
 * question (the library closes its socket with the answer), the certainty which
 * server answered, cancellation by ares_destroy, no query cache of the library's,
 * and EDNS that a single FORMERR cannot switch off for the questions after it.
 *
 * Making a channel costs some 20 microseconds, so a few that have done nothing but
 * answer, from the server they are for, are kept for the next question to it. After
 * anything else (no answer, a question that was cancelled, EDNS switched off) the
 * channel goes, and what it has learned with it. From 1.31 on the library
 * remembers answers and measures servers: then no channel is kept.
 *
 *	start -> waiting (one poll handle a socket, one timer) -> over -> freed
 *
 * The library's callback only keeps the answer. What follows from it happens
 * in step(), after the library has returned: a channel may not be destroyed
 * inside its own callback.
 */
#include "dns/dns_io.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"

/* 1.34 deprecates the calls that 1.18 has. */
#define CARES_NO_DEPRECATED
#include <ares.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum {
	EDNS_OCTETS = 1232, /* fits every path without fragments */
	HEADER_FLAGS = 3,   /* octet of the header that holds AD */
	FLAG_AD = 0x20,
	CLASS_IN = 1,
	SOCKETS_MAX = 4, /* of one exchange: UDP, then TCP */
	SPARE_MAX = 16,  /* channels; one takes some 64 KiB */
	REMEMBERS_SINCE = 0x011f00,
	PORT = 53
};

/* One server, asked one thing at a time. */
struct channel {
	ares_channel ares;
	struct addr server;
	struct dns_exchange *exchange; /* NULL: a spare one, without a socket */
	struct channel *next;          /* of the spare ones */
};

struct dns_io {
	struct dns_io_options options;
	uv_loop_t *loop;
	uv_idle_t turn;
	struct channel *spare;
	size_t spare_count;
	size_t spare_max;
	unsigned handles; /* open ones, those of the exchanges included */
	bool is_closing;
};

/* A socket of the channel. Freed when its handle is closed. */
struct watch {
	uv_poll_t poll;
	struct watch *next;
	struct dns_exchange *exchange;
	ares_socket_t fd;
};

struct dns_exchange {
	struct dns_io *io;
	struct channel *channel;
	uv_timer_t timer;
	struct watch *watches;
	unsigned handles;
	bool is_over; /* the channel is being destroyed, or is */
	bool has_result;
	int result; /* an ARES_ code */
	struct buf answer;
	dns_exchange_done *done;
	void *arg;
};

static void io_release(struct dns_io *io)
{
	if (--io->handles)
		return;
	ASSERT(io->is_closing);
	struct dns_io_options options = io->options;
	free(io);
	options.on_close(options.arg);
}

static void on_turn_closed(uv_handle_t *h)
{
	io_release(h->data);
}

static void on_turn(uv_idle_t *h)
{
	struct dns_io *io = h->data;
	uv_idle_stop(h);
	io->options.on_turn(io->options.arg);
}

static void channel_free(struct channel *c)
{
	if (c->ares)
		ares_destroy(c->ares);
	free(c);
}

struct dns_io *dns_io_new(struct uv_loop_s *loop, const struct dns_io_options *options)
{
	int version;
	struct dns_io *io = xcalloc(1, sizeof(*io));
	io->options = *options;
	io->loop = loop;
	ASSERT(uv_idle_init(loop, &io->turn) == 0); /* cannot fail */
	io->turn.data = io;
	ares_version(&version);
	io->spare_max = version < REMEMBERS_SINCE ? SPARE_MAX : 0;
	io->handles = 1;
	return io;
}

void dns_io_wake(struct dns_io *io)
{
	ASSERT(uv_idle_start(&io->turn, on_turn) == 0);
}

void dns_io_close(struct dns_io **io)
{
	struct dns_io *closing = MOVE(*io);
	struct channel *c;
	closing->is_closing = true;
	while ((c = closing->spare)) {
		closing->spare = c->next;
		channel_free(c);
	}
	uv_close((uv_handle_t *)&closing->turn, on_turn_closed);
}

static void exchange_release(struct dns_exchange *x)
{
	struct dns_io *io = x->io;
	if (--x->handles)
		return;
	buf_clear(&x->answer);
	free(x);
	io_release(io);
}

static void on_timer_closed(uv_handle_t *h)
{
	exchange_release(h->data);
}

static void on_poll_closed(uv_handle_t *h)
{
	struct watch *w = h->data;
	exchange_release(w->exchange);
	free(w);
}

/* The library switches EDNS off for a channel whose server did not know it. */
static bool has_edns(ares_channel channel)
{
	struct ares_options o = { 0 };
	int mask;
	bool result = ares_save_options(channel, &o, &mask) == ARES_SUCCESS &&
		      (o.flags & ARES_FLAG_EDNS);
	ares_destroy_options(&o);
	return result;
}

static bool is_as_new(const struct dns_exchange *x)
{
	return x->has_result && x->result == ARES_SUCCESS && !x->watches &&
	       has_edns(x->channel->ares);
}

/* Destroying the channel closes its sockets, and with them their handles. */
static void channel_let_go(struct dns_exchange *x)
{
	struct channel *c = x->channel;
	struct dns_io *io = x->io;
	bool is_kept = io->spare_count < io->spare_max && is_as_new(x);
	x->channel = NULL;
	if (!is_kept) {
		channel_free(c); /* its sockets are still those of the exchange */
		return;
	}
	c->exchange = NULL;
	c->next = io->spare;
	io->spare = c;
	io->spare_count++;
}

static void exchange_end(struct dns_exchange *x)
{
	x->is_over = true;
	if (x->channel)
		channel_let_go(x);
	uv_close((uv_handle_t *)&x->timer, on_timer_closed);
}

static void exchange_report(struct dns_exchange *x)
{
	const char *why =
		x->result == ARES_ETIMEOUT ? "timed out" : ares_strerror(x->result);
	if (x->result == ARES_SUCCESS)
		x->done(x->arg, (const unsigned char *)buf_bytes(&x->answer),
			buf_len(&x->answer), NULL);
	else
		x->done(x->arg, NULL, 0, why);
}

static void on_timer(uv_timer_t *t);

static void arm_timer(struct dns_exchange *x)
{
	struct timeval tv, *left = ares_timeout(x->channel->ares, NULL, &tv);
	if (!left) {
		uv_timer_stop(&x->timer);
		return;
	}
	uint64_t ms =
		(uint64_t)left->tv_sec * 1000 + (uint64_t)(left->tv_usec + 999) / 1000;
	uv_timer_start(&x->timer, on_timer, ms, 0);
}

/* After every call into the library, and outside of it. */
static void step(struct dns_exchange *x)
{
	if (!x->has_result) {
		arm_timer(x);
		return;
	}
	/* The handles close on a later turn: until then the answer stays. */
	exchange_end(x);
	exchange_report(x);
}

/* Timers run before sockets are polled: after a turn that took long, the answer
 * may be here already. It is read before the time-out is believed. */
static void on_timer(uv_timer_t *t)
{
	struct dns_exchange *x = t->data;
	ares_socket_t fds[SOCKETS_MAX];
	size_t count = 0;
	for (struct watch *w = x->watches; w && count < SOCKETS_MAX; w = w->next)
		fds[count++] = w->fd;
	for (size_t i = 0; i < count && !x->has_result; i++)
		ares_process_fd(x->channel->ares, fds[i], ARES_SOCKET_BAD);
	if (!x->has_result)
		ares_process_fd(x->channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	step(x);
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct watch *w = h->data;
	struct dns_exchange *x = w->exchange;
	/* An error of the socket shows up when the library uses it. */
	bool can_read = status < 0 || (events & UV_READABLE);
	bool can_write = status < 0 || (events & UV_WRITABLE);
	ares_process_fd(x->channel->ares, can_read ? w->fd : ARES_SOCKET_BAD,
		can_write ? w->fd : ARES_SOCKET_BAD);
	step(x);
}

static struct watch *watch_add(struct dns_exchange *x, ares_socket_t fd)
{
	struct watch *w = xcalloc(1, sizeof(*w));
	if (uv_poll_init(x->io->loop, &w->poll, fd) != 0) {
		/* The exchange will time out: there is nobody to tell here. */
		free(w);
		return NULL;
	}
	w->poll.data = w;
	w->fd = fd;
	w->exchange = x;
	w->next = x->watches;
	x->watches = w;
	x->handles++;
	return w;
}

/* The library wants to know when a socket is ready, or is about to close it. */
static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct dns_exchange *x = ((struct channel *)arg)->exchange;
	struct watch **at = &x->watches;
	while (*at && (*at)->fd != fd)
		at = &(*at)->next;
	struct watch *w = *at;
	if (!readable && !writable) {
		if (!w)
			return;
		*at = w->next;
		uv_close((uv_handle_t *)&w->poll, on_poll_closed);
		return;
	}
	if (!w)
		w = watch_add(x, fd);
	int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
	if (w && uv_poll_start(&w->poll, events, on_poll) != 0)
		uv_poll_stop(&w->poll); /* as above: it will time out */
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *bytes, int len)
{
	struct dns_exchange *x = arg;
	(void)timeouts;
	if (x->is_over)
		return; /* the channel says goodbye */
	x->has_result = true;
	x->result = status;
	if (status == ARES_SUCCESS)
		buf_add(&x->answer, bytes, (size_t)len);
}

static int channel_error(struct err *e, const char *what, int status)
{
	return err_set(e, ERR_NETWORK, "%s: %s", what, ares_strerror(status));
}

/* NOCHECKRESP: error codes come to dns_parse instead of looking like a server
 * that is away. No file is read: resolv.conf was, once. */
static int channel_open(struct channel *c, int timeout_ms, struct err *e)
{
	char lookups[] = "b", no_file[] = "/dev/null", text[ADDR_TEXT_MAX];
	struct ares_options o;
	memset(&o, 0, sizeof(o));
	o.flags = ARES_FLAG_EDNS | ARES_FLAG_NOCHECKRESP | ARES_FLAG_NOSEARCH;
	o.ednspsz = EDNS_OCTETS;
	o.timeout = timeout_ms;
	o.tries = 1;
	o.lookups = lookups;
	o.resolvconf_path = no_file;
	o.sock_state_cb = on_socket_state;
	o.sock_state_cb_data = c;
	int status = ares_init_options(&c->ares, &o,
		ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
			ARES_OPT_LOOKUPS | ARES_OPT_RESOLVCONF | ARES_OPT_DOMAINS |
			ARES_OPT_SOCK_STATE_CB);
	if (status != ARES_SUCCESS) {
		c->ares = NULL;
		return channel_error(e, "cannot set up the resolver", status);
	}
	addr_format_with_port(&c->server, text);
	status = ares_set_servers_ports_csv(c->ares, text);
	if (status != ARES_SUCCESS)
		return channel_error(e, "cannot set the server", status);
	return 0;
}

static struct channel *take_spare(struct dns_io *io, const struct addr *server)
{
	for (struct channel **at = &io->spare; *at; at = &(*at)->next) {
		struct channel *c = *at;
		if (!addr_equal(&c->server, server))
			continue;
		*at = c->next;
		io->spare_count--;
		return c;
	}
	return NULL;
}

static int channel_get(struct dns_exchange *x, const struct addr *server, struct err *e)
{
	struct channel *c = take_spare(x->io, server);
	int result = 0;
	if (!c) {
		c = xcalloc(1, sizeof(*c));
		c->server = *server;
		result = channel_open(c, x->io->options.timeout_ms, e);
	}
	c->exchange = x;
	x->channel = c;
	return result;
}

/* The question with recursion, EDNS and, in plain DNS without DO, the AD bit
 * that asks for the AD bit of the answer (RFC 6840 section 5.7). */
static int send_question(
	struct dns_exchange *x, const char *name, enum dns_type type, struct err *e)
{
	unsigned char *query = NULL;
	int len = 0;
	uint16_t id = (uint16_t)rng_u32();
	int status = ares_create_query(
		name, CLASS_IN, (int)type, id, 1, &query, &len, EDNS_OCTETS);
	if (status != ARES_SUCCESS)
		return channel_error(e, "cannot ask for this name", status);
	query[HEADER_FLAGS] |= FLAG_AD;
	ares_send(x->channel->ares, query, len, on_answer, x);
	ares_free_string(query);
	return 0;
}

int dns_exchange_start(struct dns_io *io, const struct addr *server, const char *name,
	enum dns_type type, dns_exchange_done *done, void *arg, struct dns_exchange **out,
	struct err *e)
{
	struct dns_exchange *x = xcalloc(1, sizeof(*x));
	x->io = io;
	x->done = done;
	x->arg = arg;
	ASSERT(uv_timer_init(io->loop, &x->timer) == 0); /* cannot fail */
	x->timer.data = x;
	x->handles = 1;
	io->handles++;

	int result = channel_get(x, server, e);
	if (result == 0)
		result = send_question(x, name, type, e);
	if (result < 0) {
		exchange_end(x);
		return result;
	}
	if (x->has_result) /* it failed at once: said from the loop */
		uv_timer_start(&x->timer, on_timer, 0, 0);
	else
		arm_timer(x);
	*out = x;
	return 0;
}

void dns_exchange_cancel(struct dns_exchange **x)
{
	struct dns_exchange *cancelled = MOVE(*x);
	if (cancelled)
		exchange_end(cancelled);
}

static size_t copy_servers(
	const struct ares_addr_port_node *list, struct addr *servers, size_t max)
{
	size_t count = 0;
	for (; list && count < max; list = list->next) {
		uint16_t port = list->udp_port ? (uint16_t)list->udp_port : PORT;
		if (list->family == AF_INET)
			addr_from_v4(&servers[count++], &list->addr.addr4, port);
		else if (list->family == AF_INET6)
			addr_from_v6(&servers[count++], &list->addr.addr6, port);
	}
	return count;
}

int dns_io_system_servers(
	struct addr *servers, size_t max, size_t *count_out, struct err *e)
{
	ares_channel channel;
	struct ares_addr_port_node *list = NULL;
	int status = ares_init(&channel);
	if (status != ARES_SUCCESS)
		return channel_error(
			e, "cannot read the system's resolver settings", status);
	status = ares_get_servers_ports(channel, &list);
	*count_out = copy_servers(list, servers, max);
	if (list)
		ares_free_data(list);
	ares_destroy(channel);
	if (status != ARES_SUCCESS)
		return channel_error(e, "cannot read the system's name servers", status);
	if (!*count_out)
		return err_set(e, ERR_NOT_FOUND,
			"the system names no DNS server: set dns_servers");
	return 0;
}

const char *dns_library_version(void)
{
	return ares_version(NULL);
}

const char *dns_library_built(void)
{
	return ARES_VERSION_STR;
}
