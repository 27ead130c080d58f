/*
 * Runs one session of the client machine on arbitrary octets: the first choose
 * the options and the message, the rest what the peer says and what the owner
 * does. Aborts if something happens that must not happen with any peer.
 */
#ifndef TESTS_SMTP_FUZZ_CLIENT_H
#define TESTS_SMTP_FUZZ_CLIENT_H

#include <stddef.h>
#include <stdint.h>

/* How far it came, so that a test can tell whether inputs reach everything. */
struct fuzz_client_result {
	unsigned states; /* bits, by enum smtp_state */
	unsigned delivered, failed, in_doubt;
};

void fuzz_client_run(const uint8_t *data, size_t len, struct fuzz_client_result *result);

#endif
