# Hostile peers, see README.md. ./runtests runs them in their short form.
EXTRA_DIST += tests/fake/fake_tests.mk tests/fake/README.md
EXTRA_DIST += tests/fake/dns.table tests/fake/dns_deeds.py tests/fake/dns_server.py tests/fake/test_fake_dns.py

# make check-hostile [HOSTILE="-k NAME"]: the long form, with the time limits that people have.
HOSTILE =
check-hostile: hikyaku
	HIKYAKU_HOSTILE=long HIKYAKU=$(abs_builddir)/hikyaku \
		/usr/bin/python3 -B -m pytest $(HOSTILE) $(srcdir)/tests/fake
.PHONY: check-hostile
