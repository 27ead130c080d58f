/*
 * Configured commands, split into words (net/process.h). Words that are quoted are the
 * same words again; a line that is none is refused with a reason.
 */
#include "fuzz.h"

#include "base/err.h"
#include "base/mem.h"
#include "net/process.h"

#include <string.h>

/* In one kind of quotes or the other, or octet by octet. */
static void quote(struct buf *out, const char *word, unsigned kind)
{
	char around = kind == 1 ? '"' : '\'';
	if (kind != 2 || !*word)
		buf_addc(out, around);
	for (const char *s = word; *s; s++) {
		if (kind == 0 && *s == '\'')
			buf_addstr(out, "'\\''");
		else if (kind == 2 || (kind == 1 && (*s == '"' || *s == '\\')))
			buf_addf(out, "\\%c", *s);
		else
			buf_addc(out, *s);
	}
	if (kind != 2 || !*word)
		buf_addc(out, around);
	buf_addc(out, ' ');
}

static void check_quoted(char **words, unsigned kind)
{
	struct buf line = BUF_INIT;
	struct err e = { 0 };
	size_t count = 0;
	for (; words[count]; count++)
		quote(&line, words[count], kind);
	OWN(process_words_free) char **again = process_words(buf_text(&line), &e);
	ASSERT(again);
	for (size_t i = 0; i < count; i++)
		ASSERT(again[i] && strcmp(again[i], words[i]) == 0);
	ASSERT(!again[count]);
	buf_clear(&line);
}

void fuzz_words(const uint8_t *data, size_t len)
{
	OWN(mem_free) char *line = xstrndup((const char *)data, len);
	struct err e = { 0 };
	OWN(process_words_free) char **words = process_words(line, &e);
	if (!words) {
		ASSERT(e.code == ERR_INVALID && fuzz_is_clean(e.text, ""));
		return;
	}
	ASSERT(words[0]);
	for (unsigned kind = 0; kind < 3; kind++)
		check_quoted(words, kind);
}
