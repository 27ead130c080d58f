/*
 * What is known of the peer's certificate, and whether it is good for the name.
 *
 * Reading and verifying a chain costs as much as the rest of the handshake, and a
 * host shows the same one each time. So the result is kept, under a digest of
 * all that it follows from: the chain, the name, the versions (their priorities
 * have rules for signatures), in a store that goes with the trust anchors. It is
 * kept for an hour at most, and not past a time at which a certificate of the
 * chain begins or ends to be valid. A stapled answer (OCSP) is about this moment:
 * with one, nothing is kept.
 */
#include "net/tls_impl.h"

#include "base/buf.h"
#include "base/text.h"
#include "base/timefmt.h"

#include <gnutls/ocsp.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>

enum { VERDICT_LIFE_MS = 60 * 60 * 1000 };

/* As in struct tls_facts. */
struct verdict {
	bool verified;
	char verify_text[sizeof(((struct tls_facts *)0)->verify_text)];
	char peer[sizeof(((struct tls_facts *)0)->peer)];
	char fingerprint[sizeof(((struct tls_facts *)0)->fingerprint)];
	char not_after[sizeof(((struct tls_facts *)0)->not_after)];
	int64_t changes_at_ms; /* a certificate begins or ends to be valid */
};

struct chain {
	const gnutls_datum_t *certs; /* the library's */
	unsigned count;
};

static void copy_text(char *out, size_t size, const char *s)
{
	text_clean(s ? s : "", s ? strlen(s) : 0, out, size);
}

static void read_fingerprint(const gnutls_datum_t *der, struct verdict *v)
{
	unsigned char digest[32];
	size_t size = sizeof(digest);
	if (gnutls_fingerprint(GNUTLS_DIG_SHA256, der, digest, &size) < 0)
		return;
	for (size_t i = 0; i < size; i++)
		snprintf(v->fingerprint + 2 * i, 3, "%02x", digest[i]);
}

static void read_subject(gnutls_x509_crt_t crt, struct verdict *v)
{
	gnutls_datum_t dn = { 0 };
	if (gnutls_x509_crt_get_dn3(crt, &dn, 0) < 0)
		return;
	text_clean((const char *)dn.data, dn.size, v->peer, sizeof(v->peer));
	gnutls_free(dn.data);
}

static void read_expiry(gnutls_x509_crt_t crt, struct verdict *v)
{
	time_t at = gnutls_x509_crt_get_expiration_time(crt);
	if (at == (time_t)-1)
		return;
	char text[TIMEFMT_MAX];
	timefmt_rfc3339((int64_t)at * 1000, text);
	snprintf(v->not_after, sizeof(v->not_after), "%.31s", text);
}

static void note_change(time_t at, int64_t now_ms, struct verdict *v)
{
	int64_t at_ms = (int64_t)at * 1000;
	if (at != (time_t)-1 && at_ms > now_ms && at_ms < v->changes_at_ms)
		v->changes_at_ms = at_ms;
}

static void read_certificate(
	const gnutls_datum_t *der, bool is_peer, int64_t now_ms, struct verdict *v)
{
	gnutls_x509_crt_t crt;
	if (gnutls_x509_crt_init(&crt) < 0)
		return;
	if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0) {
		if (is_peer) {
			read_subject(crt, v);
			read_expiry(crt, v);
		}
		note_change(gnutls_x509_crt_get_activation_time(crt), now_ms, v);
		note_change(gnutls_x509_crt_get_expiration_time(crt), now_ms, v);
	}
	gnutls_x509_crt_deinit(crt);
}

static void read_chain(const struct chain *chain, int64_t now_ms, struct verdict *v)
{
	if (chain->count)
		read_fingerprint(&chain->certs[0], v);
	for (unsigned i = 0; i < chain->count; i++)
		read_certificate(&chain->certs[i], i == 0, now_ms, v);
}

