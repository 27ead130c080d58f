#include "smtp_server.h"

#include "tests/net/net_fixture.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static gnutls_certificate_credentials_t certificate;

void smtp_server_forget_certificate(void)
{
	if (certificate)
		gnutls_certificate_free_credentials(certificate);
	certificate = NULL;
}

static bool is_at(const char *where, const char *here)
{
	return where && strcasecmp(where, here) == 0;
}

static void note(struct server_connection *c, const char *what)
{
	pthread_mutex_lock(&c->server->mutex);
	buf_addf(&c->seen, "%s%s%s", buf_len(&c->seen) ? " " : "", c->is_tls ? "*" : "",
		what);
	pthread_mutex_unlock(&c->server->mutex);
}

static ssize_t read_some(struct server_connection *c, char *out, size_t size)
{
	ssize_t n;
	if (!c->tls)
		return recv(c->fd, out, size, 0);
	do {
		n = gnutls_record_recv(c->tls, out, size);
	} while (n < 0 && !gnutls_error_is_fatal((int)n));
	return n;
}

static void say(struct server_connection *c, const char *text)
{
	OWN(mem_free) char *line = xasprintf("%s\r\n", text);
	if (c->tls)
		(void)gnutls_record_send(c->tls, line, strlen(line));
	else
		write_all(c->fd, line, strlen(line));
}

/* Up to the end of a line and no further: a TLS handshake may be what comes next. */
static ssize_t read_of_line(struct server_connection *c, char *out, size_t size)
{
	if (c->tls)
		return read_some(c, out, 1);
	ssize_t n = recv(c->fd, out, size, MSG_PEEK);
	const char *end = n > 0 ? memchr(out, '\n', (size_t)n) : NULL;
	return n > 0 ? recv(c->fd, out, end ? (size_t)(end - out) + 1 : (size_t)n, 0) : n;
}

/* A line without its end; false: the client is gone. */
static bool read_line(struct server_connection *c, char *out, size_t size)
{
	size_t len = 0;
	char piece[512];
	for (;;) {
		ssize_t n = read_of_line(c, piece, sizeof(piece));
		if (n <= 0)
			return false;
		for (ssize_t i = 0; i < n; i++) {
			if (piece[i] == '\n') {
				out[len] = '\0';
				return true;
			}
			if (len < size - 1 && piece[i] != '\r')
				out[len++] = piece[i];
		}
	}
}

/* The plan's say in what happens here; false: the connection is over. */
static bool pass(struct server_connection *c, const char *here)
{
	char sink[4096];
	struct smtp_server *s = c->server;
	if (is_at(c->plan->hold_at, here)) {
		pthread_mutex_lock(&s->mutex);
		size_t turn = s->held++;
		while (s->released <= turn)
			pthread_cond_wait(&s->released_cond, &s->mutex);
		pthread_mutex_unlock(&s->mutex);
	}
	if (is_at(c->plan->close_at, here))
		return false;
	if (is_at(c->plan->stall_at, here)) {
		while (read_some(c, sink, sizeof(sink)) > 0)
			continue;
		return false;
	}
	return true;
}

static bool shake_hands(struct server_connection *c)
{
	struct peer peer = { .credentials = c->server->credentials };
	if (!pass(c, "handshake"))
		return false;
	c->tls = server_handshake(&peer, c->fd);
	if (!c->tls)
		return false;
	c->is_tls = true;
	note(c, "tls");
	snprintf(c->sni, sizeof(c->sni), "%s", peer.sni);
	return true;
}

static bool read_content(struct server_connection *c)
{
	char line[2048];
	while (read_line(c, line, sizeof(line))) {
		if (strcmp(line, ".") == 0) {
			note(c, ".");
			if (!pass(c, "."))
				return false;
			say(c, c->plan->final ? c->plan->final : "250 2.0.0 stored");
			return pass(c, "idle");
		}
		c->content_len += strlen(line) + 2;
		if (!pass(c, "content"))
			return false;
	}
	return false;
}

static bool answer_data(struct server_connection *c)
{
	const char *reply = c->plan->data ? c->plan->data : "354 go on";
	say(c, reply);
	return reply[0] != '3' || (pass(c, "354") && read_content(c));
}

/* "BDAT 200 LAST": the content is read, whatever becomes of it. */
static bool answer_bdat(struct server_connection *c, const char *arguments)
{
	char piece[512];
	char *after;
	for (size_t left = strtoul(arguments, &after, 10); left > 0;) {
		ssize_t n =
			read_some(c, piece, left < sizeof(piece) ? left : sizeof(piece));
		if (n <= 0)
			return false;
		c->content_len += (size_t)n;
		left -= (size_t)n;
	}
	if (!is_at(" LAST", after)) {
		say(c, "250 2.0.0 more");
		return true;
	}
	note(c, ".");
	if (!pass(c, "."))
		return false;
	say(c, c->plan->final ? c->plan->final : "250 2.0.0 stored");
	return pass(c, "idle");
}

static void answer_ehlo(struct server_connection *c)
{
	const char *offers = c->plan->offers;
	if (!offers && !c->is_tls)
		offers = "STARTTLS";
	if (!offers || !offers[0]) {
		say(c, "250 peer.test");
		return;
	}
	say(c, "250-peer.test");
	while (*offers) {
		int len = (int)strcspn(offers, ",");
		bool is_last = !offers[len];
		OWN(mem_free)
		char *line = xasprintf("250%c%.*s", is_last ? ' ' : '-', len, offers);
		say(c, line);
		offers += len + !is_last;
	}
}

