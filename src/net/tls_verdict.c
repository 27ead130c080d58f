/*
 * What is known of the peer's certificate, and whether it is good for the name.
 *
 * Reading and verifying a chain costs as much as the rest of the handshake, and a
 * host shows the same one each time; a large service shows it under a name for
 * each of its customers. So two results are kept, each under a digest of all that
 * it follows from, in a store that goes with the trust anchors: what the chain is
 * worth, by the chain and the versions (their priorities have rules for
 * signatures), and the verdict, by the name in addition. They are kept for an hour at
 * most, and not past a time at which a certificate of the chain begins or ends to be
 * valid. A stapled answer (OCSP) is about this moment: with one, nothing is kept.
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

/* Texts as in struct tls_facts. */
struct verdict {
	int result;      /* of the library; below 0: it could not verify */
	unsigned status; /* its bits; 0: all is well */
	bool verified;
	char verify_text[sizeof(((struct tls_facts *)0)->verify_text)];
	char peer[sizeof(((struct tls_facts *)0)->peer)];
	char fingerprint[sizeof(((struct tls_facts *)0)->fingerprint)];
	char not_after[sizeof(((struct tls_facts *)0)->not_after)];
	int64_t changes_at_ms; /* a certificate begins or ends to be valid */
	int64_t until_ms;      /* it is kept; an hour from when the chain was judged */
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

/* The chain alone; a certificate that is said to be for clients, or for signing mail, is
 * none for a server. */
static void verify_chain(gnutls_session_t session, struct verdict *v)
{
	gnutls_typed_vdata_st purpose = { .type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)GNUTLS_KP_TLS_WWW_SERVER };
	v->status = 0;
	v->result = gnutls_certificate_verify_peers(session, &purpose, 1, &v->status);
}

/* As the library does it when it is given the name. */
static void check_name(const struct chain *chain, const char *name, struct verdict *v)
{
	gnutls_x509_crt_t crt;
	bool is_owner = false;
	if (gnutls_x509_crt_init(&crt) == 0) {
		is_owner = gnutls_x509_crt_import(
				   crt, &chain->certs[0], GNUTLS_X509_FMT_DER) == 0 &&
			   gnutls_x509_crt_check_hostname(crt, name);
		gnutls_x509_crt_deinit(crt);
	}
	if (!is_owner)
		v->status |= GNUTLS_CERT_INVALID | GNUTLS_CERT_UNEXPECTED_OWNER;
}

static void conclude(struct verdict *v)
{
	v->verified = false;
	v->verify_text[0] = '\0';
	if (v->result < 0)
		copy_text(v->verify_text, sizeof(v->verify_text),
			gnutls_strerror(v->result));
	else if (v->status)
		set_status_text(v->status, v);
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

/* name: NULL for what the chain is worth alone. */
static bool make_key(const struct chain *chain, unsigned versions, const char *name,
	struct tls_key *out)
{
	struct buf parts = BUF_INIT;
	tls_key_add_text(&parts, name);
	tls_key_add(&parts, &versions, sizeof(versions));
	for (unsigned i = 0; i < chain->count; i++)
		tls_key_add(&parts, chain->certs[i].data, chain->certs[i].size);
	bool ok = tls_key_make(&parts, out);
	buf_clear(&parts);
	return ok;
}

static bool recall(struct tls_store *store, const struct tls_key *key, int64_t now_ms,
	struct verdict *v)
{
	size_t len;
	const void *known = tls_store_get(store, key, now_ms, &len);
	if (known)
		memcpy(v, known, sizeof(*v));
	return known != NULL;
}

static void keep(struct tls_store *store, const struct tls_key *key, int64_t now_ms,
	const struct verdict *v)
{
	int64_t until_ms =
		v->changes_at_ms < v->until_ms ? v->changes_at_ms : v->until_ms;
	tls_store_put(store, key, v, sizeof(*v), now_ms, until_ms);
}

/* Where the two results are kept, if they may be. */
struct places {
	struct tls_store *store; /* NULL: they are not kept */
	struct tls_key chain, named;
};

static struct places find_places(gnutls_session_t session,
	const struct tls_params *params, const struct chain *chain)
{
	struct places p = { 0 };
	bool may_keep = !is_stapled(session, chain) &&
			make_key(chain, params->versions, NULL, &p.chain) &&
			make_key(chain, params->versions, params->verify_name, &p.named);
	if (may_keep)
		p.store = tls_credentials_verdicts(params->credentials);
	return p;
}

static void judge_chain(gnutls_session_t session, const struct chain *chain,
	const struct places *p, int64_t now_ms, struct verdict *v)
{
	if (p->store && recall(p->store, &p->chain, now_ms, v))
		return;
	v->changes_at_ms = INT64_MAX;
	v->until_ms = now_ms + VERDICT_LIFE_MS;
	read_chain(chain, now_ms, v);
	verify_chain(session, v);
	conclude(v);
	if (p->store)
		keep(p->store, &p->chain, now_ms, v);
}

/* The result: until when a later session may go by it (0: it may not). */
static int64_t judge(gnutls_session_t session, const struct tls_params *params,
	const struct chain *chain, struct verdict *v)
{
	int64_t now_ms = clock_wall_ms();
	struct places p = find_places(session, params, chain);
	if (p.store && recall(p.store, &p.named, now_ms, v))
		return v->changes_at_ms;
	judge_chain(session, chain, &p, now_ms, v);
	if (params->verify_name && v->result == 0) {
		check_name(chain, params->verify_name, v);
		conclude(v);
		if (p.store)
			keep(p.store, &p.named, now_ms, v);
	}
	return p.store ? v->changes_at_ms : 0;
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
