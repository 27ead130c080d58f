#include "net/listen.h"

#include "base/mem.h"
#include "net/loop.h"
#include "net/stream_uv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	QUEUE_MAX = 512,     /* of the system; it has a limit of its own */
	ACCEPT_AT_ONCE = 16, /* then others on the loop get their turn */
	TROUBLE_WAIT_MS = 1000
};

struct listen_socket {
	struct uv_loop_s *loop;
	struct listen_options options; /* but for the next two */
	struct addr addr;
	char *path;       /* owned; NULL: addr */
	bool has_file;    /* path is ours ... */
	struct stat file; /* ... if it is still this one */
	int fd;
	struct fd_watch *watch; /* NULL: waiting for the timer */
	struct timer *again;
	bool has_trouble;
	/* on_readable is on the stack: what is closed meanwhile is freed by it. */
	bool is_taking, is_closed;
};

/* ---- connections ---- */

static bool is_passing(int errnum)
{
	return errnum == EINTR || errnum == ECONNABORTED || errnum == EPROTO;
}

/* The socket stays readable: without a pause the loop would only ask again. */
static void pause_for_trouble(struct listen_socket *l, int errnum)
{
	struct err e;
	fd_watch_close(&l->watch);
	timer_start(l->again, TROUBLE_WAIT_MS);
	if (l->has_trouble)
		return;
	l->has_trouble = true;
	err_errno(&e, errnum, "accept a connection");
	l->options.on_trouble(l->options.arg, &e);
}

static void take(struct listen_socket *l, int fd)
{
	struct err e;
	struct stream *s =
		stream_uv_open(l->loop, l->path ? STREAM_UV_UNIX : STREAM_UV_TCP, fd, &e);
	if (!s)
		return; /* the peer is gone already */
	l->has_trouble = false;
	l->options.on_accept(l->options.arg, s);
}

static void on_readable(void *arg)
{
	struct listen_socket *l = arg;
	l->is_taking = true;
	for (int i = 0; i < ACCEPT_AT_ONCE && l->watch; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			take(l, fd);
		else if (errno == EAGAIN)
			break;
		else if (!is_passing(errno))
			pause_for_trouble(l, errno);
	}
	l->is_taking = false;
	if (l->is_closed)
		free(l);
}

static void start_watch(void *arg)
{
	struct listen_socket *l = arg;
	l->watch = fd_watch_new(l->loop, l->fd, on_readable, l);
	if (!l->watch)
		timer_start(l->again, TROUBLE_WAIT_MS);
}

/* ---- opening ---- */

static int bind_and_listen(struct listen_socket *l, const struct sockaddr *sa,
	socklen_t len, const char *name, struct err *e)
{
	if (bind(l->fd, sa, len) != 0) {
		if (errno == EADDRINUSE)
			return err_set(e, ERR_EXISTS,
				"listen on %s: another process listens there", name);
		return err_errno(e, errno, "listen on %s", name);
	}
	if (l->path && lstat(l->path, &l->file) != 0)
		return err_errno(e, errno, "look at %s", name);
	l->has_file = l->path != NULL;
	/* Nobody can connect before the listen() below. */
	if (l->path && chmod(l->path, l->options.unix_mode) != 0)
		return err_errno(e, errno, "set the mode of %s", name);
	if (listen(l->fd, QUEUE_MAX) != 0)
		return err_errno(e, errno, "listen on %s", name);
	return 0;
}

static int open_socket(struct listen_socket *l, int family, struct err *e)
{
	l->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return l->fd < 0 ? err_errno(e, errno, "make a socket") : 0;
}

static int open_tcp(struct listen_socket *l, struct err *e)
{
	static const int on = 1;
	char name[ADDR_TEXT_MAX];
	addr_format_with_port(&l->addr, name);
	int result = open_socket(l, addr_family(&l->addr), e);
	if (result != 0)
		return result;
	/* Connections of a process that has just ended may linger. */
	(void)setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* [::] and 0.0.0.0 are two addresses, each with a line of its own. */
	if (addr_family(&l->addr) == AF_INET6)
		(void)setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	return bind_and_listen(l, &l->addr.sa, addr_len(&l->addr), name, e);
}

/* Asks who listens behind a socket in the file system: 0, or an errno. One that does
 * not listen yet would be taken for a dead one: its owner is just about to. */
static int ask(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	int errnum = connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) ? errno : 0;
	close(fd);
	return errnum == EAGAIN ? 0 : errnum; /* its queue is full */
}

static int remove_stale(const char *path, const struct sockaddr_un *sa, struct err *e)
{
	struct stat st;
	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : err_errno(e, errno, "look at %s", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_EXISTS,
			"listen on %s: a file is there that is no socket; remove it, or "
			"choose another path",
			path);
	int errnum = ask(sa);
	if (errnum == 0)
		return err_set(e, ERR_EXISTS,
			"listen on %s: another process listens there", path);
	if (errnum != ECONNREFUSED && errnum != ENOENT)
		return err_errno(e, errnum, "ask who listens on %s", path);
	if (unlink(path) != 0 && errno != ENOENT)
		return err_errno(e, errno, "remove the stale socket %s", path);
	return 0;
}

static int open_unix(struct listen_socket *l, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int result = stream_uv_check_path(l->path, e);
	if (result != 0)
		return err_context(e, "listen");
	memcpy(sa.sun_path, l->path, strlen(l->path) + 1);
	result = remove_stale(l->path, &sa, e);
	if (result == 0)
		result = open_socket(l, AF_UNIX, e);
	if (result == 0)
		result = bind_and_listen(
			l, (struct sockaddr *)&sa, sizeof(sa), l->path, e);
	return result;
}

int listen_open(struct uv_loop_s *loop, const struct listen_options *options,
	struct listen_socket **out, struct err *e)
{
	struct listen_socket *l = xcalloc(1, sizeof(*l));
	*out = NULL;
	l->loop = loop;
	l->options = *options;
	l->fd = -1;
	l->path = xstrdup(options->addr ? NULL : options->unix_path);
	if (options->addr)
		l->addr = *options->addr;
	l->again = timer_new(loop, start_watch, l);
	int result = l->path ? open_unix(l, e) : open_tcp(l, e);
	if (result != 0) {
		listen_close(&l);
		return result;
	}
	start_watch(l);
	*out = l;
	return 0;
}

/* Somebody else may have put a socket of theirs there. */
static void remove_file(const struct listen_socket *l)
{
	struct stat st;
	if (l->has_file && lstat(l->path, &st) == 0 && st.st_dev == l->file.st_dev &&
		st.st_ino == l->file.st_ino)
		(void)unlink(l->path); /* else it is a stale one, and no harm */
}

void listen_close(struct listen_socket **lp)
{
	struct listen_socket *l = MOVE(*lp);
	if (!l)
		return;
	fd_watch_close(&l->watch);
	timer_close(&l->again);
	remove_file(l);
	if (l->fd >= 0)
		close(l->fd);
	free(l->path);
	l->is_closed = true;
	if (!l->is_taking)
		free(l);
}

bool listen_addr(const struct listen_socket *l, struct addr *out)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	return !l->path && getsockname(l->fd, (struct sockaddr *)&ss, &len) == 0 &&
	       addr_from_sockaddr(out, (struct sockaddr *)&ss);
}
