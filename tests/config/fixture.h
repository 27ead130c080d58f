/* For the tests of the configuration: one file that is written and loaded. */
#ifndef TESTS_CONFIG_FIXTURE_H
#define TESTS_CONFIG_FIXTURE_H

#include "base/buf.h"
#include "config/config.h"
#include "config/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <cmocka.h>

enum { VERSIONS = POLICY_VERSIONS_DEFAULT };

enum { PATH_SIZE = sizeof("/tmp/hikyaku-config-XXXXXX") };
extern char path[PATH_SIZE]; /* of the file, between setup and teardown */
extern const char blocks[];  /* a configuration with some */

/* cmocka's, of the group. */
int setup(void **state);
int teardown(void **state);

void write_file(const char *text, size_t len, mode_t mode);
int load_text(const char *text, struct config **out, struct buf *errors);
struct config *load_good(const char *text);
size_t index_of(const char *name); /* among config_options */

#endif
