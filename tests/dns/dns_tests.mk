EXTRA_DIST += tests/dns/dns_tests.mk
