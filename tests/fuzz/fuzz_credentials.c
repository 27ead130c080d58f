/*
 * The credentials file (sasl/credentials.h), which has to be a file. An entry is found
 * whole, or there is an error, which does not tell what the file says.
 */
#include "fuzz.h"

#include "base/err.h"
#include "sasl/credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/dev/shm/fuzz_credentials.XXXXXX";
static int file = -1;

static void remove_file(void)
{
	(void)unlink(path);
}

/* One for all runs: making a new one each time would take most of the time. */
static void fill_file(const uint8_t *data, size_t len)
{
	if (file < 0) {
		file = mkstemp(path); /* mode 0600 */
		ASSERT(file >= 0 && atexit(remove_file) == 0);
	}
	ASSERT(ftruncate(file, 0) == 0);
	ASSERT(pwrite(file, data, len, 0) == (ssize_t)len);
}

void fuzz_credentials(const uint8_t *data, size_t len)
{
	struct credential c = { 0 };
	struct err e = { 0 };
	size_t count;
	fill_file(data, len);
	int checked = credentials_check(path, &count, &e);
	ASSERT(checked == 0 || checked == ERR_INVALID || checked == ERR_LIMIT);
	ASSERT(!checked == !*e.text && count <= CREDENTIALS_MAX);
	int rc = credentials_find(path, "relay", &c, &e);
	ASSERT(checked ? rc == checked : rc == 0 || rc == ERR_NOT_FOUND);
	if (!rc) {
		ASSERT(count > 0 && *c.user && *c.secret && c.line > 0);
		ASSERT(!strpbrk(c.user, " \t\r\n") && !strpbrk(c.secret, "\r\n"));
		credential_clear(&c);
	} else {
		ASSERT(!strstr(e.text, "s3cret"));
	}
}
