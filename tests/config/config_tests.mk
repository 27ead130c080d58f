EXTRA_DIST += tests/config/config_tests.mk
