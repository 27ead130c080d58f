/* What the two kinds of dialogues have in common: how text is written in them. */
#ifndef TESTS_SMTP_DIALOG_TEXT_H
#define TESTS_SMTP_DIALOG_TEXT_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>

/* \r \n \0 \t \\ \xHH, \{N}c: c N times; CRLF is added, unless \c is at the end.
 * false: something else follows a backslash. */
bool dialog_unescape(const char *s, struct buf *out);

/* What follows the name in "name=value"; NULL: it is another name. */
const char *dialog_value_of(const char *word, const char *name);

/* Adds the text with number for each # in it, if it is repeated at all. */
void dialog_number(
	const char *text, unsigned long times, unsigned long number, struct buf *out);

/* Where a file is being read, for what is said about it. */
struct dialog_line {
	const char *path;
	unsigned number;
	struct err *e;
};
int dialog_bad(const struct dialog_line *at, const char *what, const char *arg);

/* Takes one line "WORD ARG" or "WORD*TIMES ARG", without the star in word. Returns 0,
 * or what dialog_bad returned. */
typedef int dialog_take(void *dialog, const struct dialog_line *at, char *word, char *arg,
	unsigned long times);
/* Gives take every line but comments and empty ones, up to the first that is bad. */
int dialog_read_file(const char *path, dialog_take *take, void *dialog, struct err *e);

#endif