static const char *reply_to(struct server_connection *c, const char *verb)
{
	const struct server_plan *p = c->plan;
	const char *reply = NULL;
	if (is_at("MAIL", verb))
		reply = c->mails++ ? p->mail2 : p->mail;
	else if (is_at("RSET", verb))
		reply = p->rset;
	else if (is_at("RCPT", verb) && c->rcpts < ARRAY_SIZE(p->rcpt))
		reply = p->rcpt[c->rcpts++];
	return reply ? reply : "250 2.1.0 fine";
}

/* false: the end. */
static bool serve_command(struct server_connection *c, char *line)
{
	char *arguments = strchr(line, ' ');
	if (arguments)
		*arguments++ = '\0';
	note(c, line);
	if (!pass(c, line) || (is_at("MAIL", line) && c->mails && !pass(c, "MAIL2")))
		return false;
	if (is_at("EHLO", line)) {
		answer_ehlo(c);
	} else if (is_at("STARTTLS", line)) {
		const char *reply = c->plan->starttls;
		say(c, reply ? reply : "220 go on");
		return reply ? true : shake_hands(c);
	} else if (is_at("DATA", line)) {
		return answer_data(c);
	} else if (is_at("BDAT", line)) {
		return answer_bdat(c, arguments);
	} else if (is_at("QUIT", line)) {
		say(c, "221 bye");
		return false;
	} else {
		say(c, reply_to(c, line));
	}
	return true;
}

static void *connection_main(void *arg)
{
	struct server_connection *c = arg;
	struct timeval limit = { .tv_sec = 20 }; /* a test that hangs fails */
	char line[2048];
	/* What was said is out before an end with input unread resets it all. */
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (pass(c, "connect") && (!c->plan->is_tls || shake_hands(c))) {
		say(c, c->plan->banner ? c->plan->banner : "220 peer.test");
		while (read_line(c, line, sizeof(line)) && serve_command(c, line))
			continue;
	}
	if (c->tls)
		server_session_free(c->tls);
	close(c->fd);
	pthread_mutex_lock(&c->server->mutex);
	c->server->ended++;
	pthread_mutex_unlock(&c->server->mutex);
	return NULL;
}

static void begin_connection(struct smtp_server *s, int fd)
{
	struct server_connection *c = xcalloc(1, sizeof(*c));
	pthread_mutex_lock(&s->mutex);
	size_t n = s->count;
	ASSERT(n < SERVER_CONNECTIONS_MAX);
	c->server = s;
	c->fd = fd;
	c->plan = &s->plans[n < s->plan_count ? n : s->plan_count - 1];
	s->connections[s->count++] = c;
	ASSERT(pthread_create(&c->thread, NULL, connection_main, c) == 0);
	pthread_mutex_unlock(&s->mutex);
}

static void *server_main(void *arg)
{
	struct smtp_server *s = arg;
	int fd;
	while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
		if (s->accepts && s->count + 1 == s->accepts) {
			/* Before anybody is served: the next one must be refused. */
			close(s->listener);
			s->listener = -1;
			begin_connection(s, fd);
			return NULL;
		}
		begin_connection(s, fd);
	}
	return NULL;
}

void smtp_server_start(struct smtp_server *s, const struct server_plan *plans,
	size_t plan_count, size_t accepts)
{
	memset(s, 0, sizeof(*s));
	if (!certificate)
		certificate =
			cert_new(&(struct cert_options){ "peer.test", 86400 }, NULL);
	s->credentials = certificate;
	s->plans = plans;
	s->plan_count = plan_count;
	s->accepts = accepts;
	s->listener = listen_on("127.0.0.1", 64, &s->addr);
	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->released_cond, NULL);
	assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
}

void smtp_server_release_all(struct smtp_server *s)
{
	pthread_mutex_lock(&s->mutex);
	s->released = SERVER_CONNECTIONS_MAX;
	pthread_cond_broadcast(&s->released_cond);
	pthread_mutex_unlock(&s->mutex);
}

void smtp_server_stop(struct smtp_server *s)
{
	if (s->listener >= 0)
		shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	if (s->listener >= 0)
		close(s->listener);
	smtp_server_release_all(s);
	for (size_t i = 0; i < s->count; i++) {
		pthread_join(s->connections[i]->thread, NULL);
		buf_clear(&s->connections[i]->seen);
		free(s->connections[i]);
	}
	pthread_cond_destroy(&s->released_cond);
	pthread_mutex_destroy(&s->mutex);
}

static size_t read_count(struct smtp_server *s, const size_t *count)
{
	pthread_mutex_lock(&s->mutex);
	size_t n = *count;
	pthread_mutex_unlock(&s->mutex);
	return n;
}

size_t smtp_server_connections(struct smtp_server *s)
{
	return read_count(s, &s->count);
}

size_t smtp_server_held(struct smtp_server *s)
{
	return read_count(s, &s->held);
}

void smtp_server_release(struct smtp_server *s)
{
	pthread_mutex_lock(&s->mutex);
	s->released++;
	pthread_cond_broadcast(&s->released_cond);
	pthread_mutex_unlock(&s->mutex);
}

char *smtp_server_seen(struct smtp_server *s)
{
	struct buf all = BUF_INIT;
	pthread_mutex_lock(&s->mutex);
	for (size_t i = 0; i < s->count; i++)
		buf_addf(
			&all, "%s%s", i ? " | " : "", buf_text(&s->connections[i]->seen));
	pthread_mutex_unlock(&s->mutex);
	char *text = xstrdup(buf_text(&all));
	buf_clear(&all);
	return text;
}

size_t smtp_server_content_len(struct smtp_server *s, size_t connection)
{
	return s->connections[connection]->content_len;
}
