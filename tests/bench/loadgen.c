/*
 * The benchmark's bare client: no queue, no disk. It shows what the receiver can take,
 * and it feeds the other mail servers.
 *
 *	loadgen -n MESSAGES [-c CONNECTIONS] [-m MODE] [-s] [-d DOMAINS] ADDRESS:PORT
 *
 * Message i goes from m<i>@sender.test to u@d<i % DOMAINS>.test. Prints a line of JSON.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "channel.h"
#include "counters.h"

#include <arpa/inet.h>
#include <err.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const char USAGE[] =
	"usage: loadgen -n MESSAGES [options] ADDRESS:PORT\n"
	"  -c COUNT   connections (default 20)\n"
	"  -m MODE    serial: a command at a time; pipeline: MAIL, RCPT, DATA in one\n"
	"             flight; chunking (default): MAIL, RCPT, BDAT LAST in one flight\n"
	"  -s         STARTTLS\n"
	"  -d COUNT   recipients' domains: d0.test, d1.test ... (default 1)\n"
	"  -b OCTETS  size of a message (default 4096)\n";

enum mode { MODE_SERIAL, MODE_PIPELINE, MODE_CHUNKING };

/* What the next reply answers. */
enum step {
	STEP_GREETING,
	STEP_EHLO,
	STEP_STARTTLS,
	STEP_MAIL,
	STEP_RCPT,
	STEP_DATA,
	STEP_TEXT,
	STEP_END,
	STEP_COUNT
};

static const unsigned expected[STEP_COUNT] = {
	[STEP_GREETING] = 220,
	[STEP_EHLO] = 250,
	[STEP_STARTTLS] = 220,
	[STEP_MAIL] = 250,
	[STEP_RCPT] = 250,
	[STEP_DATA] = 354,
	[STEP_TEXT] = 250,
};

struct options {
	enum mode mode;
	bool starttls;
	uint64_t messages;
	unsigned connections, domains, size;
	struct sockaddr_in peer;
};

struct conn {
	struct channel channel;
	enum step step;
	bool is_tls, wants_write;
	uint64_t number; /* of the message under way */
	size_t line_len;
	char line[512];
};

struct loadgen {
	struct options options;
	struct channel_tls tls;
	struct channel_scratch scratch;
	struct buf text;   /* a message, with CRLF */
	struct buf flight; /* what leaves in one write */
	uint64_t started, finished;
	unsigned open;
	int epoll;
};

static unsigned number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	if (!*text || *end || n > 1000000000UL)
		errx(2, "not a number: %s", text);
	return (unsigned)n;
}

static enum mode read_mode(const char *name)
{
	static const char *const names[] = { "serial", "pipeline", "chunking" };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return (enum mode)i;
	errx(2, "no such mode: %s", name);
}

static void read_peer(struct sockaddr_in *peer, char *text)
{
	char *colon = strchr(text, ':');
	if (!colon)
		errx(2, "no port: %s", text);
	*colon = '\0';
	peer->sin_family = AF_INET;
	peer->sin_port = htons((uint16_t)number(colon + 1));
	if (inet_aton(text, &peer->sin_addr) == 0)
		errx(2, "not an IPv4 address: %s", text);
}

static void read_options(struct options *o, int argc, char **argv)
{
	int letter;
	while ((letter = getopt(argc, argv, "n:c:m:sd:b:")) != -1)
		if (letter == 'n')
			o->messages = number(optarg);
		else if (letter == 'c')
			o->connections = number(optarg);
		else if (letter == 'm')
			o->mode = read_mode(optarg);
		else if (letter == 's')
			o->starttls = true;
		else if (letter == 'd')
			o->domains = number(optarg);
		else if (letter == 'b')
			o->size = number(optarg);
		else
			argc = 0;
	if (optind != argc - 1 || !o->messages || !o->connections || !o->domains) {
		fputs(USAGE, stderr);
		exit(2);
	}
	read_peer(&o->peer, argv[optind]);
}

