#include "fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char path[PATH_SIZE] = "/tmp/hikyaku-config-XXXXXX";

const char blocks[] = "fallback = none\n"
		      "port = 2525\n"
		      "destination \"*\" { fallback = plaintext }\n"
		      "destination \"example.com\" {\n"
		      "\tport = 26\n"
		      "\tsni = mx.example.org\n"
		      "\tmax_age = 1d\n"
		      "}\n"
		      "destination \".example.com\" { tls = required }\n"
		      "destination \"[a.example.com]\" {\n"
		      "\ttls = off\n"
		      "\tprotocols = { TLS1.3 }\n"
		      "}\n"
		      "destination \"[192.0.2.1]\" { retry_schedule = \"1m*3, 1h\" }\n";

void write_file(const char *text, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

int load_text(const char *text, struct config **out, struct buf *errors)
{
	write_file(text, strlen(text), 0644);
	return config_load_report(path, VERSIONS, out, errors);
}

struct config *load_good(const char *text)
{
	struct config *c = NULL;
	struct buf errors = BUF_INIT;
	int code = load_text(text, &c, &errors);
	if (code != 0)
		print_message("%s", buf_text(&errors));
	assert_int_equal(code, 0);
	assert_int_equal(buf_len(&errors), 0);
	buf_clear(&errors);
	return c;
}

size_t index_of(const char *name)
{
	const struct config_option *o = config_option_find(name);
	assert_non_null(o);
	return (size_t)(o - config_options);
}

int setup(void **state)
{
	(void)state;
	int fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

int teardown(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}
