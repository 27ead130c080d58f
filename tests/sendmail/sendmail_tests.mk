EXTRA_DIST += tests/sendmail/sendmail_tests.mk

if HAVE_CMOCKA
SENDMAIL_TESTS = tests/sendmail/test_content tests/sendmail/test_options
check_PROGRAMS += $(SENDMAIL_TESTS)
TESTS += $(SENDMAIL_TESTS)
SENDMAIL_TEST_LIBS = libsendmail.a libsmtp.a libmail.a libbase.a $(CMOCKA_LIBS)
tests_sendmail_test_content_SOURCES = tests/sendmail/test_content.c
tests_sendmail_test_content_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_sendmail_test_content_LDADD = $(SENDMAIL_TEST_LIBS)
tests_sendmail_test_options_SOURCES = tests/sendmail/test_options.c
tests_sendmail_test_options_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_sendmail_test_options_LDADD = $(SENDMAIL_TEST_LIBS)
endif

TESTS += tests/sendmail/test_links.sh
EXTRA_DIST += tests/sendmail/test_links.sh
