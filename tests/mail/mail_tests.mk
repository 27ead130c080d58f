EXTRA_DIST += tests/mail/mail_tests.mk

if HAVE_CMOCKA
MAIL_TESTS = tests/mail/test_address tests/mail/test_content tests/mail/test_envelope \
	tests/mail/test_header tests/mail/test_header_address
check_PROGRAMS += $(MAIL_TESTS)
TESTS += $(MAIL_TESTS)

tests_mail_test_address_SOURCES = tests/mail/test_address.c
tests_mail_test_address_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_mail_test_address_LDADD = libmail.a libbase.a $(CMOCKA_LIBS)
tests_mail_test_content_SOURCES = tests/mail/test_content.c
tests_mail_test_content_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_mail_test_content_LDADD = libmail.a libbase.a $(CMOCKA_LIBS)
tests_mail_test_envelope_SOURCES = tests/mail/test_envelope.c
tests_mail_test_envelope_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_mail_test_envelope_LDADD = libmail.a libbase.a $(CMOCKA_LIBS)
tests_mail_test_header_SOURCES = tests/mail/test_header.c
tests_mail_test_header_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_mail_test_header_LDADD = libmail.a libbase.a $(CMOCKA_LIBS)
tests_mail_test_header_address_SOURCES = tests/mail/test_header_address.c
tests_mail_test_header_address_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_mail_test_header_address_LDADD = libmail.a libbase.a $(CMOCKA_LIBS)
endif
