/*
 * Files for the tests of client certificates, made by openssl. The tests of a program
 * run in a directory of their own, in which they are.
 */
#ifndef TESTS_IDENTITY_FIXTURE_H
#define TESTS_IDENTITY_FIXTURE_H

#include "net_fixture.h"

#include "net/tls_identity.h"

/* Makes the directory, goes there, makes ca.key and ca.pem, and runs the script (sh).
 * In it, "issue NAME [OPTION...]" makes NAME.key and NAME.pem for CN=NAME, signed by $ca;
 * OPTIONs are those of openssl req, and say which key. false: a command of it failed,
 * and has told why. */
bool identity_files_make(const char *script);
void identity_files_run(const char *script); /* more, later; fails the test */
void identity_files_remove(void);

/* Fails the test when it cannot be loaded. */
struct tls_identity *identity_load_good(
	const char *certificate, const char *key, const char *password);

/* Fails the test when it can be loaded, or the error has another code, or no such text.
 */
void identity_load_bad(const struct tls_identity_spec *spec, int code, const char *text);

/* One session with a peer that echoes; it takes the identity (NULL: none). */
struct tls_facts identity_session(struct peer *p, struct tls_credentials *credentials,
	struct tls_identity *identity);

#endif
