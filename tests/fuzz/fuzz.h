/*
 * What reads foreign bytes, as functions of bytes. One table; who calls them is
 * another matter: libFuzzer and AFL++ through entry.c, `make check` through replay.c.
 *
 * A target aborts if something happens that must not happen with any input: ASSERT,
 * or a sanitizer. It keeps nothing from one call to the next.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fuzz_target {
	const char *name; /* of its corpus, too */
	void (*run)(const uint8_t *data, size_t len);
};
extern const struct fuzz_target fuzz_targets[];               /* ends with a name NULL */
const struct fuzz_target *fuzz_target_find(const char *name); /* NULL: none */

/* ---- for the targets ---- */

/* What is left of an input. Texts of an input are parted by lines of "%%", so that a
 * corpus can be read and written with an editor. */
struct fuzz_input {
	const char *s;
	size_t len;
};
struct fuzz_input fuzz_input(const uint8_t *data, size_t len);
/* The next octet; 0 when there are no more. */
uint8_t fuzz_octet(struct fuzz_input *in);
/* The next text, without the line that ends it. */
struct fuzz_input fuzz_text(struct fuzz_input *in);
/* The same as a string, up to the first NUL; malloc'ed with no octet to spare. */
char *fuzz_string(struct fuzz_input *in);

/* A directory in memory, for what reads only files: empty at first, and removed with what
 * is in it at exit. */
const char *fuzz_directory(void);

/* Every line ends with CRLF, and no CR or LF stands elsewhere; no line is longer. */
bool fuzz_has_good_lines(const char *bytes, size_t len, size_t longest);
/* Valid UTF-8, and nothing that does something to who reads it (text_is_control) but the
 * characters named. */
bool fuzz_is_clean(const char *text, const char *but);
bool fuzz_is_equal(const struct buf *a, const struct buf *b);

/* ---- the targets: what each promises is at the top of its file ---- */

typedef void fuzz_run(const uint8_t *data, size_t len);
fuzz_run fuzz_address, fuzz_client, fuzz_command, fuzz_complete, fuzz_config,
	fuzz_content, fuzz_credentials, fuzz_dns, fuzz_dsn, fuzz_edit, fuzz_event,
	fuzz_header, fuzz_import, fuzz_name, fuzz_options, fuzz_policy, fuzz_reply,
	fuzz_route, fuzz_sasl, fuzz_server, fuzz_shown, fuzz_values, fuzz_words,
	fuzz_xmail;

#endif
