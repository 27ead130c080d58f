#include "config/lex.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdbool.h>
#include <string.h>

void config_lex_blank(struct config_lex *lex, size_t start, size_t end)
{
	for (size_t i = start; i < end; i++) {
		if (lex->copy[i] != '\n')
			lex->copy[i] = ' ';
	}
}

static char peek(const struct config_lex *lex, size_t ahead)
{
	return lex->pos + ahead < lex->len ? lex->s[lex->pos + ahead] : '\0';
}

static bool is_alnum(char c)
{
	return text_is_digit(c) || (text_lower(c) >= 'a' && text_lower(c) <= 'z');
}

/* The characters of a word are those of libConfuse's unquoted string. */
static bool is_word_char(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f && !strchr("#\"'={}()+,*", c);
}

static void skip_line_comment(struct config_lex *lex)
{
	size_t start = lex->pos;
	while (lex->pos < lex->len && lex->s[lex->pos] != '\n')
		lex->pos++;
	config_lex_blank(lex, start, lex->pos);
}

static bool skip_block_comment(struct config_lex *lex)
{
	size_t start = lex->pos;
	unsigned line = lex->line;
	for (lex->pos += 2; lex->pos < lex->len; lex->pos++) {
		if (lex->s[lex->pos] == '\n')
			lex->line++;
		if (lex->s[lex->pos] != '*' || peek(lex, 1) != '/')
			continue;
		lex->pos += 2;
		config_lex_blank(lex, start, lex->pos);
		return true;
	}
	config_errors_add(
		lex->errors, line, "the comment that begins here has no end: add */");
	return false;
}

static bool skip_blanks(struct config_lex *lex)
{
	while (lex->pos < lex->len) {
		char c = lex->s[lex->pos];
		if (c == '#' || (c == '/' && peek(lex, 1) == '/')) {
			skip_line_comment(lex);
		} else if (c == '/' && peek(lex, 1) == '*') {
			if (!skip_block_comment(lex))
				return false;
		} else if (strchr(" \t\r\n", c) && c) {
			lex->line += c == '\n';
			lex->pos++;
		} else {
			break;
		}
	}
	return true;
}

static enum config_token_kind bad(struct config_lex *lex, const char *text)
{
	config_errors_add(lex->errors, lex->line, "%s", text);
	return CONFIG_TOKEN_BAD;
}

#define VARIABLE_TEXT                                                              \
	"\"${\" stands for an environment variable, and those are not read here: " \
	"write the value itself, or put the text in single quotes"

/* Only a character that is no letter or digit may follow a backslash: the
 * others would mean control characters, or nothing. */
static enum config_token_kind read_string(struct config_lex *lex)
{
	char quote = lex->s[lex->pos++];
	while (lex->pos < lex->len) {
		char c = lex->s[lex->pos];
		if (c == quote) {
			lex->pos++;
			return CONFIG_TOKEN_STRING;
		}
		if ((unsigned char)c < ' ' && c != '\t')
			break;
		if (quote == '"' && c == '$' && peek(lex, 1) == '{')
			return bad(lex, VARIABLE_TEXT);
		if (quote == '"' && c == '\\' && is_alnum(peek(lex, 1)))
			return bad(lex, "only \\\" and \\\\ are known in double quotes: "
					"write \\\\ for a backslash");
		if (c == '\\' && (unsigned char)peek(lex, 1) >= ' ')
			lex->pos++;
		lex->pos++;
	}
	return bad(lex, "the string has no end on its line: add the closing quote");
}

static enum config_token_kind read_word(struct config_lex *lex)
{
	while (lex->pos < lex->len && is_word_char(lex->s[lex->pos])) {
		if (lex->s[lex->pos] == '$' && peek(lex, 1) == '{')
			return bad(lex, VARIABLE_TEXT);
		lex->pos++;
	}
	return CONFIG_TOKEN_WORD;
}

static enum config_token_kind read_other(struct config_lex *lex)
{
	char c = lex->s[lex->pos++];
	switch (c) {
	case '{':
		return CONFIG_TOKEN_OPEN;
	case '}':
		return CONFIG_TOKEN_CLOSE;
	case '=':
		return CONFIG_TOKEN_EQUALS;
	case ',':
		return CONFIG_TOKEN_COMMA;
	case '+':
		if (lex->pos < lex->len && lex->s[lex->pos] == '=') {
			lex->pos++;
			return CONFIG_TOKEN_APPEND;
		}
		break;
	}
	if ((unsigned char)c < ' ' || c == 0x7f)
		config_errors_add(lex->errors, lex->line,
			"a control character (%02x hexadecimal) is in the file",
			(unsigned char)c);
	else
		config_errors_add(lex->errors, lex->line,
			"'%c' stands outside of quotes: put the value in double quotes",
			c);
	return CONFIG_TOKEN_BAD;
}

void config_lex_next(struct config_lex *lex)
{
	struct config_token *t = &lex->token;
	if (t->kind == CONFIG_TOKEN_BAD)
		return;
	if (!skip_blanks(lex)) {
		t->kind = CONFIG_TOKEN_BAD;
		return;
	}
	t->start = lex->pos;
	t->line = lex->line;
	if (lex->pos == lex->len)
		t->kind = CONFIG_TOKEN_END;
	else if (lex->s[lex->pos] == '"' || lex->s[lex->pos] == '\'')
		t->kind = read_string(lex);
	else if (is_word_char(lex->s[lex->pos]))
		t->kind = read_word(lex);
	else
		t->kind = read_other(lex);
	t->end = lex->pos;
}

void config_lex_init(struct config_lex *lex, const char *s, size_t len, char *copy,
	struct config_errors *errors)
{
	*lex = (struct config_lex){
		.s = s, .len = len, .line = 1, .copy = copy, .errors = errors
	};
	if (text_has_prefix(s, len, "\xef\xbb\xbf")) { /* byte order mark */
		lex->pos = 3;
		config_lex_blank(lex, 0, 3);
	}
	config_lex_next(lex);
}

char *config_lex_value(const struct config_lex *lex, const struct config_token *token)
{
	const char *s = lex->s + token->start;
	size_t len = token->end - token->start, to = 0;
	if (token->kind != CONFIG_TOKEN_STRING)
		return xstrndup(s, len);
	char *value = xmalloc(len);
	for (size_t i = 1; i + 1 < len; i++) {
		bool is_escape = s[0] == '"' ? s[i] == '\\'
					     : s[i] == '\\' && strchr("\\'", s[i + 1]);
		if (is_escape)
			i++;
		value[to++] = s[i];
	}
	value[to] = '\0';
	return value;
}
