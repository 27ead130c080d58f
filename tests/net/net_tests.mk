EXTRA_DIST += tests/net/net_tests.mk
