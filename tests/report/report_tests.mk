EXTRA_DIST += tests/report/report_tests.mk
