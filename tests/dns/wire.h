/*
 * DNS messages built from lines of text, for tests.
 *
 * A record is "SECTION OWNER TTL TYPE BODY": "an example.test 300 MX 10 mx.test",
 * "ns test 60 SOA 30" (the number is the minimum), "ar . 16777216 OPT". Sections:
 * an, ns, ar. Names take the escapes of zone files; "@" is a pointer to the
 * question. "#15 000a" is type 15 with that body in hexadecimal.
 */
#ifndef TESTS_DNS_WIRE_H
#define TESTS_DNS_WIRE_H

#include <stddef.h>
#include <stdint.h>

struct wire {
	unsigned char bytes[65535];
	size_t len;
};

enum {
	WIRE_OK = 0x8180, /* QR, RD, RA */
	WIRE_AD = 0x0020,
	WIRE_AA = 0x0400,
	WIRE_TC = 0x0200,
	WIRE_FORMERR = 1,
	WIRE_SERVFAIL = 2,
	WIRE_NXDOMAIN = 3,
	WIRE_NOTIMP = 4,
	WIRE_REFUSED = 5
};

void wire_begin(struct wire *w, uint16_t id, uint16_t flags);
void wire_question(struct wire *w, const char *name, int type);
void wire_record(struct wire *w, const char *line);
void wire_bytes(struct wire *w, const void *bytes, size_t len);
void wire_u16_at(struct wire *w, size_t at, unsigned value);
unsigned wire_get_u16(const unsigned char *p);

#endif
