# Hostile peers, see README.md. ./runtests runs them in their short form.
EXTRA_DIST += tests/fake/fake_tests.mk tests/fake/README.md
EXTRA_DIST += tests/fake/dns.table tests/fake/dns_deeds.py tests/fake/dns_server.py tests/fake/test_fake_dns.py
EXTRA_DIST += tests/fake/smtp_before_tls.table tests/fake/smtp_handshake.table \
	tests/fake/smtp_in_tls.table tests/fake/smtp_pipelining.table tests/fake/smtp_plaintext.table \
	tests/fake/smtp_certs.py tests/fake/smtp_deeds.py tests/fake/smtp_lab.py tests/fake/smtp_peer.py \
	tests/fake/smtp_table.py tests/fake/smtp_tls.py tests/fake/smtp_tls_deeds.py \
	tests/fake/test_smtp_cost.py tests/fake/test_smtp_hostile.py

# make check-hostile [HOSTILE="-k NAME"]: the long form, with the time limits that people have.
HOSTILE =
check-hostile: hikyaku
	HIKYAKU_HOSTILE=long HIKYAKU=$(abs_builddir)/hikyaku \
		/usr/bin/python3 -B -m pytest $(HOSTILE) $(srcdir)/tests/fake
.PHONY: check-hostile

# make check-tarpits [TARPITS="--rounds 5"]: what 200 of them cost a healthy destination, as a table.
TARPITS =
check-tarpits: hikyaku $(bench_programs)
	HIKYAKU_BUILD=$(abs_builddir) /usr/bin/python3 -B $(srcdir)/tests/fake/check_tarpits.py $(TARPITS)
.PHONY: check-tarpits
EXTRA_DIST += tests/fake/tarpits.py tests/fake/test_tarpits.py tests/fake/check_tarpits.py
