EXTRA_DIST += tests/event/event_tests.mk
