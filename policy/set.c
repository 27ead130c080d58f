#include "policy/set.h"

#include "policy/entry.h"
#include "policy/file.h"
#include "policy/lines.h"
#include "policy/route_read.h"
#include "policy/set_parts.h"
#include "policy/util.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { ERRORS_MAX = 100 };

const char *policy_file_name(enum policy_file file)
{
	static const char *const names[POLICY_FILE_COUNT] = {
		[POLICY_FILE_ALLOW] = "mtatsl.txt",
		[POLICY_FILE_EXCLUDE] = "nomtatsl.txt",
		[POLICY_FILE_PINS] = "mtaproto.txt",
		[POLICY_FILE_ROUTES] = "routes.txt",
	};
	return names[file];
}

/* --- making a set --- */

static void add_error(struct policy_errors *errors, const struct policy_error *error)
{
	errors->total++;
	if (errors->count == ERRORS_MAX)
		return;
	if (!errors->list)
		errors->list = policy_xcalloc(ERRORS_MAX, sizeof(*errors->list));
	errors->list[errors->count++] = *error;
}

void policy_errors_clear(struct policy_errors *errors)
{
	free(errors->list);
	*errors = (struct policy_errors){ 0 };
}

static void add_tree(struct policy_part *part, size_t number)
{
	if (part->tree_count == part->tree_cap) {
		part->tree_cap = part->tree_cap ? 2 * part->tree_cap : 16;
		part->trees = policy_xreallocarray(
			part->trees, part->tree_cap, sizeof(*part->trees));
	}
	part->trees[part->tree_count++] = (uint32_t)number;
}

static struct policy_entry *new_entry(struct policy_part *part)
{
	if (part->count == part->cap) {
		part->cap = part->cap ? 2 * part->cap : 16;
		part->entries = policy_xreallocarray(
			part->entries, part->cap, sizeof(*part->entries));
	}
	return &part->entries[part->count];
}

static bool check_pin_is_new(const struct policy_part *part,
	const struct policy_parsed *parsed, char why[POLICY_TEXT_MAX])
{
	char text[POLICY_NAME_MAX + 3];
	size_t other = policy_index_find(&part->index, part->entries,
		parsed->pattern.kind, parsed->is_host, parsed->pattern.name);
	if (other == POLICY_INDEX_NONE)
		return true;
	policy_pattern_format(&parsed->pattern, text, sizeof(text));
	policy_text(why, POLICY_TEXT_MAX,
		"line %u has a pin for %s%s already; keep one of the two",
		part->entries[other].line, parsed->is_host ? "mx:" : "", text);
	return false;
}

static void add_entry(struct policy_set *set, enum policy_file file,
	const struct policy_lines *l, const struct policy_parsed *parsed)
{
	struct policy_part *part = &set->parts[file];
	struct policy_entry *e = new_entry(part);
	const char *name = parsed->pattern.name;
	*e = (struct policy_entry){
		.kind = parsed->pattern.kind,
		.line = l->number,
		.versions = parsed->versions,
		.is_host = parsed->is_host,
		.path = part->path,
		.text = policy_arena_strndup(&set->strings, l->entry, l->entry_len),
	};
	e->name = strcmp(e->text, name) == 0
			  ? e->text
			  : policy_arena_strndup(&set->strings, name, strlen(name));
	policy_index_add(&part->index, part->entries, part->count);
	if (e->kind == POLICY_PATTERN_TREE &&
		set->options.match == POLICY_MATCH_SUBSTRING)
		add_tree(part, part->count);
	part->has_hosts |= e->is_host;
	part->count++;
}

/* The route of the entry that was just added: it stands at the same number. */
static void add_route(struct policy_part *part, const struct policy_route *route)
{
	const struct policy_entry *e = &part->entries[part->count - 1];
	if (part->route_cap < part->cap) {
		part->route_cap = part->cap;
		part->routes = policy_xreallocarray(
			part->routes, part->route_cap, sizeof(*part->routes));
	}
	struct policy_route *r = &part->routes[part->count - 1];
	*r = *route;
	r->pattern_kind = e->kind;
	r->pattern_name = e->name;
	r->path = e->path;
	r->line = e->line;
	r->text = e->text;
}

/* One entry. false: why says what is wrong with it. */
static bool parse_entry(struct policy_set *set, enum policy_file file,
	const struct policy_lines *l, char why[POLICY_TEXT_MAX])
{
	struct policy_part *part = &set->parts[file];
	struct policy_parsed parsed = { 0 };
	struct policy_route route;
	if (file == POLICY_FILE_ROUTES) {
		if (!policy_route_read(&set->strings, l->entry, l->entry_len,
			    &parsed.pattern, &route, why))
			return false;
		add_entry(set, file, l, &parsed);
		add_route(part, &route);
		return true;
	}
	if (!policy_entry_parse(
		    file, l->entry, l->entry_len, &set->options, &parsed, why))
		return false;
	if (file == POLICY_FILE_PINS && !check_pin_is_new(part, &parsed, why))
		return false;
	add_entry(set, file, l, &parsed);
	return true;
}

