/*
 * Domain names in the one form in which they are compared: A-labels
 * (IDNA2008, UTS 46 non-transitional), lower case, no trailing dot.
 * Underscores stay. RFC 5890, RFC 1035 2.3.4.
 */
#ifndef POLICY_NAME_H
#define POLICY_NAME_H

#include "policy/types.h"

/* Normalizes len octets of UTF-8. Returns true, or false with the reason in
 * why (POLICY_TEXT_MAX octets): empty, empty label, label over 63 octets, name
 * over 253, blank, '@', control character, invalid UTF-8, not valid in IDNA. */
bool policy_name_normalize(const char *s, size_t len, char out[POLICY_NAME_MAX + 1],
	char why[POLICY_TEXT_MAX]);

/* An address literal as in RFC 5321 4.1.3, brackets included: "[192.0.2.1]",
 * "[IPv6:2001:db8::1]". On success out is the canonical form with brackets. */
bool policy_name_is_literal(const char *s, size_t len, char out[POLICY_NAME_MAX + 1]);

/* Could the last label be the end of an IPv4 address? No top-level domain is a number
 * (RFC 3696 section 2): "192.0.2.1" and "192.0.2.300" are no names. */
bool policy_name_ends_in_number(const char *name);

/* A destination: a literal if it starts with '[', else a domain name. */
bool policy_destination_normalize(const char *s, size_t len,
	char out[POLICY_NAME_MAX + 1], char why[POLICY_TEXT_MAX]);

/* Versions of the IDN library: the one that runs, and the one built with. */
const char *policy_library_version(void);
const char *policy_library_built(void);

#endif
