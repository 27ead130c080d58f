/*
 * The four policy files (policy/set.h) as four texts, in UTF-8 or UTF-16; a fifth is the
 * name that is looked up. The first octet chooses how names match and which of the files
 * exist. There is a set or there are errors; what the set says follows its own rules.
 */
#include "fuzz.h"

#include "base/err.h"
#include "base/mem.h"
#include "policy/check.h"
#include "policy/decide.h"
#include "policy/name.h"
#include "policy/set.h"

#include <string.h>

static void check_decision(
	const struct policy_set *set, const char *destination, const char *host)
{
	struct policy_settings settings;
	struct policy_decision d;
	policy_settings_default(&settings);
	const struct policy_query query = { .destination = destination,
		.host = host,
		.route = policy_set_route(set, destination),
		.settings = &settings,
		.due_channel = POLICY_CHANNEL_PLAINTEXT,
		.attempts = 1 };
	policy_decide(set, &query, &d);
	ASSERT(d.reason_count > 0 && d.reason_count <= POLICY_REASONS_MAX);
	if (query.route && query.route->kind != POLICY_ROUTE_RELAYS)
		return;
	ASSERT(!d.tls_required || d.channel == POLICY_CHANNEL_TLS);
	ASSERT(!d.tls_required || d.fallback == POLICY_FALLBACK_NONE);
	ASSERT(!d.tls_verified || d.tls_required);
	ASSERT(!(d.implicit_tls && d.use_starttls));
	for (size_t i = 0; i < d.reason_count; i++)
		ASSERT(*d.reasons[i].text && !strpbrk(d.reasons[i].text, "\r\n"));
}

static void ask(const struct policy_set *set, const char *destination)
{
	struct policy_pattern p;
	for (enum policy_file f = 0; f < POLICY_FILE_ROUTES; f++) {
		const struct policy_entry *entry = policy_set_find(set, f, destination);
		if (!entry)
			continue;
		policy_entry_pattern(entry, &p);
		ASSERT(entry->is_host ||
			policy_pattern_matches(&p, destination, policy_set_match(set)));
	}
	const struct policy_route *route = policy_set_route(set, destination);
	for (size_t i = 0; i < policy_set_count(set, POLICY_FILE_ROUTES); i++) {
		const struct policy_route *first = policy_set_route_at(set, i);
		policy_route_pattern(first, &p);
		if (policy_pattern_matches(&p, destination, policy_set_match(set))) {
			ASSERT(route == first);
			break;
		}
		ASSERT(route != first);
	}
	check_decision(set, destination, NULL);
	check_decision(set, destination, "mx.example.net");
}

static void ask_all(const struct policy_set *set, struct fuzz_input name)
{
	char destination[POLICY_NAME_MAX + 1], why[POLICY_TEXT_MAX];
	struct policy_warnings warnings = { 0 };
	ask(set, "example.com");
	ask(set, "a.example.org");
	ask(set, "[192.0.2.1]");
	if (policy_destination_normalize(name.s, name.len, destination, why))
		ask(set, destination);
	policy_check(set, &warnings);
	ASSERT(warnings.count <= warnings.total);
	policy_warnings_clear(&warnings);
}

static void check_errors(const struct policy_errors *errors)
{
	ASSERT(errors->count && errors->count <= errors->total);
	for (size_t i = 0; i < errors->count; i++)
		ASSERT(*errors->list[i].text && *errors->list[i].file);
}

void fuzz_policy(const uint8_t *data, size_t len)
{
	struct fuzz_input in = fuzz_input(data, len);
	struct policy_source sources[POLICY_FILE_COUNT];
	struct policy_errors errors = { 0 };
	uint8_t choice = fuzz_octet(&in);
	const struct policy_options options = {
		.match = choice & 0x10 ? POLICY_MATCH_SUBSTRING : POLICY_MATCH_LABEL,
		.versions_available = POLICY_VERSIONS_DEFAULT,
	};
	for (unsigned f = 0; f < POLICY_FILE_COUNT; f++) {
		struct fuzz_input text = fuzz_text(&in);
		sources[f] = (struct policy_source){
			.bytes = choice & (1U << f) ? NULL : text.s, .len = text.len
		};
	}
	struct policy_set *set = policy_set_parse(sources, &options, 1, &errors);
	if (set) {
		struct policy_set *again =
			policy_set_parse(sources, &options, 2, &errors);
		ASSERT(again && policy_set_digest(again) == policy_set_digest(set));
		ask_all(set, fuzz_text(&in));
		policy_set_unref(&again);
	} else {
		check_errors(&errors);
	}
	policy_set_unref(&set);
	policy_errors_clear(&errors);
}
