#include "intake/listener.h"

#include "base/log.h"
#include "base/mem.h"
#include "intake/client.h"
#include "net/listen.h"
#include "net/loop.h"
#include "queue/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct place {
	struct intake_listener *listener;
	struct config_listen listen;
	struct listen_socket *socket;
};

struct intake_listener {
	struct uv_loop_s *loop;
	const struct config *config;
	struct queue_port *port;
	struct wake *wake;
	struct intake *intake;
	struct place **places; /* open ones */
	size_t place_count;
	struct intake_client **clients; /* room for max_clients, at least */
	size_t client_count, client_cap;
	bool is_full; /* has been said */
	struct timer *grace;
	void (*finished)(void *arg); /* when stopping */
	void *finished_arg;
};

/* ---- clients ---- */

static void finish_if_empty(struct intake_listener *l)
{
	/* From the loop, and once. */
	if (l->finished && !l->client_count)
		timer_start(l->grace, 0);
}

static void on_client_end(void *arg, struct intake_client *c)
{
	struct intake_listener *l = arg;
	for (size_t i = 0; i < l->client_count; i++) {
		if (l->clients[i] != c)
			continue;
		l->clients[i] = l->clients[--l->client_count];
		break;
	}
	l->is_full = false;
	finish_if_empty(l);
}

/* Each of them may end, and another one take its place in the list. */
static void for_each_client(
	struct intake_listener *l, void (*fn)(struct intake_client *c, const char *why))
{
	for (size_t i = l->client_count; i-- > 0;) {
		if (i < l->client_count)
			fn(l->clients[i], "shutting down");
	}
}

static void resume(struct intake_client *c, const char *why)
{
	(void)why;
	intake_client_resume(c);
}

static void on_port(void *arg)
{
	struct intake_listener *l = arg;
	queue_dispatch(l->port);
	for_each_client(l, resume);
}

static void wake_up(void *arg)
{
	struct intake_listener *l = arg;
	wake_send(l->wake);
}

/* One line in place of the greeting, and the end. code: with the enhanced one. */
static void turn_away(
	struct intake_listener *l, struct stream *s, const char *code, const char *why)
{
	char text[POLICY_NAME_MAX + 200];
	int len = snprintf(
		text, sizeof(text), "%s %s %s\r\n", code, l->config->hostname, why);
	stream_write(s, text, (size_t)len);
	stream_close(&s);
}

static bool may_relay(const struct intake_listener *l, const struct addr *peer)
{
	for (size_t i = 0; i < l->config->relay_client_count; i++) {
		if (addr_in_range(peer, &l->config->relay_clients[i]))
			return true;
	}
	return false;
}

/* false: it was turned away. */
static bool admit(struct intake_listener *l, const struct place *p, struct stream *s,
	const struct addr *peer, const char *address)
{
	const char *name = p->listen.is_lmtp ? "lmtpd" : "smtpd";
	char why[160];
	if (peer && !may_relay(l, peer)) {
		snprintf(why, sizeof(why),
			"%s may not hand mail over here; see relay_clients", address);
		log_part(name, "NOQUEUE: reject: CONNECT from unknown[%s]: 554 5.7.1 %s",
			address, why);
		turn_away(l, s, "554 5.7.1", why);
		return false;
	}
	if (l->client_count < l->config->max_clients)
		return true;
	if (!l->is_full)
		log_warning("%s: max_clients = %u are connected; further ones are told "
			    "to come later",
			name, l->config->max_clients);
	l->is_full = true;
	turn_away(l, s, "421 4.7.0", "too many clients, come later");
	return false;
}

static void add_client(struct intake_listener *l, struct intake_client *c)
{
	if (l->client_count == l->client_cap) {
		l->client_cap = l->client_cap ? 2 * l->client_cap : 16;
		l->clients = xreallocarray(
			l->clients, l->client_cap, sizeof(struct intake_client *));
	}
	l->clients[l->client_count++] = c;
}

static void on_accept(void *arg, struct stream *s)
{
	const struct place *p = arg;
	struct intake_listener *l = p->listener;
	struct addr peer;
	char address[ADDR_TEXT_MAX] = "", in_header[ADDR_TEXT_MAX + 10] = "local socket",
	     in_log[ADDR_TEXT_MAX + 10] = "local[unix]";
	bool is_tcp = !*p->listen.path;
	if (is_tcp && !stream_peer(s, &peer)) {
		stream_abort(&s); /* it is gone already */
		return;
	}
	if (is_tcp) {
		addr_format(&peer, address);
		snprintf(in_log, sizeof(in_log), "unknown[%s]", address);
		snprintf(in_header, sizeof(in_header), "[%s%s]", /* RFC 5321 4.1.3 */
			addr_family(&peer) == AF_INET6 ? "IPv6:" : "", address);
	}
	if (!admit(l, p, s, is_tcp ? &peer : NULL, address))
		return;
	struct intake_client_options options = { .loop = l->loop,
		.timeout_ms = l->config->client_timeout_ms,
		.session = { .is_lmtp = p->listen.is_lmtp,
			.peer = in_header,
			.client = in_log },
		.on_end = on_client_end,
		.arg = l };
	add_client(l, intake_client_new(l->intake, l->config, &options, s));
}

