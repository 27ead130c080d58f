/* The cache of client certificates: what is loaded again, and when. */
#include "identity_fixture.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { DAY_S = 86400 };

static const char script[] = "issue one $ec; issue two $ec; pw='-passout pass:sesame'; "
			     "quiet openssl pkcs8 -topk8 -in one.key -out secret.key $pw";

/* A change within one tick of the file system's clock has another inode. */
#define INSTALL(name)                                           \
	"cp " #name ".key new.key; mv new.key c.key; cp " #name \
	".pem new.pem; mv new.pem c.pem; "

static int64_t start_s;
static const struct tls_identity_spec spec = { .certificate = "c.pem", .key = "c.key" };

/* Asks, and lets go at once: the pointer only tells whether it is the same. NULL: there
 * is none. */
static const void *get(struct tls_identities *c, const struct tls_identity_spec *s,
	int64_t at_s, struct err *e)
{
	struct tls_identity *identity = NULL;
	struct err ignored;
	if (!e)
		e = &ignored;
	int result = tls_identities_get(c, s, start_s + at_s, &identity, e);
	assert_int_equal(!identity, result != 0);
	assert_true(result == 0 || result == (int)e->code);
	const void *known = identity;
	tls_identity_free(&identity);
	return known;
}

static void one_is_loaded_once(void **state)
{
	(void)state;
	identity_files_run(INSTALL(one));
	struct tls_identities *c = tls_identities_new();
	struct err e;
	const void *first = get(c, &spec, 0, &e);
	assert_non_null(first);
	assert_int_equal(e.code, 0);
	assert_ptr_equal(get(c, &spec, 59, NULL), first);
	assert_ptr_equal(get(c, &spec, 61, NULL), first);
	assert_ptr_equal(get(c, &spec, 10 * DAY_S, NULL), first);
	assert_ptr_equal(get(c, &spec, 0, NULL), first); /* a clock that was set back */
	tls_identities_free(&c);
	assert_null(c);
	tls_identities_free(&c);
}

static void a_renewed_one_is_taken_up_within_a_minute(void **state)
{
	(void)state;
	identity_files_run(INSTALL(one));
	struct tls_identities *c = tls_identities_new();
	struct tls_identity *held = NULL;
	struct err e;
	assert_int_equal(tls_identities_get(c, &spec, start_s, &held, &e), 0);
	identity_files_run(INSTALL(two));
	assert_ptr_equal(get(c, &spec, 59, NULL), held);
	const void *second = get(c, &spec, 60, &e);
	assert_non_null(second);
	assert_ptr_not_equal(second, held); /* which is still there for its session */
	assert_int_equal(e.code, 0);
	assert_false(tls_identity_expired(held, start_s, NULL));
	tls_identity_free(&held);
	tls_identities_free(&c);
}

/* The certificate is there before its key. */
static void the_old_one_serves_until_the_new_one_can(void **state)
{
	(void)state;
	identity_files_run(INSTALL(one));
	struct tls_identities *c = tls_identities_new();
	struct err e;
	const void *first = get(c, &spec, 0, NULL);
	identity_files_run("cp two.pem new.pem; mv new.pem c.pem");
	assert_ptr_equal(get(c, &spec, 60, &e), first);
	assert_int_equal(e.code, ERR_INVALID);
	assert_non_null(strstr(e.text, "it is not the key of"));
	assert_ptr_equal(get(c, &spec, 61, &e), first);
	assert_int_equal(e.code, 0); /* told once a minute */
	assert_ptr_equal(get(c, &spec, 120, &e), first);
	assert_int_equal(e.code, ERR_INVALID);
	identity_files_run("cp two.key new.key; mv new.key c.key");
	assert_ptr_not_equal(get(c, &spec, 180, &e), first);
	assert_int_equal(e.code, 0);
	tls_identities_free(&c);
}

static void one_that_cannot_be_loaded_is_tried_once_a_minute(void **state)
{
	(void)state;
	identity_files_run("rm -f c.pem c.key");
	struct tls_identities *c = tls_identities_new();
	struct err e;
	assert_null(get(c, &spec, 0, &e));
	assert_int_equal(e.code, ERR_NOT_FOUND);
	identity_files_run(INSTALL(one));
	assert_null(get(c, &spec, 59, &e));
	assert_non_null(strstr(e.text, "open c.pem"));
	assert_non_null(get(c, &spec, 60, &e));
	assert_int_equal(e.code, 0);
	tls_identities_free(&c);
}

/* As a token's would be, whose URL looks the same ever after. */
static void an_expired_one_is_loaded_again(void **state)
{
	(void)state;
	identity_files_run(INSTALL(one));
	struct tls_identities *c = tls_identities_new();
	struct tls_identity *held = NULL;
	struct err e;
	assert_int_equal(tls_identities_get(c, &spec, start_s, &held, &e), 0);
	assert_ptr_not_equal(get(c, &spec, 40 * DAY_S, &e), held);
	assert_int_equal(e.code, 0); /* that it has expired is the caller's to see */
	tls_identity_free(&held);
	tls_identities_free(&c);
}

static void another_password_is_another_identity(void **state)
{
	(void)state;
	struct tls_identities *c = tls_identities_new();
	struct tls_identity_spec locked = { .certificate = "one.pem",
		.key = "secret.key" };
	struct err e;
	assert_null(get(c, &locked, 0, &e));
	locked.password = "wrong";
	assert_null(get(c, &locked, 1, &e));
	assert_non_null(strstr(e.text, "does not open"));
	locked.password = "sesame";
	assert_non_null(get(c, &locked, 2, &e));
	locked.key = "one.key";
	assert_non_null(get(c, &locked, 3, &e));
	tls_identities_free(&c);
}

static void their_number_is_bounded(void **state)
{
	(void)state;
	struct tls_identities *c = tls_identities_new();
	struct tls_identity_spec s = { .certificate = "one.pem", .key = "one.key" };
	struct tls_identity *first = NULL, *again = NULL;
	struct err e;
	char name[24];
	assert_int_equal(tls_identities_get(c, &s, start_s, &first, &e), 0);
	for (int i = 0; i < TLS_IDENTITIES_MAX; i++) {
		struct tls_identity_spec other = { .certificate = name };
		snprintf(name, sizeof(name), "missing%d", i);
		assert_null(get(c, &other, 0, &e));
	}
	assert_int_equal(tls_identities_get(c, &s, start_s, &again, &e), 0);
	assert_ptr_not_equal(again, first);
	tls_identity_free(&first);
	tls_identity_free(&again);
	tls_identities_free(&c);
}

static int setup(void **state)
{
	(void)state;
	bool is_made = identity_files_make(script);
	start_s = time(NULL); /* later: they are valid by then */
	return is_made ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	identity_files_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_is_loaded_once),
		cmocka_unit_test(a_renewed_one_is_taken_up_within_a_minute),
		cmocka_unit_test(the_old_one_serves_until_the_new_one_can),
		cmocka_unit_test(one_that_cannot_be_loaded_is_tried_once_a_minute),
		cmocka_unit_test(an_expired_one_is_loaded_again),
		cmocka_unit_test(another_password_is_another_identity),
		cmocka_unit_test(their_number_is_bounded),
	};
	return cmocka_run_group_tests_name("net/tls_identities", tests, setup, teardown);
}
