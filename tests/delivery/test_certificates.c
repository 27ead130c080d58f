/* Client certificates that expire. Those here are none: what is asked of an identity
 * is answered by this file, and so is the log. */
#include "delivery/certificates.h"

#include "base/log.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct tls_identity {
	int64_t until_s;
};

static struct tls_identity identity;
static struct err trouble; /* of the next load */
static bool is_missing;
static unsigned lines, held;
static char last_password[16];

struct tls_identities *tls_identities_new(void)
{
	return (struct tls_identities *)&identity;
}

void tls_identities_free(struct tls_identities **c)
{
	*c = NULL;
}

int tls_identities_get(struct tls_identities *c, const struct tls_identity_spec *spec,
	int64_t now_s, struct tls_identity **out, struct err *e)
{
	(void)c;
	(void)now_s;
	snprintf(last_password, sizeof(last_password), "%s",
		spec->password ? spec->password : "-");
	*e = trouble;
	if (is_missing)
		return e->code;
	held++;
	*out = &identity;
	return 0;
}

void tls_identity_free(struct tls_identity **i)
{
	held -= *i != NULL;
	*i = NULL;
}

bool tls_identity_expired(const struct tls_identity *i, int64_t now_s, struct err *why)
{
	if (now_s < i->until_s)
		return false;
	err_set(why, ERR_INVALID, "it expired");
	return true;
}

void __wrap_log_line(enum log_level level, const char *fmt, ...);
void __wrap_log_line(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
	lines++;
}

static const struct policy_route route = { .certificate = "/a.pem" };

static int setup(void **state)
{
	*state = certificates_new();
	identity.until_s = 100;
	memset(&trouble, 0, sizeof(trouble));
	is_missing = false;
	lines = held = 0;
	return 0;
}

static int teardown(void **state)
{
	struct certificates *c = *state;
	certificates_free(&c);
	assert_int_equal(held, 0);
	return 0;
}

/* Is there one to show? */
static bool get(struct certificates *c, const struct policy_route *r, bool refuses,
	int64_t now_s, int expected)
{
	struct tls_identity *i = NULL;
	struct err e = { 0 };
	int rc = certificates_get(c, r, "pw", refuses, now_s, &i, &e);
	assert_int_equal(rc, expected);
	assert_int_equal(rc != 0, e.text[0] != '\0');
	bool is_there = i != NULL;
	tls_identity_free(&i);
	return is_there;
}

static void a_good_one_is_shown(void **state)
{
	assert_true(get(*state, &route, false, 99, 0));
	assert_true(get(*state, &route, true, 99, 0));
	assert_string_equal(last_password, "pw");
	assert_int_equal(lines, 0);
}

static void an_expired_one_is_left_out_and_told_once(void **state)
{
	static const struct policy_route other = { .certificate = "/b.pem" };
	assert_false(get(*state, &route, false, 100, 0));
	assert_false(get(*state, &route, false, 101, 0));
	assert_int_equal(lines, 1);
	assert_false(get(*state, &other, false, 101, 0));
	assert_int_equal(lines, 2);
	identity.until_s = 200; /* renewed */
	assert_true(get(*state, &route, false, 150, 0));
	assert_false(get(*state, &route, false, 200, 0));
	assert_int_equal(lines, 3);
}

static void an_expired_one_is_refused_where_that_is_wanted(void **state)
{
	assert_false(get(*state, &route, true, 100, ERR_INVALID));
	assert_int_equal(lines, 0); /* the attempt tells it */
}

static void one_that_cannot_be_loaded_is_an_error(void **state)
{
	is_missing = true;
	err_set(&trouble, ERR_NOT_FOUND, "no such file");
	assert_false(get(*state, &route, false, 50, ERR_NOT_FOUND));
}

static void one_that_could_not_be_renewed_serves_on(void **state)
{
	err_set(&trouble, ERR_INVALID, "it is not the key of it");
	assert_true(get(*state, &route, false, 50, 0));
	assert_int_equal(lines, 1);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_good_one_is_shown),
		CASE(an_expired_one_is_left_out_and_told_once),
		CASE(an_expired_one_is_refused_where_that_is_wanted),
		CASE(one_that_cannot_be_loaded_is_an_error),
		CASE(one_that_could_not_be_renewed_serves_on),
	};
	return cmocka_run_group_tests_name("certificates", tests, NULL, NULL);
}
