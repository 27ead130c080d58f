TESTS += tests/systemd/test_unit.sh
EXTRA_DIST += tests/systemd/systemd_tests.mk tests/systemd/test_unit.sh \
	tests/systemd/boot tests/systemd/inside tests/systemd/sink.py

# Not in `make check`: needs root and packages.
check-systemd: all
	$(srcdir)/tests/systemd/boot '$(abs_top_builddir)'
.PHONY: check-systemd
