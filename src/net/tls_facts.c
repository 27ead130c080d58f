/*
 * Plain facts about a session, for the policy, the log and people. Nothing here
 * judges; a certificate that does not verify is a fact like any other.
 */
#include "net/tls_impl.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/timefmt.h"

#include <gnutls/x509.h>
#include <stdio.h>
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

static void read_fingerprint(const gnutls_datum_t *der, struct tls_facts *facts)
{
	unsigned char digest[32];
	size_t size = sizeof(digest);
	if (gnutls_fingerprint(GNUTLS_DIG_SHA256, der, digest, &size) < 0)
		return;
	for (size_t i = 0; i < size; i++)
		snprintf(facts->fingerprint + 2 * i, 3, "%02x", digest[i]);
}

static void read_subject(gnutls_x509_crt_t crt, struct tls_facts *facts)
{
	gnutls_datum_t dn = { 0 };
	if (gnutls_x509_crt_get_dn3(crt, &dn, 0) < 0)
		return;
	text_clean((const char *)dn.data, dn.size, facts->peer, sizeof(facts->peer));
	gnutls_free(dn.data);
}

static void read_expiry(gnutls_x509_crt_t crt, struct tls_facts *facts)
{
	time_t at = gnutls_x509_crt_get_expiration_time(crt);
	if (at == (time_t)-1)
		return;
	char text[TIMEFMT_MAX];
	timefmt_rfc3339((int64_t)at * 1000, text);
	snprintf(facts->not_after, sizeof(facts->not_after), "%.31s", text);
}

static bool read_certificate(gnutls_session_t session, struct tls_facts *facts)
{
	unsigned count = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
	if (!chain || !count)
		return false;
	read_fingerprint(&chain[0], facts);
	gnutls_x509_crt_t crt;
	if (gnutls_x509_crt_init(&crt) < 0)
		return true;
	if (gnutls_x509_crt_import(crt, &chain[0], GNUTLS_X509_FMT_DER) == 0) {
		read_subject(crt, facts);
		read_expiry(crt, facts);
	}
	gnutls_x509_crt_deinit(crt);
	return true;
}

static void set_status_text(unsigned status, struct tls_facts *facts)
{
	gnutls_datum_t text = { 0 };
	if (gnutls_certificate_verification_status_print(
		    status, GNUTLS_CRT_X509, &text, 0) < 0) {
		copy_text(facts->verify_text, sizeof(facts->verify_text),
			"the certificate is not trusted");
		return;
	}
	copy_text(facts->verify_text, sizeof(facts->verify_text), (char *)text.data);
	gnutls_free(text.data);
	size_t len = strlen(facts->verify_text);
	while (len && facts->verify_text[len - 1] == ' ')
		facts->verify_text[--len] = '\0';
}

static void verify(
	gnutls_session_t session, const char *verify_name, struct tls_facts *facts)
{
	unsigned status = 0;
	int result = gnutls_certificate_verify_peers3(session, verify_name, &status);
	if (result < 0)
		copy_text(facts->verify_text, sizeof(facts->verify_text),
			gnutls_strerror(result));
	else if (status)
		set_status_text(status, facts);
	else
		facts->verified = true;
}

void tls_facts_read(
	gnutls_session_t session, const char *verify_name, struct tls_facts *facts)
{
	/* Before the ServerHello the library would name its own default version. */
	bool has_answer = gnutls_cipher_get(session) > GNUTLS_CIPHER_NULL;
	if (facts->completed || has_answer)
		read_channel(session, facts);
	facts->asked_for_certificate =
		gnutls_certificate_client_get_request_status(session) != 0;
	bool has_certificate = read_certificate(session, facts);
	if (facts->completed && has_certificate)
		verify(session, verify_name, facts);
	else
		copy_text(facts->verify_text, sizeof(facts->verify_text),
			facts->completed ? "the server sent no certificate"
					 : "the handshake was not completed");
}
