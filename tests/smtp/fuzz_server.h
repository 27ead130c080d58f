/*
 * Runs one session of the server machine on arbitrary octets: the first choose the
 * options, the rest what the client says, in which pieces, and what the owner answers
 * and when. Then the same client once more, all at once and answered at once: nothing
 * may differ but the number of writes. Aborts if something happens that must not
 * happen with any client.
 */
#ifndef TESTS_SMTP_FUZZ_SERVER_H
#define TESTS_SMTP_FUZZ_SERVER_H

#include <stddef.h>
#include <stdint.h>

/* How far it came, so that a test can tell whether inputs reach everything. */
struct fuzz_server_result {
	unsigned states; /* bits, by enum smtp_server_state */
	unsigned commits, stored, aborts, shut, compared;
};

void fuzz_server_run(const uint8_t *data, size_t len, struct fuzz_server_result *result);

#endif
