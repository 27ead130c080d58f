#include "net/tls_identity_impl.h"

#include "base/mem.h"
#include "base/secret_file.h"

#include <gnutls/pkcs12.h>
#include <string.h>

static gnutls_datum_t datum_of(const struct secret_file *f)
{
	return (gnutls_datum_t){ .data = (unsigned char *)f->bytes,
		.size = (unsigned)f->len };
}

static bool holds(const struct secret_file *f, const char *text)
{
	return memmem(f->bytes, f->len, text, strlen(text)) != NULL;
}

static bool is_pem(const struct secret_file *f)
{
	return holds(f, "-----BEGIN ");
}

static int fail_password(
	const struct tls_identity_spec *spec, const char *path, struct err *e)
{
	if (spec->password)
		return err_set(e, ERR_INVALID,
			"the password does not open the private key in %s", path);
	return err_set(e, ERR_INVALID,
		"the private key in %s is encrypted, and no password is configured for "
		"it",
		path);
}

static int take_pem_certificates(const struct secret_file *f, const char *path,
	struct identity_parts *p, struct err *e)
{
	gnutls_datum_t pem = datum_of(f);
	int result = gnutls_x509_crt_list_import2(
		&p->certs, &p->count, &pem, GNUTLS_X509_FMT_PEM, 0);
	if (result == GNUTLS_E_NO_CERTIFICATE_FOUND)
		return err_set(e, ERR_INVALID, "%s holds no certificate", path);
	if (result < 0)
		return err_set(e, ERR_INVALID, "read the certificate in %s: %s", path,
			gnutls_strerror(result));
	return 0;
}

static int take_pem_key(const struct secret_file *f, const char *path,
	const struct tls_identity_spec *spec, struct identity_parts *p, struct err *e)
{
	gnutls_datum_t pem = datum_of(f);
	int result = secret_file_check_mode(f, path, e);
	if (result)
		return result;
	gnutls_privkey_init(&p->key);
	result = gnutls_privkey_import_x509_raw(
		p->key, &pem, GNUTLS_X509_FMT_PEM, spec->password, 0);
	if (result == GNUTLS_E_DECRYPTION_FAILED || (result < 0 && holds(f, "ENCRYPTED")))
		return fail_password(spec, path, e);
	if (result < 0)
		return err_set(e, ERR_INVALID, "read the private key in %s: %s", path,
			gnutls_strerror(result));
	return 0;
}

static int read_pem(const struct secret_file *f, const struct tls_identity_spec *spec,
	struct identity_parts *p, struct err *e)
{
	const char *path = spec->certificate;
	int result = take_pem_certificates(f, path, p, e);
	if (result || spec->key)
		return result;
	if (holds(f, "PRIVATE KEY-----"))
		return take_pem_key(f, path, spec, p, e);
	return err_set(e, ERR_INVALID,
		"%s holds no private key, and none is configured beside it", path);
}

/* A file without a password may have been made with an empty one, or with none. */
static int parse_pkcs12(gnutls_pkcs12_t pkcs12, const char *password,
	gnutls_x509_privkey_t *key, struct identity_parts *p)
{
	gnutls_x509_crt_t *chain = NULL;
	unsigned count = 0;
	/* It tells a wrong password for sure, which decrypting does not: one in 256
	 * leaves what looks decrypted. There may be none, or one of a kind not known
	 * here. */
	if (gnutls_pkcs12_verify_mac(pkcs12, password) == GNUTLS_E_MAC_VERIFY_FAILED)
		return GNUTLS_E_MAC_VERIFY_FAILED;
	int result = gnutls_pkcs12_simple_parse(
		pkcs12, password, key, &chain, &count, NULL, NULL, NULL, 0);
	if (result < 0)
		return result;
	p->certs = chain;
	p->count = count;
	return 0;
}

static int take_pkcs12(gnutls_pkcs12_t pkcs12, const struct tls_identity_spec *spec,
	struct identity_parts *p, struct err *e)
{
	const char *path = spec->certificate;
	gnutls_x509_privkey_t key = NULL;
	int result = parse_pkcs12(pkcs12, spec->password ? spec->password : "", &key, p);
	if (result < 0 && !spec->password)
		result = parse_pkcs12(pkcs12, NULL, &key, p);
	if (result == GNUTLS_E_DECRYPTION_FAILED || result == GNUTLS_E_MAC_VERIFY_FAILED)
		return fail_password(spec, path, e);
	if (result == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return err_set(e, ERR_INVALID,
			"%s (PKCS#12) does not hold a certificate and its private key",
			path);
	if (result == 0) {
		gnutls_privkey_init(&p->key);
		result = gnutls_privkey_import_x509(
			p->key, key, GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE);
	}
	if (result < 0)
		return err_set(e, ERR_INVALID, "read %s (PKCS#12): %s", path,
			gnutls_strerror(result));
	return 0;
}

static int read_pkcs12(const struct secret_file *f, const struct tls_identity_spec *spec,
	struct identity_parts *p, struct err *e)
{
	gnutls_pkcs12_t pkcs12;
	gnutls_datum_t der = datum_of(f);
	gnutls_pkcs12_init(&pkcs12);
	int result = gnutls_pkcs12_import(pkcs12, &der, GNUTLS_X509_FMT_DER, 0);
	if (result < 0)
		result = err_set(e, ERR_INVALID, "%s holds neither PEM nor PKCS#12",
			spec->certificate);
	else if (spec->key)
		result = err_set(e, ERR_INVALID,
			"%s is PKCS#12 and brings its own private key; configure no "
			"other",
			spec->certificate);
	else
		result = secret_file_check_mode(f, spec->certificate, e);
	if (!result)
		result = take_pkcs12(pkcs12, spec, p, e);
	gnutls_pkcs12_deinit(pkcs12);
	return result;
}

int identity_read_file(
	const struct tls_identity_spec *spec, struct identity_parts *p, struct err *e)
{
	struct secret_file f;
	int result = secret_file_read(spec->certificate, &f, e);
	if (result)
		return result;
	result = is_pem(&f) ? read_pem(&f, spec, p, e) : read_pkcs12(&f, spec, p, e);
	secret_file_clear(&f);
	return result;
}

int identity_read_key_file(
	const struct tls_identity_spec *spec, struct identity_parts *p, struct err *e)
{
	struct secret_file f;
	int result = secret_file_read(spec->key, &f, e);
	if (result)
		return result;
	if (holds(&f, "PRIVATE KEY-----"))
		result = take_pem_key(&f, spec->key, spec, p, e);
	else
		result = err_set(
			e, ERR_INVALID, "%s holds no private key in PEM form", spec->key);
	secret_file_clear(&f);
	return result;
}
