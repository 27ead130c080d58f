EXTRA_DIST += tests/sasl/sasl_tests.mk
if HAVE_CMOCKA
SASL_TESTS = tests/sasl/test_credentials tests/sasl/test_sasl tests/sasl/test_sasl_server
check_PROGRAMS += $(SASL_TESTS)
TESTS += $(SASL_TESTS)
SASL_TEST_LIBS = libsasl.a libbase.a $(GSASL_LIBS) $(CMOCKA_LIBS)
tests_sasl_test_credentials_SOURCES = tests/sasl/test_credentials.c
tests_sasl_test_credentials_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_sasl_test_credentials_LDADD = $(SASL_TEST_LIBS)
tests_sasl_test_sasl_SOURCES = tests/sasl/test_sasl.c
tests_sasl_test_sasl_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_sasl_test_sasl_LDADD = $(SASL_TEST_LIBS)
tests_sasl_test_sasl_server_SOURCES = tests/sasl/test_sasl_server.c
tests_sasl_test_sasl_server_CPPFLAGS = $(AM_CPPFLAGS) $(GSASL_CFLAGS) $(CMOCKA_CFLAGS)
tests_sasl_test_sasl_server_LDADD = $(SASL_TEST_LIBS)
endif
