#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_text(struct err *e, const char *fmt, va_list ap)
{
	/* The arguments may point into e->text itself. */
	char text[sizeof(e->text)];
	vsnprintf(text, sizeof(text), fmt, ap);
	memcpy(e->text, text, sizeof(text));
}

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	if (e) {
		va_list ap;
		va_start(ap, fmt);
		set_text(e, fmt, ap);
		va_end(ap);
		e->code = code;
	}
	return code;
}

int err_errno(struct err *e, int errnum, const char *fmt, ...)
{
	enum err_code code = err_from_errno(errnum);
	if (e) {
		va_list ap;
		va_start(ap, fmt);
		set_text(e, fmt, ap);
		va_end(ap);
		size_t len = strlen(e->text);
		snprintf(e->text + len, sizeof(e->text) - len, ": %s", strerror(errnum));
		e->code = code;
	}
	return code;
}

int err_context(struct err *e, const char *fmt, ...)
{
	if (!e)
		return ERR_INVALID;
	char context[256], text[sizeof(e->text)];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	memcpy(text, e->text, sizeof(text));
	snprintf(e->text, sizeof(e->text), "%s: %.*s", context,
		(int)(sizeof(e->text) - sizeof(context) - 3), text);
	return e->code;
}

enum err_code err_from_errno(int errnum)
{
	switch (errnum) {
	case 0:
		return ERR_OK;
	case ENOENT:
	case ENOTDIR:
		return ERR_NOT_FOUND;
	case EEXIST:
		return ERR_EXISTS;
	case EACCES:
	case EPERM:
	case EROFS:
	case ELOOP:
		return ERR_PERMISSION;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return ERR_NO_SPACE;
	case EAGAIN:
	case EBUSY:
		return ERR_BUSY;
	case EINVAL:
	case EILSEQ:
	case ENAMETOOLONG:
		return ERR_INVALID;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	case ECANCELED:
		return ERR_CANCELLED;
	case ECONNREFUSED:
	case ECONNRESET:
	case ECONNABORTED:
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EPIPE:
	case ENOTCONN:
	case EADDRNOTAVAIL:
		return ERR_NETWORK;
	case ENOSYS:
	case EAFNOSUPPORT:
	case ENOTSUP:
		return ERR_UNSUPPORTED;
	default:
		return ERR_IO;
	}
}

void err_assert_failed(const char *file, int line, const char *func, const char *cond)
{
	err_abort("bug: %s:%d: %s: assertion failed: %s", file, line, func, cond);
}

static _Atomic(void (*)(void)) before_abort;

void err_before_abort(void (*hook)(void))
{
	before_abort = hook;
}

void err_abort(const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	void (*write_what_waits)(void) = before_abort;
	if (write_what_waits)
		write_what_waits();
	fprintf(stderr, "hikyaku: %s\n", text);
	abort();
}
