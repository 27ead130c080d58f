/* hikyaku version: ours, and of each library the one built with and run with. */
#include "cli/cli.h"
#include "cli/versions.h"

#include "base/mem.h"

#include "config.h"

#include <jansson.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

const struct cli_option cli_version_options[] = {
	{ 0, "json", NULL, "print one JSON object" },
	{ 0 },
};

static const char *jansson_running(void)
{
	return jansson_version_str();
}

static const char *jansson_built(void)
{
	return JANSSON_VERSION;
}

static const char *smartcols_running(void)
{
	const char *version = NULL;
	scols_get_library_version(&version);
	return version;
}

static const char *smartcols_built(void)
{
	return LIBSMARTCOLS_VERSION;
}

static const struct {
	const char *name;
	const char *(*built)(void);
	const char *(*running)(void);
} libraries[] = {
	{ "libuv", loop_library_built, loop_library_version },
	{ "c-ares", dns_library_built, dns_library_version },
	{ "GnuTLS", tls_library_built, tls_library_version },
	{ "libgsasl", sasl_library_built, sasl_library_version },
	{ "SQLite", queue_library_built, queue_library_version },
	{ "libidn2", policy_library_built, policy_library_version },
	{ "libConfuse", config_library_built, config_library_version },
	{ "jansson", jansson_built, jansson_running },
	{ "libsmartcols", smartcols_built, smartcols_running },
};

/* The number alone: some libraries tell their name or the authors too. */
static bool short_version(const char *version, char out[32])
{
	const char *digits = version ? strpbrk(version, "0123456789") : NULL;
	snprintf(out, 32, "%.*s", digits ? (int)strcspn(digits, " ") : 0,
		digits ? digits : "");
	return digits;
}

static void print_text(void)
{
	printf("hikyaku %s\n", PACKAGE_VERSION);
	for (size_t i = 0; i < ARRAY_SIZE(libraries); i++) {
		char built[32], running[32];
		short_version(libraries[i].running(), running);
		printf("%s %s", libraries[i].name, running);
		if (short_version(libraries[i].built(), built))
			printf(" (built with %s)", built);
		putchar('\n');
	}
}

static json_t *make_json(void)
{
	json_t *list = json_array();
	for (size_t i = 0; i < ARRAY_SIZE(libraries); i++) {
		char built[32], running[32];
		bool has_built = short_version(libraries[i].built(), built);
		short_version(libraries[i].running(), running);
		json_array_append_new(list,
			json_pack("{s:s, s:s?, s:s}", "name", libraries[i].name, "built",
				has_built ? built : NULL, "running", running));
	}
	return json_pack("{s:s, s:o}", "version", PACKAGE_VERSION, "libraries", list);
}

int cli_version(struct cli *cli, const struct cli_args *args)
{
	(void)cli;
	if (!cli_option(args, "json")) {
		print_text();
		return EX_OK;
	}
	json_t *json = make_json();
	OWN(mem_free) char *line = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	ASSERT(line);
	puts(line);
	return EX_OK;
}
