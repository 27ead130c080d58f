/*
 * Answers of the DNS (dns/dns_parse.h), each as that to a question for A, MX and AAAA. A
 * malformed one is a temporary failure; a host in a good one is a name that can be used.
 */
#include "fuzz.h"

#include "dns/dns_parse.h"

#include "base/mem.h"

/* The start of every run: a header that says "answer" and the question. Without
 * it the fuzzer would spend its time on guessing the name. */
static const unsigned char prefix[] = "\0\1\x81\x80\0\1\0\0\0\0\0\0"
				      "\7example\4test\0\0";

enum { COUNTS_AT = 6, COUNTS_LEN = 6 };

static void check(const struct dns_answer *a)
{
	bool has_records = a->mx_count + a->addr_count > 0;
	ASSERT((a->status == DNS_OK) == has_records);
	ASSERT((a->status == DNS_TEMPORARY) == (*a->text != '\0'));
	ASSERT(a->mx_count <= DNS_MX_MAX && a->addr_count <= DNS_ADDR_MAX);
	for (size_t i = 0; i < a->mx_count; i++)
		ASSERT(!*a->mx[i].host || dns_name_is_usable(a->mx[i].host));
}

/* The first octets of the input are the counts, the rest follows the name. */
static unsigned char *message_of(const unsigned char *data, size_t len, size_t *len_out)
{
	size_t head = sizeof(prefix) - 1;
	*len_out = head + len - COUNTS_LEN;
	unsigned char *message = xmalloc(*len_out);
	for (size_t i = 0; i < *len_out; i++)
		message[i] = i < head ? prefix[i] : data[COUNTS_LEN + i - head];
	for (size_t i = 0; i < COUNTS_LEN; i++)
		message[COUNTS_AT + i] = data[i];
	return message;
}

void fuzz_dns(const uint8_t *data, size_t len)
{
	static const enum dns_type types[] = { DNS_TYPE_A, DNS_TYPE_MX, DNS_TYPE_AAAA };
	if (len < COUNTS_LEN)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		size_t message_len;
		OWN(mem_free) unsigned char *m = message_of(data, len, &message_len);
		struct dns_reply *r = dns_parse(m, message_len, "example.test", types[i]);
		check(&r->answer);
		dns_reply_unref(&r);
	}
}
