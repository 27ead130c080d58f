#include "dialog_text.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, text_lower(c)) : NULL;
	return at ? (int)(at - digits) : 0;
}

bool dialog_unescape(const char *s, struct buf *out)
{
	bool wants_crlf = true;
	unsigned long count;
	char *end;
	for (; *s; s++) {
		if (*s != '\\') {
			buf_addc(out, *s);
			continue;
		}
		switch (*++s) {
		case 'r':
			buf_addc(out, '\r');
			break;
		case 'n':
			buf_addc(out, '\n');
			break;
		case 't':
			buf_addc(out, '\t');
			break;
		case '0':
			buf_addc(out, '\0');
			break;
		case 'x':
			if (!s[1] || !s[2])
				return false;
			buf_addc(out, (char)(hex(s[1]) << 4 | hex(s[2])));
			s += 2;
			break;
		case '{':
			count = strtoul(s + 1, &end, 10);
			if (*end != '}' || !end[1])
				return false;
			s = end + 1;
			while (count--)
				buf_addc(out, *s);
			break;
		case 'c':
			wants_crlf = false;
			break;
		case '\\':
			buf_addc(out, '\\');
			break;
		default:
			return false;
		}
	}
	if (wants_crlf)
		buf_add(out, "\r\n", 2);
	return true;
}

const char *dialog_value_of(const char *word, const char *name)
{
	size_t len = strlen(name);
	return strncmp(word, name, len) == 0 ? word + len : NULL;
}

void dialog_number(
	const char *text, unsigned long times, unsigned long number, struct buf *out)
{
	for (const char *s = text; *s; s++) {
		if (*s == '#' && times > 1)
			buf_addf(out, "%lu", number);
		else
			buf_addc(out, *s);
	}
}

int dialog_bad(const struct dialog_line *at, const char *what, const char *arg)
{
	return err_set(
		at->e, ERR_INVALID, "%s:%u: %s: %s", at->path, at->number, what, arg);
}

static int split_line(
	dialog_take *take, void *dialog, const struct dialog_line *at, char *word)
{
	unsigned long times = 1;
	if (!*word || *word == '#')
		return 0;
	char *arg = word + strcspn(word, " ");
	if (*arg)
		*arg++ = '\0';
	char *star = strchr(word, '*');
	if (star) {
		times = strtoul(star + 1, NULL, 10);
		*star = '\0';
	}
	return take(dialog, at, word, arg, times);
}

int dialog_read_file(const char *path, dialog_take *take, void *dialog, struct err *e)
{
	struct dialog_line at = { .path = path, .e = e };
	char *line = NULL;
	size_t size = 0;
	int rc = 0;
	FILE *f = fopen(path, "re");
	if (!f)
		return err_errno(e, errno, "open %s", path);
	while (!rc && getline(&line, &size, f) > 0) {
		at.number++;
		line[strcspn(line, "\n")] = '\0';
		rc = split_line(take, dialog, &at, line);
	}
	free(line);
	(void)fclose(f); /* only read */
	return rc;
}
