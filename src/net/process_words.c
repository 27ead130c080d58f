#include "net/process.h"

#include "base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* What is left of the line, and where the word's next octet goes. */
struct cursor {
	const char *at;
	char *to;
};

static int copy_quoted(struct cursor *c, struct err *e)
{
	char quote = *c->at++;
	while (*c->at && *c->at != quote) {
		if (quote == '"' && *c->at == '\\' &&
			(c->at[1] == '"' || c->at[1] == '\\'))
			c->at++;
		*c->to++ = *c->at++;
	}
	if (!*c->at)
		return err_set(
			e, ERR_INVALID, "the command has a %c that is not closed", quote);
	c->at++;
	return 0;
}

static int copy_escaped(struct cursor *c, struct err *e)
{
	c->at++;
	if (!*c->at)
		return err_set(e, ERR_INVALID, "the command ends with a backslash");
	*c->to++ = *c->at++;
	return 0;
}

static int copy_word(struct cursor *c, struct err *e)
{
	int result = 0;
	while (!result && *c->at && !is_blank(*c->at)) {
		if (*c->at == '\'' || *c->at == '"')
			result = copy_quoted(c, e);
		else if (*c->at == '\\')
			result = copy_escaped(c, e);
		else
			*c->to++ = *c->at++;
	}
	*c->to++ = '\0';
	return result;
}

static int split(struct cursor *c, char *scratch, char **words, struct err *e)
{
	for (;;) {
		while (is_blank(*c->at))
			c->at++;
		if (!*c->at)
			return 0;
		c->to = scratch;
		int result = copy_word(c, e);
		if (result)
			return result;
		*words++ = xstrdup(scratch);
	}
}

char **process_words(const char *command, struct err *e)
{
	/* No line has more words, or a longer one, than it has octets. */
	size_t size = strlen(command) + 1;
	OWN(process_words_free) char **words = xcalloc(size / 2 + 2, sizeof(*words));
	char *scratch = xmalloc(size);
	struct cursor c = { .at = command };
	int result = split(&c, scratch, words, e);
	explicit_bzero(scratch, size);
	free(scratch);
	if (!result && !words[0])
		result = err_set(e, ERR_INVALID, "the command is empty");
	return result ? NULL : MOVE(words);
}

void process_words_free(char ***words_p)
{
	char **words = MOVE(*words_p);
	for (size_t i = 0; words && words[i]; i++) {
		explicit_bzero(words[i], strlen(words[i]));
		free(words[i]);
	}
	free(words);
}
