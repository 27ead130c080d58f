#include "net/tls_impl.h"

#include "base/addr.h"

#include <string.h>

static int fail_call(struct err *e, const char *what, int result)
{
	return err_set(e, ERR_UNSUPPORTED, "%s: %s", what, gnutls_strerror(result));
}

/* RFC 6066 section 3: a DNS name without trailing dot, never an address. */
static int set_sni(gnutls_session_t session, const char *sni, struct err *e)
{
	struct addr literal;
	if (!sni || !*sni || addr_parse(sni, 0, &literal))
		return 0;
	size_t len = strlen(sni);
	if (sni[len - 1] == '.')
		len--;
	int result = gnutls_server_name_set(session, GNUTLS_NAME_DNS, sni, len);
	return result < 0 ? fail_call(e, "set the server name", result) : 0;
}

static int configure(gnutls_session_t session, gnutls_priority_t priority,
	const struct tls_params *params, struct err *e)
{
	int result = gnutls_priority_set(session, priority);
	if (result < 0)
		return fail_call(e, "set TLS priorities", result);
	result = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE,
		tls_credentials_handle(params->credentials));
	if (result < 0)
		return fail_call(e, "set TLS credentials", result);
	gnutls_session_set_ptr(session, params->identity);
	/* Our deadline is the one that counts; the library's would need a socket. */
	gnutls_handshake_set_timeout(session, GNUTLS_INDEFINITE_TIMEOUT);
	return set_sni(session, params->sni, e);
}

/* One key share: making the second one costs as much as the whole of X25519, and
 * a peer without X25519 asks for another group (HelloRetryRequest). */
enum {
	SESSION_FLAGS =
		GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_KEY_SHARE_TOP
};

int tls_session_new(
	const struct tls_params *params, gnutls_session_t *session_out, struct err *e)
{
	gnutls_session_t session;
	gnutls_priority_t priority;
	int result = tls_credentials_priority(
		params->credentials, params->versions, &priority, e);
	if (result)
		return result;
	result = gnutls_init(&session, SESSION_FLAGS);
	if (result < 0)
		return fail_call(e, "begin a TLS session", result);
	result = configure(session, priority, params, e);
	if (result < 0) {
		gnutls_deinit(session);
		return result;
	}
	*session_out = session;
	return 0;
}
