#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int addr_family(const struct addr *a)
{
	return a->sa.sa_family;
}

socklen_t addr_len(const struct addr *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof(a->v6) : sizeof(a->v4);
}

uint16_t addr_port(const struct addr *a)
{
	return ntohs(a->sa.sa_family == AF_INET6 ? a->v6.sin6_port : a->v4.sin_port);
}

void addr_set_port(struct addr *a, uint16_t port)
{
	if (a->sa.sa_family == AF_INET6)
		a->v6.sin6_port = htons(port);
	else
		a->v4.sin_port = htons(port);
}

void addr_from_v4(struct addr *out, const void *octets4, uint16_t port)
{
	memset(out, 0, sizeof(*out));
	out->v4.sin_family = AF_INET;
	out->v4.sin_port = htons(port);
	memcpy(&out->v4.sin_addr, octets4, 4);
}

void addr_from_v6(struct addr *out, const void *octets16, uint16_t port)
{
	memset(out, 0, sizeof(*out));
	out->v6.sin6_family = AF_INET6;
	out->v6.sin6_port = htons(port);
	memcpy(&out->v6.sin6_addr, octets16, 16);
}

bool addr_from_sockaddr(struct addr *out, const struct sockaddr *sa)
{
	memset(out, 0, sizeof(*out));
	if (sa->sa_family == AF_INET)
		memcpy(&out->v4, sa, sizeof(out->v4));
	else if (sa->sa_family == AF_INET6)
		memcpy(&out->v6, sa, sizeof(out->v6));
	else
		return false;
	return true;
}

bool addr_parse(const char *s, uint16_t port, struct addr *out)
{
	unsigned char octets[16];
	if (inet_pton(AF_INET, s, octets) == 1) {
		addr_from_v4(out, octets, port);
		return true;
	}
	if (inet_pton(AF_INET6, s, octets) == 1) {
		addr_from_v6(out, octets, port);
		return true;
	}
	return false;
}

static bool parse_port(const char *s, uint16_t *out)
{
	char *end;
	if (*s < '0' || *s > '9')
		return false;
	unsigned long n = strtoul(s, &end, 10);
	if (*end || n < 1 || n > 65535)
		return false;
	*out = (uint16_t)n;
	return true;
}

int addr_parse_with_port(
	const char *s, uint16_t default_port, struct addr *out, struct err *e)
{
	char host[ADDR_TEXT_MAX];
	uint16_t port = default_port;
	const char *begin = s, *end = s + strlen(s), *colon = strchr(s, ':');

	if (*s == '[') {
		begin = s + 1;
		end = strchr(s, ']');
		if (!end || (end[1] && (end[1] != ':' || !parse_port(end + 2, &port))))
			goto bad;
	} else if (colon && !strchr(colon + 1, ':')) {
		end = colon;
		if (!parse_port(colon + 1, &port))
			goto bad;
	}
	size_t len = (size_t)(end - begin);
	if (len >= sizeof(host))
		goto bad;
	memcpy(host, begin, len);
	host[len] = '\0';
	if (addr_parse(host, port, out))
		return 0;
bad:
	return err_set(e, ERR_INVALID,
		"\"%.80s\" is not an address: write 192.0.2.1, 192.0.2.1:53 or "
		"[2001:db8::1]:53",
		s);
}

/* Each record has one; inet_ntop goes through printf. */
static void format_v4(const unsigned char octets[4], char *out)
{
	for (int i = 0; i < 4; i++) {
		unsigned n = octets[i];
		if (i)
			*out++ = '.';
		if (n >= 100)
			*out++ = (char)('0' + n / 100);
		if (n >= 10)
			*out++ = (char)('0' + n / 10 % 10);
		*out++ = (char)('0' + n % 10);
	}
	*out = '\0';
}

