/* The table: every option, and everything about it. */
#include "config/options.h"

#include "base/mem.h"
#include "base/text.h"

#include <string.h>

#define SECOND (INT64_C(1000))
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static const char *fallback_word(unsigned value)
{
	return value < POLICY_FALLBACK_COUNT ? policy_fallback_name(value) : NULL;
}

static const char *tls_word(unsigned value)
{
	return value < POLICY_TLS_COUNT ? policy_tls_level_name(value) : NULL;
}

static const char *greeting_word(unsigned value)
{
	static const char *const words[] = {
		[POLICY_GREETING_EHLO] = "ehlo", [POLICY_GREETING_HELO] = "helo"
	};
	return value < ARRAY_SIZE(words) ? words[value] : NULL;
}

static const char *match_word(unsigned value)
{
	static const char *const words[] = {
		[POLICY_MATCH_LABEL] = "label", [POLICY_MATCH_SUBSTRING] = "substring"
	};
	return value < ARRAY_SIZE(words) ? words[value] : NULL;
}

static const char *memory_word(unsigned value)
{
	static const char *const words[] = {
		[false] = "message", [true] = "destination"
	};
	return value < ARRAY_SIZE(words) ? words[value] : NULL;
}

static const char *language_word(unsigned value)
{
	static const char *const words[] = {
		[CONFIG_LANGUAGE_EN] = "en", [CONFIG_LANGUAGE_JA] = "ja"
	};
	return value < ARRAY_SIZE(words) ? words[value] : NULL;
}

static const char *expired_word(unsigned value)
{
	static const char *const words[] = {
		[CONFIG_EXPIRED_SKIP] = "skip", [CONFIG_EXPIRED_REFUSE] = "refuse"
	};
	return value < ARRAY_SIZE(words) ? words[value] : NULL;
}

#define GLOBAL(field) .place = CONFIG_GLOBAL, .offset = offsetof(struct config, field)
#define DESTINATION(field) \
	.place = CONFIG_EVERYWHERE, .offset = offsetof(struct config_destination, field)
#define COUNT(field) .aux_offset = offsetof(struct config, field)
#define FROM(field)  .aux_offset = offsetof(struct config_destination, policy.field)

