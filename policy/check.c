#include "policy/check.h"

#include "policy/set_parts.h"
#include "policy/util.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARNINGS_MAX = 100, SHOWN_MAX = 64 };

static void add(struct policy_warnings *w, const struct policy_entry *e, unsigned other,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void add(struct policy_warnings *w, const struct policy_entry *e, unsigned other,
	const char *fmt, ...)
{
	char text[POLICY_TEXT_MAX];
	va_list ap;
	w->total++;
	if (w->count == WARNINGS_MAX)
		return;
	if (!w->list)
		w->list = policy_xcalloc(WARNINGS_MAX, sizeof(*w->list));
	struct policy_warning *warning = &w->list[w->count++];
	warning->path = e->path;
	warning->line = e->line;
	warning->other_line = other;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	policy_text(warning->text, sizeof(warning->text), "%s", text);
}

static void format_pattern(const struct policy_entry *e, char *out, size_t out_size)
{
	struct policy_pattern pattern;
	policy_entry_pattern(e, &pattern);
	policy_pattern_format(&pattern, out, out_size);
}

/* "[a.example]" and ".a.example" together are all of "a.example". */
static const struct policy_entry *find_two(const struct policy_set *set,
	const struct policy_entry *e, const struct policy_entry **other_out)
{
	const struct policy_part *part = &set->parts[POLICY_FILE_ROUTES];
	if (e->kind != POLICY_PATTERN_TREE || set->options.match != POLICY_MATCH_LABEL)
		return NULL;
	size_t itself = policy_index_find(
		&part->index, part->entries, POLICY_PATTERN_EXACT, false, e->name);
	size_t below = policy_index_find(
		&part->index, part->entries, POLICY_PATTERN_BELOW, false, e->name);
	size_t number = (size_t)(e - part->entries);
	if (itself == POLICY_INDEX_NONE || below == POLICY_INDEX_NONE ||
		itself > number || below > number)
		return NULL;
	*other_out = &part->entries[itself < below ? itself : below];
	return &part->entries[itself < below ? below : itself];
}

static void check_reach(const struct policy_set *set, const struct policy_entry *e,
	struct policy_warnings *w)
{
	char own[POLICY_NAME_MAX + 3], first[POLICY_NAME_MAX + 3];
	char second[POLICY_NAME_MAX + 3];
	const struct policy_entry *other, *last;
	const struct policy_entry *cover = policy_find_cover(set, POLICY_FILE_ROUTES, e);
	format_pattern(e, own, sizeof(own));
	if (cover) {
		format_pattern(cover, first, sizeof(first));
		add(w, e, cover->line,
			"the route for %.*s can never match: line %u (%.*s) takes all "
			"that it is for",
			SHOWN_MAX, own, cover->line, SHOWN_MAX, first);
	} else if ((last = find_two(set, e, &other))) {
		format_pattern(other, first, sizeof(first));
		format_pattern(last, second, sizeof(second));
		add(w, e, last->line,
			"the route for %.*s can never match: line %u (%.*s) and line %u "
			"(%.*s) together take all that it is for",
			SHOWN_MAX, own, other->line, SHOWN_MAX, first, last->line,
			SHOWN_MAX, second);
	}
}

/* With tls=required the password goes to whom the DNS says. With a certificate that must
 * be good it does not, but then it goes to nobody where MX records lead out of the
 * relay's domain. */
static void check_auth(const struct policy_entry *e, const struct policy_route *r,
	struct policy_warnings *w)
{
	char target[POLICY_NAME_MAX + 32];
	for (size_t i = 0; r->auth && i < r->relay_count; i++) {
		const struct policy_relay *relay = &r->relays[i];
		if (!relay->looks_up_mx)
			continue;
		policy_relay_format(relay, target, sizeof(target));
		add(w, e, 0,
			"auth= with %.*s: an MX record %s; to name the host yourself "
			"write %s://[%.*s]",
			SHOWN_MAX, target,
			r->has_tls && r->tls == POLICY_TLS_REQUIRED
				? "says which host gets the password"
				: "may lead to a host whose certificate is not for it, "
				  "and which gets nothing then",
			policy_transport_name(relay->transport), SHOWN_MAX, relay->host);
		return;
	}
}

void policy_check(const struct policy_set *set, struct policy_warnings *out)
{
	const struct policy_part *part = &set->parts[POLICY_FILE_ROUTES];
	*out = (struct policy_warnings){ 0 };
	for (size_t i = 0; i < part->count; i++) {
		check_reach(set, &part->entries[i], out);
		check_auth(&part->entries[i], &part->routes[i], out);
	}
}

void policy_warnings_clear(struct policy_warnings *warnings)
{
	free(warnings->list);
	*warnings = (struct policy_warnings){ 0 };
}
