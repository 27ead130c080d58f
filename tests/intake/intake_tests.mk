EXTRA_DIST += tests/intake/intake_tests.mk

if HAVE_CMOCKA
check_LIBRARIES += tests/intake/libintaketest.a
tests_intake_libintaketest_a_SOURCES = \
	tests/intake/intake_fixture.c tests/intake/intake_fixture.h
tests_intake_libintaketest_a_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
intake_test_libs = tests/intake/libintaketest.a libqueuetest.a libintake.a libconfig.a \
	libsmtp.a libnet.a libqueue.a libmail.a libpolicy.a libbase.a \
	$(UV_LIBS) $(GNUTLS_LIBS) $(IDN2_LIBS) $(SQLITE_LIBS) $(CONFUSE_LIBS) \
	$(CMOCKA_LIBS) -lpthread

intake_tests = tests/intake/test_listener tests/intake/test_message \
	tests/intake/test_power tests/intake/test_session \
	tests/intake/test_xmail tests/intake/test_xmail_format
check_PROGRAMS += $(intake_tests)
TESTS += $(intake_tests)
tests_intake_test_listener_SOURCES = tests/intake/test_listener.c
tests_intake_test_listener_CPPFLAGS = $(AM_CPPFLAGS) $(GNUTLS_CFLAGS) $(CMOCKA_CFLAGS)
# Clients' deadlines are the test's to let pass.
tests_intake_test_listener_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=timer_start -Wl,--wrap=timer_stop
tests_intake_test_listener_LDADD = tests/net/libnettest.a $(intake_test_libs)
tests_intake_test_message_SOURCES = tests/intake/test_message.c
tests_intake_test_message_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_intake_test_message_LDADD = $(intake_test_libs)
tests_intake_test_power_SOURCES = tests/intake/test_power.c
tests_intake_test_power_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_intake_test_power_LDADD = $(intake_test_libs)
tests_intake_test_session_SOURCES = tests/intake/test_session.c
tests_intake_test_session_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_intake_test_session_LDADD = $(intake_test_libs)
tests_intake_test_xmail_SOURCES = tests/intake/test_xmail.c
tests_intake_test_xmail_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_intake_test_xmail_LDADD = $(intake_test_libs)
tests_intake_test_xmail_format_SOURCES = tests/intake/test_xmail_format.c
tests_intake_test_xmail_format_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_intake_test_xmail_format_LDADD = libintake.a libsmtp.a libmail.a libbase.a \
	$(CMOCKA_LIBS)
endif