/* In the order in which `config show` and the manual list them. */
const struct config_option config_options[] = {
	{ "hostname", &config_type_hostname, "", .min = 0, GLOBAL(hostname),
		.help = "own name in EHLO and in bounces; empty: the name of the "
			"machine" },
	{ "user", &config_type_user, "", GLOBAL(user),
		.help = "user that it goes on as when root has started it; empty: it "
			"stays root" },
	{ "postmaster", &config_type_address, "", GLOBAL(postmaster),
		.help = "address that bounces name for questions; empty: "
			"postmaster@HOSTNAME" },
	{ "dsn_language", &config_type_word, "en", .word = language_word,
		GLOBAL(dsn_language),
		.help = "language of what people read in bounces and other notices" },
	{ "bounce_route", &config_type_route, "", GLOBAL(bounce_route),
		.help = "where bounces and other notices go, as in routes.txt; empty: "
			"where other mail goes" },
	{ "queue", &config_type_path, HIKYAKU_STATEDIR "/queue.db", .min = 1,
		GLOBAL(queue),
		.help = "database that holds the queue and the retry log" },
	{ "policy_dir", &config_type_path, HIKYAKU_SYSCONFDIR "/policy", .min = 1,
		GLOBAL(policy_dir),
		.help = "directory of the policy files, see hikyaku-policy(5)" },
	{ "credentials", &config_type_path, HIKYAKU_SYSCONFDIR "/credentials", .min = 1,
		GLOBAL(credentials),
		.help = "file with the passwords for relays; need not exist" },
	{ "domain_match", &config_type_word, "label", .word = match_word,
		GLOBAL(domain_match),
		.help = "how bare names in patterns match: whole labels, or anywhere in "
			"the name" },
	{ "dns_servers", &config_type_servers, "", .max = 8, GLOBAL(dns_servers),
		COUNT(dns_server_count),
		.help = "DNS resolvers, ADDRESS[:PORT]; empty: those of "
			"/etc/resolv.conf" },
	{ "dns_timeout", &config_type_duration, "5s", .min = 100, .max = MINUTE,
		GLOBAL(dns_timeout_ms),
		.help = "limit for an answer of one DNS resolver; each is asked twice" },
	{ "prohibited_addresses", &config_type_ranges,
		"0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/4, ::/128, ::1/128, "
		"fe80::/10, ff00::/8",
		.max = 256, GLOBAL(prohibited), COUNT(prohibited_count),
		.help = "address ranges never connected to; empty: none is prohibited" },
	{ "log", &config_type_log, "stderr", GLOBAL(log),
		.help = "where the log goes: stderr, syslog or the path of a file" },
	{ "tls_log", &config_type_path, "", GLOBAL(tls_log),
		.help = "file for TLS handshakes and TLS errors; empty: off" },
	{ "log_retention", &config_type_duration, "30d", .max = 3650 * DAY,
		GLOBAL(log_retention_ms),
		.help = "how long the retry log keeps entries; 0: for ever" },
	{ "trust_file", &config_type_path, "", GLOBAL(trust_file),
		.help = "trusted certificates, PEM; empty: those of the system" },
	{ "expired_certificates", &config_type_word, "skip", .word = expired_word,
		GLOBAL(expired_certificates),
		.help = "an expired client certificate: go on without it, or defer" },
	{ "workers", &config_type_number, "1", .min = 1, .max = 64, GLOBAL(workers),
		.help = "event loops, each in a thread of its own; one a core" },
	{ "max_sessions", &config_type_number, "200", .min = 1, .max = 100000,
		GLOBAL(max_sessions), .help = "SMTP sessions at a time, in all" },
	{ "crowded_timeout", &config_type_duration, "30s", .min = 100, .max = DAY,
		GLOBAL(crowded_timeout_ms),
		.help = "how long a host may keep a session that others wait for" },
	{ "max_message_size", &config_type_size, "50M", .min = 1024,
		.max = INT64_C(2) << 30, GLOBAL(max_message_size),
		.help = "largest message that is accepted for the queue" },

	{ "listen", &config_type_listen, "", .max = 32, GLOBAL(listen),
		COUNT(listen_count),
		.help = "where mail servers hand their mail over: lmtp:/PATH, "
			"smtp:ADDRESS:PORT ...; empty: nowhere" },
	{ "listen_mode", &config_type_mode, "0660", GLOBAL(listen_mode),
		.help = "mode of the unix sockets of listen" },
	{ "relay_clients", &config_type_ranges, "127.0.0.0/8, ::1/128", .max = 256,
		GLOBAL(relay_clients), COUNT(relay_client_count),
		.help = "clients that may hand mail over on TCP, as address ranges" },
	{ "max_clients", &config_type_number, "100", .min = 1, .max = 10000,
		GLOBAL(max_clients),
		.help = "clients that may be connected at a time, in all" },
	{ "max_recipients", &config_type_number, "1000", .min = 100, .max = 50000,
		GLOBAL(max_recipients),
		.help = "recipients of one message from a client" },
	{ "client_timeout", &config_type_duration, "5m", .min = 100, .max = DAY,
		GLOBAL(client_timeout_ms),
		.help = "how long a client may take for a command, or for each piece of "
			"a message" },
	{ "xmail_dir", &config_type_path, "", GLOBAL(xmail_dir),
		.help = "directory whose XMail message files are queued and removed; "
			"empty: none" },

	{ "tls", &config_type_word, "opportunistic", .word = tls_word,
		.place = CONFIG_DESTINATION_ONLY,
		.offset = offsetof(struct config_destination, policy.tls), FROM(tls_from),
		.help = "TLS to the destination: where offered, never, or always" },
	{ "starttls", &config_type_bool, "true", DESTINATION(policy.starttls),
		FROM(starttls_from), .help = "use STARTTLS where the policy allows it" },
	{ "protocols", &config_type_protocols, "TLS1.2, TLS1.3",
		DESTINATION(policy.protocols), FROM(protocols_from),
		.help = "TLS versions that may be used; a pin goes before it" },
	{ "sni", &config_type_sni, "on", DESTINATION(policy.sni), FROM(sni_from),
		.help = "server name sent in TLS: on (name of the MX host), off, or a "
			"name" },
	{ "greeting_after_starttls", &config_type_word, "ehlo", .word = greeting_word,
		DESTINATION(policy.greeting_after_starttls), FROM(greeting_from),
		.help = "command that opens the session inside TLS" },
	{ "fallback", &config_type_word, "alternate", .word = fallback_word,
		DESTINATION(policy.fallback), FROM(fallback_from),
		.help = "what a TLS failure leads to" },
	{ "fallback_memory", &config_type_word_bool, "message", .word = memory_word,
		DESTINATION(fallback_memory),
		.help = "who shares the channel that is due after a TLS failure" },
	{ "fallback_memory_ttl", &config_type_duration, "1h", .min = SECOND,
		.max = 30 * DAY, DESTINATION(fallback_memory_ttl_ms),
		.help = "how long a destination's channel is remembered" },
	{ "port", &config_type_port, "25", .min = 1, .max = 65535, DESTINATION(port),
		.help = "port of the MX hosts" },
	{ "chunking", &config_type_bool, "true", DESTINATION(chunking),
		.help = "send content in chunks (BDAT) where the host offers CHUNKING" },
	{ "retry_schedule", &config_type_schedule, "1m, 5m*2, 15m, 1h*3, 4h",
		DESTINATION(retry_schedule),
		.help = "waiting times between attempts; the last one repeats" },
	{ "retry_jitter", &config_type_percent, "10", .max = 50,
		DESTINATION(retry_jitter),
		.help = "spread of the waiting times in percent, up and down; 0: none" },
	{ "max_attempts", &config_type_number, "0", .max = 10000,
		DESTINATION(max_attempts),
		.help = "attempts before a message is bounced; 0: unlimited" },
	{ "max_age", &config_type_duration, "5d", .min = SECOND, .max = 365 * DAY,
		DESTINATION(max_age_ms), .help = "age at which a message is bounced" },
	{ "bounce_delay_warning", &config_type_duration, "0s", .max = 365 * DAY,
		DESTINATION(bounce_delay_warning_ms),
		.help = "age at which the sender is warned of a delay; 0: never" },
	{ "max_sessions_per_destination", &config_type_number, "20", .min = 1,
		.max = 100000, DESTINATION(max_sessions_per_destination),
		.help = "SMTP sessions at a time to one destination" },
	{ "connect_timeout", &config_type_duration, "30s", .min = 100, .max = HOUR,
		DESTINATION(connect_timeout_ms),
		.help = "limit for a TCP connection to be made" },
	{ "handshake_timeout", &config_type_duration, "1m", .min = 100, .max = HOUR,
		DESTINATION(handshake_timeout_ms),
		.help = "limit for the whole TLS handshake" },
	{ "reply_timeout", &config_type_duration, "5m", .min = 100, .max = DAY,
		DESTINATION(reply_timeout_ms),
		.help = "limit for a reply to any command" },
	{ "data_timeout", &config_type_duration, "10m", .min = 100, .max = DAY,
		DESTINATION(data_timeout_ms),
		.help = "limit for the reply to a whole message" },
	{ "session_timeout", &config_type_duration, "1h", .min = 100, .max = 7 * DAY,
		DESTINATION(session_timeout_ms),
		.help = "limit for a session from its connection to its end" },
};