static void write_text(struct buf *text, unsigned size)
{
	buf_addstr(text,
		"From: a@sender.test\r\nTo: u@d0.test\r\nSubject: a message of the "
		"benchmark\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n"
		"Message-ID: <bench@sender.test>\r\nMIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=us-ascii\r\n\r\n");
	while (buf_len(text) + 74 <= size)
		buf_addstr(text,
			"A courier runs through the night, and what it carries is "
			"of no concern.\r\n");
}

static void add_mail(struct loadgen *g, struct conn *c)
{
	buf_addf(&g->flight, "MAIL FROM:<m%" PRIu64 "@sender.test>\r\n", c->number);
}

static void add_rcpt(struct loadgen *g, struct conn *c)
{
	buf_addf(&g->flight, "RCPT TO:<u@d%u.test>\r\n",
		(unsigned)(c->number % g->options.domains));
}

static void add_text(struct loadgen *g)
{
	buf_add(&g->flight, buf_bytes(&g->text), buf_len(&g->text));
}

/* The next message, or the end. Returns the step whose reply comes next. */
static enum step begin_message(struct loadgen *g, struct conn *c)
{
	if (g->started == g->options.messages)
		return STEP_END;
	c->number = g->started++;
	add_mail(g, c);
	if (g->options.mode == MODE_SERIAL)
		return STEP_MAIL;
	add_rcpt(g, c);
	if (g->options.mode == MODE_PIPELINE) {
		buf_addstr(&g->flight, "DATA\r\n");
		return STEP_MAIL;
	}
	buf_addf(&g->flight, "BDAT %zu LAST\r\n", buf_len(&g->text));
	add_text(g);
	return STEP_MAIL;
}

static enum step after_ehlo(struct loadgen *g, struct conn *c)
{
	if (!g->options.starttls || c->is_tls)
		return begin_message(g, c);
	buf_addstr(&g->flight, "STARTTLS\r\n");
	return STEP_STARTTLS;
}

static enum step after_rcpt(struct loadgen *g)
{
	if (g->options.mode == MODE_CHUNKING)
		return STEP_TEXT;
	if (g->options.mode == MODE_SERIAL)
		buf_addstr(&g->flight, "DATA\r\n");
	return STEP_DATA;
}

/* A reply as it should be has come; adds to the flight and returns the next step. */
static enum step advance(struct loadgen *g, struct conn *c)
{
	switch (c->step) {
	case STEP_GREETING:
		buf_addstr(&g->flight, "EHLO loadgen.test\r\n");
		return STEP_EHLO;
	case STEP_EHLO:
		return after_ehlo(g, c);
	case STEP_MAIL:
		if (g->options.mode == MODE_SERIAL)
			add_rcpt(g, c);
		return STEP_RCPT;
	case STEP_RCPT:
		return after_rcpt(g);
	case STEP_DATA:
		add_text(g);
		buf_addstr(&g->flight, ".\r\n");
		return STEP_TEXT;
	case STEP_TEXT:
		g->finished++;
		return begin_message(g, c);
	default:
		return STEP_END;
	}
}

static void close_conn(struct loadgen *g, struct conn *c)
{
	channel_close(&c->channel);
	g->open--;
}

static void send_flight(struct loadgen *g, struct conn *c)
{
	size_t len = buf_len(&g->flight);
	if (len && channel_write(&c->channel, buf_bytes(&g->flight), len) != 0)
		errx(1, "TLS broke");
	buf_reset(&g->flight);
	int rc = channel_flush(&c->channel);
	if (rc < 0)
		err(1, "send");
	if (c->wants_write == (rc == 0))
		return;
	c->wants_write = rc == 0;
	struct epoll_event event = { EPOLLIN | (rc ? 0 : EPOLLOUT), { .ptr = c } };
	if (epoll_ctl(g->epoll, EPOLL_CTL_MOD, c->channel.fd, &event) != 0)
		err(1, "epoll_ctl");
}

static void start_tls(struct loadgen *g, struct conn *c)
{
	int rc = channel_start_tls(&c->channel, &g->tls, CHANNEL_CLIENT);
	if (rc != 0)
		errx(1, "TLS: %s", gnutls_strerror(rc));
	if (channel_handshake(&c->channel) < 0)
		errx(1, "the handshake failed");
}