/* ---- places ---- */

static void on_trouble(void *arg, const struct err *e)
{
	const struct place *p = arg;
	char text[CONFIG_LISTEN_MAX];
	config_listen_format(&p->listen, text);
	log_warning("listen %s: %s; further clients wait", text, e->text);
}

static int open_place(
	struct intake_listener *l, const struct config_listen *listen, struct err *e)
{
	struct place *p = xcalloc(1, sizeof(*p));
	*p = (struct place){ .listener = l, .listen = *listen };
	struct listen_options options = {
		.addr = *listen->path ? NULL : &p->listen.addr,
		.unix_path = p->listen.path,
		.unix_mode = l->config->listen_mode,
		.on_accept = on_accept,
		.on_trouble = on_trouble,
		.arg = p,
	};
	int result = listen_open(l->loop, &options, &p->socket, e);
	if (result != 0) {
		free(p);
		return result;
	}
	l->places = xreallocarray(l->places, l->place_count + 1, sizeof(struct place *));
	l->places[l->place_count++] = p;
	return 0;
}

static void close_place(struct intake_listener *l, size_t index)
{
	struct place *p = l->places[index];
	listen_close(&p->socket);
	l->places[index] = l->places[--l->place_count];
	free(p);
}

static void close_places(struct intake_listener *l)
{
	while (l->place_count)
		close_place(l, l->place_count - 1);
}

static bool is_listed(const struct config *config, const struct config_listen *listen)
{
	for (size_t i = 0; i < config->listen_count; i++) {
		if (config_listen_equal(&config->listen[i], listen))
			return true;
	}
	return false;
}

static bool is_open(const struct intake_listener *l, const struct config_listen *listen)
{
	for (size_t i = 0; i < l->place_count; i++) {
		if (config_listen_equal(&l->places[i]->listen, listen))
			return true;
	}
	return false;
}

void intake_listener_configure(struct intake_listener *l, const struct config *config)
{
	l->config = config;
	intake_configure(l->intake, config);
	if (l->finished)
		return; /* stopping */
	for (size_t i = l->place_count; i-- > 0;) {
		if (!is_listed(config, &l->places[i]->listen))
			close_place(l, i);
	}
	for (size_t i = 0; i < config->listen_count; i++) {
		struct err e = { 0 };
		if (!is_open(l, &config->listen[i]) &&
			open_place(l, &config->listen[i], &e) != 0)
			log_error("%s", e.text);
	}
}

bool intake_listener_addr(const struct intake_listener *l, size_t index, struct addr *out)
{
	return index < l->place_count && listen_addr(l->places[index]->socket, out);
}

/* ---- beginning and end ---- */

static int open_all(struct intake_listener *l, struct err *e)
{
	if (!l->wake)
		return err_set(e, ERR_IO, "no file descriptors are left");
	for (size_t i = 0; i < l->config->listen_count; i++) {
		int result = open_place(l, &l->config->listen[i], e);
		if (result != 0)
			return result;
	}
	return 0;
}

static void on_grace_over(void *arg)
{
	struct intake_listener *l = arg;
	void (*finished)(void *arg) = MOVE(l->finished);
	if (finished)
		finished(l->finished_arg);
}

int intake_listener_open(struct uv_loop_s *loop, struct queue *queue,
	const struct config *config, struct intake_listener **out, struct err *e)
{
	struct intake_listener *l = xcalloc(1, sizeof(*l));
	*out = NULL;
	l->loop = loop;
	l->config = config;
	l->wake = wake_new(loop, on_port, l);
	l->port = queue_port_new(queue, wake_up, l);
	l->intake = intake_new(config, l->port);
	l->grace = timer_new(loop, on_grace_over, l);
	int result = open_all(l, e);
	if (result != 0)
		intake_listener_close(&l);
	*out = l;
	return result;
}

void intake_listener_stop(struct intake_listener *l, int64_t grace_ms,
	void (*finished)(void *arg), void *arg)
{
	close_places(l);
	l->finished = finished;
	l->finished_arg = arg;
	timer_start(l->grace, grace_ms);
	for_each_client(l, intake_client_stop);
	finish_if_empty(l);
}

void intake_listener_close(struct intake_listener **lp)
{
	struct intake_listener *l = MOVE(*lp);
	if (!l)
		return;
	close_places(l);
	queue_port_close(&l->port); /* nobody is called back any more */
	while (l->client_count)
		intake_client_abort(&l->clients[--l->client_count]);
	intake_free(&l->intake);
	wake_close(&l->wake);
	timer_close(&l->grace);
	free(l->places);
	free(l->clients);
	free(l);
}
