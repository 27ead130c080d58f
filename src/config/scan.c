/*
 *	file      = { statement }
 *	statement = NAME "=" value | "destination" PATTERN "{" { statement } "}"
 *	value     = WORD | "{" [ WORD { "," WORD } [ "," ] ] "}"
 *
 * A WORD may be quoted.
 */
#include "config/scan.h"

#include "config/lex.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCKS_MAX = 1000 };

struct scanner {
	struct config_lex lex;
	struct config_errors *errors;
	struct config_scan *out;
	unsigned *global_lines; /* by option: where it was set; 0: not yet */
	unsigned *block_lines;  /* the same in the open block */
	bool in_block;
	bool is_refused; /* the open block: no more complaints about its inside */
	size_t block_start;
	unsigned block_line;
};

static bool at(const struct scanner *sc, enum config_token_kind kind)
{
	return sc->lex.token.kind == kind;
}

static bool at_text(const struct scanner *sc)
{
	return at(sc, CONFIG_TOKEN_WORD) || at(sc, CONFIG_TOKEN_STRING);
}

/* After an error: on with what follows the line. */
static void skip_line(struct scanner *sc, size_t start, unsigned line)
{
	while (sc->lex.token.line == line && !at(sc, CONFIG_TOKEN_END) &&
		!at(sc, CONFIG_TOKEN_CLOSE) && !at(sc, CONFIG_TOKEN_BAD))
		config_lex_next(&sc->lex);
	config_lex_blank(&sc->lex, start, sc->lex.token.start);
}

static void complain_unknown(struct scanner *sc, const char *name, unsigned line)
{
	const char *near = config_option_nearest(name);
	if (near)
		config_errors_add(sc->errors, line,
			"no option \"%.*s\"; did you mean \"%s\"?", CONFIG_SHOWN_MAX,
			name, near);
	else
		config_errors_add(sc->errors, line,
			"no option \"%.*s\"; hikyaku.conf(5) lists them",
			CONFIG_SHOWN_MAX, name);
}

/* The option, if it may be set here; otherwise NULL after a complaint. */
static const struct config_option *check_name(
	struct scanner *sc, const char *name, unsigned line)
{
	const struct config_option *o = config_option_find(name);
	if (strcmp(name, "destination") == 0)
		config_errors_add(sc->errors, line,
			"destination is a block: destination \"PATTERN\" { ... }");
	else if (!o)
		complain_unknown(sc, name, line);
	else if (sc->in_block && o->place == CONFIG_GLOBAL)
		config_errors_add(sc->errors, line,
			"%s cannot be set for one destination: move it out of the block",
			name);
	else if (!sc->in_block && o->place == CONFIG_DESTINATION_ONLY)
		config_errors_add(sc->errors, line,
			"%s can be set in destination blocks only", name);
	else
		return o;
	return NULL;
}

static bool check_first(struct scanner *sc, const struct config_option *o, unsigned line)
{
	unsigned *lines = sc->in_block ? sc->block_lines : sc->global_lines;
	unsigned *first = &lines[o - config_options];
	if (*first) {
		config_errors_add(sc->errors, line,
			"%s is set twice%s: it was set on line %u; remove one of them",
			o->name, sc->in_block ? " in this block" : "", *first);
		return false;
	}
	*first = line;
	return true;
}

static void add_statement(
	struct scanner *sc, const struct config_option *o, unsigned line)
{
	struct config_scan *out = sc->out;
	out->statements = xreallocarray(
		out->statements, out->statement_count + 1, sizeof(out->statements[0]));
	out->statements[out->statement_count++] = (struct config_statement){
		.option = o, .line = line, .block = sc->in_block ? out->block_count : 0
	};
}

/* Moves past a value; a slip with commas clears is_good. false: the rest of the
 * file cannot be made sense of. */
