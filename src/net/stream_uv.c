/*
 * A socket as a stream, on libuv: TCP or a unix socket. All but the beginning is
 * the same for both.
 *
 *   new --connect--> connecting --> open --> ended (on_end has run)
 *   any of them --close--> lingering (writes queued: shutdown, one second at
 *   most, then reset) --> closing (uv_close) --> freed when both handles report closed
 */
#include "net/stream_uv.h"

#include "base/mem.h"
#include "net/stream_impl.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

enum { LINGER_MS = 1000, READ_SIZE = 16384 };

struct stream_uv {
	struct stream base;
	union {
		uv_handle_t handle;
		uv_stream_t io;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	};
	uv_timer_t linger;
	unsigned open_handles;
	uv_connect_t connect;
	bool has_source;   /* TCP: an address of ours was asked for */
	bool acks_at_once; /* TCP, from a listener */
	stream_uv_callback *connect_cb;
	void *connect_arg;
	uv_shutdown_t shutdown;
	size_t pending;
	int write_status; /* of the write that the system refused; told by on_written */
	bool has_failed;  /* a write failed: failure tells how */
	struct err failure;
};

/* What is read is taken in before anything else is read on this thread. */
static _Thread_local char read_buffer[READ_SIZE];

struct write_request {
	uv_write_t req;
	size_t len;
	char bytes[];
};

static struct stream_uv *uv_of(struct stream *s)
{
	return (struct stream_uv *)s;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct stream_uv *t = handle->data;
	if (--t->open_handles == 0)
		free(t);
}

/* Once only: the end of the linger and its time limit may both come here. */
static void close_handles(struct stream_uv *t)
{
	if (uv_is_closing(&t->handle))
		return;
	uv_close(&t->handle, on_handle_closed);
	uv_close((uv_handle_t *)&t->linger, on_handle_closed);
}

/* The peer reads no more. A connection that only ended would live on in the system with
 * what it has not taken, megabytes for minutes: it is reset. */
static void on_linger_over(uv_timer_t *timer)
{
	struct stream_uv *t = timer->data;
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	int fd;
	if (!uv_is_closing(&t->handle) && uv_fileno(&t->handle, &fd) == 0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close_handles(t);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
	(void)status; /* sent or not: nobody is there to be told */
	close_handles(req->data);
}

static void socket_close(struct stream *s, bool is_orderly)
{
	struct stream_uv *t = uv_of(s);
	uv_read_stop(&t->io);
	bool has_queue = t->pending && !t->has_failed;
	t->shutdown.data = t;
	if (is_orderly && has_queue &&
		uv_shutdown(&t->shutdown, &t->io, on_shutdown) == 0)
		uv_timer_start(&t->linger, on_linger_over, LINGER_MS, 0);
	else
		close_handles(t);
}

static void end_with_reset(struct stream_uv *t, const char *doing, int status)
{
	struct err e;
	err_errno(&e, -status, "%s", doing);
	uv_read_stop(&t->io);
	stream_emit_end(&t->base, STREAM_END_RESET, &e);
}

static void end_with_eof(struct stream_uv *t)
{
	struct err e;
	err_set(&e, ERR_NETWORK, "connection closed by the peer");
	uv_read_stop(&t->io);
	stream_emit_end(&t->base, STREAM_END_EOF, &e);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	(void)handle;
	(void)suggested;
	*out = uv_buf_init(read_buffer, sizeof(read_buffer));
}

/* A client that writes what it has to say in parts, without TCP_NODELAY, only sends the
 * next one when we have acknowledged the last, which the kernel puts off by 40 ms. It
 * forgets this wish when it likes. */
static void acknowledge_at_once(struct stream_uv *t)
{
	int fd, yes = 1;
	if (uv_fileno(&t->handle, &fd) == 0)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof(yes));
}

static void on_read(uv_stream_t *handle, ssize_t count, const uv_buf_t *buf)
{
	struct stream_uv *t = handle->data;
	if (stream_is_closed(&t->base))
		return;
	if (count > 0) {
		stream_emit_data(&t->base, buf->base, (size_t)count);
		if (t->acks_at_once && !stream_is_closed(&t->base))
			acknowledge_at_once(t);
	} else if (count < 0 && t->has_failed)
		stream_emit_end(&t->base, STREAM_END_RESET, &t->failure);
	else if (count == UV_EOF)
		end_with_eof(t);
	else if (count < 0)
		end_with_reset(t, "read from the peer", (int)count);
}