enum { OPTION_COUNT = ARRAY_SIZE(config_options) };

size_t config_option_count(void)
{
	return OPTION_COUNT;
}

const struct config_option *config_option_find(const char *name)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (strcmp(config_options[i].name, name) == 0)
			return &config_options[i];
	}
	return NULL;
}

const char *config_option_nearest(const char *name)
{
	const char *names[OPTION_COUNT + 2];
	for (size_t i = 0; i < OPTION_COUNT; i++)
		names[i] = config_options[i].name;
	names[OPTION_COUNT] = "destination";
	names[OPTION_COUNT + 1] = NULL;
	return text_nearest(name, names);
}

const void *config_option_field_const(const struct config_option *o,
	const struct config *c, const struct config_destination *d)
{
	return (o->place == CONFIG_GLOBAL ? (const char *)c : (const char *)d) +
	       o->offset;
}

void *config_option_field(
	const struct config_option *o, struct config *c, struct config_destination *d)
{
	return (o->place == CONFIG_GLOBAL ? (char *)c : (char *)d) + o->offset;
}

void config_option_info(size_t index, struct config_option_info *out)
{
	ASSERT(index < OPTION_COUNT);
	const struct config_option *o = &config_options[index];
	*out = (struct config_option_info){
		.name = o->name,
		.type = o->type->name,
		.default_text = o->default_text,
		.help = o->help,
		.is_list = o->type->is_list,
		.in_destination = o->place != CONFIG_GLOBAL,
		.destination_only = o->place == CONFIG_DESTINATION_ONLY,
	};
}
