/*
 * Inside the configuration: the table of options and the types of values.
 *
 * A row says everything about an option; a type knows how to read a value from
 * the words of the file and how to write it back. Text made by format is read
 * back by parse to the same value; the default texts of the table are in that
 * canonical form (a test holds both).
 */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#include "base/buf.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config_option;

/* What parsing needs beside the words, and where it says what is wrong. */
struct config_parse {
	unsigned versions_available; /* mask */
	char why[POLICY_TEXT_MAX + 256];
};

/* Octets of a wrong word that an error repeats. */
enum { CONFIG_SHOWN_MAX = 80 };

/* Sets why; returns false, so that `return config_parse_no(...)` reads well. */
bool config_parse_no(struct config_parse *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

struct config_type {
	const char *name; /* for the manual and for --json */
	bool is_list;
	bool is_quoted; /* written in quotes */
	size_t size;    /* of the field; destination values are copied by it */
	bool (*parse)(struct config_parse *p, const struct config_option *o,
		const char *const *words, size_t count, void *field);
	/* Elements of a list are joined by ", ". */
	void (*format)(const struct config_option *o, const void *field, struct buf *out);
};

enum config_place {
	CONFIG_GLOBAL,           /* outside of blocks only */
	CONFIG_EVERYWHERE,       /* outside, and in destination blocks */
	CONFIG_DESTINATION_ONLY, /* in destination blocks only */
};

struct config_option {
	const char *name;
	const struct config_type *type;
	const char *default_text; /* "": see the help line */
	int64_t min, max;         /* milliseconds, octets or count, inclusive */
	const char *(*word)(unsigned value); /* enumerations: NULL past the last */
	enum config_place place;
	size_t offset;     /* in struct config, or, unless GLOBAL, config_destination */
	size_t aux_offset; /* of the list's count, or of the *_from string; 0: none */
	const char *help;
};

extern const struct config_option config_options[];

/* NULL: no such option. */
const struct config_option *config_option_find(const char *name);
/* The known name nearest to a misspelt one, or NULL. */
const char *config_option_nearest(const char *name);

/* The field of an option; d is used unless the option is global. */
void *config_option_field(
	const struct config_option *o, struct config *c, struct config_destination *d);
const void *config_option_field_const(const struct config_option *o,
	const struct config *c, const struct config_destination *d);

extern const struct config_type config_type_bool, config_type_number, config_type_port,
	config_type_percent, config_type_duration, config_type_size, config_type_word,
	config_type_word_bool, config_type_path, config_type_log, config_type_hostname,
	config_type_address, config_type_servers, config_type_ranges,
	config_type_protocols, config_type_schedule, config_type_sni, config_type_route,
	config_type_listen, config_type_mode, config_type_user;

#endif
