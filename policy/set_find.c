#include "policy/set.h"

#include "policy/set_parts.h"

#include <string.h>

struct search {
	const struct policy_part *part;
	enum policy_match match;
	bool is_host;
	bool by_rank; /* the most specific; otherwise the first in the file */
	const struct policy_entry *best;
	unsigned best_score;
};

/* "mx:" counts between the length of a pattern and its kind, so that it wins
 * over a pattern for the destination of the same length. */
static unsigned score_of(const struct policy_entry *e)
{
	struct policy_pattern pattern;
	policy_entry_pattern(e, &pattern);
	unsigned rank = policy_pattern_rank(&pattern);
	return rank / 2 * 4 + (e->is_host ? 2 : 0) + rank % 2;
}

static void consider(struct search *s, size_t number)
{
	const struct policy_entry *e = &s->part->entries[number];
	if (!s->by_rank) {
		if (!s->best || e->line < s->best->line)
			s->best = e;
		return;
	}
	unsigned score = score_of(e);
	if (!s->best || score > s->best_score) {
		s->best = e;
		s->best_score = score;
	}
}

static void probe(struct search *s, enum policy_pattern_kind kind, const char *name)
{
	size_t number = policy_index_find(
		&s->part->index, s->part->entries, kind, s->is_host, name);
	if (number != POLICY_INDEX_NONE)
		consider(s, number);
}

static void probe_trees(struct search *s, const char *name)
{
	for (size_t i = 0; i < s->part->tree_count; i++) {
		const struct policy_entry *e = &s->part->entries[s->part->trees[i]];
		if (e->is_host != s->is_host || !strstr(name, e->name))
			continue;
		consider(s, s->part->trees[i]);
		if (!s->by_rank)
			return;
	}
}

static void probe_literal(struct search *s, const char *literal)
{
	char inner[POLICY_NAME_MAX + 1];
	size_t len = policy_text(inner, sizeof(inner), "%s", literal + 1);
	if (len)
		inner[len - 1] = '\0';
	probe(s, POLICY_PATTERN_LITERAL, inner);
}

/* Every pattern that can match has as its name the name itself or one of its
 * suffixes: as many questions as the name has labels. */
static void search_name(struct search *s, const char *name)
{
	bool by_label = s->match == POLICY_MATCH_LABEL;
	probe(s, POLICY_PATTERN_ANY, "");
	if (name[0] == '[') {
		probe_literal(s, name);
		return;
	}
	probe(s, POLICY_PATTERN_EXACT, name);
	if (by_label)
		probe(s, POLICY_PATTERN_TREE, name);
	else
		probe_trees(s, name);
	for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
		probe(s, POLICY_PATTERN_BELOW, dot + 1);
		if (by_label)
			probe(s, POLICY_PATTERN_TREE, dot + 1);
	}
}

const struct policy_entry *policy_set_find(
	const struct policy_set *set, enum policy_file file, const char *destination)
{
	struct search s = { .part = &set->parts[file], .match = set->options.match };
	search_name(&s, destination);
	return s.best;
}

const struct policy_entry *policy_set_pin(
	const struct policy_set *set, const char *destination, const char *host)
{
	struct search s = {
		.part = &set->parts[POLICY_FILE_PINS],
		.match = set->options.match,
		.by_rank = true,
	};
	search_name(&s, destination);
	s.is_host = true;
	if (host)
		search_name(&s, host);
	return s.best;
}

const struct policy_route *policy_set_route(
	const struct policy_set *set, const char *destination)
{
	const struct policy_part *part = &set->parts[POLICY_FILE_ROUTES];
	const struct policy_entry *e =
		policy_set_find(set, POLICY_FILE_ROUTES, destination);
	return e ? &part->routes[e - part->entries] : NULL;
}
