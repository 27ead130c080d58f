#include "policy/relay.h"

#include "policy/util.h"

static const char *const transport_names[POLICY_TRANSPORT_COUNT] = {
	[POLICY_TRANSPORT_SMTP] = "smtp",
	[POLICY_TRANSPORT_SMTPS] = "smtps",
	[POLICY_TRANSPORT_LMTP] = "lmtp",
};

const char *policy_transport_name(enum policy_transport transport)
{
	return (unsigned)transport < POLICY_TRANSPORT_COUNT ? transport_names[transport]
							    : "unknown";
}

const char *policy_relay_name(const struct policy_relay *relay, const char *destination)
{
	return relay->host ? relay->host : destination;
}

void policy_relay_format(const struct policy_relay *relay, char *out, size_t out_size)
{
	char port[8] = "";
	if (relay->transport == POLICY_TRANSPORT_LMTP) {
		policy_text(out, out_size, "lmtp:%s", relay->path);
		return;
	}
	if (relay->port)
		policy_text(port, sizeof(port), ":%u", relay->port);
	if (relay->transport == POLICY_TRANSPORT_SMTP && relay->looks_up_mx && !*port) {
		policy_text(out, out_size, "mx:%s", relay->host ? relay->host : "");
		return;
	}
	bool needs_brackets = !relay->looks_up_mx && relay->host[0] != '[';
	policy_text(out, out_size, "%s://%s%s%s%s",
		policy_transport_name(relay->transport), needs_brackets ? "[" : "",
		relay->host, needs_brackets ? "]" : "", port);
}