static void on_line(struct loadgen *g, struct conn *c)
{
	if (c->line_len >= 4 && c->line[3] == '-')
		return;
	unsigned code = (unsigned)strtoul(c->line, NULL, 10);
	if (code != expected[c->step])
		errx(1, "%u was expected, but the peer says: %s", expected[c->step],
			c->line);
	if (c->step == STEP_STARTTLS)
		start_tls(g, c);
	else
		c->step = advance(g, c);
	if (c->step == STEP_END)
		buf_addstr(&g->flight, "QUIT\r\n");
}

static void feed(struct loadgen *g, struct conn *c, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len && c->step != STEP_END; i++) {
		if (c->line_len < sizeof(c->line) - 1)
			c->line[c->line_len++] = bytes[i];
		if (bytes[i] != '\n')
			continue;
		c->line[c->line_len] = '\0';
		on_line(g, c);
		c->line_len = 0;
	}
}

static void on_handshake(struct loadgen *g, struct conn *c)
{
	int rc = channel_handshake(&c->channel);
	if (rc < 0)
		errx(1, "the handshake failed");
	if (rc == 0)
		return;
	c->is_tls = true;
	c->step = STEP_EHLO;
	buf_addstr(&g->flight, "EHLO loadgen.test\r\n");
}

static void on_event(struct loadgen *g, struct conn *c)
{
	char bytes[4096];
	ssize_t n = 0;
	channel_begin(&c->channel);
	if (c->channel.is_handshaking)
		on_handshake(g, c);
	while (!c->channel.is_handshaking &&
		(n = channel_read(&c->channel, bytes, sizeof(bytes))) > 0)
		feed(g, c, bytes, (size_t)n);
	if (n < 0 && c->step != STEP_END)
		errx(1, "the peer hung up");
	send_flight(g, c);
	if (c->step == STEP_END)
		close_conn(g, c);
}

static void dial(struct loadgen *g, struct conn *c)
{
	const struct sockaddr_in *peer = &g->options.peer;
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)peer, sizeof(*peer)) != 0)
		err(1, "connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	channel_open(&c->channel, fd, &g->scratch);
	struct epoll_event event = { EPOLLIN, { .ptr = c } };
	if (epoll_ctl(g->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		err(1, "epoll_ctl");
	g->open++;
}

static void report(const struct loadgen *g, uint64_t ns)
{
	struct rusage used;
	getrusage(RUSAGE_SELF, &used);
	double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		     (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
	printf("{\"messages\": %" PRIu64 ", \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n",
		g->finished, (double)ns / 1e9, cpu);
}

static void release(struct loadgen *g)
{
	gnutls_priority_deinit(g->tls.priority);
	gnutls_certificate_free_credentials(g->tls.credentials);
	buf_clear(&g->text);
	buf_clear(&g->flight);
	close(g->epoll);
	free(g);
}

int main(int argc, char **argv)
{
	struct loadgen *g = xcalloc(1, sizeof(*g));
	g->options = (struct options){
		.mode = MODE_CHUNKING, .connections = 20, .domains = 1, .size = 4096
	};
	read_options(&g->options, argc, argv);
	write_text(&g->text, g->options.size);
	if (gnutls_certificate_allocate_credentials(&g->tls.credentials) != 0 ||
		gnutls_priority_init(&g->tls.priority,
			"NORMAL:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1", NULL) != 0)
		errx(1, "GnuTLS cannot start");
	g->epoll = epoll_create1(EPOLL_CLOEXEC);
	struct conn *conns = xcalloc(g->options.connections, sizeof(*conns));
	uint64_t start = counters_now_ns();
	for (unsigned i = 0; i < g->options.connections; i++)
		dial(g, &conns[i]);
	while (g->open > 0) {
		struct epoll_event events[64];
		int n = epoll_wait(g->epoll, events, 64, -1);
		for (int i = 0; i < n; i++)
			on_event(g, events[i].data.ptr);
	}
	report(g, counters_now_ns() - start);
	bool is_complete = g->finished == g->options.messages;
	free(conns);
	release(g);
	return is_complete ? 0 : 1;
}