static void socket_read_start(struct stream *s)
{
	struct stream_uv *t = uv_of(s);
	/* Fails only for a handle that is closing or not connected: our bug. */
	ASSERT(uv_read_start(&t->io, on_alloc, on_read) == 0);
}

static void socket_read_stop(struct stream *s)
{
	uv_read_stop(&uv_of(s)->io);
}

/* What the peer said before it hung up may still be in the receive queue (a
 * "421" for one): while the owner reads, the reading side ends the stream. */
static void write_failed(struct stream_uv *t, int status)
{
	if (t->has_failed || stream_is_closed(&t->base))
		return;
	t->has_failed = true;
	err_errno(&t->failure, -status, "write to the peer");
	if (!t->base.is_reading)
		stream_emit_end(&t->base, STREAM_END_RESET, &t->failure);
}

static void on_written(uv_write_t *req, int status)
{
	struct write_request *w = req->data;
	struct stream_uv *t = req->handle->data;
	t->pending -= w->len;
	free(w);
	if (status < 0)
		write_failed(t, t->write_status ? t->write_status : status);
	else if (!t->pending)
		stream_emit_drain(&t->base);
}

static void queue_write(struct stream_uv *t, const char *bytes, size_t len)
{
	struct write_request *w = xmalloc(sizeof(*w) + len);
	w->len = len;
	memcpy(w->bytes, bytes, len);
	w->req.data = w;
	uv_buf_t buf = uv_buf_init(w->bytes, (unsigned)len);
	/* Fails only for a stream that was never connected: our bug. Errors of the
	 * connection come to on_written, which never runs from in here. */
	ASSERT(uv_write(&w->req, &t->io, &buf, 1, on_written) == 0);
	t->pending += len;
}

/* Mostly the system takes all there is, and nothing need be kept. The rest waits
 * its turn; so does an error, which is queued with what it was met by: nobody is
 * told of it from in here. */
static void socket_write(struct stream *s, const void *bytes, size_t len)
{
	struct stream_uv *t = uv_of(s);
	uv_buf_t buf = uv_buf_init((char *)bytes, (unsigned)len);
	int taken = uv_try_write(&t->io, &buf, 1);
	if (taken < 0 && taken != UV_EAGAIN && !t->write_status)
		t->write_status = taken;
	size_t done = taken > 0 ? (size_t)taken : 0;
	if (done < len)
		queue_write(t, (const char *)bytes + done, len - done);
}

static size_t socket_pending(const struct stream *s)
{
	return ((const struct stream_uv *)s)->pending;
}

typedef int get_name(const uv_tcp_t *, struct sockaddr *, int *);

static bool tcp_name(const struct stream *s, get_name *get, struct addr *out)
{
	struct sockaddr_storage ss;
	int len = sizeof(ss);
	if (get(&((const struct stream_uv *)s)->tcp, (struct sockaddr *)&ss, &len) != 0)
		return false;
	return addr_from_sockaddr(out, (struct sockaddr *)&ss);
}

static bool tcp_peer(const struct stream *s, struct addr *out)
{
	return tcp_name(s, uv_tcp_getpeername, out);
}

static bool tcp_local(const struct stream *s, struct addr *out)
{
	return tcp_name(s, uv_tcp_getsockname, out);
}

static bool no_name(const struct stream *s, struct addr *out)
{
	(void)s;
	(void)out;
	return false;
}

static const struct stream_kind tcp_kind = {
	.name = "tcp",
	.read_start = socket_read_start,
	.read_stop = socket_read_stop,
	.write = socket_write,
	.pending = socket_pending,
	.close = socket_close,
	.peer = tcp_peer,
	.local = tcp_local,
};

static const struct stream_kind unix_kind = {
	.name = "unix",
	.read_start = socket_read_start,
	.read_stop = socket_read_stop,
	.write = socket_write,
	.pending = socket_pending,
	.close = socket_close,
	.peer = no_name,
	.local = no_name,
};

struct stream *stream_uv_new(struct uv_loop_s *loop, enum stream_uv_family family)
{
	struct stream_uv *t = xcalloc(1, sizeof(*t));
	/* Without a socket yet none of these can fail. */
	if (family == STREAM_UV_TCP) {
		stream_init(&t->base, &tcp_kind);
		ASSERT(uv_tcp_init(loop, &t->tcp) == 0);
	} else {
		stream_init(&t->base, &unix_kind);
		ASSERT(uv_pipe_init(loop, &t->pipe, 0) == 0);
	}
	ASSERT(uv_timer_init(loop, &t->linger) == 0);
	t->handle.data = t->linger.data = t;
	t->open_handles = 2;
	return &t->base;
}

