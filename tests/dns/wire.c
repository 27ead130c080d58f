#include "wire.h"

#include "base/err.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned wire_get_u16(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

void wire_u16_at(struct wire *w, size_t at, unsigned value)
{
	ASSERT(at + 2 <= sizeof(w->bytes));
	w->bytes[at] = (unsigned char)(value >> 8);
	w->bytes[at + 1] = (unsigned char)value;
}

void wire_bytes(struct wire *w, const void *bytes, size_t len)
{
	ASSERT(len <= sizeof(w->bytes) - w->len);
	memcpy(w->bytes + w->len, bytes, len);
	w->len += len;
}

static void add_u16(struct wire *w, unsigned value)
{
	wire_u16_at(w, w->len, value);
	w->len += 2;
}

static void add_u32(struct wire *w, unsigned long value)
{
	add_u16(w, (unsigned)(value >> 16) & 0xffff);
	add_u16(w, (unsigned)value & 0xffff);
}

static void add_name(struct wire *w, const char *text)
{
	unsigned char name[NS_MAXCDNAME];
	const unsigned char *end = name;
	if (strcmp(text, "@") == 0) {
		add_u16(w, 0xc00c);
		return;
	}
	ASSERT(ns_name_pton(text, name, sizeof(name)) >= 0);
	while (*end)
		end += *end + 1;
	wire_bytes(w, name, (size_t)(end - name) + 1);
}

void wire_begin(struct wire *w, uint16_t id, uint16_t flags)
{
	memset(w->bytes, 0, NS_HFIXEDSZ);
	w->len = NS_HFIXEDSZ;
	wire_u16_at(w, 0, id);
	wire_u16_at(w, 2, flags);
}

static void count_one(struct wire *w, size_t section)
{
	size_t at = 4 + 2 * section;
	wire_u16_at(w, at, wire_get_u16(w->bytes + at) + 1);
}

void wire_question(struct wire *w, const char *name, int type)
{
	add_name(w, name);
	add_u16(w, (unsigned)type);
	add_u16(w, ns_c_in);
	count_one(w, 0);
}

static void add_hex(struct wire *w, const char *hex)
{
	unsigned octet;
	for (; sscanf(hex, "%2x", &octet) == 1; hex += 2) {
		unsigned char c = (unsigned char)octet;
		wire_bytes(w, &c, 1);
	}
}

static void add_mx(struct wire *w, const char *body)
{
	char host[1100];
	unsigned preference;
	ASSERT(sscanf(body, "%u %1099s", &preference, host) == 2);
	add_u16(w, preference);
	add_name(w, host);
}

static void add_address(struct wire *w, const char *body)
{
	unsigned char octets[16];
	int family = strchr(body, ':') ? AF_INET6 : AF_INET;
	ASSERT(inet_pton(family, body, octets) == 1);
	wire_bytes(w, octets, family == AF_INET6 ? 16 : 4);
}

static void add_soa(struct wire *w, const char *body)
{
	add_name(w, "ns.test");
	add_name(w, "hostmaster.test");
	for (int i = 0; i < 4; i++)
		add_u32(w, 7200);
	add_u32(w, strtoul(body, NULL, 10));
}

static const struct {
	const char *name;
	int number;
	void (*add)(struct wire *w, const char *body);
} types[] = {
	{ "A", ns_t_a, add_address },
	{ "AAAA", ns_t_aaaa, add_address },
	{ "NS", ns_t_ns, add_name },
	{ "CNAME", ns_t_cname, add_name },
	{ "SOA", ns_t_soa, add_soa },
	{ "MX", ns_t_mx, add_mx },
	{ "TXT", ns_t_txt, add_hex },
	{ "OPT", ns_t_opt, add_hex },
};

void wire_record(struct wire *w, const char *line)
{
	char section[4], owner[1100], type[16];
	unsigned long ttl;
	int n = 0;
	ASSERT(sscanf(line, "%3s %1099s %lu %15s %n", section, owner, &ttl, type, &n) ==
		4);
	int number = atoi(type + 1);
	void (*add)(struct wire *, const char *) = add_hex;
	for (size_t i = 0; *type != '#' && i < ARRAY_SIZE(types); i++) {
		if (strcmp(types[i].name, type) == 0) {
			number = types[i].number;
			add = types[i].add;
		}
	}
	ASSERT(number > 0);
	count_one(w, *section == 'n' ? 2 : section[1] == 'r' ? 3 : 1);
	add_name(w, owner);
	add_u16(w, (unsigned)number);
	add_u16(w, number == ns_t_opt ? 1232 : ns_c_in);
	add_u32(w, ttl);
	size_t length_at = w->len;
	add_u16(w, 0);
	add(w, line + n);
	wire_u16_at(w, length_at, (unsigned)(w->len - length_at - 2));
}
