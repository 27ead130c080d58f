/*
 * Socket addresses: text to address and back, and CIDR ranges.
 * IPv4-mapped IPv6 addresses are compared as the IPv4 address they carry.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include "base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { ADDR_TEXT_MAX = 64 }; /* "[IPv6]:port" and its NUL */

struct addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
};

struct addr_range {
	struct addr base;
	unsigned bits; /* of the un-mapped address: 0..32 or 0..128 */
};

int addr_family(const struct addr *a); /* AF_INET or AF_INET6 */
socklen_t addr_len(const struct addr *a);
uint16_t addr_port(const struct addr *a);
void addr_set_port(struct addr *a, uint16_t port);
void addr_from_v4(struct addr *out, const void *octets4, uint16_t port);
void addr_from_v6(struct addr *out, const void *octets16, uint16_t port);
bool addr_from_sockaddr(struct addr *out, const struct sockaddr *sa);

/* "192.0.2.1", "2001:db8::1", without port or brackets. false: not one. */
bool addr_parse(const char *s, uint16_t port, struct addr *out);

/* "192.0.2.1", "192.0.2.1:5353", "[2001:db8::1]:53", "2001:db8::1". */
int addr_parse_with_port(
	const char *s, uint16_t default_port, struct addr *out, struct err *e);

/* Without port: "2001:db8::1"; with: "[2001:db8::1]:25", "192.0.2.1:25". */
void addr_format(const struct addr *a, char out[ADDR_TEXT_MAX]);
void addr_format_with_port(const struct addr *a, char out[ADDR_TEXT_MAX]);

/* ::ffff:192.0.2.1 becomes 192.0.2.1; all else is copied. */
void addr_unmap(const struct addr *in, struct addr *out);
bool addr_equal(const struct addr *a, const struct addr *b); /* port included */
bool addr_is_any(const struct addr *a);                      /* 0.0.0.0 or :: */
bool addr_is_loopback(const struct addr *a);                 /* 127.0.0.0/8 or ::1 */

/* "192.0.2.0/24", "::1", "fe80::/10". */
int addr_range_parse(const char *s, struct addr_range *out, struct err *e);
bool addr_in_range(const struct addr *a, const struct addr_range *r);

#endif
