#include "config/config.h"

#include "config/block.h"
#include "config/file.h"
#include "config/options.h"
#include "config/read.h"
#include "config/scan.h"

#include "base/mem.h"
#include "base/text.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ALL_VERSIONS = (1 << POLICY_VERSION_COUNT) - 1, WORDS_MAX = 64 };

static bool is_in_destination(const struct config_option *o)
{
	return o->place != CONFIG_GLOBAL;
}

/* The default text of a list is its values joined by ", ". */
static size_t split_words(char *text, const char **words)
{
	size_t count = 0;
	char *rest = text;
	while (rest && *rest) {
		ASSERT(count < WORDS_MAX);
		words[count++] = rest;
		rest = strstr(rest, ", ");
		if (rest) {
			*rest = '\0';
			rest += 2;
		}
	}
	return count;
}

static void set_default(const struct config_option *o, struct config *c)
{
	struct config_parse parse = { .versions_available = ALL_VERSIONS };
	OWN(mem_free) char *text = xstrdup(o->default_text);
	const char *words[WORDS_MAX] = { text };
	size_t count = o->type->is_list ? split_words(text, words) : 1;
	bool is_good = o->type->parse(
		&parse, o, words, count, config_option_field(o, c, &c->defaults));
	ASSERT(is_good);
}

static struct config *new_with_defaults(const char *path)
{
	struct config *c = xcalloc(1, sizeof(*c));
	c->path = xstrdup(path);
	policy_settings_default(&c->defaults.policy);
	for (size_t i = 0; i < config_option_count(); i++)
		set_default(&config_options[i], c);
	return c;
}

/* What the machine calls itself, without asking anybody. */
static char *machine_name(void)
{
	char own[HOST_NAME_MAX + 1] = "";
	char name[POLICY_NAME_MAX + 1], why[POLICY_TEXT_MAX];
	if (gethostname(own, sizeof(own) - 1) != 0 ||
		!policy_name_normalize(own, strlen(own), name, why))
		return xstrdup("localhost");
	return xstrdup(name);
}

/* The defaults that depend on something. */
static void fill_in(struct config *c)
{
	c->hostname_is_default = !c->hostname;
	c->postmaster_is_default = !c->postmaster;
	if (c->hostname_is_default)
		c->hostname = machine_name();
	if (c->postmaster_is_default)
		c->postmaster = xasprintf("postmaster@%s", c->hostname);
}

void config_block_apply(const struct config_block *block, struct config_destination *to)
{
	for (size_t i = 0; i < config_option_count(); i++) {
		const struct config_option *o = &config_options[i];
		const char *from = (const char *)&block->values;
		if (!block->set_on[i])
			continue;
		memcpy((char *)to + o->offset, from + o->offset, o->type->size);
		if (o->aux_offset)
			*(const char **)((char *)to + o->aux_offset) =
				*(const char *const *)(from + o->aux_offset);
	}
}

const struct config_destination *config_destination(
	const struct config *c, const char *destination)
{
	const struct config_block *best = NULL;
	unsigned best_rank = 0;
	for (size_t i = 0; i < c->block_count; i++) {
		const struct config_block *b = &c->blocks[i];
		unsigned rank = policy_pattern_rank(&b->pattern);
		if ((best && rank <= best_rank) || !policy_pattern_matches(&b->pattern,
							   destination, c->domain_match))
			continue;
		best = b;
		best_rank = rank;
	}
	return best ? &best->whole : &c->defaults;
}

void config_for_destination(
	const struct config *c, const char *destination, struct config_destination *out)
{
	*out = *config_destination(c, destination);
}

/* What loading carries along. */
struct loader {
	struct config *config;
	struct config_errors errors;
	struct config_parse parse;
	unsigned *global_lines; /* by option: where it is set outside of blocks, or 0 */
};

static const char *add_origin(struct config *c, unsigned line)
{
	c->origins =
		xreallocarray(c->origins, c->origin_count + 1, sizeof(c->origins[0]));
	return c->origins[c->origin_count++] = xasprintf("%s:%u", c->path, line);
}

static void apply_statement(void *arg, const struct config_statement *statement,
	const char *const *words, size_t count)
{
	struct loader *l = arg;
	struct config *c = l->config;
	const struct config_option *o = statement->option;
	struct config_block *block =
		statement->block ? &c->blocks[statement->block - 1] : NULL;
	struct config_destination *d = block ? &block->values : &c->defaults;
	if (!o->type->parse(&l->parse, o, words, count, config_option_field(o, c, d))) {
		config_errors_add(
			&l->errors, statement->line, "%s: %s", o->name, l->parse.why);
		return;
	}
	(block ? block->set_on : l->global_lines)[o - config_options] = statement->line;
	if (is_in_destination(o) && o->aux_offset)
		*(const char **)((char *)d + o->aux_offset) =
			add_origin(c, statement->line);
}

static void check_same_pattern(struct loader *l, const struct config_block *block)
{
	for (const struct config_block *b = l->config->blocks; b < block; b++) {
		if (!policy_pattern_equal(&b->pattern, &block->pattern))
			continue;
		config_errors_add(&l->errors, block->line,
			"the block on line %u has the same pattern: make them one",
			b->line);
		return;
	}
}

static void make_blocks(struct loader *l, const struct config_scan *scan)
{
	struct config *c = l->config;
	char why[POLICY_TEXT_MAX];
	c->blocks = xcalloc(scan->block_count + 1, sizeof(*c->blocks));
	c->block_count = scan->block_count;
	for (size_t i = 0; i < scan->block_count; i++) {
		const struct config_scan_block *from = &scan->blocks[i];
		struct config_block *block = &c->blocks[i];
		block->line = from->line;
		block->set_on = xcalloc(config_option_count(), sizeof(*block->set_on));
		if (!policy_pattern_parse(
			    from->title, strlen(from->title), &block->pattern, why))
			config_errors_add(&l->errors, from->line,
				"\"%.*s\" is not a pattern of domains: %s",
				CONFIG_SHOWN_MAX, from->title, why);
		else
			check_same_pattern(l, block);
	}
}

