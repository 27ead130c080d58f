/*
 * Tickets: what a session leaves so that a later one with the same host need not
 * prove the host's identity again.
 *
 * The key of a ticket is all that a full handshake would follow from: address and
 * port, server name, versions, the name that the certificate is for, the certificate
 * of ours, and the generation of the policy; the trust anchors are those that the store
 * belongs to. What is known of the certificate is verified again (tls_verdict.c) for the
 * resumed session, from the chain that the library keeps with the ticket.
 *
 * A ticket is used once (RFC 8446 appendix C.4); a session leaves one as soon as
 * the peer has said something inside TLS, and a resumed one hands on its ticket's
 * end: keys lead back to a full handshake of at most two hours ago, with a
 * certificate that is still valid, and about which no stapled answer was given.
 * That the peer may want a shorter life is the library's to heed.
 *
 * A peer that fails with a ticket offered is not to be offered another for that
 * time: a value under the inverted key says so.
 */
#include "net/tls_impl.h"

#include "base/buf.h"
#include "base/timefmt.h"

enum { TICKET_LIFE_MS = 2 * 60 * 60 * 1000 };

static bool make_key(
	const struct tls_params *params, const struct addr *peer, struct tls_key *out)
{
	char address[ADDR_TEXT_MAX];
	struct buf parts = BUF_INIT;
	addr_format_with_port(peer, address);
	tls_key_add_text(&parts, address);
	tls_key_add_text(&parts, params->sni);
	tls_key_add_text(&parts, params->verify_name);
	tls_key_add(&parts, &params->versions, sizeof(params->versions));
	tls_key_add(
		&parts, &params->ticket_generation, sizeof(params->ticket_generation));
	if (params->identity)
		tls_identity_add_key(params->identity, &parts);
	bool ok = tls_key_make(&parts, out);
	buf_clear(&parts);
	return ok;
}

static struct tls_key inverted(const struct tls_key *key)
{
	struct tls_key out;
	for (size_t i = 0; i < sizeof(out.octets); i++)
		out.octets[i] = (unsigned char)~key->octets[i];
	return out;
}

static bool is_distrusted(struct tls_store *store, const struct tls_key *key)
{
	struct tls_key mark = inverted(key);
	size_t len;
	return tls_store_get(store, &mark, clock_wall_ms(), &len) != NULL;
}

bool tls_tickets_take(struct tls_tickets *t, const struct tls_params *params,
	const struct addr *peer, gnutls_session_t session)
{
	struct tls_store *store = tls_credentials_tickets(params->credentials);
	if (!params->uses_tickets || !peer || !make_key(params, peer, &t->key))
		return false;
	t->is_used = !is_distrusted(store, &t->key);
	if (!t->is_used)
		return false;
	size_t len;
	void *bytes = tls_store_take(store, &t->key, clock_wall_ms(), &len, &t->until_ms);
	bool is_offered = bytes && gnutls_session_set_data(session, bytes, len) == 0;
	tls_store_wipe(bytes, len);
	return is_offered;
}

static bool has_ticket(gnutls_session_t session)
{
	if (gnutls_session_get_flags(session) & GNUTLS_SFLAGS_SESSION_TICKET)
		return true;
	/* Under TLS 1.3 asking before it came would be to wait for it. Before 1.3 a
	 * resumed session may go on with the ticket it came with. */
	return gnutls_session_is_resumed(session) &&
	       gnutls_protocol_get_version(session) < GNUTLS_TLS1_3;
}

void tls_tickets_leave(struct tls_tickets *t, const struct tls_params *params,
	gnutls_session_t session, int64_t good_until_ms)
{
	if (!t->is_used || t->has_left || !has_ticket(session))
		return;
	int64_t now_ms = clock_wall_ms();
	int64_t until_ms = now_ms + TICKET_LIFE_MS;
	gnutls_datum_t ticket = { 0 };
	t->has_left = true;
	if (gnutls_session_is_resumed(session) && t->until_ms < until_ms)
		until_ms = t->until_ms;
	if (good_until_ms < until_ms)
		until_ms = good_until_ms;
	if (until_ms <= now_ms || gnutls_session_get_data2(session, &ticket) != 0)
		return;
	tls_store_put(tls_credentials_tickets(params->credentials), &t->key, ticket.data,
		ticket.size, now_ms, until_ms);
	gnutls_memset(ticket.data, 0, ticket.size);
	gnutls_free(ticket.data);
}

void tls_tickets_distrust(struct tls_tickets *t, const struct tls_params *params)
{
	struct tls_store *store = tls_credentials_tickets(params->credentials);
	int64_t now_ms = clock_wall_ms();
	if (!t->is_used)
		return;
	t->is_used = false;
	tls_store_drop(store, &t->key);
	struct tls_key mark = inverted(&t->key);
	tls_store_put(store, &mark, "", 1, now_ms, now_ms + TICKET_LIFE_MS);
}