static void parse_file(struct policy_set *set, enum policy_file file,
	const struct policy_source *source, struct policy_errors *errors)
{
	struct policy_part *part = &set->parts[file];
	struct policy_lines l;
	struct policy_error error;
	char why[POLICY_TEXT_MAX];
	const char *path = source->path ? source->path : policy_file_name(file);
	part->path = policy_arena_strndup(&set->strings, path, strlen(path));
	part->exists = source->bytes != NULL;
	if (!part->exists)
		return;
	policy_lines_init(&l, source->bytes, source->len);
	while (policy_lines_next(&l)) {
		if (l.entry_len == 0)
			continue;
		if (!parse_entry(set, file, &l, why)) {
			policy_error_set(&error, path, l.number, "%s", why);
			add_error(errors, &error);
		}
	}
	policy_lines_clear(&l);
}

static struct policy_set *set_new(const struct policy_options *options,
	uint64_t generation, struct policy_errors *errors)
{
	struct policy_set *set = policy_xcalloc(1, sizeof(*set));
	atomic_init(&set->refs, 1);
	set->generation = generation;
	set->options = *options;
	*errors = (struct policy_errors){ 0 };
	return set;
}

/* Complete, or not made at all. */
static struct policy_set *set_finish(
	struct policy_set *set, const struct policy_errors *errors)
{
	if (errors->total)
		policy_set_unref(&set);
	return set;
}

struct policy_set *policy_set_parse(const struct policy_source *sources,
	const struct policy_options *options, uint64_t generation,
	struct policy_errors *errors)
{
	struct policy_set *set = set_new(options, generation, errors);
	for (int file = 0; file < POLICY_FILE_COUNT; file++)
		parse_file(set, (enum policy_file)file, &sources[file], errors);
	return set_finish(set, errors);
}

struct policy_set *policy_set_load(const char *directory,
	const struct policy_options *options, uint64_t generation,
	struct policy_errors *errors)
{
	struct policy_set *set = set_new(options, generation, errors);
	for (int file = 0; file < POLICY_FILE_COUNT; file++) {
		char path[PATH_MAX];
		struct policy_file_content content;
		struct policy_error error;
		policy_text(path, sizeof(path), "%s/%s", directory,
			policy_file_name((enum policy_file)file));
		if (!policy_file_read(AT_FDCWD, path, path, &content, &error)) {
			add_error(errors, &error);
			continue;
		}
		struct policy_source source = { path, content.bytes, content.len };
		parse_file(set, (enum policy_file)file, &source, errors);
		policy_file_content_clear(&content);
	}
	return set_finish(set, errors);
}

struct policy_set *policy_set_ref(struct policy_set *set)
{
	atomic_fetch_add(&set->refs, 1);
	return set;
}

void policy_set_unref(struct policy_set **set)
{
	struct policy_set *s = *set;
	*set = NULL;
	if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	for (int file = 0; file < POLICY_FILE_COUNT; file++) {
		free(s->parts[file].entries);
		free(s->parts[file].routes);
		free(s->parts[file].trees);
		policy_index_clear(&s->parts[file].index);
	}
	policy_arena_clear(&s->strings);
	free(s);
}

/* --- asking it --- */

uint64_t policy_set_generation(const struct policy_set *set)
{
	return set->generation;
}

enum policy_match policy_set_match(const struct policy_set *set)
{
	return set->options.match;
}

/* Line numbers are part of what a set says: reasons name them. */
uint64_t policy_set_digest(const struct policy_set *set)
{
	uint64_t hash = POLICY_HASH_START;
	uint32_t match = (uint32_t)set->options.match;
	hash = policy_hash(hash, &match, sizeof(match));
	for (int file = 0; file < POLICY_FILE_COUNT; file++) {
		const struct policy_part *part = &set->parts[file];
		uint64_t head[2] = { part->exists, part->count };
		hash = policy_hash(hash, head, sizeof(head));
		for (size_t i = 0; i < part->count; i++) {
			const struct policy_entry *e = &part->entries[i];
			uint32_t key[4] = { (uint32_t)e->kind, e->line, e->versions,
				e->is_host };
			hash = policy_hash(hash, key, sizeof(key));
			hash = policy_hash(hash, e->name, strlen(e->name) + 1);
			hash = policy_hash(hash, e->text, strlen(e->text) + 1);
		}
	}
	return hash;
}

bool policy_set_has_file(const struct policy_set *set, enum policy_file file)
{
	return set->parts[file].exists;
}

const char *policy_set_path(const struct policy_set *set, enum policy_file file)
{
	return set->parts[file].path;
}

size_t policy_set_count(const struct policy_set *set, enum policy_file file)
{
	return set->parts[file].count;
}

const struct policy_entry *policy_set_entry(
	const struct policy_set *set, enum policy_file file, size_t index)
{
	const struct policy_part *part = &set->parts[file];
	return index < part->count ? &part->entries[index] : NULL;
}

const struct policy_route *policy_set_route_at(const struct policy_set *set, size_t index)
{
	const struct policy_part *part = &set->parts[POLICY_FILE_ROUTES];
	return index < part->count ? &part->routes[index] : NULL;
}

void policy_entry_pattern(const struct policy_entry *entry, struct policy_pattern *out)
{
	out->kind = entry->kind;
	policy_text(out->name, sizeof(out->name), "%s", entry->name);
}

bool policy_set_has_host_pins(const struct policy_set *set)
{
	return set->parts[POLICY_FILE_PINS].has_hosts;
}