static bool skip_value(struct scanner *sc, const char *name, unsigned line, bool *is_good)
{
	bool after_value = false;
	if (at_text(sc)) {
		config_lex_next(&sc->lex);
		return true;
	}
	for (config_lex_next(&sc->lex); at_text(sc) || at(sc, CONFIG_TOKEN_COMMA);
		config_lex_next(&sc->lex)) {
		if (at_text(sc) == after_value && *is_good) {
			config_errors_add(sc->errors, sc->lex.token.line,
				"one comma goes between two values of the list of %.*s",
				CONFIG_SHOWN_MAX, name);
			*is_good = false;
		}
		after_value = at_text(sc);
	}
	if (at(sc, CONFIG_TOKEN_CLOSE)) {
		config_lex_next(&sc->lex);
		return true;
	}
	if (!at(sc, CONFIG_TOKEN_BAD))
		config_errors_add(sc->errors, line,
			"the list of %.*s that begins here has no end: add a }",
			CONFIG_SHOWN_MAX, name);
	return false;
}

static bool check_form(struct scanner *sc, const struct config_option *o, unsigned line,
	bool is_append, bool is_list)
{
	if (is_append)
		config_errors_add(sc->errors, line,
			"%s: += is not known: write = and all the values", o->name);
	else if (is_list && !o->type->is_list)
		config_errors_add(sc->errors, line,
			"%s takes one value, not a list in braces", o->name);
	return !is_append && (!is_list || o->type->is_list);
}

/* At the "=". */
static bool scan_assignment(
	struct scanner *sc, const char *name, const struct config_token *at_name)
{
	unsigned line = at_name->line;
	bool is_append = at(sc, CONFIG_TOKEN_APPEND), is_good = true;
	config_lex_next(&sc->lex);
	bool is_list = at(sc, CONFIG_TOKEN_OPEN);
	if (at(sc, CONFIG_TOKEN_BAD))
		return false;
	if (!at_text(sc) && !is_list) {
		config_errors_add(
			sc->errors, line, "%.*s has no value", CONFIG_SHOWN_MAX, name);
		skip_line(sc, at_name->start, line);
		return true;
	}
	if (!skip_value(sc, name, line, &is_good))
		return false;
	if (sc->is_refused)
		return true;
	const struct config_option *o = check_name(sc, name, line);
	if (o && check_first(sc, o, line) &&
		check_form(sc, o, line, is_append, is_list) && is_good)
		add_statement(sc, o, line);
	else
		config_lex_blank(&sc->lex, at_name->start, sc->lex.token.start);
	return true;
}

/* NULL: no earlier block has the same title. */
static const struct config_scan_block *find_block(
	const struct config_scan *scan, const char *title)
{
	for (size_t i = 0; i < scan->block_count; i++) {
		if (strcmp(scan->blocks[i].title, title) == 0)
			return &scan->blocks[i];
	}
	return NULL;
}

/* libConfuse merges blocks of the same title: it must not see the second. */
static bool check_block(
	struct scanner *sc, const char *name, const char *title, unsigned line)
{
	const struct config_scan_block *first = title ? find_block(sc->out, title) : NULL;
	if (strcmp(name, "destination") != 0)
		config_errors_add(sc->errors, line,
			"no block \"%.*s\"; the only blocks are destination \"PATTERN\" "
			"{ ... }",
			CONFIG_SHOWN_MAX, name);
	else if (!title)
		config_errors_add(sc->errors, line,
			"the destination block has no pattern: destination \"PATTERN\" "
			"{ ... }");
	else if (first)
		config_errors_add(sc->errors, line,
			"a block for \"%.*s\" is on line %u already: make them one",
			CONFIG_SHOWN_MAX, title, first->line);
	else if (sc->out->block_count == BLOCKS_MAX)
		config_errors_add(sc->errors, line,
			"more than %d destination blocks: use policy files for long "
			"lists of domains",
			BLOCKS_MAX);
	else
		return true;
	return false;
}

static void add_block(struct scanner *sc, char *title, unsigned line)
{
	struct config_scan *out = sc->out;
	out->blocks =
		xreallocarray(out->blocks, out->block_count + 1, sizeof(out->blocks[0]));
	out->blocks[out->block_count++] =
		(struct config_scan_block){ .title = title, .line = line };
	memset(sc->block_lines, 0, config_option_count() * sizeof(*sc->block_lines));
}

