TESTS += tests/systemd/test_unit.sh
EXTRA_DIST += tests/systemd/systemd_tests.mk tests/systemd/test_unit.sh
