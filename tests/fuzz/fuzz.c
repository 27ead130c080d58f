#include "fuzz.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/text.h"

#include "../smtp/fuzz_client.h"
#include "../smtp/fuzz_server.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct fuzz_target fuzz_targets[] = {
	{ "address", fuzz_address },
	{ "client", fuzz_client },
	{ "command", fuzz_command },
	{ "complete", fuzz_complete },
	{ "config", fuzz_config },
	{ "content", fuzz_content },
	{ "credentials", fuzz_credentials },
	{ "dns", fuzz_dns },
	{ "dsn", fuzz_dsn },
	{ "edit", fuzz_edit },
	{ "event", fuzz_event },
	{ "header", fuzz_header },
	{ "import", fuzz_import },
	{ "name", fuzz_name },
	{ "options", fuzz_options },
	{ "policy", fuzz_policy },
	{ "reply", fuzz_reply },
	{ "route", fuzz_route },
	{ "sasl", fuzz_sasl },
	{ "server", fuzz_server },
	{ "shown", fuzz_shown },
	{ "values", fuzz_values },
	{ "words", fuzz_words },
	{ "xmail", fuzz_xmail },
	{ 0 },
};

const struct fuzz_target *fuzz_target_find(const char *name)
{
	for (const struct fuzz_target *t = fuzz_targets; t->name; t++) {
		if (strcmp(t->name, name) == 0)
			return t;
	}
	return NULL;
}

/* ---- the machines: their targets stand beside their tests ---- */

void fuzz_client(const uint8_t *data, size_t len)
{
	struct fuzz_client_result result = { 0 };
	fuzz_client_run(data, len, &result);
}

void fuzz_server(const uint8_t *data, size_t len)
{
	struct fuzz_server_result result = { 0 };
	fuzz_server_run(data, len, &result);
}

/* ---- for the targets ---- */

struct fuzz_input fuzz_input(const uint8_t *data, size_t len)
{
	return (struct fuzz_input){ (const char *)data, len };
}

uint8_t fuzz_octet(struct fuzz_input *in)
{
	if (!in->len)
		return 0;
	in->len--;
	return (uint8_t)*in->s++;
}

struct fuzz_input fuzz_text(struct fuzz_input *in)
{
	static const char end[] = "\n%%\n";
	enum { END_LEN = sizeof(end) - 1 };
	const char *at = in->len ? memmem(in->s, in->len, end, END_LEN) : NULL;
	struct fuzz_input text = { in->s, at ? (size_t)(at - in->s) : in->len };
	size_t used = text.len + (at ? END_LEN : 0);
	in->s += used;
	in->len -= used;
	return text;
}

char *fuzz_string(struct fuzz_input *in)
{
	struct fuzz_input text = fuzz_text(in);
	return xstrndup(text.s, text.len);
}

static char directory[] = "/dev/shm/hikyaku-fuzz.XXXXXX";
static bool has_directory;

static void remove_directory(void)
{
	DIR *d = opendir(directory);
	for (struct dirent *entry; d && (entry = readdir(d));)
		(void)unlinkat(dirfd(d), entry->d_name, 0); /* not "." */
	if (d)
		(void)closedir(d);
	(void)rmdir(directory);
}

const char *fuzz_directory(void)
{
	if (!has_directory) {
		ASSERT(mkdtemp(directory) && atexit(remove_directory) == 0);
		has_directory = true;
	}
	return directory;
}

bool fuzz_has_good_lines(const char *bytes, size_t len, size_t longest)
{
	const char *end = bytes + len;
	while (bytes < end) {
		const char *cr = memchr(bytes, '\r', (size_t)(end - bytes));
		if (!cr || cr + 1 == end || cr[1] != '\n')
			return false;
		if ((size_t)(cr - bytes) > longest ||
			memchr(bytes, '\n', (size_t)(cr - bytes)))
			return false;
		bytes = cr + 2;
	}
	return true;
}

bool fuzz_is_clean(const char *text, const char *but)
{
	size_t left = strlen(text), n;
	for (; left; text += n, left -= n) {
		n = text_utf8_len(text, left);
		if (!n || (text_is_control(text, n) && !strchr(but, *text)))
			return false;
	}
	return true;
}

bool fuzz_is_equal(const struct buf *a, const struct buf *b)
{
	return buf_len(a) == buf_len(b) &&
	       memcmp(buf_bytes(a), buf_bytes(b), buf_len(a)) == 0;
}