/* At the "{", which is passed. title may be NULL. */
static bool open_block(struct scanner *sc, const char *name, const char *title,
	const struct config_token *at_name)
{
	if (sc->in_block) {
		config_errors_add(sc->errors, at_name->line,
			"a block inside of a block: is the } of the block on line %u "
			"missing?",
			sc->block_line);
		return false;
	}
	sc->in_block = true;
	sc->block_start = at_name->start;
	sc->block_line = at_name->line;
	sc->is_refused = !check_block(sc, name, title, at_name->line);
	if (!sc->is_refused)
		add_block(sc, xstrdup(title), at_name->line);
	config_lex_next(&sc->lex);
	return true;
}

static void close_block(struct scanner *sc)
{
	size_t end = sc->lex.token.end;
	if (!sc->in_block) {
		config_errors_add(
			sc->errors, sc->lex.token.line, "a } without a block or a list");
		config_lex_blank(&sc->lex, sc->lex.token.start, end);
	} else if (sc->is_refused) {
		config_lex_blank(&sc->lex, sc->block_start, end);
	}
	sc->in_block = sc->is_refused = false;
	config_lex_next(&sc->lex);
}

static bool scan_statement(struct scanner *sc)
{
	struct config_token at_name = sc->lex.token;
	OWN(mem_free) char *name = config_lex_value(&sc->lex, &at_name);
	OWN(mem_free) char *title = NULL;
	config_lex_next(&sc->lex);
	if (at(sc, CONFIG_TOKEN_EQUALS) || at(sc, CONFIG_TOKEN_APPEND))
		return scan_assignment(sc, name, &at_name);
	if (at_text(sc)) {
		title = config_lex_value(&sc->lex, &sc->lex.token);
		config_lex_next(&sc->lex);
	}
	if (at(sc, CONFIG_TOKEN_OPEN))
		return open_block(sc, name, title, &at_name);
	if (at(sc, CONFIG_TOKEN_BAD))
		return false;
	config_errors_add(sc->errors, at_name.line,
		"an option and a = are expected, not \"%.*s\"; a value with blanks needs "
		"quotes",
		CONFIG_SHOWN_MAX, name);
	skip_line(sc, at_name.start, at_name.line);
	return true;
}

static bool scan_file(struct scanner *sc)
{
	while (!at(sc, CONFIG_TOKEN_END)) {
		if (at(sc, CONFIG_TOKEN_BAD))
			return false;
		if (at(sc, CONFIG_TOKEN_CLOSE)) {
			close_block(sc);
		} else if (at(sc, CONFIG_TOKEN_WORD)) {
			if (!scan_statement(sc))
				return false;
		} else {
			config_errors_add(sc->errors, sc->lex.token.line,
				"the name of an option is expected here");
			skip_line(sc, sc->lex.token.start, sc->lex.token.line);
		}
	}
	if (sc->in_block)
		config_errors_add(sc->errors, sc->block_line,
			"the block that begins here has no end: add a }");
	return !sc->in_block;
}

bool config_scan(const char *bytes, size_t len, struct config_errors *errors,
	struct config_scan *out)
{
	struct scanner sc = { .errors = errors, .out = out };
	*out = (struct config_scan){ .text = xmalloc(len + 1) };
	memcpy(out->text, bytes, len);
	out->text[len] = '\0';
	sc.global_lines = xcalloc(config_option_count(), sizeof(*sc.global_lines));
	sc.block_lines = xcalloc(config_option_count(), sizeof(*sc.block_lines));
	config_lex_init(&sc.lex, bytes, len, out->text, errors);
	bool is_whole = scan_file(&sc);
	free(sc.global_lines);
	free(sc.block_lines);
	return is_whole;
}

void config_scan_clear(struct config_scan *scan)
{
	for (size_t i = 0; i < scan->block_count; i++)
		free(scan->blocks[i].title);
	free(scan->blocks);
	free(scan->statements);
	free(scan->text);
	*scan = (struct config_scan){ 0 };
}