static unsigned line_of(
	const struct config_block *block, const unsigned *global_lines, const char *name)
{
	size_t i = (size_t)(config_option_find(name) - config_options);
	return block && block->set_on[i] ? block->set_on[i] : global_lines[i];
}

/* TLS, plaintext, TLS again: fewer attempts cannot alternate. Without TLS, or
 * with TLS required, the fallback is not in force and needs nothing. */
static void check_attempts(struct loader *l, const struct config_block *block,
	const struct config_destination *d)
{
	if (!policy_fallback_needs_retries(d->policy.fallback) || !d->policy.starttls ||
		d->policy.tls != POLICY_TLS_OPPORTUNISTIC || !d->max_attempts ||
		d->max_attempts >= 3)
		return;
	unsigned line = line_of(block, l->global_lines, "max_attempts");
	if (block && !block->set_on[config_option_find("max_attempts") - config_options])
		line = block->line;
	config_errors_add(&l->errors, line,
		"max_attempts = %u is too few for fallback = %s, which needs three at "
		"least (with TLS, in plaintext, with TLS again): set max_attempts to 0 "
		"(unlimited), 3 or more, or fallback to none or plaintext",
		d->max_attempts, policy_fallback_name(d->policy.fallback));
}

static void check_together(struct loader *l)
{
	struct config *c = l->config;
	check_attempts(l, NULL, &c->defaults);
	for (size_t i = 0; i < c->block_count; i++) {
		struct config_block *block = &c->blocks[i];
		block->whole = c->defaults;
		config_block_apply(block, &block->whole);
		check_attempts(l, block, &block->whole);
	}
}

/* So that what is told of the route can name the place, as that of routes.txt. */
static void place_route(struct loader *l)
{
	struct config *c = l->config;
	if (!c->bounce_route)
		return;
	c->bounce_route->path = c->path;
	c->bounce_route->line = line_of(NULL, l->global_lines, "bounce_route");
}

static void load_bytes(struct loader *l, const char *bytes, size_t len)
{
	struct config_scan scan;
	l->errors.file = l->config->path;
	l->global_lines = xcalloc(config_option_count(), sizeof(*l->global_lines));
	if (config_scan(bytes, len, &l->errors, &scan)) {
		make_blocks(l, &scan);
		config_read(&scan, &l->errors, apply_statement, l);
		check_together(l);
		place_route(l);
	}
	config_scan_clear(&scan);
	free(l->global_lines);
}

int config_load_report(const char *path, unsigned versions_available, struct config **out,
	struct buf *errors)
{
	struct loader l = { .parse.versions_available = versions_available };
	struct err e = { 0 };
	struct buf bytes = BUF_INIT;
	if (path && config_file_read(path, &bytes, &e) != 0) {
		buf_addf(errors, "%s\n", e.text);
		return e.code;
	}
	l.config = new_with_defaults(path);
	if (path)
		load_bytes(&l, buf_text(&bytes), buf_len(&bytes));
	buf_clear(&bytes);
	if (l.errors.count) {
		config_errors_format(&l.errors, errors);
		config_errors_clear(&l.errors);
		config_free(&l.config);
		return ERR_INVALID;
	}
	fill_in(l.config);
	*out = l.config;
	return ERR_OK;
}

/* As many whole lines of a report as fit, and how many do not. */
static void cut_report(struct buf *report, struct err *e)
{
	enum { ROOM_FOR_LAST = 40 };
	const char *text = buf_text(report), *end = text;
	size_t hidden = 0;
	for (const char *line = text, *next; *line; line = next) {
		next = strchr(line, '\n') + 1;
		if (hidden || (size_t)(next - text) > sizeof(e->text) - ROOM_FOR_LAST)
			hidden++;
		else
			end = next;
	}
	if (end == text) /* not even the first one: then the begin of it */
		snprintf(e->text, sizeof(e->text), "%s", text);
	else if (hidden)
		snprintf(e->text, sizeof(e->text), "%.*sand %zu more", (int)(end - text),
			text, hidden);
	else
		snprintf(e->text, sizeof(e->text), "%.*s", (int)(end - text) - 1, text);
}

int config_load(
	const char *path, unsigned versions_available, struct config **out, struct err *e)
{
	struct buf report = BUF_INIT;
	int code = config_load_report(path, versions_available, out, &report);
	if (code != ERR_OK && e) {
		e->code = code;
		cut_report(&report, e);
	}
	buf_clear(&report);
	return code;
}

void config_free(struct config **cp)
{
	struct config *c = *cp;
	if (!c)
		return;
	for (size_t i = 0; i < c->block_count; i++)
		free(c->blocks[i].set_on);
	for (size_t i = 0; i < c->origin_count; i++)
		free(c->origins[i]);
	free(c->blocks);
	free(c->origins);
	free(c->path);
	free(c->hostname);
	free(c->user);
	free(c->queue);
	free(c->policy_dir);
	free(c->credentials);
	free(c->dns_servers);
	free(c->prohibited);
	free(c->listen);
	free(c->relay_clients);
	free(c->xmail_dir);
	free(c->trust_file);
	free(c->tls_log);
	free(c->log);
	free(c->postmaster);
	policy_route_free(&c->bounce_route);
	free(c);
	*cp = NULL;
}
