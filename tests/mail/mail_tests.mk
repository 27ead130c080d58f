EXTRA_DIST += tests/mail/mail_tests.mk
