/*
 * What a host may say to a client that authenticates (sasl/sasl.h). The first octet
 * chooses password or token; the first text lists mechanisms, and each further one is a
 * challenge, in which '@' stands for the nonce of the client: no host could go far
 * without it. A host that does not know the password never ends SCRAM with success.
 */
#include "fuzz.h"

#include "base/err.h"
#include "base/mem.h"
#include "sasl/sasl.h"

#include <string.h>

enum { CHALLENGES_MAX = 8, NONCE_MAX = 128 };
static const char secret[] = "s3cret";

/* Behind "r=" of what the client sent. */
static void find_nonce(const struct sasl_response *r, char out[NONCE_MAX])
{
	const char *at = r->bytes && r->len ? memmem(r->bytes, r->len, "r=", 2) : NULL;
	size_t len = 0;
	for (; at && at + 2 + len < r->bytes + r->len && len < NONCE_MAX - 1; len++) {
		if (at[2 + len] == ',')
			break;
		out[len] = at[2 + len];
	}
	out[len] = '\0';
}

static void make_challenge(struct fuzz_input text, const char *nonce, struct buf *out)
{
	buf_reset(out);
	for (size_t i = 0; i < text.len; i++) {
		if (text.s[i] == '@')
			buf_addstr(out, nonce);
		else
			buf_addc(out, text.s[i]);
	}
}

static void check_error(int rc, const struct err *e)
{
	ASSERT(rc == ERR_INVALID || rc == ERR_LIMIT || rc == ERR_UNSUPPORTED);
	ASSERT(*e->text && !strstr(e->text, secret));
}

static void talk(struct sasl *s, const char *list, struct fuzz_input *in)
{
	struct sasl_response r = { 0 };
	struct err e = { 0 };
	struct buf challenge = BUF_INIT;
	char nonce[NONCE_MAX];
	int rc = sasl_begin(s, list, &r, &e);
	if (!rc) {
		ASSERT(sasl_mechanism(s));
		find_nonce(&r, nonce);
	}
	for (int i = 0; !rc && i < CHALLENGES_MAX && in->len; i++) {
		make_challenge(fuzz_text(in), nonce, &challenge);
		/* Exactly as long as it is. */
		OWN(mem_free)
		char *bytes = xmemdup(buf_bytes(&challenge), buf_len(&challenge));
		rc = sasl_answer(s, bytes, buf_len(&challenge), &r, &e);
		if (!rc && strncmp(sasl_mechanism(s), "SCRAM", 5) == 0)
			ASSERT(!r.is_complete);
	}
	if (rc)
		check_error(rc, &e);
	ASSERT(!sasl_refusal(s) || fuzz_is_clean(sasl_refusal(s), ""));
	buf_clear(&challenge);
}

void fuzz_sasl(const uint8_t *data, size_t len)
{
	struct fuzz_input in = fuzz_input(data, len);
	/* A host that says the secret may hear of it. */
	if (len && memmem(data, len, secret, strlen(secret)))
		return;
	uint8_t choice = fuzz_octet(&in);
	OWN(mem_free) char *list = fuzz_string(&in);
	const struct sasl_identity identity = { .user = "user",
		.kind = choice & 1 ? SASL_TOKEN : SASL_PASSWORD,
		.secret = secret,
		.host = "relay.example",
		.port = 587 };
	OWN(sasl_free) struct sasl *s = sasl_new(&identity);
	talk(s, list, &in);
}
