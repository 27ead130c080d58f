/* What the two kinds of dialogues have in common: how text is written in them. */
#ifndef TESTS_SMTP_DIALOG_TEXT_H
#define TESTS_SMTP_DIALOG_TEXT_H

#include "base/buf.h"

#include <stdbool.h>

/* \r \n \0 \t \\ \xHH, \{N}c: c N times; CRLF is added, unless \c is at the end.
 * false: something else follows a backslash. */
bool dialog_unescape(const char *s, struct buf *out);

/* What follows the name in "name=value"; NULL: it is another name. */
const char *dialog_value_of(const char *word, const char *name);

/* Adds the text with number for each # in it, if it is repeated at all. */
void dialog_number(
	const char *text, unsigned long times, unsigned long number, struct buf *out);

#endif
