/*
 * Listening sockets, TCP and unix, on the loop. Each connection becomes a stream.
 *
 * A unix socket has its mode before anybody can connect to it. A file that a dead
 * process has left there is replaced; one behind which somebody listens is an error.
 * It is removed when the socket is closed, unless somebody else's is there by then.
 *
 * Where the system has no descriptor left for a connection it waits in the system's
 * queue, and is asked for again a second later.
 */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include "net/stream.h"

struct listen_socket;

struct listen_options {
	const struct addr *addr; /* with port, 0: any; NULL: unix_path */
	const char *unix_path;
	unsigned unix_mode; /* 0660 */
	/* Reading has not begun; the stream is the callback's. It may close the socket.
	 */
	void (*on_accept)(void *arg, struct stream *s);
	/* No connection can be taken at the moment. Not again until one could. */
	void (*on_trouble)(void *arg, const struct err *e);
	void *arg;
};

/* Errors say which socket, and what to do: ERR_EXISTS: somebody listens there. */
int listen_open(struct uv_loop_s *loop, const struct listen_options *options,
	struct listen_socket **out, struct err *e);
/* No callback runs after it. */
void listen_close(struct listen_socket **l);

/* The address it has; false: a unix socket. */
bool listen_addr(const struct listen_socket *l, struct addr *out);

#endif
