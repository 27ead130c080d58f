#include "policy/settings.h"

void policy_settings_default(struct policy_settings *out)
{
	static const char from[] = "default";
	*out = (struct policy_settings){
		.starttls = true,
		.tls = POLICY_TLS_OPPORTUNISTIC,
		.fallback = POLICY_FALLBACK_ALTERNATE,
		.protocols = POLICY_VERSIONS_DEFAULT,
		.greeting_after_starttls = POLICY_GREETING_EHLO,
		.sni = POLICY_SNI_ON,
		.starttls_from = from,
		.tls_from = from,
		.fallback_from = from,
		.protocols_from = from,
		.greeting_from = from,
		.sni_from = from,
	};
}
