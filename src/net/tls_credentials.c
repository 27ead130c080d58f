#include "net/tls_impl.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* A verdict has some 620 octets. */
static const struct tls_store_limits verdict_limits = { .values = 1024,
	.octets = 1024 * 1024 };

/* A ticket has the peer's chain in it: 2 to 8 KiB. */
static const struct tls_store_limits ticket_limits = { .values = 2048,
	.octets = 4 * 1024 * 1024 };

struct tls_credentials {
	gnutls_certificate_credentials_t handle;
	gnutls_priority_t
		priorities[1u << POLICY_VERSION_COUNT]; /* NULL: not asked for */
	struct tls_store *verdicts;
	struct tls_store *tickets;
	unsigned references;
};

static int load_file(
	gnutls_certificate_credentials_t handle, const char *path, struct err *e)
{
	/* GnuTLS has one code for every way in which a file cannot be read. */
	if (access(path, R_OK) != 0)
		return err_errno(e, errno, "read trust file %s", path);
	int count =
		gnutls_certificate_set_x509_trust_file(handle, path, GNUTLS_X509_FMT_PEM);
	if (count < 0)
		return err_set(e, ERR_INVALID, "read trust file %s: %s", path,
			gnutls_strerror(count));
	if (count == 0)
		return err_set(e, ERR_INVALID,
			"trust file %s holds no certificate (PEM is expected)", path);
	return 0;
}

int tls_credentials_new(
	const char *trust_file, struct tls_credentials **out, struct err *e)
{
	OWN(tls_credentials_free)
	struct tls_credentials *c = xcalloc(1, sizeof(*c));
	c->references = 1;
	c->verdicts = tls_store_new(&verdict_limits);
	c->tickets = tls_store_new(&ticket_limits);
	int result = gnutls_certificate_allocate_credentials(&c->handle);
	if (result < 0)
		return err_set(e, ERR_IO, "allocate TLS credentials: %s",
			gnutls_strerror(result));
	gnutls_certificate_set_retrieve_function3(c->handle, tls_identity_retrieve);
	if (trust_file) {
		result = load_file(c->handle, trust_file, e);
		if (result)
			return result;
	} else {
		/* None found is no error: the facts will then say "not verified". */
		(void)gnutls_certificate_set_x509_system_trust(c->handle);
	}
	*out = MOVE(c);
	return 0;
}

struct tls_credentials *tls_credentials_hold(struct tls_credentials *c)
{
	c->references++;
	return c;
}

struct tls_store *tls_credentials_verdicts(const struct tls_credentials *c)
{
	return c->verdicts;
}

struct tls_store *tls_credentials_tickets(const struct tls_credentials *c)
{
	return c->tickets;
}

int tls_credentials_priority(struct tls_credentials *c, unsigned versions,
	gnutls_priority_t *out, struct err *e)
{
	ASSERT(versions < ARRAY_SIZE(c->priorities));
	if (!c->priorities[versions]) {
		int result = tls_priority_new(versions, &c->priorities[versions], e);
		if (result)
			return result; /* and *out is NULL still */
	}
	*out = c->priorities[versions];
	return 0;
}

int tls_check(struct tls_credentials *c, unsigned versions, struct err *e)
{
	gnutls_priority_t priority;
	return tls_credentials_priority(c, versions, &priority, e);
}

gnutls_certificate_credentials_t tls_credentials_handle(const struct tls_credentials *c)
{
	return c->handle;
}

void tls_credentials_free(struct tls_credentials **cp)
{
	struct tls_credentials *c = MOVE(*cp);
	if (!c || --c->references)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(c->priorities); i++)
		if (c->priorities[i])
			gnutls_priority_deinit(c->priorities[i]);
	if (c->handle)
		gnutls_certificate_free_credentials(c->handle);
	tls_store_free(&c->verdicts);
	tls_store_free(&c->tickets);
	free(c);
}
