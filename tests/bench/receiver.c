/*
 * The benchmark's receiver: a fast SMTP server that takes every message and keeps
 * none. `-j` processes, each with an epoll loop; the kernel spreads connections over
 * them (SO_REUSEPORT).
 *
 *	receiver -p PORT -l FIRST[/COUNT] [-t FIRST[/COUNT]] [-s SOCKET] ...
 *
 * It prints "ready" when it listens. Its counters, a line of JSON, it gives to whoever
 * connects to SOCKET, and prints on SIGUSR1 and at its end, on SIGTERM or SIGINT.
 */
#include "base/mem.h"
#include "channel.h"
#include "counters.h"
#include "sink_worker.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_WORKERS = 64, BACKLOG = 4096 };

static const char USAGE[] =
	"usage: receiver -p PORT -l FIRST[/COUNT] [options]\n"
	"  -p PORT           of all addresses\n"
	"  -l FIRST[/COUNT]  IPv4 addresses to listen on\n"
	"  -t FIRST[/COUNT]  addresses that are tarpits: after EHLO, next to nothing\n"
	"  -T MS             a tarpit sends an octet every MS; 0 (default): none\n"
	"  -d MS             delay before each reply, or replies to one flight\n"
	"  -c FILE -k FILE   certificate and key: offer STARTTLS\n"
	"  -x                do not offer CHUNKING\n"
	"  -j COUNT          processes (default 1)\n"
	"  -u COUNT          tell messages m0@... to mCOUNT@... apart\n"
	"  -s SOCKET         UNIX socket that gives the counters\n";

struct options {
	struct sink_settings settings;
	const char *addresses, *tarpits; /* FIRST[/COUNT] */
	const char *certificate, *key;
	const char *socket;
	unsigned port, workers;
	uint64_t numbers;
};

/* The sockets of all processes, address by address. */
struct listeners {
	struct sink_listener *list;
	size_t count;
};

static unsigned number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	if (!*text || *end || n > 1000000000UL)
		errx(2, "not a number: %s", text);
	return (unsigned)n;
}

static void read_option(struct options *o, int letter, const char *value)
{
	switch (letter) {
	case 'p':
		o->port = number(value);
		break;
	case 'l':
		o->addresses = value;
		break;
	case 't':
		o->tarpits = value;
		break;
	case 'T':
		o->settings.drip_ms = number(value);
		break;
	case 'd':
		o->settings.latency_ms = number(value);
		break;
	case 'c':
		o->certificate = value;
		break;
	case 'k':
		o->key = value;
		break;
	case 'x':
		o->settings.offer.chunking = false;
		break;
	case 'j':
		o->workers = number(value);
		break;
	case 'u':
		o->numbers = number(value);
		break;
	case 's':
		o->socket = value;
		break;
	default:
		fputs(USAGE, stderr);
		exit(2);
	}
}

static void read_options(struct options *o, int argc, char **argv)
{
	int letter;
	while ((letter = getopt(argc, argv, "p:l:t:T:d:c:k:xj:u:s:")) != -1)
		read_option(o, letter, optarg);
	if (optind < argc || !o->port || !o->addresses || !o->certificate != !o->key ||
		o->workers < 1 || o->workers > MAX_WORKERS) {
		fputs(USAGE, stderr);
		exit(2);
	}
}

static int listen_on(uint32_t address, unsigned port)
{
	struct sockaddr_in where = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(address),
	};
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0 ||
		bind(fd, (struct sockaddr *)&where, sizeof(where)) != 0 ||
		listen(fd, BACKLOG) != 0)
		err(1, "listen on %s:%u", inet_ntoa(where.sin_addr), port);
	return fd;
}

/* Adds a socket for each address in FIRST[/COUNT]. */
static void listen_range(
	struct listeners *all, const char *range, unsigned port, bool is_tarpit)
{
	OWN(mem_free) char *text = xstrdup(range);
	char *slash = strchr(text, '/');
	unsigned count = slash ? number(slash + 1) : 1;
	struct in_addr first;
	if (slash)
		*slash = '\0';
	if (inet_aton(text, &first) == 0)
		errx(2, "not an IPv4 address: %s", text);
	all->list = xreallocarray(all->list, all->count + count, sizeof(*all->list));
	for (unsigned i = 0; i < count; i++)
		all->list[all->count++] = (struct sink_listener){
			.fd = listen_on(ntohl(first.s_addr) + i, port),
			.is_tarpit = is_tarpit,
		};
}

