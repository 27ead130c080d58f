/*
 * What a command has to say to the person who started it, on standard error.
 */
#ifndef BASE_COMPLAIN_H
#define BASE_COMPLAIN_H

#include <stdarg.h>

/* One line, "program: text", after what standard output holds. The text may have words
 * of strangers in it: it is cleaned (text_clean). */
void complain(const char *program, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

#endif