static void set_status_text(unsigned status, struct verdict *v)
{
	gnutls_datum_t text = { 0 };
	if (gnutls_certificate_verification_status_print(
		    status, GNUTLS_CRT_X509, &text, 0) < 0) {
		copy_text(v->verify_text, sizeof(v->verify_text),
			"the certificate is not trusted");
		return;
	}
	copy_text(v->verify_text, sizeof(v->verify_text), (char *)text.data);
	gnutls_free(text.data);
	size_t len = strlen(v->verify_text);
	while (len && v->verify_text[len - 1] == ' ')
		v->verify_text[--len] = '\0';
}

static void verify(gnutls_session_t session, const char *verify_name, struct verdict *v)
{
	unsigned status = 0;
	int result = gnutls_certificate_verify_peers3(session, verify_name, &status);
	if (result < 0)
		copy_text(
			v->verify_text, sizeof(v->verify_text), gnutls_strerror(result));
	else if (status)
		set_status_text(status, v);
	else
		v->verified = true;
}

static bool is_stapled(gnutls_session_t session, const struct chain *chain)
{
	gnutls_datum_t answer;
	for (unsigned i = 0; i < chain->count; i++)
		if (gnutls_ocsp_status_request_get2(session, i, &answer) == 0)
			return true;
	return false;
}

static bool make_key(
	const struct chain *chain, const struct tls_params *params, struct tls_key *out)
{
	struct buf parts = BUF_INIT;
	tls_key_add_text(&parts, params->verify_name);
	tls_key_add(&parts, &params->versions, sizeof(params->versions));
	for (unsigned i = 0; i < chain->count; i++)
		tls_key_add(&parts, chain->certs[i].data, chain->certs[i].size);
	bool ok = tls_key_make(&parts, out);
	buf_clear(&parts);
	return ok;
}

/* The result: until when a later session may go by it (0: it may not). */
static int64_t judge(gnutls_session_t session, const struct tls_params *params,
	const struct chain *chain, struct verdict *v)
{
	int64_t now_ms = clock_wall_ms();
	int64_t until_ms = now_ms + VERDICT_LIFE_MS;
	struct tls_store *store = tls_credentials_verdicts(params->credentials);
	struct tls_key key;
	size_t len;
	bool is_kept = !is_stapled(session, chain) && make_key(chain, params, &key);
	const void *known = is_kept ? tls_store_get(store, &key, now_ms, &len) : NULL;
	if (known) {
		memcpy(v, known, sizeof(*v));
		return v->changes_at_ms;
	}
	v->changes_at_ms = INT64_MAX;
	read_chain(chain, now_ms, v);
	verify(session, params->verify_name, v);
	if (!is_kept)
		return 0;
	if (v->changes_at_ms < until_ms)
		until_ms = v->changes_at_ms;
	tls_store_put(store, &key, v, sizeof(*v), now_ms, until_ms);
	return v->changes_at_ms;
}

void tls_verdict_read(gnutls_session_t session, const struct tls_params *params,
	struct tls_facts *facts, int64_t *good_until_ms_out)
{
	struct verdict v = { 0 };
	struct chain chain = { 0 };
	*good_until_ms_out = 0;
	chain.certs = gnutls_certificate_get_peers(session, &chain.count);
	if (!chain.certs)
		chain.count = 0;
	if (facts->completed && chain.count) {
		*good_until_ms_out = judge(session, params, &chain, &v);
	} else {
		read_chain(&chain, 0, &v);
		copy_text(v.verify_text, sizeof(v.verify_text),
			facts->completed ? "the server sent no certificate"
					 : "the handshake was not completed");
	}
	facts->verified = v.verified;
	memcpy(facts->verify_text, v.verify_text, sizeof(v.verify_text));
	memcpy(facts->peer, v.peer, sizeof(v.peer));
	memcpy(facts->fingerprint, v.fingerprint, sizeof(v.fingerprint));
	memcpy(facts->not_after, v.not_after, sizeof(v.not_after));
}
