#include "config/read.h"

#include "config/config.h"

#include "base/mem.h"

#include <confuse.h>
#include <stdlib.h>

/* Every option is text to libConfuse; the types of the table read it. Without
 * CFGF_COMMENTS, which overruns its buffer on some comments. */
static cfg_opt_t *make_options(enum config_place not_here, cfg_opt_t *blocks)
{
	size_t n = 0;
	cfg_opt_t *opts = xcalloc(config_option_count() + 2, sizeof(*opts));
	for (size_t i = 0; i < config_option_count(); i++) {
		const struct config_option *o = &config_options[i];
		if (o->place == not_here)
			continue;
		if (o->type->is_list)
			opts[n++] =
				(cfg_opt_t)CFG_STR_LIST(o->name, NULL, CFGF_NODEFAULT);
		else
			opts[n++] = (cfg_opt_t)CFG_STR(o->name, NULL, CFGF_NODEFAULT);
	}
	if (blocks)
		opts[n++] = (cfg_opt_t)CFG_SEC(
			"destination", blocks, CFGF_MULTI | CFGF_TITLE);
	opts[n] = (cfg_opt_t)CFG_END();
	return opts;
}

static void stay_silent(cfg_t *cfg, const char *fmt, va_list ap)
{
	(void)cfg;
	(void)fmt;
	(void)ap;
}

static void visit(cfg_t *cfg, const struct config_statement *statement,
	config_read_cb *cb, void *arg)
{
	if (statement->block)
		cfg = cfg_getnsec(cfg, "destination", (unsigned)statement->block - 1);
	cfg_opt_t *opt = cfg_getopt(cfg, statement->option->name);
	size_t count = cfg_opt_size(opt);
	const char **words = xcalloc(count + 1, sizeof(*words));
	for (size_t i = 0; i < count; i++)
		words[i] = cfg_opt_getnstr(opt, (unsigned)i);
	cb(arg, statement, words, count);
	free(words);
}

void config_read(const struct config_scan *scan, struct config_errors *errors,
	config_read_cb *cb, void *arg)
{
	cfg_opt_t *in_blocks = make_options(CONFIG_GLOBAL, NULL);
	cfg_opt_t *outside = make_options(CONFIG_DESTINATION_ONLY, in_blocks);
	cfg_t *cfg = cfg_init(outside, CFGF_NONE);
	ASSERT(cfg);
	cfg_set_error_function(cfg, stay_silent);
	/* The scan let nothing through that libConfuse refuses; should the two
	 * ever disagree, the file is refused rather than half read. */
	if (cfg_parse_buf(cfg, scan->text) != CFG_SUCCESS ||
		cfg_size(cfg, "destination") != scan->block_count)
		config_errors_add(errors, cfg->line > 0 ? (unsigned)cfg->line : 0,
			"libConfuse cannot read the file from about here on");
	else
		for (size_t i = 0; i < scan->statement_count; i++)
			visit(cfg, &scan->statements[i], cb, arg);
	cfg_free(cfg);
	free(outside);
	free(in_blocks);
}

const char *config_library_version(void)
{
	return confuse_version;
}

const char *config_library_built(void)
{
	return NULL;
}
