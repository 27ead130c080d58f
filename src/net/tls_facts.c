/*
 * Plain facts about a session, for the policy, the log and people. Nothing here
 * judges; a certificate that does not verify is a fact like any other
 * (tls_verdict.c).
 */
#include "net/tls_impl.h"

#include "base/text.h"

#include <string.h>

static void copy_text(char *out, size_t size, const char *s)
{
	text_clean(s ? s : "", s ? strlen(s) : 0, out, size);
}

static void read_cipher(gnutls_session_t session, struct tls_facts *facts)
{
#if GNUTLS_VERSION_NUMBER >= 0x030704
	copy_text(facts->cipher, sizeof(facts->cipher), gnutls_ciphersuite_get(session));
#else
	copy_text(facts->cipher, sizeof(facts->cipher),
		gnutls_cipher_suite_get_name(gnutls_kx_get(session),
			gnutls_cipher_get(session), gnutls_mac_get(session)));
#endif
}

static void read_channel(gnutls_session_t session, struct tls_facts *facts)
{
	copy_text(facts->version, sizeof(facts->version),
		gnutls_protocol_get_name(gnutls_protocol_get_version(session)));
	read_cipher(session, facts);
	gnutls_group_t group = gnutls_group_get(session);
	copy_text(facts->group, sizeof(facts->group),
		group ? gnutls_group_get_name(group) : NULL);
	facts->resumed = gnutls_session_is_resumed(session);
}

void tls_facts_read(gnutls_session_t session, const struct tls_params *params,
	struct tls_facts *facts, int64_t *good_until_ms_out)
{
	/* Before the ServerHello the library would name its own default version. */
	bool has_answer = gnutls_cipher_get(session) > GNUTLS_CIPHER_NULL;
	if (facts->completed || has_answer)
		read_channel(session, facts);
	facts->asked_for_certificate =
		gnutls_certificate_client_get_request_status(session) != 0;
	facts->sent_certificate = facts->asked_for_certificate &&
				  gnutls_certificate_get_ours(session) != NULL;
	tls_verdict_read(session, params, facts, good_until_ms_out);
}
