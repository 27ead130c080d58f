EXTRA_DIST += tests/base/base_tests.mk
