/*
 * Tokens of a configuration file, by libConfuse's rules where they are sane.
 *
 * Stricter than libConfuse: no environment variables, a string ends on its
 * line, and a character that belongs nowhere is an error.
 */
#ifndef CONFIG_LEX_H
#define CONFIG_LEX_H

#include "config/errors.h"

#include <stddef.h>

enum config_token_kind {
	CONFIG_TOKEN_END,
	CONFIG_TOKEN_WORD,
	CONFIG_TOKEN_STRING, /* in quotes, single or double */
	CONFIG_TOKEN_OPEN,
	CONFIG_TOKEN_CLOSE,
	CONFIG_TOKEN_EQUALS,
	CONFIG_TOKEN_APPEND, /* += */
	CONFIG_TOKEN_COMMA,
	CONFIG_TOKEN_BAD /* reported; reading cannot go on */
};

struct config_token {
	enum config_token_kind kind;
	size_t start, end; /* octets of the text, quotes included */
	unsigned line;
};

struct config_lex {
	const char *s; /* borrowed */
	size_t len, pos;
	unsigned line;
	char *copy; /* borrowed; len octets; comments are blanked in it */
	struct config_errors *errors;
	struct config_token token; /* the current one */
};

/* copy holds the same octets as s. The first token becomes the current one. */
void config_lex_init(struct config_lex *lex, const char *s, size_t len, char *copy,
	struct config_errors *errors);
void config_lex_next(struct config_lex *lex);

/* Blanks that part of the copy; line ends stay. */
void config_lex_blank(struct config_lex *lex, size_t start, size_t end);

/* What a WORD or STRING says, without quotes; malloc'ed. */
char *config_lex_value(const struct config_lex *lex, const struct config_token *token);

#endif
