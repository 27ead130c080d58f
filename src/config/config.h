/*
 * The configuration: one table of options (options.c) from which come parsing,
 * defaults, limits, help lines, the dump, the manual check and the errors.
 * A loaded configuration is immutable; a reload makes a new one.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/addr.h"
#include "base/err.h"
#include "policy/policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of notices to senders. */
enum config_language { CONFIG_LANGUAGE_EN, CONFIG_LANGUAGE_JA };

/* What becomes of an expired client certificate: it is not used, or the attempt is not
 * made. */
enum config_expired { CONFIG_EXPIRED_SKIP, CONFIG_EXPIRED_REFUSE };

/* Values that may differ by destination. */
struct config_destination {
	struct policy_settings policy;
	uint16_t port;
	bool chunking;
	struct policy_retry retry_schedule;
	unsigned retry_jitter; /* thousandths */
	unsigned max_attempts; /* 0: unlimited */
	int64_t max_age_ms;
	bool fallback_memory; /* shared by destination */
	int64_t fallback_memory_ttl_ms;
	unsigned max_sessions_per_destination;
	int64_t connect_timeout_ms, handshake_timeout_ms, reply_timeout_ms,
		data_timeout_ms, session_timeout_ms;
	int64_t bounce_delay_warning_ms; /* 0: none */
};

/* A place to listen at. */
enum { CONFIG_SOCKET_PATH_MAX = 107, CONFIG_LISTEN_MAX = CONFIG_SOCKET_PATH_MAX + 6 };
struct config_listen {
	bool is_lmtp;                          /* else SMTP */
	char path[CONFIG_SOCKET_PATH_MAX + 1]; /* of a unix socket; "": addr */
	struct addr addr;                      /* with its port */
};
bool config_listen_equal(const struct config_listen *a, const struct config_listen *b);
/* As it stands in the file: "lmtp:/path", "smtp:[::1]:25". */
void config_listen_format(const struct config_listen *l, char out[CONFIG_LISTEN_MAX]);

struct config {
	char *path; /* of the file; NULL: built-in defaults */
	char *hostname;
	char *user; /* that root goes on as; NULL: root stays root */
	char *queue;
	char *policy_dir;
	char *credentials; /* path */
	struct addr *dns_servers;
	size_t dns_server_count;
	int64_t dns_timeout_ms;
	struct addr_range *prohibited;
	size_t prohibited_count;
	char *trust_file; /* NULL: the system's */
	enum config_expired expired_certificates;
	char *tls_log; /* NULL: off */
	char *log;     /* "stderr", "syslog" or a path */
	enum policy_match domain_match;
	unsigned max_sessions;
	int64_t crowded_timeout_ms;
	unsigned workers;
	uint64_t max_message_size;
	struct config_listen *listen;
	size_t listen_count;
	unsigned listen_mode;
	struct addr_range *relay_clients;
	size_t relay_client_count;
	unsigned max_clients, max_recipients;
	int64_t client_timeout_ms;
	char *xmail_dir; /* NULL: none */
	int64_t log_retention_ms;
	char *postmaster;
	enum config_language dsn_language;
	struct policy_route *bounce_route; /* of notices made here; NULL: as other mail */
	struct config_destination defaults;
	struct config_block *blocks; /* destination blocks; opaque */
	size_t block_count;
	bool hostname_is_default, postmaster_is_default; /* no text in the file */
	char **origins; /* "file:line" strings that *_from fields point to */
	size_t origin_count;
};

struct buf;

/* Reads a file, or with path NULL gives the defaults. An empty file works. All
 * errors found go into e as "file:line: text" lines (where they do not fit, the
 * last line says how many more there are); ERR_INVALID, ERR_NOT_FOUND,
 * ERR_PERMISSION, ERR_IO. versions_available: mask, for `protocols`. */
int config_load(const char *path, unsigned versions_available, struct config **out,
	struct err *e);

/* As config_load, with all the errors, however many: one a line, each with its
 * newline. Returns the code. */
int config_load_report(const char *path, unsigned versions_available, struct config **out,
	struct buf *errors);
void config_free(struct config **c);

/* What counts for a destination (normalized): defaults, then the most specific
 * block that matches sets what it names. Lives as long as the configuration. */
const struct config_destination *config_destination(
	const struct config *c, const char *destination);
/* The same as a copy; borrowed strings inside live as long as the configuration. */
void config_for_destination(
	const struct config *c, const char *destination, struct config_destination *out);

/* Effective values as configuration text (`config show`): those that differ
 * from the defaults, or all of them, each with its help line as a comment; and
 * the destination blocks. config_load reads it back to the same values. */
void config_dump(const struct config *c, bool all, struct buf *out);

/* The table, for the manual check and for --json. */
struct config_option_info {
	const char *name, *type, *default_text, *help;
	bool is_list;          /* its text is values joined by ", " */
	bool in_destination;   /* may stand in a destination block */
	bool destination_only; /* and nowhere else */
};
size_t config_option_count(void);
void config_option_info(size_t index, struct config_option_info *out);
/* The effective value of an option, outside of blocks, as text without quotes;
 * malloc'ed. */
char *config_option_value(const struct config *c, size_t index);
bool config_option_is_default(const struct config *c, size_t index);

/* The destination blocks, in the order of the file. The pattern as text; the
 * value that the block names for an option, or NULL; both malloc'ed. */
char *config_block_pattern(const struct config *c, size_t block);
char *config_block_value(const struct config *c, size_t block, size_t index);

/* libConfuse's version: of the library that runs, and NULL for the one built
 * with, which its header does not tell. */
const char *config_library_version(void);
const char *config_library_built(void);

#endif
