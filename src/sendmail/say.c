#include "sendmail/say.h"

#include "base/complain.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

int say_fail(int status, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	complain("hikyaku-sendmail", fmt, ap);
	va_end(ap);
	return status;
}

int say_fail_lines(int status, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		say_fail(status, "%.*s", (int)len, text);
		text += len + (text[len] == '\n');
	}
	return status;
}

int say_fail_queue(const char *doing, const struct err *e)
{
	/* `queue` names a file that is none of ours: nothing to wait for. */
	bool is_wrong = e->code == ERR_INVALID || e->code == ERR_VERSION;
	const char *hint = e->code == ERR_PERMISSION
				   ? "; hikyaku-sendmail(1) says under USERS how others "
				     "than the queue's user may send"
				   : "";
	return say_fail(
		is_wrong ? EX_CONFIG : EX_TEMPFAIL, "%s: %s%s", doing, e->text, hint);
}
