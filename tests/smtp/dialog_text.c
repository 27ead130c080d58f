#include "dialog_text.h"

#include "base/text.h"

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
