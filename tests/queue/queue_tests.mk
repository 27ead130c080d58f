EXTRA_DIST += tests/queue/queue_tests.mk
