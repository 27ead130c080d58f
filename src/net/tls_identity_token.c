/*
 * Certificates and keys on tokens (PKCS#11), named by URLs (RFC 7512). Which modules
 * there are is p11-kit's configuration; the library loads them when one is first asked
 * for.
 */
#include "net/tls_identity_impl.h"

#include "base/mem.h"

#include <gnutls/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char scheme[] = "pkcs11:";

bool identity_is_url(const char *name)
{
	return strncmp(name, scheme, sizeof(scheme) - 1) == 0;
}

/* Tokens count wrong PINs, and lock themselves after a few: one that was not right is
 * not given again, and none at all while the token remembers a wrong one. */
static int on_pin_wanted(void *arg, int attempt, const char *url, const char *label,
	unsigned flags, char *out, size_t size)
{
	struct identity_pin *pin = arg;
	(void)url;
	(void)label;
	pin->is_refused = pin->text && (attempt > 0 || flags & GNUTLS_PIN_WRONG);
	if (!pin->text)
		pin->doubt = "it wants a PIN, and none is configured";
	else if (pin->is_refused)
		pin->doubt = "it does not take the configured PIN";
	else if (flags & (GNUTLS_PIN_COUNT_LOW | GNUTLS_PIN_FINAL_TRY))
		pin->doubt =
			"it has been given a wrong PIN before, and few tries are left; "
			"log in once with the right one (p11tool --login)";
	else if (snprintf(out, size, "%s", pin->text) >= (int)size)
		pin->doubt = "the configured PIN is too long for it";
	else
		return 0;
	return GNUTLS_E_PKCS11_PIN_ERROR;
}

static int fail_token(const char *url, const char *what, int result,
	const struct identity_pin *pin, struct err *e)
{
	if (pin->doubt)
		return err_set(e, ERR_PERMISSION, "the token of %s: %s", url, pin->doubt);
	if (result == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return err_set(e, ERR_NOT_FOUND,
			"there is no %s %s on any token; see p11tool --list-all", what,
			url);
	return err_set(
		e, ERR_INVALID, "read the %s %s: %s", what, url, gnutls_strerror(result));
}

static int check_url(const char *url, struct err *e)
{
	if (!strstr(url, "pin-value="))
		return 0;
	return err_set(e, ERR_INVALID,
		"the URL of a token holds its PIN; put that into the credentials file, "
		"and "
		"name its entry");
}

int identity_read_token(const char *url, struct identity_parts *p, struct err *e)
{
	int result = check_url(url, e);
	if (result)
		return result;
	result = gnutls_x509_crt_list_import_url(
		&p->certs, &p->count, url, on_pin_wanted, &p->pin, 0);
	return result < 0 ? fail_token(url, "certificate", result, &p->pin, e) : 0;
}

/* The URL of the certificate may say that it is one. */
static char *key_url(const char *url)
{
	static const char is_cert[] = "type=cert";
	const char *at = strstr(url, is_cert);
	if (!at)
		return xstrdup(url);
	return xasprintf(
		"%.*stype=private%s", (int)(at - url), url, at + sizeof(is_cert) - 1);
}

int identity_read_token_key(const char *url, struct identity_parts *p, struct err *e)
{
	int result = check_url(url, e);
	if (result)
		return result;
	OWN(mem_free) char *wanted = key_url(url);
	gnutls_privkey_init(&p->key);
	gnutls_privkey_set_pin_function(p->key, on_pin_wanted, &p->pin);
	result = gnutls_privkey_import_url(p->key, wanted, 0);
	return result < 0 ? fail_token(wanted, "private key", result, &p->pin, e) : 0;
}