static struct channel_tls *load_tls(const struct options *o)
{
	struct channel_tls *tls = xcalloc(1, sizeof(*tls));
	int rc = gnutls_certificate_allocate_credentials(&tls->credentials);
	if (rc == 0)
		rc = gnutls_certificate_set_x509_key_file(
			tls->credentials, o->certificate, o->key, GNUTLS_X509_FMT_PEM);
	if (rc == 0)
		rc = gnutls_priority_init(&tls->priority, "NORMAL", NULL);
	if (rc == 0)
		rc = gnutls_session_ticket_key_generate(&tls->ticket_key);
	if (rc < 0)
		errx(1, "%s: %s", o->certificate, gnutls_strerror(rc));
	return tls;
}

static void free_tls(struct channel_tls *tls)
{
	gnutls_certificate_free_credentials(tls->credentials);
	gnutls_priority_deinit(tls->priority);
	gnutls_free(tls->ticket_key.data);
	free(tls);
}

/* A process of its own, with listening sockets of its own. */
static pid_t start_worker(const struct options *o, struct counters *counters)
{
	struct listeners all = { 0 };
	listen_range(&all, o->addresses, o->port, false);
	if (o->tarpits)
		listen_range(&all, o->tarpits, o->port, true);
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		sigset_t none;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGUSR1, SIG_IGN);
		signal(SIGINT, SIG_IGN);
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(0);
		sink_worker_run(&o->settings, all.list, all.count, counters);
	}
	for (size_t i = 0; i < all.count; i++)
		close(all.list[i].fd);
	free(all.list);
	return pid;
}

static int listen_control(const char *path)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	if (!path)
		return -1; /* poll() passes over it */
	if (strlen(path) >= sizeof(where.sun_path))
		errx(2, "%s: too long for a socket", path);
	strcpy(where.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&where, sizeof(where)) != 0 ||
		listen(fd, 16) != 0)
		err(1, "listen on %s", path);
	return fd;
}

static int catch_signals(void)
{
	static const int numbers[] = { SIGUSR1, SIGTERM, SIGINT, SIGCHLD };
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		sigaddset(&set, numbers[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	int fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		err(1, "signalfd");
	return fd;
}

/* Gives the counters to whoever asks. Returns the exit status when told to end. */
static int answer(int signals, int control, struct counters *counters)
{
	struct pollfd fds[] = { { .fd = signals, .events = POLLIN },
		{ .fd = control, .events = POLLIN } };
	for (;;) {
		struct signalfd_siginfo info;
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
			continue;
		if (fds[1].revents) {
			int fd = accept4(control, NULL, NULL, SOCK_CLOEXEC);
			counters_print(counters, fd);
			close(fd);
		}
		if (!fds[0].revents ||
			read(signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
			continue;
		if (info.ssi_signo == SIGCHLD) {
			warnx("a worker ended by itself");
			return 1;
		}
		counters_print(counters, STDOUT_FILENO);
		if (info.ssi_signo != SIGUSR1)
			return 0;
	}
}

int main(int argc, char **argv)
{
	struct options o = { .workers = 1 };
	o.settings.offer = (struct sink_offer){ .pipelining = true, .chunking = true };
	read_options(&o, argc, argv);
	pid_t workers[MAX_WORKERS];
	struct channel_tls *tls = o.certificate ? load_tls(&o) : NULL;
	o.settings.tls = tls;
	o.settings.offer.starttls = tls != NULL;
	struct counters *counters = counters_new(o.numbers);
	int signals = catch_signals();
	int control = listen_control(o.socket);
	for (unsigned i = 0; i < o.workers; i++)
		workers[i] = start_worker(&o, counters);
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		err(1, "standard output");
	int status = answer(signals, control, counters);
	for (unsigned i = 0; i < o.workers; i++) {
		kill(workers[i], SIGTERM);
		waitpid(workers[i], NULL, 0);
	}
	if (o.socket)
		unlink(o.socket);
	if (tls)
		free_tls(tls);
	return status;
}
