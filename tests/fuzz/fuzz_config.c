/*
 * A configuration file (config/config.h), which lies in memory. It is loaded or there
 * are errors; what is shown of it is a configuration that means the same.
 */
#include "fuzz.h"

#include "base/err.h"
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* One file for all runs: to make it anew took a good part of the time. */
static void write_file(const char *bytes, size_t len, char *path, size_t path_size)
{
	static int fd = -1;
	if (fd < 0) {
		fd = memfd_create("hikyaku.conf", MFD_CLOEXEC);
		ASSERT(fd >= 0 && fchmod(fd, 0600) == 0);
	}
	ASSERT(pwrite(fd, bytes, len, 0) == (ssize_t)len);
	ASSERT(ftruncate(fd, (off_t)len) == 0);
	snprintf(path, path_size, "/proc/self/fd/%d", fd);
}

static int load(const char *bytes, size_t len, struct config **out, struct buf *errors)
{
	char path[32];
	write_file(bytes, len, path, sizeof(path));
	return config_load_report(path, POLICY_VERSIONS_DEFAULT, out, errors);
}

static void check_shown(const struct config *c)
{
	struct buf text = BUF_INIT, same = BUF_INIT, errors = BUF_INIT;
	struct config *again = NULL;
	config_dump(c, true, &text);
	int rc = load(buf_bytes(&text), buf_len(&text), &again, &errors);
	if (rc)
		fprintf(stderr, "%s", buf_text(&errors));
	ASSERT(rc == 0);
	config_dump(again, true, &same);
	ASSERT(fuzz_is_equal(&text, &same));
	(void)config_destination(c, "mail.example.com");
	config_free(&again);
	buf_clear(&text);
	buf_clear(&same);
	buf_clear(&errors);
}

void fuzz_config(const uint8_t *data, size_t len)
{
	struct buf errors = BUF_INIT;
	struct config *c = NULL;
	int rc = load((const char *)data, len, &c, &errors);
	ASSERT(!rc == !buf_len(&errors) && !rc == !!c);
	ASSERT(fuzz_is_clean(buf_text(&errors), "\n"));
	if (c)
		check_shown(c);
	config_free(&c);
	buf_clear(&errors);
}
