/*
 * The credentials file (sasl/credentials.h), which has to be a file. An entry is found
 * whole, or there is an error, which does not tell what the file says.
 */
#include "fuzz.h"

#include "base/err.h"
#include "base/mem.h"
#include "sasl/credentials.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void write_file(const char *path, const uint8_t *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	(void)close(fd); /* it is in memory */
}

void fuzz_credentials(const uint8_t *data, size_t len)
{
	struct credential c = { 0 };
	struct err e = { 0 };
	size_t count;
	OWN(mem_free) char *path = xasprintf("%s/credentials", fuzz_directory());
	write_file(path, data, len);
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
