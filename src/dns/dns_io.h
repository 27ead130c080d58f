/*
 * What the resolver needs of the loop and of the DNS library: one question to
 * one server over UDP, over TCP where the answer does not fit, and a turn of
 * its own on the loop. Implemented in dns_cares.c.
 *
 * Callbacks run from the loop only, never inside a call of this module and
 * never inside a call of the library, so they may start and cancel exchanges
 * and close the whole.
 */
#ifndef DNS_DNS_IO_H
#define DNS_DNS_IO_H

#include "dns/dns_parse.h"

struct uv_loop_s;
struct dns_io;
struct dns_exchange;

struct dns_io_options {
	int timeout_ms;              /* for one exchange and transport */
	void (*on_turn)(void *arg);  /* on a later turn, after dns_io_wake */
	void (*on_close)(void *arg); /* all handles are closed: the last callback */
	void *arg;
};

struct dns_io *dns_io_new(struct uv_loop_s *loop, const struct dns_io_options *options);
void dns_io_wake(struct dns_io *io);
/* All exchanges are to be cancelled before; frees itself before on_close. */
void dns_io_close(struct dns_io **io);

/* The servers of resolv.conf, max of them at most; at least one on success. */
int dns_io_system_servers(
	struct addr *servers, size_t max, size_t *count_out, struct err *e);

/* bytes: the answer, borrowed for the call; NULL if there is none, then why says
 * what happened ("timed out"). The exchange is over and frees itself. */
typedef void dns_exchange_done(
	void *arg, const unsigned char *bytes, size_t len, const char *why);

int dns_exchange_start(struct dns_io *io, const struct addr *server, const char *name,
	enum dns_type type, dns_exchange_done *done, void *arg, struct dns_exchange **out,
	struct err *e);
void dns_exchange_cancel(struct dns_exchange **x); /* NULL is fine */

#endif