static bool is_tcp(const struct stream_uv *t)
{
	return t->base.kind == &tcp_kind;
}

/* Each write is a whole flight: waiting for more only costs time. */
static void set_connected(struct stream_uv *t)
{
	if (is_tcp(t))
		(void)uv_tcp_nodelay(&t->tcp, 1);
}

struct stream *stream_uv_open(
	struct uv_loop_s *loop, enum stream_uv_family family, int fd, struct err *e)
{
	struct stream *s = stream_uv_new(loop, family);
	struct stream_uv *t = uv_of(s);
	int status = family == STREAM_UV_TCP ? uv_tcp_open(&t->tcp, fd)
					     : uv_pipe_open(&t->pipe, fd);
	if (status == 0) {
		t->acks_at_once = family == STREAM_UV_TCP;
		set_connected(t);
		return s;
	}
	close(fd);
	stream_abort(&s); /* sets s to NULL */
	err_errno(e, -status, "take a socket");
	return s;
}

/* In place of strerror where that would leave a person in the dark. */
static const char *unix_failure(int status)
{
	switch (status) {
	case UV_ENOENT:
		return "no such file; is the program behind it running?";
	case UV_ECONNREFUSED:
		return "nobody listens there; is the program behind it running?";
	case UV_EACCES:
		return "permission denied; see the mode of the socket and of its "
		       "directory";
	case UV_EAGAIN:
		return "its queue of connections is full";
	default:
		return strerror(-status);
	}
}

static const char *tcp_failure(const struct stream_uv *t, int status)
{
	if (status == UV_EADDRNOTAVAIL && t->has_source)
		return "no port is left for a connection from the source address";
	return strerror(-status);
}

static void on_connect(uv_connect_t *req, int status)
{
	struct stream_uv *t = req->data;
	struct err e;
	if (stream_is_closed(&t->base))
		return;
	if (status == 0)
		set_connected(t);
	else
		err_set(&e, err_from_errno(-status), "%s",
			is_tcp(t) ? tcp_failure(t, status) : unix_failure(status));
	t->connect_cb(t->connect_arg, status ? &e : NULL);
}

static void set_callback(struct stream_uv *t, stream_uv_callback *cb, void *arg)
{
	t->connect_cb = cb;
	t->connect_arg = arg;
	t->connect.data = t;
}

static int fail_source(const struct addr *from, int errnum, struct err *e)
{
	char text[ADDR_TEXT_MAX];
	addr_format(from, text);
	if (errnum == EADDRNOTAVAIL)
		return err_set(e, err_from_errno(errnum),
			"the source address %s is not an address of this machine", text);
	return err_errno(e, errnum, "bind to the source address %s", text);
}

/* Without a port of its own: the kernel finds one when it knows the peer, so that there
 * are as many connections to each peer as there are ports, not to all peers together. */
static int bind_source(struct stream_uv *t, const struct addr *from, struct err *e)
{
	int on = 1;
	int fd = socket(addr_family(from), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail_source(from, errno, e);
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	int status =
		bind(fd, &from->sa, addr_len(from)) ? -errno : uv_tcp_open(&t->tcp, fd);
	t->has_source = status == 0;
	if (status == 0)
		return 0;
	close(fd);
	return fail_source(from, -status, e);
}

int stream_uv_connect(struct stream *s, const struct addr *to, const struct addr *from,
	stream_uv_callback *cb, void *arg, struct err *e)
{
	struct stream_uv *t = uv_of(s);
	set_callback(t, cb, arg);
	if (from && bind_source(t, from, e) != 0)
		return e->code;
	int status = uv_tcp_connect(&t->connect, &t->tcp, &to->sa, on_connect);
	return status ? err_set(e, err_from_errno(-status), "%s", strerror(-status)) : 0;
}

int stream_uv_check_path(const char *path, struct err *e)
{
	size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	if (!*path)
		return err_set(e, ERR_INVALID, "a unix socket needs a path");
	/* libuv would cut it, and lead to another socket. */
	if (strlen(path) > max)
		return err_set(e, ERR_INVALID,
			"path %.120s... is too long for a unix socket (%zu octets at "
			"most)",
			path, max);
	return 0;
}

int stream_uv_connect_unix(struct stream *s, const char *path, stream_uv_callback *cb,
	void *arg, struct err *e)
{
	struct stream_uv *t = uv_of(s);
	int result = stream_uv_check_path(path, e);
	if (result)
		return result;
	set_callback(t, cb, arg);
	uv_pipe_connect(&t->connect, &t->pipe, path, on_connect);
	return 0;
}
