#include "net/tls_identity_impl.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/timefmt.h"
#include "net/tls_impl.h"

#include <stdlib.h>
#include <string.h>

static int read_parts(
	const struct tls_identity_spec *spec, struct identity_parts *p, struct err *e)
{
	const char *key = spec->key ? spec->key : spec->certificate;
	int result = identity_is_url(spec->certificate)
			     ? identity_read_token(spec->certificate, p, e)
			     : identity_read_file(spec, p, e);
	if (result || p->key)
		return result;
	return identity_is_url(key) ? identity_read_token_key(key, p, e)
				    : identity_read_key_file(spec, p, e);
}

static int check_chain(const struct tls_identity_spec *spec,
	const struct identity_parts *p, struct err *e)
{
	if (p->count <= IDENTITY_CHAIN_MAX)
		return 0;
	return err_set(e, ERR_LIMIT,
		"%s holds %u certificates; a client certificate and its chain are %d at "
		"most",
		spec->certificate, p->count, IDENTITY_CHAIN_MAX);
}

static int make_chain(struct tls_identity *i, struct err *e)
{
	unsigned count = i->parts.count;
	i->certs = xcalloc(count, sizeof(*i->certs));
	int result = gnutls_pcert_import_x509_list(i->certs, i->parts.certs, &count, 0);
	if (result < 0)
		return err_set(e, ERR_INVALID, "use the certificate %s: %s", i->name,
			gnutls_strerror(result));
	i->not_before_s = gnutls_x509_crt_get_activation_time(i->parts.certs[0]);
	i->not_after_s = gnutls_x509_crt_get_expiration_time(i->parts.certs[0]);
	return 0;
}

static int fail_key(const struct tls_identity *i, const char *text, struct err *e)
{
	if (i->parts.pin.doubt)
		text = i->parts.pin.doubt;
	return err_set(e, ERR_INVALID,
		"the private key for the client certificate %s: %s", i->name, text);
}

/* What the one has signed the other verifies. This can be asked of keys that cannot be
 * looked at, too, and shows that they may sign. */
static int prove_key(const struct tls_identity *i, struct err *e)
{
	gnutls_pubkey_t owner = i->certs[0].pubkey;
	int algorithm = gnutls_pubkey_get_pk_algorithm(owner, NULL);
	gnutls_digest_algorithm_t hash;
	gnutls_datum_t said = { (unsigned char *)"it is me", 8 }, signature;
	if (gnutls_privkey_get_pk_algorithm(i->parts.key, NULL) != algorithm)
		return fail_key(i, "it is not the key of the first certificate there", e);
	int result = gnutls_pubkey_get_preferred_hash_algorithm(owner, &hash, NULL);
	if (result < 0)
		return fail_key(i, gnutls_strerror(result), e);
	gnutls_sign_algorithm_t sign = gnutls_pk_to_sign(algorithm, hash);
	result = gnutls_privkey_sign_data2(i->parts.key, sign, 0, &said, &signature);
	if (result < 0)
		return fail_key(i, gnutls_strerror(result), e);
	result = gnutls_pubkey_verify_data2(owner, sign, 0, &said, &signature);
	gnutls_free(signature.data);
	return result < 0 ? fail_key(i,
				    "it is not the key of the first certificate there", e)
			  : 0;
}

static bool has_token(const struct tls_identity_spec *spec)
{
	return identity_is_url(spec->certificate) ||
	       (spec->key && identity_is_url(spec->key));
}

int identity_load(const struct tls_identity_spec *spec, struct tls_identity **out,
	bool *is_pin_refused_out, struct err *e)
{
	OWN(tls_identity_free) struct tls_identity *i = xcalloc(1, sizeof(*i));
	i->references = 1;
	i->name = xstrdup(spec->certificate);
	if (has_token(spec)) /* which may ask for it at any time */
		i->parts.pin.text = xstrdup(spec->password);
	int result = read_parts(spec, &i->parts, e);
	if (!result)
		result = check_chain(spec, &i->parts, e);
	if (!result)
		result = make_chain(i, e);
	if (!result)
		result = prove_key(i, e);
	*is_pin_refused_out = i->parts.pin.is_refused;
	if (!result)
		*out = MOVE(i);
	return result;
}

int tls_identity_load(
	const struct tls_identity_spec *spec, struct tls_identity **out, struct err *e)
{
	bool is_pin_refused;
	return identity_load(spec, out, &is_pin_refused, e);
}

struct tls_identity *tls_identity_hold(struct tls_identity *i)
{
	i->references++;
	return i;
}

static void free_parts(struct identity_parts *p)
{
	for (unsigned n = 0; n < p->count; n++)
		gnutls_x509_crt_deinit(p->certs[n]);
	gnutls_free(p->certs);
	if (p->key)
		gnutls_privkey_deinit(p->key);
	mem_free_secret(&p->pin.text);
}

void tls_identity_free(struct tls_identity **ip)
{
	struct tls_identity *i = MOVE(*ip);
	if (!i || --i->references)
		return;
	for (unsigned n = 0; i->certs && n < i->parts.count; n++)
		gnutls_pcert_deinit(&i->certs[n]);
	free(i->certs);
	free_parts(&i->parts);
	free(i->name);
	free(i);
}

static bool say_expired(
	const struct tls_identity *i, const char *how, int64_t at_s, struct err *why)
{
	char when[TIMEFMT_MAX];
	timefmt_rfc3339(at_s * 1000, when);
	err_set(why, ERR_INVALID, "the client certificate %s %s %s", i->name, how, when);
	return true;
}

bool tls_identity_expired(const struct tls_identity *i, int64_t now_s, struct err *why)
{
	if (now_s < i->not_before_s)
		return say_expired(i, "is not valid before", i->not_before_s, why);
	if (now_s > i->not_after_s)
		return say_expired(i, "expired on", i->not_after_s, why);
	return false;
}

void tls_identity_add_key(const struct tls_identity *i, struct buf *parts)
{
	tls_key_add(parts, i->certs[0].cert.data, i->certs[0].cert.size);
}

/* Does the server know the kind of our key? What it does not is not sent: the session
 * may do without. Before TLS 1.2 no server says which signatures it takes. */
static bool is_wanted(const struct tls_identity *i, gnutls_session_t session)
{
	gnutls_pk_algorithm_t ours =
		(gnutls_pk_algorithm_t)gnutls_pubkey_get_pk_algorithm(
			i->certs[0].pubkey, NULL);
	gnutls_sign_algorithm_t sign;
	size_t n = 0;
	while (gnutls_sign_algorithm_get_requested(session, n, &sign) == 0) {
		if (gnutls_sign_supports_pk_algorithm(sign, ours))
			return true;
		n++;
	}
	return n == 0;
}

/* The issuers that a server names are no reason to keep ours back: many name none of
 * those that they take, and what is not sent is refused for sure. */
int tls_identity_retrieve(gnutls_session_t session,
	const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certs, unsigned *count,
	gnutls_ocsp_data_st **ocsp, unsigned *ocsp_count, gnutls_privkey_t *key,
	unsigned *flags)
{
	const struct tls_identity *i = gnutls_session_get_ptr(session);
	(void)info;
	*certs = NULL;
	*count = 0;
	*ocsp = NULL;
	*ocsp_count = 0;
	*key = NULL;
	*flags = 0; /* all of it is borrowed */
	if (i && is_wanted(i, session)) {
		*certs = i->certs;
		*count = i->parts.count;
		*key = i->parts.key;
	}
	return 0;
}
