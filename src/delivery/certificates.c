#include "delivery/certificates.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct certificates {
	struct tls_identities *identities;
	/* Those whose expiry was told. Who is not among them when there is no room any
	 * more is told again. */
	char *told[TLS_IDENTITIES_MAX];
};

struct certificates *certificates_new(void)
{
	struct certificates *c = xcalloc(1, sizeof(*c));
	c->identities = tls_identities_new();
	return c;
}

void certificates_free(struct certificates **cp)
{
	struct certificates *c = *cp;
	*cp = NULL;
	if (!c)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(c->told); i++)
		free(c->told[i]);
	tls_identities_free(&c->identities);
	free(c);
}

static char **find_told(struct certificates *c, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(c->told); i++) {
		if (c->told[i] && strcmp(c->told[i], name) == 0)
			return &c->told[i];
	}
	return NULL;
}

static void tell_once(struct certificates *c, const char *name, const struct err *why)
{
	if (find_told(c, name))
		return;
	log_warning("%s: it is not shown to servers that ask for one", why->text);
	for (size_t i = 0; i < ARRAY_SIZE(c->told); i++) {
		if (!c->told[i]) {
			c->told[i] = xstrdup(name);
			return;
		}
	}
}

static void forget_told(struct certificates *c, const char *name)
{
	char **told = find_told(c, name);
	if (told)
		mem_free(told);
}

static int load(struct certificates *c, const struct policy_route *route,
	const char *password, int64_t now_s, struct tls_identity **out, struct err *e)
{
	struct tls_identity_spec spec = { route->certificate, route->key, password };
	struct err trouble = { 0 };
	int rc = tls_identities_get(c->identities, &spec, now_s, out, &trouble);
	if (rc == 0 && trouble.code)
		log_warning("%s: the one that was there before is used", trouble.text);
	else if (rc != 0)
		*e = trouble;
	return rc;
}

int certificates_get(struct certificates *c, const struct policy_route *route,
	const char *password, bool refuses_expired, int64_t now_s,
	struct tls_identity **out, struct err *e)
{
	struct err why = { 0 };
	int rc = load(c, route, password, now_s, out, e);
	if (rc != 0)
		return rc;
	if (!tls_identity_expired(*out, now_s, &why)) {
		forget_told(c, route->certificate);
		return 0;
	}
	tls_identity_free(out);
	if (refuses_expired) {
		*e = why;
		return ERR_INVALID;
	}
	tell_once(c, route->certificate, &why);
	return 0;
}
