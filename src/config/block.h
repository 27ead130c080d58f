/* Inside the configuration: what a destination block holds. */
#ifndef CONFIG_BLOCK_H
#define CONFIG_BLOCK_H

#include "config/config.h"

#include <stdbool.h>

struct config_block {
	struct policy_pattern pattern;
	unsigned line;
	unsigned *set_on; /* owned; by option: the line that names it here, or 0 */
	struct config_destination values; /* of what is named; the rest is unused */
	struct config_destination whole;  /* the same over the defaults */
};

/* The block's values over the defaults. */
void config_block_apply(const struct config_block *block, struct config_destination *to);

#endif
