EXTRA_DIST += tests/delivery/delivery_tests.mk
