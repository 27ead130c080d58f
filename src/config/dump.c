/* The effective configuration as text that config_load reads back. */
#include "config/config.h"

#include "config/block.h"
#include "config/options.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static char *value_text(const struct config_option *o, const struct config *c,
	const struct config_destination *d)
{
	struct buf text = BUF_INIT;
	o->type->format(o, config_option_field_const(o, c, d), &text);
	return buf_steal(&text);
}

char *config_option_value(const struct config *c, size_t index)
{
	ASSERT(index < config_option_count());
	return value_text(&config_options[index], c, &c->defaults);
}

/* Options whose default is empty may have one that is computed. */
bool config_option_is_default(const struct config *c, size_t index)
{
	ASSERT(index < config_option_count());
	const struct config_option *o = &config_options[index];
	if (o->offset == offsetof(struct config, hostname) && o->place == CONFIG_GLOBAL)
		return c->hostname_is_default;
	if (o->offset == offsetof(struct config, postmaster) && o->place == CONFIG_GLOBAL)
		return c->postmaster_is_default;
	OWN(mem_free) char *value = config_option_value(c, index);
	return strcmp(value, o->default_text) == 0;
}

char *config_block_pattern(const struct config *c, size_t block)
{
	char pattern[POLICY_NAME_MAX + 8];
	ASSERT(block < c->block_count);
	policy_pattern_format(&c->blocks[block].pattern, pattern, sizeof(pattern));
	return xstrdup(pattern);
}

char *config_block_value(const struct config *c, size_t block, size_t index)
{
	ASSERT(block < c->block_count && index < config_option_count());
	const struct config_block *b = &c->blocks[block];
	if (!b->set_on[index])
		return NULL;
	return value_text(&config_options[index], c, &b->values);
}

static void add_quoted(const char *s, size_t len, struct buf *out)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < len; i++) {
		if (strchr("\"\\$", s[i]))
			buf_addc(out, '\\');
		buf_addc(out, s[i]);
	}
	buf_addc(out, '"');
}

static void add_list(const char *text, struct buf *out)
{
	buf_addc(out, '{');
	while (*text) {
		const char *end = strstr(text, ", ");
		size_t len = end ? (size_t)(end - text) : strlen(text);
		buf_addc(out, ' ');
		add_quoted(text, len, out);
		if (end)
			buf_addc(out, ',');
		text += len + (end ? 2 : 0);
	}
	buf_addstr(out, " }");
}

static void add_option(const struct config_option *o, const char *indent,
	const char *text, struct buf *out)
{
	buf_addf(out, "%s%s = ", indent, o->name);
	if (o->type->is_list)
		add_list(text, out);
	else if (o->type->is_quoted)
		add_quoted(text, strlen(text), out);
	else
		buf_addstr(out, text);
	buf_addc(out, '\n');
}

static void dump_block(const struct config *c, size_t block, struct buf *out)
{
	OWN(mem_free) char *pattern = config_block_pattern(c, block);
	buf_addf(out, "%sdestination ", buf_len(out) ? "\n" : "");
	add_quoted(pattern, strlen(pattern), out);
	buf_addstr(out, " {\n");
	for (size_t i = 0; i < config_option_count(); i++) {
		OWN(mem_free) char *text = config_block_value(c, block, i);
		if (text)
			add_option(&config_options[i], "\t", text, out);
	}
	buf_addstr(out, "}\n");
}

void config_dump(const struct config *c, bool all, struct buf *out)
{
	for (size_t i = 0; i < config_option_count(); i++) {
		const struct config_option *o = &config_options[i];
		if (o->place == CONFIG_DESTINATION_ONLY ||
			(!all && config_option_is_default(c, i)))
			continue;
		OWN(mem_free) char *text = config_option_value(c, i);
		if (all)
			buf_addf(out, "%s# %s\n", i ? "\n" : "", o->help);
		add_option(o, "", text, out);
	}
	for (size_t i = 0; i < c->block_count; i++)
		dump_block(c, i, out);
}
