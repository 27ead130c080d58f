/*
 * The words of the policy: what can be decided, and what can go wrong.
 *
 * policy/ is pure: given files and settings it computes decisions. It reads
 * policy files when told to; it has no socket, no clock, no loop, and uses
 * nothing of src/. Its answers are plain values that own themselves, or
 * immutable snapshots with a reference count.
 */
#ifndef POLICY_TYPES_H
#define POLICY_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	POLICY_NAME_MAX = 253, /* octets of a domain name, without trailing dot */
	POLICY_TEXT_MAX = 512, /* octets of an error or a reason */
	POLICY_REASONS_MAX = 16
};

/* How one attempt talks to its hosts. */
enum policy_channel {
	POLICY_CHANNEL_TLS,
	POLICY_CHANNEL_PLAINTEXT,
	POLICY_CHANNEL_COUNT
};

/* What a TLS failure leads to; the order is that of the source's modes 1 to 4. */
enum policy_fallback {
	POLICY_FALLBACK_NONE,
	POLICY_FALLBACK_PLAINTEXT,
	POLICY_FALLBACK_ALTERNATE, /* the default */
	POLICY_FALLBACK_ALTERNATE_ANY,
	POLICY_FALLBACK_COUNT
};

/* Why an attempt at one host did not end in delivery. */
enum policy_failure {
	POLICY_FAILURE_NONE,
	POLICY_FAILURE_NO_STARTTLS, /* EHLO lists no STARTTLS: not a failure by itself */
	POLICY_FAILURE_STARTTLS_REFUSED, /* STARTTLS answered 4xx or 5xx */
	POLICY_FAILURE_TLS_INIT,         /* our own side cannot start TLS */
	POLICY_FAILURE_TLS_HANDSHAKE,    /* from the 220 to the first reply inside TLS */
	POLICY_FAILURE_TLS_SESSION,      /* inside TLS after that */
	POLICY_FAILURE_IN_DOUBT,         /* whole message sent, no reply */
	POLICY_FAILURE_POLICY,           /* TLS works but a requirement is not met */
	POLICY_FAILURE_SMTP_TEMPORARY,   /* 4xx to anything else */
	POLICY_FAILURE_SMTP_PERMANENT,   /* 5xx to MAIL, RCPT, DATA or the message */
	POLICY_FAILURE_CONNECT, /* no SMTP conversation: refused, timed out ... */
	POLICY_FAILURE_DNS,     /* no address to talk to */
	POLICY_FAILURE_SESSION, /* lost, timed out or garbled, outside TLS */
	POLICY_FAILURE_COUNT
};

/* What a destination asks of TLS. */
enum policy_tls_level {
	POLICY_TLS_OPPORTUNISTIC,
	POLICY_TLS_OFF,
	POLICY_TLS_REQUIRED,
	POLICY_TLS_VERIFIED, /* required, with a certificate for the host's name */
	POLICY_TLS_COUNT
};

/* TLS versions, as bits of a mask. */
enum policy_version {
	POLICY_SSL3_0 = 1 << 0,
	POLICY_TLS1_0 = 1 << 1,
	POLICY_TLS1_1 = 1 << 2,
	POLICY_TLS1_2 = 1 << 3,
	POLICY_TLS1_3 = 1 << 4
};
enum {
	POLICY_VERSION_COUNT = 5,
	POLICY_VERSIONS_DEFAULT = POLICY_TLS1_2 | POLICY_TLS1_3
};

enum policy_greeting { POLICY_GREETING_EHLO, POLICY_GREETING_HELO };
enum policy_sni { POLICY_SNI_ON, POLICY_SNI_OFF, POLICY_SNI_NAME };
enum policy_match { POLICY_MATCH_LABEL, POLICY_MATCH_SUBSTRING };

/* Names as in configuration, logs and JSON: "tls", "alternate-any",
 * "tls_handshake", "required", "TLS1.2"; "unknown" for what is none of them. */
const char *policy_channel_name(enum policy_channel channel);
const char *policy_fallback_name(enum policy_fallback fallback);
const char *policy_failure_name(enum policy_failure failure);
const char *policy_tls_level_name(enum policy_tls_level level);
const char *policy_version_name(enum policy_version version);

/* The way back; false and out untouched for an unknown name. Case counts, but
 * not in versions. */
bool policy_channel_parse(const char *s, enum policy_channel *out);
bool policy_fallback_parse(const char *s, enum policy_fallback *out);
bool policy_failure_parse(const char *s, enum policy_failure *out);
bool policy_tls_level_parse(const char *s, enum policy_tls_level *out);
bool policy_version_parse(const char *s, enum policy_version *out);

/* "TLS1.2 TLS1.3"; out_size 40 is enough for all of them. */
void policy_versions_format(unsigned versions, char *out, size_t out_size);

/* An error in policy input: where and why, fit to be shown to a person as
 * "file:line: text". line is 0 where it concerns the file as a whole. */
struct policy_error {
	char file[256];
	unsigned line;
	char text[POLICY_TEXT_MAX];
};

#endif
