#include "cli/check_routes.h"

#include "base/mem.h"
#include "base/timefmt.h"
#include "net/tls_identity.h"
#include "sasl/credentials.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FINDINGS_MAX = 100 };

struct check {
	const struct config *config;
	const struct policy_route *route;
	struct policy_errors *errors;
	struct policy_warnings *warnings;
};

static void add_error(struct check *c, const char *option, const char *text)
{
	struct policy_errors *to = c->errors;
	if (to->total++ >= FINDINGS_MAX)
		return;
	to->list = xreallocarray(to->list, to->count + 1, sizeof(*to->list));
	struct policy_error *e = &to->list[to->count++];
	e->line = c->route->line;
	snprintf(e->file, sizeof(e->file), "%s", c->route->path);
	snprintf(e->text, sizeof(e->text), "%s=: %.480s", option, text);
}

static void add_warning(struct check *c, const char *option, const char *text)
{
	struct policy_warnings *to = c->warnings;
	if (to->total++ >= FINDINGS_MAX)
		return;
	to->list = xreallocarray(to->list, to->count + 1, sizeof(*to->list));
	struct policy_warning *w = &to->list[to->count++];
	*w = (struct policy_warning){ .path = c->route->path, .line = c->route->line };
	snprintf(w->text, sizeof(w->text), "%s=: %.480s", option, text);
}

bool check_may_read(const char *path)
{
	if (access(path, R_OK) == 0 || errno != EACCES)
		return true;
	fprintf(stderr, "%s: not checked: this user may not read it\n", path);
	return false;
}

static void note_unchecked(const struct check *c, const char *why)
{
	fprintf(stderr, "%s:%u: %s is not checked: %s\n", c->route->path, c->route->line,
		c->route->certificate, why);
}

/* 0, or it cannot be had: an error was added where that is one. */
static int find_entry(
	struct check *c, const char *option, const char *name, struct credential *out)
{
	struct err e = { 0 };
	if (!check_may_read(c->config->credentials))
		return ERR_PERMISSION;
	int rc = credentials_find(c->config->credentials, name, out, &e);
	if (rc != 0)
		add_error(c, option, e.text);
	return rc;
}

static void check_auth(struct check *c)
{
	struct credential found = { 0 };
	if (c->route->auth && find_entry(c, "auth", c->route->auth, &found) == 0)
		credential_clear(&found);
}

static void load_certificate(struct check *c, const char *password)
{
	const struct policy_route *r = c->route;
	struct tls_identity_spec spec = { r->certificate, r->key, password };
	struct tls_identity *identity = NULL;
	struct err e = { 0 };
	if (tls_identity_load(&spec, &identity, &e) != 0) {
		add_error(c, "certificate", e.text);
		return;
	}
	if (tls_identity_expired(identity, clock_wall_ms() / 1000, &e))
		add_warning(c, "certificate", e.text);
	tls_identity_free(&identity);
}

static bool is_on_token(const char *where)
{
	return where && strncmp(where, "pkcs11:", strlen("pkcs11:")) == 0;
}

static bool may_load(const struct check *c)
{
	const struct policy_route *r = c->route;
	if (is_on_token(r->certificate) || is_on_token(r->key)) {
		note_unchecked(c, "it is on a token");
		return false;
	}
	return check_may_read(r->certificate) && (!r->key || check_may_read(r->key));
}

static void check_certificate(struct check *c)
{
	const struct policy_route *r = c->route;
	struct credential found = { 0 };
	if (!r->certificate)
		return;
	if (r->secret && find_entry(c, "secret", r->secret, &found) != 0)
		return;
	if (r->secret && found.kind != CREDENTIAL_PASSWORD)
		note_unchecked(c, "its password comes from a command");
	else if (may_load(c))
		load_certificate(c, found.secret);
	credential_clear(&found);
}

void check_route(const struct config *config, const struct policy_route *route,
	struct policy_errors *errors, struct policy_warnings *warnings)
{
	struct check c = { config, route, errors, warnings };
	check_auth(&c);
	check_certificate(&c);
}

void check_routes(const struct config *config, const struct policy_set *set,
	struct policy_errors *errors, struct policy_warnings *warnings)
{
	size_t count = policy_set_count(set, POLICY_FILE_ROUTES);
	for (size_t i = 0; i < count; i++)
		check_route(config, policy_set_route_at(set, i), errors, warnings);
}
