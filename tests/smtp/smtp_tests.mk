EXTRA_DIST += tests/smtp/smtp_tests.mk
