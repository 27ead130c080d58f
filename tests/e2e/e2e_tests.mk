EXTRA_DIST += tests/e2e/e2e_tests.mk
