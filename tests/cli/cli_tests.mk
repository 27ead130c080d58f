EXTRA_DIST += tests/cli/cli_tests.mk
