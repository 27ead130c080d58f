/*
 * Versions of TLS: which ones the library has, and the priority string that
 * offers exactly those that are asked for.
 *
 * The library is asked for each mask rather than believed: GnuTLS drops a version
 * that is not in its build (SSL 3.0), or that the system's configuration
 * forbids, from a longer list without a word.
 */
#include "net/tls_impl.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdio.h>

static const struct version {
	enum policy_version bit;
	gnutls_protocol_t id;
	const char *name;
} version_table[] = {
	{ POLICY_TLS1_3, GNUTLS_TLS1_3, "TLS1.3" },
	{ POLICY_TLS1_2, GNUTLS_TLS1_2, "TLS1.2" },
	{ POLICY_TLS1_1, GNUTLS_TLS1_1, "TLS1.1" },
	{ POLICY_TLS1_0, GNUTLS_TLS1_0, "TLS1.0" },
	{ POLICY_SSL3_0, GNUTLS_SSL3, "SSL3.0" },
};
_Static_assert(ARRAY_SIZE(version_table) == POLICY_VERSION_COUNT, "a row a version");

/* X25519 first: the one group that nearly every peer of today has, so that TLS
 * 1.3 needs no second round trip. Only the first group's key share is sent. */
#define BASE_PRIORITY "NORMAL:-VERS-ALL:-GROUP-ALL:+GROUP-X25519:+GROUP-ALL"

/* Peers that stop at TLS 1.0 or 1.1 also sign with SHA-1 and count records
 * loosely. Offered only when such a version is asked for by name. */
#define OLD_PRIORITY ":%COMPAT:+SIGN-RSA-SHA1:+SIGN-ECDSA-SHA1:+SIGN-DSA-SHA1:+DHE-DSS"

enum { OLD_VERSIONS = POLICY_SSL3_0 | POLICY_TLS1_0 | POLICY_TLS1_1 };

static void write_priority(unsigned versions, struct buf *out)
{
	buf_addstr(out, BASE_PRIORITY);
	for (size_t i = 0; i < ARRAY_SIZE(version_table); i++)
		if (versions & version_table[i].bit)
			buf_addf(out, ":+VERS-%s", version_table[i].name);
	if (versions & OLD_VERSIONS)
		buf_addstr(out, OLD_PRIORITY);
}

static unsigned priority_versions(gnutls_priority_t priority)
{
	const unsigned *ids;
	int count = gnutls_priority_protocol_list(priority, &ids);
	unsigned mask = 0;
	for (int n = 0; n < count; n++)
		for (size_t i = 0; i < ARRAY_SIZE(version_table); i++)
			if (ids[n] == (unsigned)version_table[i].id)
				mask |= version_table[i].bit;
	return mask;
}

static int report_missing(unsigned missing, struct err *e)
{
	char names[64] = "";
	size_t len = 0;
	for (size_t i = ARRAY_SIZE(version_table); i-- > 0;)
		if (missing & version_table[i].bit)
			len += (size_t)snprintf(names + len, sizeof(names) - len, " %s",
				version_table[i].name);
	return err_set(e, ERR_UNSUPPORTED, "GnuTLS %s on this system does not offer%s",
		gnutls_check_version(NULL), names);
}

int tls_priority_new(unsigned versions, gnutls_priority_t *out, struct err *e)
{
	if (!versions)
		return err_set(e, ERR_INVALID, "no version of TLS is allowed");
	struct buf text = BUF_INIT;
	write_priority(versions, &text);
	gnutls_priority_t priority;
	int result = gnutls_priority_init(&priority, buf_text(&text), NULL);
	buf_clear(&text);
	/* "No priorities": none of the versions is there. */
	if (result == GNUTLS_E_NO_PRIORITIES_WERE_SET)
		return report_missing(versions, e);
	if (result < 0)
		return err_set(e, ERR_UNSUPPORTED, "set TLS priorities: %s",
			gnutls_strerror(result));
	unsigned missing = versions & ~priority_versions(priority);
	if (missing) {
		gnutls_priority_deinit(priority);
		return report_missing(missing, e);
	}
	*out = priority;
	return 0;
}

unsigned tls_versions_available(void)
{
	unsigned mask = 0;
	for (size_t i = 0; i < ARRAY_SIZE(version_table); i++) {
		gnutls_priority_t priority = NULL;
		if (tls_priority_new(version_table[i].bit, &priority, NULL) != 0)
			continue;
		gnutls_priority_deinit(priority);
		mask |= version_table[i].bit;
	}
	return mask;
}

const char *tls_library_version(void)
{
	return gnutls_check_version(NULL);
}

const char *tls_library_built(void)
{
	return GNUTLS_VERSION;
}
