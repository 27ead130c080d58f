/*
 * Errors of the environment, and assertions about our own code.
 *
 * A function that can fail returns 0 (ERR_OK) or a negative enum err_code and puts
 * the text for a person into the caller's struct err: what was done, to which
 * object, why it failed. Lower layers add context and return; whoever handles
 * the error reports it once. Mail outcomes are values, not errors: see
 * smtp/outcome.h. Nothing here allocates.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err_code {
	ERR_OK = 0,
	ERR_INVALID = -1,     /* the input is wrong */
	ERR_NOT_FOUND = -2,   /* the object does not exist */
	ERR_EXISTS = -3,      /* the object exists already */
	ERR_PERMISSION = -4,  /* the system refuses access */
	ERR_IO = -5,          /* read, write or sync failed */
	ERR_NO_SPACE = -6,    /* disk or quota full */
	ERR_BUSY = -7,        /* locked by somebody else; may pass */
	ERR_VERSION = -8,     /* written by another, unknown version */
	ERR_LIMIT = -9,       /* over a configured limit */
	ERR_NETWORK = -10,    /* connection refused, reset, unreachable ... */
	ERR_TIMEOUT = -11,    /* took longer than its limit */
	ERR_CANCELLED = -12,  /* the caller gave it up */
	ERR_UNSUPPORTED = -13 /* this build or library cannot do it */
};

struct err {
	enum err_code code;
	char text[1024];
};

/* Sets code and text; returns code, so that `return err_set(...)` reads well.
 * e may be NULL: then only the code is returned. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As err_set, with the code taken from an errno and ": strerror" appended. */
int err_errno(struct err *e, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "context: " in front of the text that is there; returns e->code. */
int err_context(struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The enum err_code that an errno stands for (ENOSPC: ERR_NO_SPACE ...). */
enum err_code err_from_errno(int errnum);

/* Our own bug: says where and aborts. Never reachable from the network, from
 * a file or from the database. Always compiled in. */
#define ASSERT(cond) \
	((cond) ? (void)0 : err_assert_failed(__FILE__, __LINE__, __func__, #cond))
_Noreturn void err_assert_failed(
	const char *file, int line, const char *func, const char *cond);

/* "hikyaku: text" on standard error, and abort(). Before it runs what was set last
 * here, by the log for its lines that wait: on any thread, with any lock held. */
_Noreturn void err_abort(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void err_before_abort(void (*hook)(void));

#endif
