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

/* Every part of the name is looked up: for long lists that is less work than to look
 * for every entry in the name. */
static void probe_parts(struct search *s, const char *name)
{
	char part[POLICY_NAME_MAX + 1];
	for (; *name; name++) {
		size_t len = policy_text(part, sizeof(part), "%s", name);
		for (; len > 0; len--) {
			part[len] = '\0';
			probe(s, POLICY_PATTERN_TREE, part);
		}
	}
}

static void probe_trees(struct search *s, const char *name)
{
	const struct policy_part *p = s->part;
	size_t len = strlen(name);
	if (p->tree_count > len * (len + 1) / 2) {
		probe_parts(s, name);
		return;
	}
	for (size_t i = 0; i < p->tree_count; i++) {
		const struct policy_entry *e = &p->entries[p->trees[i]];
		if (e->is_host != s->is_host || !strstr(name, e->name))
			continue;
		consider(s, p->trees[i]);
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

/* What is above the name: the patterns of its suffixes. */
static void probe_suffixes(struct search *s, const char *name)
{
	for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
		probe(s, POLICY_PATTERN_BELOW, dot + 1);
		if (s->match == POLICY_MATCH_LABEL)
			probe(s, POLICY_PATTERN_TREE, dot + 1);
	}
}

/* Those without brackets and dot that have the name itself in them. */
static void probe_bare(struct search *s, const char *name)
{
	if (s->match == POLICY_MATCH_LABEL)
		probe(s, POLICY_PATTERN_TREE, name);
	else
		probe_trees(s, name);
}

/* Every pattern that can match has as its name the name itself or one of its
 * suffixes: as many questions as the name has labels. */
static void search_name(struct search *s, const char *name)
{
	probe(s, POLICY_PATTERN_ANY, "");
	if (name[0] == '[') {
		probe_literal(s, name);
		return;
	}
	probe(s, POLICY_PATTERN_EXACT, name);
	probe_bare(s, name);
	probe_suffixes(s, name);
}

/* The patterns that match whatever the entry matches. Names with a text anywhere in
 * them are only covered by those with a part of the text in them. */
static void search_cover(struct search *s, const struct policy_entry *e)
{
	bool is_text = e->kind == POLICY_PATTERN_TREE && s->match != POLICY_MATCH_LABEL;
	probe(s, POLICY_PATTERN_ANY, "");
	if (e->kind == POLICY_PATTERN_ANY)
		return;
	if (e->kind != POLICY_PATTERN_TREE)
		probe(s, e->kind, e->name);
	if (e->kind == POLICY_PATTERN_LITERAL)
		return;
	probe_bare(s, e->name);
	if (!is_text)
		probe_suffixes(s, e->name);
}

const struct policy_entry *policy_find_cover(const struct policy_set *set,
	enum policy_file file, const struct policy_entry *entry)
{
	struct search s = { .part = &set->parts[file], .match = set->options.match };
	search_cover(&s, entry);
	return s.best && s.best->line < entry->line ? s.best : NULL;
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
