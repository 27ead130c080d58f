/*
 * The settings that count for one destination, after the configuration's
 * destination blocks were applied. Filled by the configuration; the policy
 * only reads them. Each setting that `policy explain` names carries where it
 * was set ("default", "/etc/hikyaku/hikyaku.conf:12").
 */
#ifndef POLICY_SETTINGS_H
#define POLICY_SETTINGS_H

#include "policy/types.h"

struct policy_settings {
	bool starttls;
	enum policy_tls_level tls;
	enum policy_fallback fallback;
	unsigned protocols; /* mask of enum policy_version */
	enum policy_greeting greeting_after_starttls;
	enum policy_sni sni;
	char sni_name[POLICY_NAME_MAX + 1]; /* with POLICY_SNI_NAME */

	/* Borrowed; they live as long as the configuration they came from. */
	const char *starttls_from;
	const char *tls_from;
	const char *fallback_from;
	const char *protocols_from;
	const char *greeting_from;
	const char *sni_from;
};

/* The defaults of the program, every *_from "default". */
void policy_settings_default(struct policy_settings *out);

#endif