void addr_format(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	if (a->sa.sa_family == AF_INET) {
		format_v4((const unsigned char *)&a->v4.sin_addr, out);
		return;
	}
	const void *octets = a->sa.sa_family == AF_INET6 ? (const void *)&a->v6.sin6_addr
							 : (const void *)&a->v4.sin_addr;
	if (!inet_ntop(a->sa.sa_family, octets, out, ADDR_TEXT_MAX))
		snprintf(out, ADDR_TEXT_MAX, "?");
}

void addr_format_with_port(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	char host[ADDR_TEXT_MAX];
	addr_format(a, host);
	bool is_v6 = a->sa.sa_family == AF_INET6;
	snprintf(out, ADDR_TEXT_MAX, "%s%.46s%s:%u", is_v6 ? "[" : "", host,
		is_v6 ? "]" : "", addr_port(a));
}

void addr_unmap(const struct addr *in, struct addr *out)
{
	if (in->sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in->v6.sin6_addr)) {
		struct addr copy = *in;
		addr_from_v4(out, &copy.v6.sin6_addr.s6_addr[12], addr_port(&copy));
	} else {
		*out = *in;
	}
}

static const unsigned char *octets_of(const struct addr *a)
{
	return a->sa.sa_family == AF_INET6 ? a->v6.sin6_addr.s6_addr
					   : (const unsigned char *)&a->v4.sin_addr;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	struct addr x, y;
	addr_unmap(a, &x);
	addr_unmap(b, &y);
	if (x.sa.sa_family != y.sa.sa_family || addr_port(&x) != addr_port(&y))
		return false;
	return memcmp(octets_of(&x), octets_of(&y),
		       x.sa.sa_family == AF_INET6 ? 16 : 4) == 0;
}

bool addr_is_any(const struct addr *a)
{
	static const unsigned char zeros[16];
	return memcmp(octets_of(a), zeros, addr_family(a) == AF_INET6 ? 16 : 4) == 0;
}

bool addr_is_loopback(const struct addr *a)
{
	static const unsigned char one[16] = { [15] = 1 };
	struct addr x;
	addr_unmap(a, &x);
	if (addr_family(&x) == AF_INET)
		return octets_of(&x)[0] == 127;
	return memcmp(octets_of(&x), one, sizeof(one)) == 0;
}

int addr_range_parse(const char *s, struct addr_range *out, struct err *e)
{
	char host[ADDR_TEXT_MAX];
	const char *slash = strchr(s, '/');
	size_t len = slash ? (size_t)(slash - s) : strlen(s);
	struct addr a;
	if (len >= sizeof(host))
		goto bad;
	memcpy(host, s, len);
	host[len] = '\0';
	if (!addr_parse(host, 0, &a))
		goto bad;
	unsigned max = addr_family(&a) == AF_INET6 ? 128 : 32;
	out->bits = max;
	if (slash) {
		char *end;
		unsigned long bits = strtoul(slash + 1, &end, 10);
		if (slash[1] < '0' || slash[1] > '9' || *end || bits > max)
			goto bad;
		out->bits = (unsigned)bits;
	}
	addr_unmap(&a, &out->base);
	if (addr_family(&out->base) != addr_family(&a)) {
		/* ::ffff:192.0.2.0/120 is 192.0.2.0/24. */
		if (out->bits < 96)
			goto bad;
		out->bits -= 96;
	}
	return 0;
bad:
	return err_set(e, ERR_INVALID,
		"\"%.80s\" is not an address range: write 192.0.2.0/24, ::1 or fe80::/10",
		s);
}

bool addr_in_range(const struct addr *a, const struct addr_range *r)
{
	struct addr x;
	addr_unmap(a, &x);
	if (addr_family(&x) != addr_family(&r->base))
		return false;
	const unsigned char *p = octets_of(&x), *q = octets_of(&r->base);
	unsigned whole = r->bits / 8, rest = r->bits % 8;
	if (memcmp(p, q, whole) != 0)
		return false;
	return rest == 0 || ((p[whole] ^ q[whole]) >> (8 - rest)) == 0;
}
