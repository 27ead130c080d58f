#include "net/tls_impl.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* "handshake_failure" as in the RFCs, from GnuTLS's GNUTLS_A_HANDSHAKE_FAILURE. */
static void alert_name(gnutls_alert_description_t alert, char *out, size_t size)
{
	static const char prefix[] = "GNUTLS_A_";
	const char *name = gnutls_alert_get_strname(alert);
	if (!name)
		name = "unknown";
	else if (!strncmp(name, prefix, sizeof(prefix) - 1))
		name += sizeof(prefix) - 1;
	snprintf(out, size, "%s", name);
	for (char *p = out; *p; p++)
		*p = text_lower(*p);
}

static void set_alert(struct err *e, gnutls_session_t session)
{
	char name[64];
	gnutls_alert_description_t alert = gnutls_alert_get(session);
	alert_name(alert, name, sizeof(name));
	err_set(e, ERR_NETWORK, "server sent alert %d (%s)", (int)alert, name);
}

/* A TLS record begins with its type (20 to 24) and the major version 3. */
static bool is_tls(const char *first, size_t len)
{
	return len < 2 || (first[0] >= 20 && first[0] <= 24 && first[1] == 3);
}

static void set_not_tls(struct err *e, const char *first, size_t len)
{
	char shown[TLS_FIRST_MAX * 3 + 1];
	size_t line = 0;
	while (line < len && first[line] != '\r' && first[line] != '\n')
		line++;
	text_clean(first, line, shown, sizeof(shown));
	err_set(e, ERR_INVALID, "the peer does not speak TLS (it sent \"%s\")", shown);
}

void tls_error_handshake(struct err *e, gnutls_session_t session, int result,
	const char *first, size_t first_len)
{
	if (!is_tls(first, first_len))
		set_not_tls(e, first, first_len);
	else if (result == GNUTLS_E_FATAL_ALERT_RECEIVED)
		set_alert(e, session);
	else if (result == GNUTLS_E_UNSUPPORTED_VERSION_PACKET)
		err_set(e, ERR_NETWORK,
			"the server chose a version of TLS that is not allowed here");
	else
		err_set(e, ERR_NETWORK, "TLS protocol error: %s",
			gnutls_strerror(result));
}

void tls_error_session(struct err *e, gnutls_session_t session, int result)
{
	if (result == GNUTLS_E_FATAL_ALERT_RECEIVED)
		set_alert(e, session);
	else
		err_set(e, ERR_NETWORK, "TLS: %s", gnutls_strerror(result));
}
