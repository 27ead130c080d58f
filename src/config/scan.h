/*
 * The first look at the text of a configuration file: its structure and names.
 *
 * libConfuse reads the values, but it stops at the first error, takes the last
 * of two equal options silently, accepts a block without its end, counts the
 * lines of comments wrongly and drops characters that it does not know. So the
 * scan goes first: it finds every statement with its line, reports what is
 * wrong with the structure or the names, and makes a copy of the text in which
 * comments and refused statements are blanked. What is left is safe to hand to
 * libConfuse, and its lines are right.
 */
#ifndef CONFIG_SCAN_H
#define CONFIG_SCAN_H

#include "config/errors.h"
#include "config/options.h"

#include <stdbool.h>
#include <stddef.h>

struct config_statement {
	const struct config_option *option;
	unsigned line;
	size_t block; /* 0: outside of blocks, else the block's number from 1 */
};

struct config_scan {
	char *text; /* NUL-terminated copy, as long as the input */
	struct config_statement *statements;
	size_t statement_count;
	struct config_scan_block {
		char *title; /* the pattern as written, without quotes */
		unsigned line;
	} * blocks;
	size_t block_count;
};

/* false: the structure is broken and the values cannot be read. With errors in
 * names alone it returns true; what it refused is not among the statements. */
bool config_scan(const char *bytes, size_t len, struct config_errors *errors,
	struct config_scan *out);
void config_scan_clear(struct config_scan *scan);

#endif
